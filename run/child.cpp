// The child's second half: the walk down the table, then execve.
#include "run/child.hpp"

#include "run/command.hpp"
#include "run/fault.hpp"
#include "run/gate.hpp"
#include "run/handshake.hpp"
#include "run/newcomer.hpp"
#include "run/reexec.hpp"
#include "run/replace.hpp"
#include "run/slate.hpp"
#include "run/supervise.hpp"
#include "run/terminal.hpp"
#include "run/watch.hpp"
#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/seccomp_birth.hpp"
#include "stages/settings.hpp"
#include "stages/stages.hpp"
#include "sys/mounts.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace run {

using stages::Inside;
using stages::Stage;

namespace {

/// Everything that the last stages would forbid, or that must be the last before them.
Result<void> settle(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    TRY(stages::set_process(inside));
    TRY(stages::take_streams(inside));
    if (!spec.stages.has(spec::Stage::caps))
        TRY(stages::become_user(inside));
    TRY(set_limits(spec));
    TRY(enter_directory(spec));
    if (spec.process.umask)
        TRY(sys::umask(*spec.process.umask));
    return stages::die_with_parent();
}

/// The descriptor that the parent's next message brings, if any.
Result<Fd> next_of(const Fd& socket, Said said) {
    Message sent = TRY(hear(socket));
    if (sent.said != said)
        sys::exit_now(125); // the parent is gone
    return std::move(sent.fd);
}

/// Nothing of ours goes along but the socket, the streams and what the caller has preserved.
Result<void> be_another(Inside& inside, const Fd& socket, Cord cord) {
    inside.proc.close();
    inside.rootfs.close();
    TRY(close_the_rest(inside.spec, socket, {cord.end.get(), cord.held.get()}));
    TRY(be_born(socket, inside.facts, std::move(cord)));
    auto led =
        lead_session(inside.spec.process, stages::seccomp::word_of(inside.facts.seccomp_filter));
    // Without a terminal it is in a session that has none already: a filter may refuse another.
    return inside.spec.process.terminal ? std::move(led) : Result<void>();
}

/// PR_SET_PDEATHSIG tells nothing of a parent that died before it was said, or while a change of
/// credentials had cleared it. Its socket is closed before the kernel looks for children to signal:
/// so open now, it is not too late for one.
void end_with_parent(const Inside& inside, const Fd& socket) {
    if (!inside.facts.orphan && sys::at_end(socket.get()).value_or(false))
        sys::exit_now(125);
}

/// The walk down the table, with the stops on the way.
class Walk {
public:
    /// `teller`: nullptr when nobody watches.
    Walk(Inside& inside, const Fd& socket, Fd gate, Teller* teller)
        : inside_(inside), socket_(socket), gate_(std::move(gate)), teller_(teller) {}

    /// When it is through: the command's.
    const sys::Strings& env() const { return env_; }

    Result<void> go() {
        TRY(stages::set_parameters(inside_));
        return go_on(stages::wanted(inside_.spec));
    }

    /// With programs that stand in for some of the stages; `packed`: what the child was told.
    void replace(Replacements replacements, std::string packed) {
        replacements_ = std::move(replacements);
        packed_ = std::move(packed);
    }
    /// Behind the stage that one of them stood in for.
    Result<void> resume(const Progress& progress) {
        awaited_ = progress.awaited;
        settled_ = progress.settled;
        passed_ = progress.passed;
        std::vector<const Stage*> order = stages::wanted(inside_.spec);
        auto done = std::ranges::find(order, progress.at, &Stage::id);
        if (done == order.end())
            return sys::wrong("the stage that was replaced is none of this walk's");
        if (teller_ != nullptr)
            TRY(teller_->after({.half = Half::child, .stage = *done}));
        return go_on({done + 1, order.end()});
    }

private:
    Result<void> go_on(const std::vector<const Stage*>& order) {
        for (const Stage* stage : order) {
            if (stage->leaves_host) {
                TRY(await_once());
                TRY(meet_runtime(inside_.spec, inside_.facts, socket_));
                if (inside_.spec.naming == spec::Naming::options &&
                    !inside_.spec.stages.has(spec::Stage::mount)) // then no ptmx is behind it
                    TRY(open_console_once());
            }
            if (stage->restricts)
                TRY(settle_once());
            if (stage->filters) {
                TRY(pass_once());
                TRY(meet_listener(inside_.facts, socket_));
            }
            if (auto done =
                    watched({.half = Half::child, .stage = stage, .empty = stage->child == nullptr},
                            [&] { return half_of(*stage); });
                !done)
                return std::unexpected(at(*stage, under_filter(std::move(done).error())));
            filtered_ |= stage->filters;
            if (inside_.listener.valid())
                TRY(say_listener(socket_, std::exchange(inside_.listener, Fd())));
        }
        TRY(settle_once());
        TRY(pass_once());
        if (env_.empty())
            env_ = environment(inside_.spec);
        if (inside_.facts.born_late)
            TRY(be_another(inside_, socket_, std::move(cord_)));
        else if (leads_late())
            TRY(lead_session(inside_.spec.process));
        if (leads_late() || inside_.spec.process.new_privileges)
            end_with_parent(inside_, socket_);
        return {};
    }
    Result<void> half_of(const Stage& stage) {
        if (replacements_.has(stage.id) && teller_ != nullptr)
            teller_->fall_silent();
        if (replacements_.has(stage.id))
            return std::unexpected(replacements_.become(
                stage, inside_, socket_,
                {.at = stage.id, .awaited = awaited_, .settled = settled_, .passed = passed_},
                packed_));
        return stage.child != nullptr ? stage.child(inside_) : Result<void>{};
    }
    /// A step in front of who watches, if anybody does.
    template <class Function>
    Result<void> watched(const Step& step, Function function) {
        if (teller_ == nullptr) [[likely]]
            return function();
        TRY(teller_->before(step));
        TRY(function());
        return teller_->after(step);
    }
    /// What the parent has done meanwhile is there before anything runs that isn't ours.
    Result<void> await_once() {
        if (inside_.facts.awaits && !std::exchange(awaited_, true))
            TRY(next_of(socket_, Said::done));
        return {};
    }
    /// The mount stage has made one of the container's own.
    Result<void> open_console_once() {
        if (inside_.spec.process.terminal && !inside_.console.valid())
            inside_.console = TRY(outer_console());
        return {};
    }
    Result<void> settle_once() {
        if (std::exchange(settled_, true))
            return {};
        TRY(open_console_once());
        if (inside_.console.valid())
            TRY(size_terminal(inside_.spec.process, inside_.console));
        return watched({.half = Half::settle}, [&] { return settle(inside_); });
    }
    Result<void> pass_once() {
        if (std::exchange(passed_, true))
            return {};
        TRY(await_once());
        TRY(hand_over_console()); // to `create`, where there is one: `start` has nowhere to send it
        if (!inside_.spec.process.terminal && !inside_.spec.stages.has(spec::Stage::init))
            TRY(lead_session(inside_.spec.process));
        if (inside_.facts.gated)
            TRY(find_command(inside_.spec));
        TRY(pass_gate(inside_.spec, inside_.facts, socket_, std::move(gate_)));
        TRY(stages::set_confinement(inside_));
        return prepare_for_filter();
    }
    /// All that a filter may refuse and that need not come after it: without no_new_privs, the user
    /// is set under it.
    Result<void> prepare_for_filter() {
        if (inside_.facts.born_late)
            cord_ = TRY(Cord::make());
        if (inside_.spec.process.new_privileges)
            return {};
        env_ = environment(inside_.spec);
        end_with_parent(inside_, socket_);
        return {};
    }
    /// Is it another process that leads the terminal's session, which is born last?
    bool leads_late() const {
        return inside_.facts.born_late || inside_.spec.stages.has(spec::Stage::init);
    }
    Error under_filter(Error error) const {
        // EINVAL comes of ids that are not mapped, and says so.
        if (filtered_ && filters_as_asked(inside_.spec) && error.code != EINVAL)
            error.hint = "does the seccomp profile refuse it? Without no_new_privs it is in force "
                         "before the capabilities and the user are set";
        return error;
    }
    /// The pty's master to the parent, its other side to our streams.
    Result<void> hand_over_console() {
        if (!inside_.console.valid())
            return {};
        // Opened first: a master whose other side was open, and is not now, reads as hung up.
        Fd slave = TRY(sys::pty_peer(inside_.console.get()));
        if (!inside_.facts.orphan)
            TRY(match_terminal(inside_.console, inside_.spec.process.console_size.has_value(),
                               inside_.facts.background));
        TRY(say_console(socket_, inside_.console));
        TRY(take_terminal(inside_.spec, slave));
        inside_.console.close();
        if (!leads_late())
            TRY(lead_session(inside_.spec.process));
        return {};
    }

    Inside& inside_;
    const Fd& socket_;
    Fd gate_;
    Teller* teller_;
    Replacements replacements_;
    std::string packed_;
    bool awaited_ = false;
    bool settled_ = false;
    bool passed_ = false;
    bool filtered_ = false;
    Cord cord_;
    sys::Strings env_;
};

/// What is to be done, as bytes.
Result<std::string> told(const Fd& socket) {
    std::string packed = TRY(hear_spec(socket));
    if (packed.empty())
        sys::exit_now(125); // the parent is gone
    return packed;
}

/// The same, behind a program that stood in for a stage: from what was put down for us in `state`.
Result<std::string> told_again(const Fd& socket, const Fd& state, std::optional<Resumed>& resumed) {
    TRY(say_resumed(socket));
    resumed = TRY(Resumed::from(state));
    return resumed->packed;
}

/// What the parent has sent along. Behind a program that stood in, there is no slate: what goes
/// wrong then is said, or seen.
Result<void> receive(Inside& inside, const Fd& socket, Slate& slate) {
    if (inside.facts.sent_rootfs)
        inside.rootfs = TRY(next_of(socket, Said::rootfs));
    if (inside.facts.born_late)
        inside.proc = TRY(next_of(socket, Said::proc));
    for (std::uint32_t index : inside.facts.sent_mounts) {
        inside.trees.resize(inside.spec.root.mounts.size());
        inside.trees.at(index) = TRY(next_of(socket, Said::tree));
    }
    if (inside.facts.slated) {
        Fd memory = TRY(next_of(socket, Said::slate));
        slate = TRY(Slate::open(memory));
    }
    return inside.facts.born_late ? change_line(socket) : Result<void>();
}

/// A descriptor number of the re-exec's command line, open and of the kind that we left there. An
/// invalid Fd for "-", and for anything else.
Fd kept(const std::string& text, mode_t kind) {
    int number = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < kFirst)
        return Fd();
    auto info = sys::fstat(number);
    if (!info || (info->st_mode & S_IFMT) != kind)
        return Fd();
    if (!sys::set_cloexec(number, true)) // else the command would get it
        return Fd();
    return Fd(number);
}

/// To where it was before a program stood in: whatever that has opened there is not wanted any
/// more.
void put_back(Fd& socket) {
    if (sys::dup2(socket.get(), kFirst) && sys::set_cloexec(kFirst, true))
        socket = Fd(kFirst);
}

} // namespace

// Standing: in the new namespaces, uid 0 of the user namespace with every capability in it, the
// host's root and mounts still around us (or a running container's, with inside_already), a few
// descriptors of the parent's.
std::string child_main(const std::vector<std::string>& args) {
    constexpr std::size_t count = 4; // and one more behind a program of --replace
    bool resumes = args.size() == count + 1;
    Fd socket = args.size() == count || resumes ? kept(args[0], S_IFSOCK) : Fd();
    if (!socket.valid())
        return "child is what 'gocontainer parent' turns into inside the new namespaces, by "
               "executing /proc/self/exe: it is not for calling by hand; try 'gocontainer parent "
               "/bin/sh'";
    if (resumes)
        put_back(socket);
    Fd gate = kept(args[1], S_IFSOCK);
    Fd time = kept(args[2], S_IFREG);
    std::optional<Resumed> resumed;
    auto bytes = resumes ? told_again(socket, kept(args[count], S_IFREG), resumed) : told(socket);
    if (!bytes)
        fail(socket, bytes.error());
    auto packed = unpack(*bytes);
    if (!packed)
        fail(socket, packed.error());
    const spec::Spec& spec = packed->spec;
    Inside inside{.spec = spec, .facts = packed->facts};
    inside.binary = kept(args[3], S_IFREG);
    inside.note = [&socket](const std::string& line) { (void)say_note(socket, line); };
    std::optional<Teller> teller;
    if (packed->facts.watched) {
        teller.emplace(socket);
        sys::listener = &*teller;
        if (packed->facts.slated)
            teller->fall_silent_after_filter();
    }
    Saboteur saboteur(spec);
    Slate slate;
    auto env = [&]() -> Result<sys::Strings> {
        // Whoever is in there already must not trace us, now that an exec has allowed it again.
        if (spec.inside_already || stages::joined(spec, spec::Stage::pid))
            TRY(sys::prctl(PR_SET_DUMPABLE, "PR_SET_DUMPABLE", 0));
        if (time.valid())
            TRY(sys::setns(time.get(), CLONE_NEWTIME));
        time.close();
        TRY(resumed ? resumed->restore(inside) : receive(inside, socket, slate));
        slate.set_filtered(packed->facts.slated); // soon, and nothing else ends us by SIGSYS before
        Walk walk(inside, socket, std::move(gate), teller ? &*teller : nullptr);
        if (!spec.replacements.empty())
            walk.replace(resumed ? std::move(resumed->replacements) : TRY(Replacements::open(spec)),
                         *bytes);
        TRY(resumed ? walk.resume(resumed->progress) : walk.go());
        TRY(saboteur.struck_in(Half::child));
        return walk.env();
    }();
    if (!env)
        fail(socket, env.error(), std::move(slate));
    // Without no_new_privs the caps stage comes behind the gate, and has said it once more.
    if (packed->facts.orphan && spec.process.new_privileges)
        (void)sys::prctl(PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", 0); // valid arguments: can't fail
    if (teller)
        if (auto told = teller->before({.half = Half::command}); !told)
            fail(socket, told.error(), std::move(slate));
    fail(socket, become_command(spec, socket, *env, slate), std::move(slate));
}

} // namespace run
