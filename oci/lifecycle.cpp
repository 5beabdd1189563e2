// A container's life.
#include "oci/lifecycle.hpp"

#include "oci/birth.hpp"
#include "oci/config.hpp"
#include "oci/files.hpp"
#include "oci/image.hpp"
#include "oci/notify.hpp"
#include "oci/process.hpp"
#include "oci/readiness.hpp"
#include "run/hooks.hpp"
#include "run/keeper.hpp"
#include "run/slate.hpp"
#include "run/supervise.hpp"
#include "sys/capability.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace oci {

using nlohmann::json;
using run::Said;

namespace {

constexpr std::chrono::seconds kPatience{10}; ///< for a killed process to be gone

Result<spec::Hooks> hooks_of(const Store& store) {
    std::string text = TRY(store.read("config.json"));
    json document = TRY(parse_json(text, "config.json"));
    auto hooks = hooks_from(document);
    if (!hooks)
        return sys::wrong("config.json: " + hooks.error());
    return std::move(*hooks);
}

/// Signals are taken by nobody until supervise() takes them: what comes earlier waits.
Result<run::BlockedSignals> hold_signals() {
    // A caller may have left it ignored, and then the kernel reaps our children, not we.
    sys::default_signal(SIGCHLD);
    return run::block_signals();
}

/// SIGKILL to the first process, and wait until it is gone: it need not be our child.
Result<void> kill_and_wait(const stages::Ledger& ledger) {
    Fd process = first_process(ledger);
    if (!process.valid())
        return {};
    auto sent = sys::pidfd_send_signal(process.get(), SIGKILL);
    if (!sent && sent.error().code != ESRCH)
        return sent;
    // The first process of a PID namespace is gone only after all others in there, and those may be
    // for somebody to wait for who waits for us: what counts is that it can do nothing any more.
    // The kernel tells nobody of that; who is not kept so ends at the first look.
    using std::chrono::milliseconds;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (milliseconds step{5}; std::chrono::steady_clock::now() < deadline; step *= 2) {
        pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
        if (TRY(sys::poll(std::span(&end, 1), std::min<milliseconds>(step, kPatience))) != 0)
            return {};
        auto stat = sys::process_stat(ledger.child);
        if (!stat || stat->ended)
            return {};
    }
    std::string number = std::to_string(ledger.child);
    return sys::wrong("process " + number + " does not end though it was killed",
                      "it hangs in the kernel: see /proc/" + number + "/stack");
}

/// Somebody has told it to end: it has a moment for it.
Result<bool> await_end(const stages::Ledger& ledger) {
    Fd process = first_process(ledger);
    if (!process.valid())
        return true;
    pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
    return TRY(sys::poll(std::span(&end, 1), kPatience)) == 1;
}

/// Whatever is left of a container whose first process has ended, and then its poststop hooks.
Result<void> destroy(const Global& global, Store& store, Progress& progress) {
    run::undo(progress.ledger);
    if (progress.unpacked[0] != '\0')
        TRY(discard(progress.unpacked));
    std::optional<State> state = store.state().value_or(std::nullopt); // damaged: no hooks
    spec::Hooks hooks;
    if (state && state->has_poststop)
        hooks = hooks_of(store).value_or(spec::Hooks{}); // likewise
    TRY(store.remove());
    if (state)
        run_poststop(global, hooks, *state);
    return {};
}

Result<void> already_running() {
    return sys::wrong("cannot start an already running container");
}

/// Until the container's first process has become the command.
Result<void> pass_gate(const Store& store, const State& state, const Now& now) {
    Fd slate = TRY(store.slate()); // behind the gate there is no way back
    auto socket = store.through_gate();
    if (!socket && socket.error().code == ECONNREFUSED) // another `start` was first, just now
        return already_running();
    if (!socket)
        return std::unexpected(std::move(socket).error());
    Agent agent;
    for (;;) {
        run::Message message = TRY(run::hear(*socket));
        if (message.said == Said::failed)
            return std::unexpected(run::error_of(message));
        if (message.said == Said::listening) {
            const spec::Spec spec = TRY(spec_of(store));
            TRY(agent.reach(spec.seccomp));
            (void)run::say_proceed(*socket); // it may have been killed meanwhile: that is heard
        }
        if (message.said == Said::listener) {
            spec::Seccomp seccomp = TRY(spec_of(store)).seccomp;
            TRY(agent.send(seccomp, state, Status::created, now.pid, now.pid, message.fd));
        }
        if (message.said == Said::end)
            break;
    }
    if (!slate.valid())
        return {};
    if (auto error = TRY(run::Slate::open(slate)).verdict())
        return std::unexpected(std::move(*error));
    return {};
}

/// Locked. By force, who waits for hooks has nothing more to wait for.
Result<Store> to_be_removed(const Global& global, const std::string& id, bool force) {
    Store store = TRY(Store::open(global.root, id));
    auto locked = store.lock();
    if (locked)
        return store;
    if (!force)
        return std::unexpected(std::move(locked).error());
    if (store.hooks_run()) { // else they have ended just now
        Progress progress = TRY(store.look());
        // A createContainer hook is in another PID namespace, where that process is not to be seen.
        if (!first_process(progress.ledger).valid())
            return std::unexpected(std::move(locked).error());
        TRY(kill_and_wait(progress.ledger));
    }
    TRY(store.wait_for_lock());
    return store;
}

} // namespace

Result<Caller> caller(const Global& global) {
    return Caller{.uid = sys::geteuid(),
                  .gid = sys::getgid(),
                  .in_user_namespace = global.in_user_namespace,
                  .systemd_cgroup = global.systemd_cgroup,
                  .capabilities = TRY(sys::held_bits()),
                  .known_capabilities = sys::known_bits()};
}

Result<void> create(const Global& global, const CreateOptions& options, const std::string& id) {
    run::BlockedSignals blocked = TRY(hold_signals());
    auto birth =
        prepare(global, options, id, /*detached=*/true, /*starts=*/false, blocked.mask_bits());
    if (!birth)
        return std::unexpected(std::move(birth).error());
    birth->facts().default_signals = true; // conmon, for one, ignores SIGPIPE
    auto gone = birth->go(/*gated=*/true, /*orphan=*/true);
    if (!gone)
        birth->fail();
    return gone;
}

Result<void> start(const Global& global, const std::string& id) {
    Store store = TRY(Store::open(global.root, id));
    TRY(store.lock());
    Progress* progress = TRY(store.progress());
    Now now = TRY(store.now(*progress));
    if (now.status == Status::stopped)
        return sys::wrong("cannot start a container that has stopped");
    if (now.status == Status::creating)
        return sys::wrong("cannot start a container whose creation was cut short",
                          "remove it with 'delete --force'");
    if (now.status == Status::paused)
        return sys::wrong("cannot start a paused container", "let it go on with 'resume' first");
    if (now.status != Status::created)
        return already_running();
    std::optional<State> state = TRY(store.state());
    if (!state)
        return sys::wrong("the container's state.json is missing", "'delete --force' removes it");
    if (state->no_process)
        return nothing_to_start();
    Readiness readiness = TRY(Readiness::listen(store, global.say));
    Fd process = readiness.asked() ? TRY(sys::pidfd_open(now.pid)) : Fd();
    progress->hooking = progress->hooks_at_start;
    auto started = pass_gate(store, *state, now);
    progress->hooking = false;
    bool hook_failed = !started && started.error().stage.starts_with("startContainer hook");
    if (started) {
        store.remove_gate();
        if (state->has_poststart) {
            spec::Hooks hooks = TRY(hooks_of(store));
            store.unlock(); // they may take long, or have something to do with the container
            started = run::run_hooks(hooks, hooks.poststart, "poststart",
                                     run::with_status(to_json(*state), "running", now.pid),
                                     state->bundle);
            hook_failed = !started;
        }
    }
    // The container must not outlive it (runtime.md, "Lifecycle", 7 and 10).
    if (hook_failed && store.lock()) {
        (void)kill_and_wait(progress->ledger);
        (void)destroy(global, store, *progress); // the first error counts
    }
    if (started && readiness.asked()) {
        store.unlock(); // it may take long
        readiness.wait(process, now.pid);
    }
    return started;
}

Result<int> run(const Global& global, const CreateOptions& options, const std::string& id) {
    run::BlockedSignals blocked = TRY(hold_signals());
    auto birth = prepare(global, options, id, options.detach, /*starts=*/true, blocked.mask_bits());
    if (!birth)
        return std::unexpected(std::move(birth).error());
    birth->facts().default_signals = true; // conmon, for one, ignores SIGPIPE
    auto gone = birth->go(/*gated=*/false, /*orphan=*/options.detach);
    if (!gone) {
        birth->fail();
        return std::unexpected(std::move(gone).error());
    }
    if (options.detach) {
        blocked.restore(); // it may take long, and a signal may end it
        birth->await_ready();
        return 0;
    }
    auto status = birth->supervise();
    if (!status || !options.keep)
        birth->destroy();
    return status;
}

Result<void> remove(const Global& global, const std::string& id, bool force) {
    auto opened = to_be_removed(global, id, force);
    if (!opened) {
        if (force && opened.error().detail.starts_with("container does not exist"))
            return {};
        return std::unexpected(std::move(opened).error());
    }
    Store store = std::move(*opened);
    Progress* progress = TRY(store.progress());
    stages::Ledger& ledger = progress->ledger;
    Now now = TRY(store.now(*progress));
    if (now.status == Status::running && !force && progress->ending)
        now.status = TRY(await_end(ledger)) ? Status::stopped : now.status;
    if (now.status != Status::stopped) {
        if (!force && now.status != Status::created)
            return sys::wrong("cannot delete container " + id +
                              " that is not stopped: " + std::string(name_of(now.status)));
        TRY(kill_and_wait(ledger));
    }
    return destroy(global, store, *progress);
}

Result<void> write_pid_file(const std::string& path, pid_t pid) {
    std::size_t slash = path.rfind('/');
    std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    auto written = [&]() -> Result<void> {
        Fd directory = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
        // The machine's /dev/null, say, would be a file from now on.
        auto there = sys::fstatat(directory.get(), name.empty() ? "." : name, AT_SYMLINK_NOFOLLOW);
        if (there && !S_ISREG(there->st_mode) && !S_ISLNK(there->st_mode))
            return sys::wrong("", "there is something else than a file, which stays as it is");
        return sys::replace_file(directory.get(), name, std::to_string(pid), 0644);
    }();
    if (!written)
        written.error().detail = "--pid-file \"" + path + "\"";
    return written;
}

} // namespace oci
