// One poll loop until the command has ended. Nothing here sleeps or asks twice.
#include "run/supervise.hpp"

#include "run/terminal.hpp"
#include "run/watch.hpp"
#include "stages/cgroup_stats.hpp"
#include "sys/path.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <utility>

namespace run {

namespace {

/// What is not passed on: what tells of mistakes of ours, what is our own affair (SIGTTIN,
/// SIGTTOU), and what nobody who doesn't ask for it notices.
constexpr int kOurs[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL, SIGTRAP,
                         SIGSYS,  SIGURG, SIGTTIN, SIGTTOU};

/// The rest, realtime signals and all: one that ended us would leave a container that nobody
/// deletes. SIGCHLD is for orphans, since the pidfd tells of the container.
sigset_t taken(bool with_orphans = true) {
    sigset_t set;
    sigfillset(&set);
    for (int number : kOurs)
        (void)sigdelset(&set, number); // valid numbers
    if (!with_orphans)
        (void)sigdelset(&set, SIGCHLD); // likewise
    return set;
}

/// The program of --replace has ended instead of handing on.
Error deserted(const std::string& stand_in, int status) {
    std::size_t equals = stand_in.find('=');
    return Error{.stage = stand_in.substr(0, equals),
                 .call = {},
                 .detail = "\"" + stand_in.substr(equals + 1) + "\" ended with status " +
                           std::to_string(status) + " and has not handed on",
                 .hint = "its last act is exec \"$GOCONTAINER_NEXT\" \"$@\", in a shell's words"};
}

class Supervisor {
public:
    Supervisor(const spec::Spec& spec, pid_t child, const Fd& pidfd, const Fd& socket,
               const std::function<void(const std::string&)>& say, const Slate& slate,
               const std::function<void()>& on_orphan, const Beside& beside)
        : spec_(spec), child_(child), pidfd_(pidfd), socket_(socket), say_(say), slate_(slate),
          on_orphan_(on_orphan), beside_(beside) {}

    Result<int> run(Fd console);

private:
    Result<void> on_message();
    Result<void> on_signal();
    Result<void> on_typed(const std::string& typed);
    Result<void> deliver(int signal);
    Result<void> suspend();
    static bool leaves(pid_t process, int signal);
    bool shielded(int signal) const;
    int status_of(int wait_status) const;

    const spec::Spec& spec_;
    pid_t child_;
    const Fd& pidfd_;
    const Fd& socket_;
    const std::function<void(const std::string&)>& say_;
    const Slate& slate_;
    const std::function<void()>& on_orphan_;
    const Beside& beside_;
    Fd signals_;
    Terminal terminal_;
    std::optional<Error> failed_;
    std::string stand_in_; ///< the program that the child is for now, "STAGE=PROGRAM"
    bool talking_ = true;
    bool filtered_ = false; ///< the child said nothing after its filter was on, and did not exec
    bool resumed_ = false;  ///< by a SIGCONT that is still to be read
    int killed_for_ = 0;    ///< the signal whose default action we carried out
};

Result<int> Supervisor::run(Fd console) {
    signals_ = TRY(sys::signalfd(taken(static_cast<bool>(on_orphan_))));
    if (console.valid())
        TRY(terminal_.attach(std::move(console)));
    for (;;) {
        std::array<pollfd, 7> fds{};
        fds[0] = {.fd = talking_ ? socket_.get() : -1, .events = POLLIN, .revents = 0};
        fds[1] = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
        fds[2] = {.fd = signals_.get(), .events = POLLIN, .revents = 0};
        fds[3] = {.fd = beside_.fd, .events = POLLIN, .revents = 0};
        auto tty = std::span(fds).last<3>();
        terminal_.interest(tty);
        TRY(sys::poll(fds));
        if (fds[0].revents != 0)
            TRY(on_message());
        if (terminal_.attached()) {
            std::string typed = TRY(terminal_.relay(tty));
            TRY(on_typed(typed));
        }
        if (fds[2].revents != 0)
            TRY(on_signal());
        if (fds[3].revents != 0)
            beside_.on_word();
        if (fds[1].revents != 0)
            break;
    }
    while (talking_) // what it said last came before its end
        TRY(on_message());
    terminal_.finish();
    int status = TRY(sys::waitpid(child_, 0)).second;
    if (failed_)
        return std::unexpected(std::move(*failed_));
    if (!stand_in_.empty())
        return std::unexpected(deserted(stand_in_, status_of(status)));
    if (filtered_ && status_of(status) == 128 + SIGSYS)
        return std::unexpected(
            Error{.stage = "seccomp",
                  .call = {},
                  .detail = "the filter of \"" + spec_.seccomp.file +
                            "\" ended the launch before the command could start (SIGSYS)",
                  .hint = "with SCMP_ACT_LOG instead of killing, the kernel's log names the call"});
    return status_of(status);
}

Result<void> Supervisor::on_message() {
    Message message = TRY(hear(socket_));
    switch (message.said) {
    case Said::note:
        say_(message.text);
        break;
    case Said::console:
        TRY(terminal_.attach(std::move(message.fd)));
        break;
    case Said::before:
    case Said::after:
        if (watcher != nullptr) {
            const Step step = step_of(message);
            TRY(message.said == Said::before ? watcher->before(step, child_)
                                             : watcher->after(step, child_));
            (void)say_proceed(socket_); // it may have been killed meanwhile: the pidfd tells
        }
        break;
    case Said::called:
        if (watcher != nullptr)
            watcher->called(called_of(message));
        break;
    case Said::replaced:
        stand_in_ = message.text;
        break;
    case Said::resumed:
        stand_in_.clear();
        break;
    case Said::failed:
        failed_ = error_of(message);
        break;
    default:
        talking_ = false;
        if (watcher != nullptr)
            watcher->gone();
        // Now, and not later: what runs in there by then is not ours any more.
        filtered_ = slate_.filtered();
        if (!failed_)
            failed_ = slate_.read();
        break;
    }
    return {};
}

/// Does `process` leave `signal` to its default action?
bool Supervisor::leaves(pid_t process, int signal) {
    auto text = sys::read_file("/proc/" + std::to_string(process) + "/status", 1 << 16);
    if (!text)
        return false;
    for (const char* field : {"\nSigBlk:\t", "\nSigIgn:\t", "\nSigCgt:\t"}) {
        std::size_t where = text->find(field);
        if (where == std::string::npos)
            return false;
        std::uint64_t bits = std::stoull(text->substr(where + 9, 16), nullptr, 16);
        if ((bits >> (signal - 1) & 1) != 0)
            return false; // blocked, ignored or caught: its own affair
    }
    // What sigwaitinfo(2) waits for is unblocked meanwhile: tini and others take signals so.
    auto call = sys::read_file("/proc/" + std::to_string(process) + "/syscall", 1 << 10);
    return !call || !call->starts_with(std::to_string(SYS_rt_sigtimedwait) + " ");
}

/// The kernel gives the first process of a PID namespace no signal that it has no handler for,
/// unless it is SIGKILL or SIGSTOP from outside (pid_namespaces(7)). A person who types ^C at
/// `gocontainer parent sleep 100` expects what the signal does elsewhere. Is this such a case?
bool Supervisor::shielded(int signal) const {
    return spec_.stages.has(spec::Stage::pid) && leaves(child_, signal);
}

Result<void> Supervisor::deliver(int signal) {
    // Looked at before as well: who waits for it is on the way out of that wait behind it.
    bool lost = signal != SIGWINCH && signal != SIGCONT && signal != SIGIO && shielded(signal);
    (void)sys::pidfd_send_signal(pidfd_.get(), signal); // ended already: poll says so next
    if (lost && shielded(signal)) {
        killed_for_ = signal;
        (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL); // likewise
    }
    return {};
}

/// Stop the container, then ourselves, so that the caller's shell sees a stopped job; go on with
/// both when we are continued.
Result<void> Supervisor::suspend() {
    auto tell = [this](int signal, int to_init) {
        // The command leads a session and with it a process group of its own, which is known to
        // the init above it, if there is one.
        if (spec_.stages.has(spec::Stage::init))
            (void)sys::pidfd_send_signal(pidfd_.get(), to_init); // ended already: poll says so next
        else if (!sys::kill(-child_, signal))
            (void)sys::pidfd_send_signal(pidfd_.get(), signal); // a group it has left, or none yet
    };
    tell(SIGSTOP, SIGTSTP);
    terminal_.flush();
    terminal_.restore();
    TRY(sys::kill(sys::getpid(), SIGSTOP));
    resumed_ = true;
    if (terminal_.attached()) {
        TRY(terminal_.make_raw());
        terminal_.copy_size();
    }
    tell(SIGCONT, SIGCONT);
    return {};
}

Result<void> Supervisor::on_signal() {
    auto signal = sys::read_signal(signals_.get());
    if (!signal)
        return signal.error().code == EAGAIN ? Result<void>{}
                                             : std::unexpected(std::move(signal).error());
    switch (signal->number) {
    case SIGTSTP:
        return suspend();
    case SIGCHLD:
        on_orphan_();
        return {};
    case SIGCONT:
        if (std::exchange(resumed_, false))
            return {}; // suspend() has told everybody
        terminal_.look_again();
        break;
    case SIGPIPE:
        return {}; // a line that nobody reads must not end the container
    case SIGWINCH:
        if (terminal_.attached() && signal->sender == 0) {
            terminal_.copy_size(); // the kernel tells the pty's foreground itself
            return {};
        }
        break;
    default:
        break;
    }
    return deliver(signal->number);
}

/// The pty has made signals of ^C, ^\ and ^Z, for whoever is in its foreground. Where that is a
/// shielded PID 1, we do what they would have done. Likewise ^Z for the leader of the session: who
/// has no shell of his own above him is not stopped by it (setpgid(2), orphaned process groups).
Result<void> Supervisor::on_typed(const std::string& typed) {
    for (char character : typed) {
        if (static_cast<unsigned char>(character) >= ' ' && character != 0x7f)
            continue; // cheap way out: the three are control characters
        int signal = terminal_.signal_of(character);
        if (signal == 0)
            continue;
        pid_t front = terminal_.foreground();
        if (signal == SIGTSTP && front == terminal_.session() && leaves(front, signal))
            return sys::leads_session() ? Result<void>{} : suspend(); // who would continue us?
        if (signal == SIGTSTP || front != child_ || !shielded(signal))
            continue;
        killed_for_ = signal;
        (void)sys::pidfd_send_signal(pidfd_.get(), SIGKILL); // ended already: poll says so next
    }
    return {};
}

int Supervisor::status_of(int wait_status) const {
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    int signal = WTERMSIG(wait_status);
    return 128 + (signal == SIGKILL && killed_for_ != 0 ? killed_for_ : signal);
}

} // namespace

Result<BlockedSignals> block_signals() {
    sigset_t before = TRY(sys::sigprocmask(SIG_BLOCK, taken()));
    std::uint64_t bits = 0;
    for (int number = 1; number < NSIG; ++number)
        if (sigismember(&before, number) == 1)
            bits |= std::uint64_t{1} << (number - 1);
    return BlockedSignals(before, bits);
}

Result<void> restore_signals(std::uint64_t mask_bits) {
    sigset_t mask;
    sigemptyset(&mask);
    for (int number = 1; number < NSIG; ++number)
        if ((mask_bits >> (number - 1) & 1) != 0)
            (void)sigaddset(&mask, number); // fails for the two that libc keeps for itself
    TRY(sys::sigprocmask(SIG_SETMASK, mask));
    return {};
}

void BlockedSignals::restore() {
    if (std::exchange(active_, false))
        (void)sys::sigprocmask(SIG_SETMASK, before_); // a set that was in force: can't fail
}

Result<int> supervise(const spec::Spec& spec, pid_t child, const Fd& pidfd, const Fd& socket,
                      const std::function<void(const std::string&)>& say, Fd console,
                      const Slate& slate, const std::function<void()>& on_orphan,
                      const Beside& beside) {
    return Supervisor(spec, child, pidfd, socket, say, slate, on_orphan, beside)
        .run(std::move(console));
}

void tell_of_memory(const Result<int>& ended, const std::string& leaf,
                    const std::function<void(const std::string&)>& say) {
    if (!ended || *ended != 128 + SIGKILL || leaf.empty())
        return;
    if (std::string why = stages::cgroup::killed_for_memory(leaf); !why.empty())
        say("cgroup: " + why);
}

} // namespace run
