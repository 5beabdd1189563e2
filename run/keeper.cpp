// Waiting for somebody else's end.
#include "run/keeper.hpp"

#include "stages/stages.hpp"

#include <linux/close_range.h>
#include <sys/prctl.h>

#include <new>
#include <ranges>

namespace run {

using sys::Fd;
using sys::Result;

void undo(stages::Ledger& ledger) {
    for (const stages::Stage& stage : std::views::reverse(stages::table()))
        if (stage.undo != nullptr)
            stage.undo(ledger);
}

Result<Keeper> Keeper::make() {
    void* page = TRY(sys::shared_memory(sizeof(stages::Ledger)));
    return Keeper(new (page) stages::Ledger);
}

Keeper::Keeper(Keeper&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), pid_(std::exchange(other.pid_, 0)) {}

Keeper::~Keeper() {
    dismiss();
    if (ledger_ != nullptr)
        sys::release_memory(ledger_, sizeof *ledger_);
}

namespace {

// In the launcher's namespaces, with its privileges and none of its descriptors but `launcher`.
[[noreturn]] void keep(stages::Ledger& ledger, Fd launcher) {
    // A session of its own: Ctrl-C, and a kill of the launcher's process group, pass by.
    (void)sys::setsid();
    (void)sys::prctl(PR_SET_NAME, "PR_SET_NAME",
                     reinterpret_cast<unsigned long>("keeper")); // only for people who run ps
    // Whoever waits for the end of the launcher's output must not wait for us.
    if (sys::dup2(launcher.get(), 0))
        (void)sys::close_range(1, ~0U, 0);
    pollfd end{.fd = 0, .events = POLLIN, .revents = 0};
    if (sys::poll(std::span(&end, 1)))
        undo(ledger);
    sys::exit_now(0);
}

} // namespace

Result<void> Keeper::start() {
    if (pid_ != 0)
        return {};
    Fd self = TRY(sys::pidfd_open(sys::getpid()));
    sigset_t all;
    sigfillset(&all);
    sigset_t before = TRY(sys::sigprocmask(SIG_SETMASK, all)); // the keeper has no handlers
    auto forked = sys::fork();
    if (forked && *forked == 0)
        keep(*ledger_, std::move(self));
    TRY(sys::sigprocmask(SIG_SETMASK, before));
    pid_ = TRY(std::move(forked));
    return {};
}

void Keeper::dismiss() {
    if (pid_ == 0)
        return;
    // Both can't fail: it is our child, and not waited for yet.
    (void)sys::kill(pid_, SIGKILL);
    (void)sys::waitpid(pid_, 0);
    pid_ = 0;
}

} // namespace run
