// Prepare, clone, parent halves, go.
//
// We stand in the caller's namespaces with the caller's privileges all the time; only the child,
// and a joiner before it, ever enter anything.
#include "run/begin.hpp"

#include "run/binary.hpp"
#include "run/child.hpp"
#include "run/fault.hpp"
#include "run/guard.hpp"
#include "run/join.hpp"
#include "run/newcomer.hpp"
#include "run/reexec.hpp"
#include "run/refused.hpp"
#include "run/terminal.hpp"
#include "run/watch.hpp"
#include "stages/net_devices.hpp"
#include "stages/resctrl.hpp"
#include "stages/settings.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>

#include <cerrno>

namespace run {

using stages::Launch;
using stages::Stage;

namespace {

Result<void> each(const std::vector<const Stage*>& order, Half half,
                  Result<void> (*Stage::*function)(Launch&), Launch& launch) {
    for (const Stage* stage : order) {
        if (stage->*function == nullptr || left_out(launch.spec, half, *stage))
            continue;
        auto done = step({.half = half, .stage = stage}, launch.child,
                         [&] { return (stage->*function)(launch); });
        if (!done)
            return std::unexpected(at(*stage, std::move(done).error()));
    }
    return {};
}

/// Who is in a namespace that we join must not trace us, nor look through our descriptors
/// (CVE-2016-9962). It is the memory's property: all of ours who share it are hidden. Not from who
/// has CAP_SYS_PTRACE in our own user namespace (ptrace(2)): to a container with such members,
/// `exec` brings a newcomer that has nothing (run/newcomer.hpp). A new container in their PID
/// namespace can't be hidden: it makes its own mounts, of the host's tree, and waits for `start`.
Result<void> hide() {
    return sys::prctl(PR_SET_DUMPABLE, "PR_SET_DUMPABLE", 0);
}

/// Where we are, while we stand where the child is to be born. Whoever is in the PID namespace sees
/// it from its first moment on, with our root directory: with the capability to trace, hide() alone
/// would not keep them out of the host's.
struct Home {
    Fd pids, mounts, root, directory;

    static Result<Home> here(bool with_tree) {
        Home home;
        home.pids = TRY(sys::openat(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY));
        if (!with_tree)
            return home;
        home.mounts = TRY(sys::openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY));
        home.root = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
        home.directory = TRY(sys::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
        return home;
    }
    Result<void> go_back() const {
        if (pids.valid())
            TRY(sys::setns(pids.get(), CLONE_NEWPID));
        if (!mounts.valid())
            return {};
        TRY(sys::setns(mounts.get(), CLONE_NEWNS));
        TRY(sys::fchdir(root.get())); // our root need not be that of the mount namespace
        TRY(sys::chroot("."));
        return sys::fchdir(directory.get());
    }
};

Result<Joins> joins_of(const Launch& launch) {
    std::optional<Joins> at_once;
    if (launch.container.valid())
        at_once = TRY(Joins::of_process(launch.container.get(), launch.container_pid));
    return at_once ? std::move(*at_once) : Joins::open(launch.spec);
}

Result<void> prepare(Launch& launch, const std::vector<const Stage*>& order) {
    if (!launch.spec.inside_already)
        TRY(stages::resctrl::prepare(launch));
    TRY(each(order, Half::prepare, &Stage::prepare, launch));
    if (launch.make_slate && launch.facts.may_silence) {
        launch.slate = TRY(launch.make_slate());
        launch.facts.slated = true;
    }
    return {};
}

void into(const Fd& leaf, clone_args& args) {
    if (!leaf.valid())
        return;
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(leaf.get());
}

/// The child is born into its namespaces and, with a leaf, into its cgroup, and blocks until go.
/// The kernel writes its pid into the ledger before it runs (CLONE_PARENT_SETTID), so that no kill
/// of ours is too early for the keeper, or `delete --force`, to know it.
Result<void> clone(Launch& launch, Entering& entering, const Fd& leaf) {
    Home home;
    if (entering.joins.has(CLONE_NEWPID) && !launch.facts.born_late) {
        home = TRY(Home::here(entering.joins.has(CLONE_NEWNS)));
        TRY(hide());
        auto joined = entering.joins.join_pid();
        if (joined)
            joined = entering.joins.join_tree();
        if (!joined) {
            TRY(home.go_back());
            return joined;
        }
    }
    int pidfd = -1;
    clone_args args{};
    args.flags = stages::clone_flags(launch.spec) | CLONE_PIDFD | CLONE_PARENT_SETTID;
    args.exit_signal = SIGCHLD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    args.parent_tid = reinterpret_cast<std::uint64_t>(&launch.ledger->child);
    into(leaf, args);
    auto pid = sys::clone3(args, enter, &entering);
    if (pid) {
        launch.child = *pid;
        launch.pidfd = Fd(pidfd);
    }
    TRY(home.go_back()); // whatever we start after it is the host's again
    if (!pid)
        return std::unexpected(refused_clone(launch, std::move(pid).error()));
    return {};
}

/// What the joiner works on, in the memory that it shares with us while we wait for it.
struct Joining {
    Launch& launch;
    Entering& entering;
    Result<void> result;
};

// In the caller's namespaces, and the leaf; in our memory, while we wait for our end.
[[noreturn]] void join_and_clone(void* argument) {
    Joining& with = *static_cast<Joining*>(argument);
    const Joins& joins = with.entering.joins;
    with.result = [&]() -> Result<void> {
        if (joins.has(CLONE_NEWUSER | CLONE_NEWPID))
            TRY(hide());
        TRY(joins.join_first());
        TRY(joins.join_pid());
        clone_args args{};
        args.flags = stages::clone_flags(with.launch.spec) | CLONE_PARENT | CLONE_PARENT_SETTID;
        args.parent_tid = reinterpret_cast<std::uint64_t>(&with.launch.ledger->child);
        auto pid = sys::clone3(args, enter, &with.entering);
        if (!pid)
            return std::unexpected(refused_clone(with.launch, std::move(pid).error()));
        with.launch.child = *pid;
        return {};
    }();
    sys::exit_now(0);
}

/// No child, and no error: the joiner was killed.
Result<void> clone_through_joiner(Launch& launch, Entering& entering, const Fd& leaf) {
    Joining joining{launch, entering, {}};
    clone_args args{};
    args.exit_signal = SIGCHLD;
    into(leaf, args);
    auto joiner = sys::clone3(args, join_and_clone, &joining);
    if (!joiner)
        return std::unexpected(refused_clone(launch, std::move(joiner).error()));
    TRY(sys::waitpid(*joiner, 0));
    TRY(std::move(joining.result));
    if (launch.child != 0)
        launch.pidfd = TRY(sys::pidfd_open(launch.child)); // our child, not waited for: still it
    return {};
}

/// Was the child dead before its first step? What can't be seen is no news: what it died of is
/// found later.
bool stillborn(Launch& launch) {
    auto born = sys::process_stat(launch.child);
    if (born)
        launch.ledger->child_started = born->started;
    return launch.child == 0 || (born && (born->killed || born->ended));
}

/// The child, in its leaf.
///
/// To be born there costs nothing, while a move there waits for every processor, ten milliseconds
/// or more. But of a birth from one cgroup into another the kernel compares how often each of them
/// was ended by cgroup.kill (since 6.14, cgroup_post_fork()): where that differs, it ends the child
/// before its first step, as one that was forked while its cgroup was being ended. Only then the
/// next one is moved.
Result<void> clone_into_leaf(Launch& launch, Entering& entering) {
    auto* how =
        !launch.facts.born_late && entering.joins.need_joiner(stages::clone_flags(launch.spec))
            ? clone_through_joiner
            : clone;
    const Fd elsewhere;
    bool moves = launch.attach != nullptr;
    TRY(how(launch, entering, moves ? elsewhere : launch.leaf));
    if (launch.leaf.valid() && !moves && stillborn(launch)) {
        end_child(launch);
        moves = true;
        TRY(how(launch, entering, elsewhere));
    }
    if (launch.child == 0)
        return sys::wrong("the joiner was killed");
    if (!moves)
        return {};
    if (launch.attach)
        return launch.attach(launch.child);
    return sys::write_file(launch.leaf.get(), "cgroup.procs", std::to_string(launch.child));
}

/// Parent halves, while the child is blocked. It works in our memory until its exec, on what
/// begin() holds.
Result<void> see_off(Launch& launch, const std::vector<const Stage*>& order) {
    if (launch.recorded && launch.ledger->child_started == 0)
        launch.ledger->child_started = TRY(sys::start_time(launch.child));
    TRY(stages::resctrl::enter(launch));
    return each(order, Half::parent, &Stage::parent, launch);
}

/// The child works in our memory until its exec: not even errno is ours alone. Its end of the pipe
/// is closed by that, or by its end.
Result<void> wait_for_exec(const Fd& pipe) {
    char none = 0;
    TRY(sys::read(pipe.get(), std::span(&none, 1)));
    return {};
}

/// A child that has died can't be told (unix(7), EPIPE): what it died of is found by who waits for
/// it. One that lives would wait for ever for what could not be sent.
Result<void> unless_gone(Result<void> said) {
    if (!said && (said.error().code == EPIPE || said.error().code == ECONNRESET))
        return {};
    return said;
}

/// All that the child will ask for, at once: so it never has to wait for us to wake up. Nothing but
/// system calls, since from "go" on it is at work in our memory.
Result<void> tell(const Launch& launch, const std::vector<std::string>& packed, const Fd& socket) {
    TRY(say_go(socket));
    TRY(say_spec(socket, packed));
    if (launch.rootfs.valid())
        TRY(say_rootfs(socket, launch.rootfs));
    if (launch.proc.valid())
        TRY(say_proc(socket, launch.proc));
    for (const Fd& tree : launch.trees)
        TRY(say_tree(socket, tree));
    if (launch.slate != nullptr)
        TRY(say_slate(socket, *launch.slate));
    return {};
}

/// From "go" on: until the child has left our memory, and what the stages do while it walks.
Result<void> accompany(Launch& launch, const std::vector<const Stage*>& order, const Joins& joins,
                       const Fd& executed, Fd& socket) {
    TRY(wait_for_exec(executed));
    launch.trees.clear();
    launch.proc.close();
    if (launch.facts.born_late)
        socket = TRY(other_line(socket));
    if (joins.has(CLONE_NEWUSER | CLONE_NEWPID))
        TRY(sys::prctl(PR_SET_DUMPABLE, "PR_SET_DUMPABLE", 1)); // hidden no more
    TRY(each(order, Half::meanwhile, &Stage::meanwhile, launch));
    return launch.facts.awaits ? unless_gone(say_done(socket)) : Result<void>();
}

} // namespace

void end_child(Launch& launch) {
    if (launch.child <= 0)
        return;
    // What failed may have been the child, waited for already: then there is nobody to find.
    (void)sys::pidfd_send_signal(launch.pidfd.get(), SIGKILL);
    launch.ledger->child = 0; // once it is waited for, the number may be another's
    launch.ledger->child_started = 0;
    (void)sys::waitpid(launch.child, 0);
    launch.child = 0;
    stages::net::take_back_devices(launch);
}

Result<Fd> begin(Launch& launch, const std::function<Result<void>()>& before_go) {
    const spec::Spec& spec = launch.spec;
    std::vector<const Stage*> order = stages::wanted(spec);
    Joins joins = TRY(joins_of(launch));
    launch.facts.born_late &= joins.by_one_call();
    if (launch.facts.born_late) {
        launch.proc = TRY(stages::outer_proc());
        TRY(permit_birth(launch.facts));
    }
    Saboteur saboteur(spec);
    TRY(prepare(launch, order));
    launch.facts.background = spec.process.terminal && !launch.facts.orphan && in_background();
    auto [ours, theirs] = TRY(sys::socketpair(SOCK_SEQPACKET));
    // Where the child comes into a mount namespace that is not its own making, it can't take the
    // copy of our binary itself.
    Fd binary =
        joins.has(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID) ? TRY(our_protected_binary()) : Fd();
    std::vector<std::string> namespaces;
    if (!spec.inside_already)
        namespaces = TRY(namespaces_for(spec));
    Entering entering{.spec = spec,
                      .facts = launch.facts,
                      .order = order,
                      .joins = joins,
                      .parents_namespaces = namespaces,
                      .socket = theirs.get(),
                      .parents_socket = ours.get(),
                      .gate = launch.gate.get(),
                      .binary = binary.get(),
                      .listener =
                          watcher != nullptr || !spec.faults.empty() ? sys::listener : nullptr,
                      .saboteur = &saboteur};
    auto [executed, executes] = TRY(sys::pipe());
    auto score = TRY(stages::OomScore::of_child(spec));
    launch.facts.scored = score.as_wanted();
    auto cloned = step({.half = Half::clone}, launch.child,
                       [&] { return clone_into_leaf(launch, entering); });
    theirs.close();
    executes.close();
    auto begun = cloned ? see_off(launch, order) : std::move(cloned);
    if (begun)
        begun = saboteur.struck_in(Half::parent);
    if (begun && before_go)
        begun = before_go();
    if (!begun) {
        end_child(launch);
        return std::unexpected(std::move(begun).error());
    }
    // Kept as long as the child is in our memory: giving memory back there isn't ours alone either.
    std::vector<std::string> packed = pack(spec, launch.facts);
    auto told = unless_gone(tell(launch, packed, ours));
    if (told)
        told = accompany(launch, order, joins, executed, ours);
    if (!told) {
        end_child(launch);
        return std::unexpected(std::move(told).error());
    }
    launch.gate.close();
    return std::move(ours);
}

} // namespace run
