// Waiting for somebody else's end.
#include "run/keeper.hpp"

#include "run/watch.hpp"

#include "stages/causes.hpp"
#include "stages/stages.hpp"
#include "sys/local.hpp"

#include <linux/close_range.h>
#include <sys/prctl.h>

#include <cerrno>
#include <ranges>

namespace run {

using stages::Ledger;
using sys::Fd;
using sys::Result;

namespace {

// The keeper's descriptors, and those of what it executes.
constexpr int kWatched = 0; ///< pidfd
constexpr int kLedger = 1;

constexpr const char* kExe = "/proc/self/exe";
// execve(2) writes to none of them.
char* const kAll[] = {const_cast<char*>(kExe), const_cast<char*>("keeper"), nullptr};
char* const kNetwork[] = {const_cast<char*>(kExe), const_cast<char*>("keeper"),
                          const_cast<char*>(spec::name_of(spec::Stage::net).data()), nullptr};
char* const kEnv[] = {nullptr};

/// What watch() uses, made before it runs.
struct Watch {
    int watched;
    int ledger;
    char* const* argv;
};

// In the launcher's namespaces and memory, while it runs: system calls only.
[[noreturn]] void watch(void* argument) {
    const Watch& with = *static_cast<const Watch*>(argument);
    // A session of its own: Ctrl-C, and a kill of the launcher's process group, pass by.
    (void)sys::setsid();
    // Whoever waits for the end of the launcher's output must not wait for us.
    if (!sys::dup2(with.watched, kWatched) || !sys::dup2(with.ledger, kLedger) ||
        !sys::close_range(kLedger + 1, ~0U, 0))
        sys::exit_now(125);
    pollfd end{.fd = kWatched, .events = POLLIN, .revents = 0};
    // Killed in the midst of malloc, the launcher has left a heap that can't be used any more.
    if (sys::poll(std::span(&end, 1)))
        (void)sys::execve_ready(kExe, with.argv, kEnv); // it returns only when it has failed
    sys::exit_now(125);
}

/// Start watch(), for good.
Result<pid_t> start(const Fd& watched, const Fd& ledger, char* const* argv) {
    // Numbers that watch() doesn't overwrite before it reads them; it uses this until it ends.
    Fd high = TRY(sys::dup_above(watched.get(), kLedger + 2));
    static Watch with;
    with = {.watched = high.get(), .ledger = ledger.get(), .argv = argv};
    sigset_t all;
    sigfillset(&all);
    sigset_t before = TRY(sys::sigprocmask(SIG_SETMASK, all)); // the keeper has no handlers
    clone_args args{};
    args.exit_signal = SIGCHLD;
    auto pid = sys::clone3(args, watch, &with);
    TRY(sys::sigprocmask(SIG_SETMASK, before));
    if (!pid)
        pid.error().hint = pid.error().code == ENOSYS
                               ? stages::causes::old_kernel("clone3")
                               : stages::causes::powerless_root(pid.error().code);
    return pid;
}

} // namespace

void undo(Ledger& ledger) {
    for (const stages::Stage& stage : std::views::reverse(stages::table()))
        if (stage.undo != nullptr)
            (void)step({.half = Half::undo, .stage = &stage}, 0, [&]() -> Result<void> {
                stage.undo(ledger);
                return {};
            }); // who watches can't stop it
}

namespace {

void undo_one(Ledger& ledger, spec::Stage which) {
    for (const stages::Stage& stage : stages::table())
        if (stage.id == which && stage.undo != nullptr)
            stage.undo(ledger);
}

} // namespace

Result<Keeper> Keeper::make() {
    // All zero is an empty Ledger; constructing one would touch its every page.
    return Keeper(static_cast<Ledger*>(TRY(sys::map_memory(sizeof(Ledger)))));
}

Keeper::Keeper(Keeper&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), pid_(std::exchange(other.pid_, 0)),
      dismissed_(other.dismissed_) {}

Keeper::~Keeper() {
    dismiss();
    if (pid_ != 0)
        (void)sys::waitpid(pid_, 0); // our child: can't fail
    if (ledger_ != nullptr)
        sys::release_memory(ledger_, sizeof *ledger_);
}

Result<void> Keeper::start() {
    if (pid_ != 0)
        return {};
    // From now on where the keeper finds it as well, and still where its writers have it. Nothing
    // can be in it yet but who the child is.
    const pid_t child = ledger_->child;
    const std::uint64_t started = ledger_->child_started;
    Fd file = TRY(sys::memfd_create("gocontainer-ledger"));
    TRY(sys::map_shared(file.get(), sizeof(Ledger), ledger_));
    ledger_->child = child;
    ledger_->child_started = started;
    Fd self = TRY(sys::pidfd_open(sys::getpid()));
    pid_ = TRY(run::start(self, file, kAll));
    return {};
}

void Keeper::dismiss() {
    if (pid_ != 0 && !std::exchange(dismissed_, true))
        (void)sys::kill(pid_, SIGKILL); // our child, not waited for yet: can't fail
}

Result<pid_t> tend_network(const Fd& container, const Fd& file) {
    return start(container, file, kNetwork);
}

void dismiss(pid_t keeper) {
    // Both can't fail: it is our child, and not waited for yet.
    (void)sys::kill(keeper, SIGKILL);
    (void)sys::waitpid(keeper, 0);
}

std::string keeper_main(const std::vector<std::string>& args) {
    auto stage = args.size() == 1 ? spec::stage_named(args.front()) : std::nullopt;
    auto file = sys::fstat(kLedger);
    auto link = sys::readlinkat(AT_FDCWD, "/proc/self/fd/" + std::to_string(kLedger));
    // Of a state directory, when there is a stage; else of a launcher's own.
    bool ours = file && link && S_ISREG(file->st_mode) &&
                static_cast<std::size_t>(file->st_size) >= sizeof(Ledger) &&
                (stage ? link->find("/progress") != std::string::npos
                       : args.empty() && link->starts_with("/memfd:gocontainer-ledger"));
    if (!ours)
        return "keeper is what cleans up after a launcher that was killed: it is not for calling "
               "by hand";
    (void)sys::prctl(PR_SET_NAME, "PR_SET_NAME",
                     reinterpret_cast<unsigned long>("keeper")); // only for people who run ps
    auto memory = sys::map_file(kLedger, sizeof(Ledger));
    if (memory && stage)
        undo_one(*static_cast<Ledger*>(*memory), *stage);
    else if (memory)
        undo(*static_cast<Ledger*>(*memory));
    sys::exit_now(0);
}

} // namespace run
