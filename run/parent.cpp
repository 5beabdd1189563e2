// The story of one launch, from the parent's side: prepare, clone, parent halves, go, wait, undo.
//
// We stand in the caller's namespaces with the caller's privileges all the time; only the child
// ever enters anything.
#include "run/parent.hpp"

#include "run/child.hpp"
#include "run/handshake.hpp"
#include "run/keeper.hpp"
#include "run/refused.hpp"
#include "run/supervise.hpp"
#include "stages/stages.hpp"

#include <cerrno>

namespace run {

using stages::Launch;
using stages::Stage;

namespace {

Error at(std::string_view stage, Error error) {
    if (error.stage.empty())
        error.stage = stage;
    return error;
}

/// Inodes of our own namespaces: what the child must not find itself in.
Result<std::vector<std::uint64_t>> own_namespaces() {
    std::vector<std::uint64_t> inodes;
    for (const Stage& stage : stages::table()) {
        if (stage.ns == nullptr)
            continue;
        auto info = sys::fstatat(AT_FDCWD, std::string("/proc/self/ns/") + stage.ns, 0);
        if (!info && info.error().code != ENOENT) // this kernel has no such namespace
            return std::unexpected(std::move(info).error());
        inodes.push_back(info ? info->st_ino : 0);
    }
    return inodes;
}

Result<void> each(const std::vector<const Stage*>& order, auto half, auto& launch) {
    for (const Stage* stage : order) {
        auto function = stage->*half;
        if (function == nullptr)
            continue;
        if (auto done = function(launch); !done)
            return std::unexpected(at(name_of(stage->id), std::move(done).error()));
    }
    return {};
}

/// The child is born into its namespaces and, with a leaf, into its cgroup, and blocks until go.
/// The kernel writes its pid into the ledger before it runs (CLONE_PARENT_SETTID), so that no kill
/// of ours is too early for the keeper to know it.
Result<pid_t> clone(Launch& launch, Entering& entering, sys::MemoryLeft& left) {
    int pidfd = -1;
    clone_args args{};
    args.flags = stages::clone_flags(launch.spec) | CLONE_PIDFD | CLONE_PARENT_SETTID;
    args.exit_signal = SIGCHLD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    args.parent_tid = reinterpret_cast<std::uint64_t>(&launch.ledger->child);
    if (launch.leaf.valid()) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(launch.leaf.get());
    }
    auto pid = sys::clone3(args, enter, &entering, &left);
    if (!pid)
        return std::unexpected(refused_clone(launch, std::move(pid).error()));
    launch.pidfd = Fd(pidfd);
    return pid;
}

/// Ends the child where the launch fails around it. It works in our memory until its exec, on what
/// go() holds: so before go() returns, and not after.
class EndUnlessWaited {
public:
    explicit EndUnlessWaited(Launch& launch) : launch_(launch) {}
    EndUnlessWaited(const EndUnlessWaited&) = delete;
    EndUnlessWaited& operator=(const EndUnlessWaited&) = delete;
    ~EndUnlessWaited() {
        if (launch_.child <= 0 || waited_)
            return;
        // What failed may have been the child, waited for already: then there is nobody to find.
        (void)sys::pidfd_send_signal(launch_.pidfd.get(), SIGKILL);
        (void)sys::waitpid(launch_.child, 0);
    }
    void waited() { waited_ = true; }

private:
    Launch& launch_;
    bool waited_ = false;
};

/// Everything between the first preparation and the command's end; the caller undoes.
Result<int> go(Launch& launch, const std::vector<const Stage*>& order) {
    TRY(each(order, &Stage::prepare, launch));
    Fd packed = TRY(pack(launch.spec, launch.facts));
    auto [ours, theirs] = TRY(sys::socketpair(SOCK_SEQPACKET));
    Entering entering{launch.spec, launch.facts, order, theirs.get(), ours.get(), packed.get()};
    sys::MemoryLeft left;
    EndUnlessWaited child(launch);
    launch.child = TRY(clone(launch, entering, left));
    theirs.close();
    TRY(each(order, &Stage::parent, launch));
    // A child that has died already can't be told; what it died of is found below.
    (void)say_go(ours);
    left.wait(); // it works in our memory until its exec: not even errno is ours alone
    if (launch.rootfs.valid())
        (void)say_rootfs(ours, launch.rootfs); // a child that has died, likewise
    packed.close();
    launch.leaf.close();
    int status = TRY(supervise(launch.spec, launch.child, launch.pidfd, ours, launch.say));
    child.waited();
    return status;
}

} // namespace

Result<int> launch(spec::Spec spec, std::function<void(const std::string&)> say) {
    if (spec.name.empty())
        spec.name = "gc-" + TRY(sys::random_hex(4));
    Keeper keeper = TRY(Keeper::make());
    Launch launch{.spec = spec, .ledger = &keeper.ledger()};
    launch.keep = [&keeper] { return keeper.start(); };
    launch.say = std::move(say);
    launch.facts.host_namespaces = TRY(own_namespaces());

    // A caller may have left it ignored, and then the kernel reaps our children, not we.
    sys::default_signal(SIGCHLD);
    // From here on signals wait until supervise() takes them, so that none ends us half-way.
    BlockedSignals blocked = TRY(block_signals());
    launch.facts.signal_mask = blocked.mask_bits();

    auto status = go(launch, stages::wanted(spec));
    undo(keeper.ledger());
    return status;
}

} // namespace run
