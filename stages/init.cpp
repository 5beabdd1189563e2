// init: a PID 1 that does its two duties, so that the command need not (lessons/08-init).
//
//   reap      orphans become its children; without a wait they stay zombies
//   forward   signals to the command; the kernel gives PID 1 none that it has no handler for
#include "stages/caps.hpp"
#include "stages/stages.hpp"
#include "sys/title.hpp"

#include <linux/close_range.h>
#include <sys/wait.h>

#include <cerrno>

namespace stages::init {

namespace {

// PID 1 of the container (or, without the pid stage, its first process). Every signal is blocked
// and taken one by one, so none is lost and no handler runs.
[[noreturn]] void serve(pid_t command, Fd signals, Fd held) {
    sys::listener = nullptr; // PID 1 outlives the launch: who watched that has stopped listening
    // Out of the caller's session: a ^C there comes to the parent, which sends it on, and must not
    // come a second time.
    (void)sys::setsid();
    sys::set_title("gocontainer init");
    // Onto the handshake's socket: only the command's exec may close the last copy late.
    constexpr int lowest = 3;
    if (signals.get() != lowest && sys::dup2(signals.get(), lowest))
        signals = Fd(lowest);
    // None of ours but that is needed any more; a failure closes none.
    (void)sys::close_range(static_cast<unsigned>(signals.get()) + 1, ~0U, 0);
    held.close(); // again, where that could not: the command waits for it
    for (;;) {
        auto signal = sys::read_signal(signals.get());
        if (!signal && signal.error().code == EAGAIN) {
            pollfd next{.fd = signals.get(), .events = POLLIN, .revents = 0};
            if (!sys::poll(std::span(&next, 1)))
                sys::exit_now(125);
            continue;
        }
        if (!signal)
            sys::exit_now(125);
        if (signal->number == SIGTSTP || signal->number == SIGCONT) {
            // The parent stops and continues the whole; the command's group is orphaned, so that
            // the kernel would not stop it for SIGTSTP.
            (void)sys::kill(-command, signal->number == SIGTSTP ? SIGSTOP : SIGCONT);
            continue;
        }
        if (signal->number != SIGCHLD) {
            (void)sys::kill(command, signal->number); // gone already: its SIGCHLD is on the way
            continue;
        }
        for (;;) {
            auto got = sys::waitpid(-1, WNOHANG);
            if (!got || got->first == 0)
                break;
            if (got->first == command)
                sys::exit_now(WIFSIGNALED(got->second) ? 128 + WTERMSIG(got->second)
                                                       : WEXITSTATUS(got->second));
        }
    }
}

} // namespace

// Everything is done but the exec: the command inherits all of it from this fork.
Result<void> child(Inside&) {
    sigset_t all;
    sigfillset(&all);
    sigset_t before = TRY(sys::sigprocmask(SIG_SETMASK, all));
    // Before the fork, so that what can't be had is an error and no silent end of PID 1. Not
    // sigwait: while it waits, /proc/PID/status shows the signals as neither blocked nor caught,
    // and the parent would take us for a PID 1 that the kernel shields from them.
    Fd signals = TRY(sys::signalfd(all));
    auto [closed, held] = TRY(sys::pipe());
    pid_t command = TRY(sys::fork());
    if (command != 0)
        serve(command, std::move(signals), std::move(held));
    // The command may look into /proc/1/fd from its first instruction on.
    held.close();
    char none = 0;
    TRY(sys::read(closed.get(), std::span(&none, 1)));
    TRY(sys::sigprocmask(SIG_SETMASK, before));
    // A fork doesn't inherit it, and without the pid stage no namespace ends with its PID 1.
    return die_with_parent();
}

} // namespace stages::init
