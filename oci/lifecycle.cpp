// A container's life.
#include "oci/lifecycle.hpp"

#include "oci/config.hpp"
#include "oci/files.hpp"
#include "oci/image.hpp"
#include "oci/loading.hpp"
#include "oci/notify.hpp"
#include "oci/process.hpp"
#include "oci/version.hpp"
#include "run/begin.hpp"
#include "run/binary.hpp"
#include "run/hooks.hpp"
#include "run/keeper.hpp"
#include "run/slate.hpp"
#include "run/supervise.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/clock.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace oci {

using nlohmann::json;
using run::Said;

namespace {

constexpr const char* kFilters = "filters@";  ///< below the root; no container's ID has an "@"
constexpr std::chrono::seconds kPatience{10}; ///< for a killed process to be gone

std::string how_ended(int status) {
    return WIFSIGNALED(status) ? "was ended by " + sys::signal_name(WTERMSIG(status))
                               : "ended with status " + std::to_string(WEXITSTATUS(status));
}

Result<spec::Hooks> hooks_of(const Store& store) {
    std::string text = TRY(store.read("config.json"));
    json document = TRY(parse_json(text, "config.json"));
    auto hooks = hooks_from(document);
    if (!hooks)
        return sys::wrong("config.json: " + hooks.error());
    return std::move(*hooks);
}

/// All of them, whatever one of them says: the container is gone (runtime.md, "Lifecycle", 13).
void run_poststop(const Global& global, const spec::Hooks& hooks, const std::string& state) {
    for (const spec::Hook& hook : hooks.poststop)
        if (auto done =
                run::run_hooks(hooks, {hook}, "poststop", run::with_status(state, "stopped", 0));
            !done)
            global.say("warning: " + sys::to_line(done.error()));
}

/// Remove the container's files, as far as it goes: an error that came before counts. Of a bundle
/// that can't be removed, the state stays, so that `delete` can say why.
void abandon(Store& store, Progress& progress) {
    if (progress.unpacked[0] == '\0' || discard(progress.unpacked))
        (void)store.remove();
}

/// One launch of a container, from its state directory to a process that runs or waits.
class Birth {
public:
    Birth(const Global& global, const CreateOptions& options, Store store, Loaded loaded,
          Progress& progress)
        : global_(global), options_(options), store_(std::move(store)),
          config_(std::move(loaded.config)), bundle_(std::move(loaded.bundle)),
          text_(std::move(loaded.text)), progress_(progress),
          launch_{.spec = config_.spec, .ledger = &progress.ledger} {
        launch_.recorded = true;
        launch_.keep = [this] { return keep(); };
        launch_.say = [&global, &options](const std::string& line) {
            bool asked = (options.own_net && line.starts_with("net: ")) ||
                         (options.overlay && line.starts_with("mount: --overlay"));
            (asked ? global.say : global.debug)(line);
        };
        launch_.filter_cache = sys::join(global.root, kFilters);
        launch_.make_slate = [this]() -> Result<const Fd*> {
            Fd file = TRY(store_.make_slate());
            slate_ = TRY(run::Slate::on(std::move(file)));
            return &slate_.file();
        };
    }
    Birth(const Birth&) = delete; // the launch refers to our own config
    Birth& operator=(const Birth&) = delete;
    ~Birth() = default;

    /// `gated`: until the child waits at the gate. Else until it has become the command.
    Result<void> go(bool gated, bool orphan) {
        const spec::Hooks& hooks = config_.spec.hooks;
        if (!hooks.poststart.empty() || !hooks.poststop.empty()) // for whoever runs them
            TRY(store_.write("config.json", text_));
        known_ = {.version = config_.version,
                  .id = store_.id(),
                  .bundle = bundle_,
                  .rootfs = config_.rootfs,
                  .created = sys::rfc3339_now(),
                  .shares_pids = !config_.spec.stages.has(spec::Stage::pid),
                  .has_poststart = !hooks.poststart.empty(),
                  .has_poststop = !hooks.poststop.empty(),
                  .no_process = config_.spec.process.args.empty(),
                  .systemd = config_.spec.cgroup.manager == spec::CgroupManager::systemd,
                  .annotations = config_.annotations};
        TRY(store_.write_state(known_));
        state_ = to_json(known_);
        launch_.facts.state = state_;
        launch_.facts.gated = gated;
        launch_.facts.orphan = orphan;
        launch_.facts.meets = !hooks.prestart.empty() || !hooks.create_runtime.empty();
        if (gated)
            launch_.gate = TRY(store_.make_gate());
        socket_ = TRY(run::begin(launch_));
        TRY(store_.write("exec", pack_exec(config_, launch_.facts))); // the child is busy meanwhile
        TRY(converse());
        if (!options_.pidfd_socket.empty())
            TRY(sys::send_to(options_.pidfd_socket, "pidfd", launch_.pidfd.get()));
        if (!options_.pid_file.empty())
            TRY(write_pid_file(options_.pid_file, launch_.child));
        progress_.created = true;
        if (!gated)
            TRY(poststart());
        return {};
    }

    /// As if nothing had ever been tried.
    void fail() {
        run::end_child(launch_);
        destroy();
    }

    /// Somebody else may have done it already: then there is nothing to lock, and nothing to undo.
    void destroy() {
        if (keeper_ != 0)
            run::dismiss(std::exchange(keeper_, 0));
        if (!store_.lock())
            return;
        run::undo(progress_.ledger);
        abandon(store_, progress_);
        run_poststop(global_, config_.spec.hooks, state_);
    }

    Result<int> supervise() {
        store_.unlock(); // for a `delete --force` by somebody else
        return run::supervise(config_.spec, launch_.child, launch_.pidfd, socket_, launch_.say,
                              std::move(console_));
    }

    Result<void> poststart() {
        return run::run_hooks(config_.spec.hooks, config_.spec.hooks.poststart, "poststart",
                              run::with_status(state_, "running", launch_.child));
    }

    stages::Facts& facts() { return launch_.facts; }

private:
    /// The state directory remembers what there is to undo, and that is enough for all but one: who
    /// serves the network must end with the container, whether anybody deletes that or not.
    Result<void> keep() {
        if (launch_.child == 0 || keeper_ != 0) // only the network comes after the child
            return {};
        Fd file = TRY(store_.progress_file());
        keeper_ = TRY(run::tend_network(launch_.pidfd, file));
        return {};
    }

    Result<void> run_runtime_hooks() {
        std::string state = run::with_status(state_, "creating", launch_.child);
        TRY(run::run_hooks(config_.spec.hooks, config_.spec.hooks.prestart, "prestart", state));
        return run::run_hooks(config_.spec.hooks, config_.spec.hooks.create_runtime,
                              "createRuntime", state);
    }

    /// Listen to the child until it is ready, or has become the command.
    Result<void> converse() {
        for (;;) {
            run::Message message = TRY(run::hear(socket_));
            switch (message.said) {
            case Said::note:
                launch_.say(message.text);
                break;
            case Said::mounted:
                TRY(run_runtime_hooks());
                TRY(run::say_proceed(socket_));
                break;
            case Said::console:
                if (options_.console_socket.empty())
                    console_ = std::move(message.fd);
                else
                    TRY(sys::send_to(options_.console_socket, "/dev/ptmx", message.fd.get()));
                break;
            case Said::listener:
                TRY(send_listener(config_.spec.seccomp, known_, Status::creating, launch_.child,
                                  launch_.child, message.fd));
                break;
            case Said::failed:
                return std::unexpected(run::error_of(message));
            case Said::ready:
                return {};
            default:
                if (auto error = slate_.verdict(); error && !launch_.facts.gated)
                    return std::unexpected(std::move(*error));
                return launch_.facts.gated ? unexpected_end() : Result<void>{};
            }
        }
    }

    Result<void> unexpected_end() {
        auto [pid, status] = TRY(sys::waitpid(launch_.child, 0));
        launch_.child = 0;
        return sys::wrong("the container's first process " + how_ended(status) +
                              " before it was ready",
                          "was it killed for want of memory? see linux.resources.memory.limit");
    }

    const Global& global_;
    const CreateOptions& options_;
    Store store_;
    Config config_;
    std::string bundle_;
    std::string text_; ///< of config.json
    Progress& progress_;
    stages::Launch launch_;
    State known_;
    std::string state_; ///< for hooks
    Fd socket_;
    Fd console_;
    run::Slate slate_;
    pid_t keeper_ = 0; ///< of the network's helper; 0: none
};

/// Signals are taken by nobody until supervise() takes them: what comes earlier waits.
Result<run::BlockedSignals> hold_signals() {
    // A caller may have left it ignored, and then the kernel reaps our children, not we.
    sys::default_signal(SIGCHLD);
    return run::block_signals();
}

/// The bundle that a container of an image gets, noted down before it is made.
Result<std::string> unpack_noted(const Global& global, const Layout& layout, const Unpacking& how,
                                 Progress& progress) {
    std::string place = TRY(bundle_place(global, how.id));
    if (place.size() >= sizeof progress.unpacked)
        return sys::wrong("the path \"" + place + "\" is too long");
    memcpy(progress.unpacked, place.c_str(), place.size() + 1);
    TRY(unpack(global, layout, place, how));
    return place;
}

/// runtime.md, "Start": an error when `process` was not set.
auto nothing_to_start() {
    return sys::wrong("config.json: process: is missing, so there is nothing to start");
}

Result<Birth> prepare(const Global& global, const CreateOptions& options, const std::string& id,
                      bool detached, bool starts, std::uint64_t signal_mask) {
    std::string bundle = TRY(absolute(options.bundle));
    std::optional<Layout> layout = layout_at(bundle);
    std::optional<Loaded> loaded;
    if (!layout)
        loaded = TRY(load(global, options, bundle, id, detached)); // before anything is made
    if (loaded && stages::joined(loaded->config.spec, spec::Stage::pid))
        TRY(run::protect_ourselves(signal_mask));
    if (starts && loaded && loaded->config.spec.process.args.empty())
        return nothing_to_start();
    Store store = TRY(Store::create(global.root, id));
    auto filled = [&]() -> Result<Progress*> {
        Progress* progress = TRY(store.progress());
        if (!layout)
            return progress;
        bool terminal =
            detached ? !options.console_socket.empty() : sys::isatty(0) && sys::isatty(1);
        Unpacking how{.id = id, .terminal = terminal, .signal_mask = signal_mask};
        bundle = TRY(unpack_noted(global, *layout, how, *progress));
        loaded = TRY(load(global, options, bundle, id, detached));
        harden(loaded->config.spec);
        // Nobody has handed it an input, as engines do: what it is started from is a person's.
        if (detached && !terminal)
            TRY(silence_input());
        return progress;
    }();
    if (!filled) {
        if (auto progress = store.progress())
            abandon(store, **progress);
        else
            (void)store.remove(); // the first error counts
        return std::unexpected(std::move(filled).error());
    }
    return Result<Birth>(std::in_place, global, options, std::move(store), std::move(*loaded),
                         **filled);
}

/// SIGKILL to the first process, and wait until it is gone: it need not be our child.
Result<void> kill_and_wait(const stages::Ledger& ledger) {
    pid_t pid = ledger.child;
    auto process = sys::pidfd_open(pid);
    if (!process)
        return {}; // gone
    // The number may be another's by now; the descriptor is one process's for good.
    auto stat = sys::process_stat(pid);
    if (!stat || (ledger.child_started != 0 && stat->started != ledger.child_started))
        return {};
    auto sent = sys::pidfd_send_signal(process->get(), SIGKILL);
    if (!sent && sent.error().code != ESRCH)
        return sent;
    // The first process of a PID namespace is gone only after all others in there, and those may be
    // for somebody to wait for who waits for us: what counts is that it can do nothing any more.
    // The kernel tells nobody of that; who is not kept so ends at the first look.
    using std::chrono::milliseconds;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (milliseconds step{5}; std::chrono::steady_clock::now() < deadline; step *= 2) {
        pollfd end{.fd = process->get(), .events = POLLIN, .revents = 0};
        if (TRY(sys::poll(std::span(&end, 1), std::min<milliseconds>(step, kPatience))) != 0)
            return {};
        stat = sys::process_stat(pid);
        if (!stat || stat->ended)
            return {};
    }
    return sys::wrong("process " + std::to_string(pid) + " does not end though it was killed",
                      "it hangs in the kernel: see /proc/" + std::to_string(pid) + "/stack");
}

/// Somebody has told it to end: it has a moment for it.
Result<bool> await_end(const stages::Ledger& ledger) {
    auto process = sys::pidfd_open(ledger.child);
    auto stat = sys::process_stat(ledger.child);
    if (!process || !stat || (ledger.child_started != 0 && stat->started != ledger.child_started))
        return true; // gone
    pollfd end{.fd = process->get(), .events = POLLIN, .revents = 0};
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
        run_poststop(global, hooks, to_json(*state));
    return {};
}

/// Until the container's first process has become the command.
Result<void> pass_gate(const Store& store, const State& state, const Now& now) {
    Fd slate = TRY(store.slate()); // behind the gate there is no way back
    Fd socket = TRY(store.through_gate());
    for (;;) {
        run::Message message = TRY(run::hear(socket));
        if (message.said == Said::failed)
            return std::unexpected(run::error_of(message));
        if (message.said == Said::listener) {
            spec::Seccomp seccomp = TRY(seccomp_of(store));
            TRY(send_listener(seccomp, state, Status::created, now.pid, now.pid, message.fd));
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

} // namespace

Result<Caller> caller(const Global& global) {
    return Caller{.uid = sys::geteuid(),
                  .gid = sys::getgid(),
                  .in_user_namespace = global.in_user_namespace,
                  .systemd_cgroup = global.systemd_cgroup,
                  .rootless = global.rootless,
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
    if (now.status != Status::created)
        return sys::wrong("cannot start an already running container");
    std::optional<State> state = TRY(store.state());
    if (!state)
        return sys::wrong("the container's state.json is missing", "'delete --force' removes it");
    if (state->no_process)
        return nothing_to_start();
    auto started = pass_gate(store, *state, now);
    bool hook_failed = !started && started.error().stage.starts_with("startContainer hook");
    if (started) {
        store.remove_gate();
        if (!state->has_poststart)
            return {};
        spec::Hooks hooks = TRY(hooks_of(store));
        started = run::run_hooks(hooks, hooks.poststart, "poststart",
                                 run::with_status(to_json(*state), "running", now.pid));
        hook_failed = !started;
    }
    if (hook_failed) { // the container must not outlive it (runtime.md, "Lifecycle", 7 and 10)
        (void)kill_and_wait(progress->ledger);
        (void)destroy(global, store, *progress); // the first error counts
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
    if (options.detach)
        return 0;
    auto status = birth->supervise();
    if (!status || !options.keep)
        birth->destroy();
    return status;
}

Result<void> remove(const Global& global, const std::string& id, bool force) {
    auto opened = Store::open(global.root, id);
    auto locked = opened ? opened->lock() : std::unexpected(opened.error());
    if (!locked) {
        if (force && locked.error().detail.starts_with("container does not exist"))
            return {};
        return locked;
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
    Fd directory = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    return sys::replace_file(directory.get(),
                             slash == std::string::npos ? path : path.substr(slash + 1),
                             std::to_string(pid), 0644);
}

} // namespace oci
