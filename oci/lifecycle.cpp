// A container's life.
#include "oci/lifecycle.hpp"

#include "oci/config.hpp"
#include "oci/files.hpp"
#include "oci/notify.hpp"
#include "oci/process.hpp"
#include "oci/version.hpp"
#include "run/begin.hpp"
#include "run/hooks.hpp"
#include "run/keeper.hpp"
#include "run/supervise.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

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

Result<std::string> absolute(const std::string& path) {
    if (path.starts_with('/'))
        return path;
    return path == "." ? sys::getcwd() : Result<std::string>(sys::join(TRY(sys::getcwd()), path));
}

/// A bundle, read and understood.
struct Loaded {
    Config config;
    std::string bundle; ///< absolute
    std::string text;   ///< of config.json
};

Result<Loaded> load(const Global& global, const CreateOptions& options, const std::string& id) {
    std::string bundle = TRY(absolute(options.bundle));
    std::string path = sys::join(bundle, "config.json");
    auto text = read_text(path);
    if (!text) {
        Error error = std::move(text).error();
        if (error.code == ENOENT)
            error.hint =
                "a bundle is a folder with config.json and a root filesystem: 'gocontainer "
                "spec' makes a config.json";
        return std::unexpected(std::move(error));
    }
    json document = TRY(parse_json(*text, path));
    auto config = from_config(document, Bundle{.path = bundle, .id = id}, caller(global));
    if (!config)
        return sys::wrong(path + ": " + config.error());
    for (const std::string& warning : config->warnings)
        global.debug(warning);
    return Loaded{std::move(*config), std::move(bundle), std::move(*text)};
}

Result<spec::Hooks> hooks_of(const Store& store) {
    std::string text = TRY(store.read("config.json"));
    json document = TRY(parse_json(text, "config.json"));
    auto hooks = hooks_from(document);
    if (!hooks)
        return sys::wrong("config.json: " + hooks.error());
    return std::move(*hooks);
}

/// The options of `run` that no other runtime has: for a person with a bundle, and no engine.
Result<void> apply_own(const CreateOptions& options, spec::Spec& spec) {
    if (options.own_net) {
        if (stages::joined(spec, spec::Stage::net))
            return sys::wrong("--net: config.json has the container join a network namespace that "
                              "is there already",
                              "leave out its path in linux.namespaces, or --net");
        spec.stages.add(spec::Stage::net);
        spec.net.mode = options.net;
    }
    spec.net.ports = options.ports;
    spec.net.dns = options.dns;
    spec.net.allow_host_loopback = options.allow_host_loopback;
    if (options.overlay) {
        spec.root.overlay = true;
        spec.root.read_only = false; // what that is to keep as it is stays so
    }
    if (!options.own_net && !options.dns.empty())
        return sys::wrong("--dns: needs --net slirp or --net pasta");
    if (std::string wrong = spec::validate(spec); !wrong.empty())
        return sys::wrong(std::move(wrong));
    return {};
}

/// What the options say beyond the bundle.
Result<void> apply(const Global& global, const CreateOptions& options, spec::Spec& spec,
                   const std::string& id) {
    spec.name = id;
    spec.quiet = true;
    if (options.no_pivot && spec.root.mode == spec::RootMode::pivot)
        spec.root.mode = spec::RootMode::move;
    spec.process.keyring = options.no_new_keyring ? "" : "_ses." + id;
    if (global.no_cgroups)
        spec.cgroup.manager = spec::CgroupManager::disabled;
    spec.process.preserved_fds = TRY(preserved_fds(options.preserve_fds, spec.process.env));
    TRY(apply_own(options, spec));
    return {};
}

Result<void> check_terminal(const spec::Spec& spec, const CreateOptions& options, bool detached) {
    if (spec.process.terminal && detached && options.console_socket.empty())
        return sys::wrong("cannot allocate tty if runc will detach without setting console socket");
    if (!options.console_socket.empty() && (!detached || !spec.process.terminal))
        return sys::wrong("cannot use console socket if runc will not detach or allocate tty");
    return {};
}

/// All of them, whatever one of them says: the container is gone (runtime.md, "Lifecycle", 13).
void run_poststop(const Global& global, const spec::Hooks& hooks, const std::string& state) {
    for (const spec::Hook& hook : hooks.poststop)
        if (auto done =
                run::run_hooks(hooks, {hook}, "poststop", run::with_status(state, "stopped", 0));
            !done)
            global.say("warning: " + sys::to_line(done.error()));
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
                  .created = rfc3339_now(),
                  .shares_pids = !config_.spec.stages.has(spec::Stage::pid),
                  .has_poststart = !hooks.poststart.empty(),
                  .has_poststop = !hooks.poststop.empty(),
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
        (void)store_.remove(); // the first error counts
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
    pid_t keeper_ = 0; ///< of the network's helper; 0: none
};

/// Signals are taken by nobody until supervise() takes them: what comes earlier waits.
Result<run::BlockedSignals> prepare_signals(stages::Facts& facts) {
    // A caller may have left it ignored, and then the kernel reaps our children, not we.
    sys::default_signal(SIGCHLD);
    run::BlockedSignals blocked = TRY(run::block_signals());
    facts.default_signals = true; // conmon, for one, ignores SIGPIPE
    return blocked;
}

Result<Birth> prepare(const Global& global, const CreateOptions& options, const std::string& id,
                      bool detached) {
    Loaded loaded = TRY(load(global, options, id));
    TRY(apply(global, options, loaded.config.spec, id));
    TRY(check_terminal(loaded.config.spec, options, detached));
    Store store = TRY(Store::create(global.root, id));
    auto progress = store.progress();
    if (!progress) {
        (void)store.remove(); // the first error counts
        return std::unexpected(std::move(progress).error());
    }
    return Result<Birth>(std::in_place, global, options, std::move(store), std::move(loaded),
                         **progress);
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

/// Whatever is left of a container whose first process has ended, and then its poststop hooks.
Result<void> destroy(const Global& global, Store& store, stages::Ledger& ledger) {
    run::undo(ledger);
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
            return {};
    }
}

} // namespace

Caller caller(const Global& global) {
    return {.uid = sys::geteuid(),
            .gid = sys::getgid(),
            .in_user_namespace = global.in_user_namespace,
            .systemd_cgroup = global.systemd_cgroup,
            .rootless = global.rootless,
            .capabilities = sys::held_bits(),
            .known_capabilities = sys::known_bits()};
}

Result<void> create(const Global& global, const CreateOptions& options, const std::string& id) {
    auto birth = prepare(global, options, id, /*detached=*/true);
    if (!birth)
        return std::unexpected(std::move(birth).error());
    auto blocked = prepare_signals(birth->facts());
    auto gone = blocked ? birth->go(/*gated=*/true, /*orphan=*/true)
                        : std::unexpected(std::move(blocked).error());
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
        (void)destroy(global, store, progress->ledger); // the first error counts
    }
    return started;
}

Result<int> run(const Global& global, const CreateOptions& options, const std::string& id) {
    auto birth = prepare(global, options, id, options.detach);
    if (!birth)
        return std::unexpected(std::move(birth).error());
    auto blocked = prepare_signals(birth->facts());
    auto gone = blocked ? birth->go(/*gated=*/false, /*orphan=*/options.detach)
                        : std::unexpected(std::move(blocked).error());
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
    if (now.status != Status::stopped) {
        if (!force && now.status != Status::created)
            return sys::wrong("cannot delete container " + id +
                              " that is not stopped: " + std::string(name_of(now.status)));
        TRY(kill_and_wait(ledger));
    }
    return destroy(global, store, ledger);
}

Result<unsigned> preserved_fds(unsigned asked, std::vector<std::string>& env) {
    unsigned listening = 0;
    const char* count = getenv("LISTEN_FDS");
    const char* whose = getenv("LISTEN_PID");
    if (count != nullptr && whose != nullptr && std::to_string(sys::getpid()) == whose) {
        listening = static_cast<unsigned>(strtoul(count, nullptr, 10));
        env.push_back(std::string("LISTEN_FDS=") + count);
        env.emplace_back("LISTEN_PID=1");
        if (const char* names = getenv("LISTEN_FDNAMES"); names != nullptr)
            env.push_back(std::string("LISTEN_FDNAMES=") + names);
    }
    if (asked > 1000 || listening > 1000)
        return sys::wrong("--preserve-fds: so many descriptors can't be open");
    for (unsigned i = 0; i < listening + asked; ++i)
        if (!sys::fstat(static_cast<int>(3 + i)))
            return sys::wrong("--preserve-fds: descriptor " + std::to_string(3 + i) +
                                  " is not open",
                              "they are counted from 3 on, after those of LISTEN_FDS");
    return listening + asked;
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
