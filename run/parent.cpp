// The story of one launch, from the parent's side: begin, wait, undo.
#include "run/parent.hpp"

#include "run/begin.hpp"
#include "run/fault.hpp"
#include "run/keeper.hpp"
#include "run/orphans.hpp"
#include "run/replace.hpp"
#include "run/slate.hpp"
#include "run/supervise.hpp"
#include "run/watch.hpp"

#include <cerrno>
#include <csignal>

namespace run {

using stages::Launch;

Result<int> launch(spec::Spec spec, std::function<void(const std::string&)> say,
                   std::optional<std::uint64_t> signal_mask) {
    if (spec.name.empty())
        spec.name = "gc-" + TRY(sys::random_hex(4));
    // The caller's keys are for the caller (session-keyring(7)).
    if (spec.stages.has(spec::Stage::ipc) && spec.process.keyring.empty())
        spec.process.keyring = "_ses." + spec.name;
    if (!spec.replacements.empty())
        TRY(check_replacements(spec));
    if (!spec.faults.empty())
        TRY(check_faults(spec));
    Keeper keeper = TRY(Keeper::make());
    Launch launch{.spec = spec, .ledger = &keeper.ledger()};
    launch.keep = [&keeper] { return keeper.start(); };
    launch.say = std::move(say);

    // A caller may have left it ignored, and then the kernel reaps our children, not we.
    sys::default_signal(SIGCHLD);
    // From here on signals wait until supervise() takes them, so that none ends us half-way.
    BlockedSignals blocked = TRY(block_signals());
    launch.facts.watched = watcher != nullptr;
    launch.facts.signal_mask = signal_mask.value_or(blocked.mask_bits());

    auto status = [&]() -> Result<int> {
        Slate slate;
        launch.make_slate = [&slate]() -> Result<const Fd*> {
            slate = TRY(Slate::make());
            return &slate.file();
        };
        // Who is waited for elsewhere, in their own time.
        auto ours = [&] { return std::set{launch.child, launch.ledger->helper, keeper.pid()}; };
        std::function<void()> on_orphan;
        if (!spec.stages.has(spec::Stage::pid)) {
            TRY(adopt_orphans());
            on_orphan = [&] { reap_orphans(ours()); };
        }
        Fd socket = TRY(begin(launch));
        auto ended =
            supervise(spec, launch.child, launch.pidfd, socket, launch.say, {}, slate, on_orphan);
        tell_of_memory(ended, launch.ledger->leaf, launch.say);
        if (!ended)
            end_child(launch); // it may have ended, and been waited for: then nobody is found
        if (on_orphan)
            end_orphans(ours());
        return ended;
    }();
    if (!status && status.error().code == EFBIG)
        sys::forget_signal(SIGXFSZ); // it came with that, and would end us before a word is said
    undo(keeper.ledger());
    keeper.dismiss(); // it ends while we let go of the rest
    return status;
}

} // namespace run
