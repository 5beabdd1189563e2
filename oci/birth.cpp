// The launch, what the child says of it, and taking it back.
#include "oci/birth.hpp"

#include "oci/files.hpp"
#include "oci/image.hpp"
#include "oci/notify.hpp"
#include "oci/process.hpp"
#include "run/begin.hpp"
#include "run/binary.hpp"
#include "run/hooks.hpp"
#include "run/keeper.hpp"
#include "run/supervise.hpp"
#include "stages/stages.hpp"
#include "sys/clock.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <sys/wait.h>

#include <cstring>

namespace oci {

using run::Said;

namespace {

std::string how_ended(int status) {
    return WIFSIGNALED(status) ? "was ended by " + sys::signal_name(WTERMSIG(status))
                               : "ended with status " + std::to_string(WEXITSTATUS(status));
}

/// Remove the container's files, as far as it goes: an error that came before counts. Of a bundle
/// that can't be removed, the state stays, so that `delete` can say why.
void abandon(Store& store, Progress& progress) {
    if (progress.unpacked[0] == '\0' || discard(progress.unpacked))
        (void)store.remove();
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

} // namespace

void run_poststop(const Global& global, const spec::Hooks& hooks, const State& state) {
    std::string told = run::with_status(to_json(state), "stopped", 0);
    // Who made the bundle may have removed it by now; what the hook is for is there still.
    std::string directory = sys::exists(state.bundle) ? state.bundle : "/";
    for (const spec::Hook& hook : hooks.poststop)
        if (auto done = run::run_hooks(hooks, {hook}, "poststop", told, directory); !done)
            global.say("warning: " + sys::to_line(done.error()));
}

Birth::Birth(const Global& global, const CreateOptions& options, Store store, Loaded loaded,
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
    launch_.filter_cache = filter_cache(global);
    if (loaded.filter)
        stages::seccomp::take(launch_.facts, std::move(*loaded.filter));
    launch_.make_slate = [this]() -> Result<const Fd*> {
        Fd file = TRY(store_.make_slate());
        slate_ = TRY(run::Slate::on(std::move(file)));
        return &slate_.file();
    };
}
Result<void> Birth::go(bool gated, bool orphan) {
    const spec::Hooks& hooks = config_.spec.hooks;
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
    if (!hooks.poststart.empty() || !hooks.poststop.empty()) // for whoever runs them
        TRY(store_.write("config.json", text_));
    TRY(store_.write_state(known_));
    state_ = to_json(known_);
    launch_.facts.state = state_;
    launch_.facts.gated = gated;
    launch_.facts.orphan = orphan;
    launch_.facts.meets = !hooks.prestart.empty() || !hooks.create_runtime.empty();
    TRY(offer_manager(store_, config_.spec, global_.say));
    if (gated)
        launch_.gate = TRY(store_.make_gate());
    else
        readiness_ = TRY(Readiness::listen(store_, global_.say));
    socket_ = TRY(run::begin(launch_, [this] {
        return store_.write("exec", pack_exec(config_, launch_.facts)); // for those that come later
    }));
    progress_.hooks_at_start = gated && !hooks.start_container.empty();
    progress_.hooking = launch_.facts.meets || !hooks.create_container.empty() ||
                        (!gated && !hooks.start_container.empty());
    TRY(converse());
    progress_.hooking = false;
    if (!options_.pidfd_socket.empty())
        TRY(hand_over("--pidfd-socket", options_.pidfd_socket, "pidfd", launch_.pidfd));
    if (!options_.pid_file.empty())
        TRY(write_pid_file(options_.pid_file, launch_.child));
    progress_.created = true;
    if (!gated && known_.has_poststart) {
        store_.unlock(); // hooks may take long, or have something to do with the container
        TRY(poststart());
    }
    launch_.devices_netns.close(); // it shall end with the container, not with us
    return {};
}

void Birth::fail() {
    run::end_child(launch_);
    destroy();
}

void Birth::destroy() {
    if (keeper_ != 0)
        run::dismiss(std::exchange(keeper_, 0));
    if (!store_.lock())
        return;
    run::undo(progress_.ledger);
    abandon(store_, progress_);
    run_poststop(global_, config_.spec.hooks, known_);
}

Result<int> Birth::supervise() {
    store_.unlock(); // for a `delete --force` by somebody else
    run::Beside beside;
    if (readiness_.asked())
        beside = {.fd = readiness_.socket().get(),
                  .on_word = [this] { readiness_.pass_on(sys::getpid()); }};
    auto ended = run::supervise(config_.spec, launch_.child, launch_.pidfd, socket_, launch_.say,
                                std::move(console_), {}, {}, beside);
    run::tell_of_memory(ended, progress_.ledger.leaf, global_.say);
    return ended;
}

void Birth::await_ready() {
    if (!readiness_.asked())
        return;
    store_.unlock(); // likewise
    readiness_.wait(launch_.pidfd, launch_.child);
}

Result<void> Birth::poststart() {
    return run::run_hooks(config_.spec.hooks, config_.spec.hooks.poststart, "poststart",
                          run::with_status(state_, "running", launch_.child), bundle_);
}

/// The state directory remembers what there is to undo, and that is enough for all but one: who
/// serves the network must end with the container, whether anybody deletes that or not.
Result<void> Birth::keep() {
    if (launch_.child == 0 || keeper_ != 0) // only the network comes after the child
        return {};
    Fd file = TRY(store_.progress_file());
    keeper_ = TRY(run::tend_network(launch_.pidfd, file));
    return {};
}

Result<void> Birth::run_runtime_hooks() {
    std::string state = run::with_status(state_, "creating", launch_.child);
    TRY(run::run_hooks(config_.spec.hooks, config_.spec.hooks.prestart, "prestart", state, bundle_,
                       launch_.pidfd.get()));
    return run::run_hooks(config_.spec.hooks, config_.spec.hooks.create_runtime, "createRuntime",
                          state, bundle_, launch_.pidfd.get());
}

/// Listen to the child until it is ready, or has become the command.
Result<void> Birth::converse() {
    Agent agent;
    for (;;) {
        run::Message message = TRY(run::hear(socket_));
        switch (message.said) {
        case Said::note:
            launch_.say(message.text);
            break;
        case Said::mounted:
            TRY(run_runtime_hooks());
            if (auto said = run::say_proceed(socket_); !said)
                return said.error().code == EPIPE ? unexpected_end() : said;
            break;
        case Said::console:
            if (options_.console_socket.empty())
                console_ = std::move(message.fd);
            else
                TRY(hand_over("--console-socket", options_.console_socket, "/dev/ptmx",
                              message.fd));
            break;
        case Said::listening:
            TRY(agent.reach(config_.spec.seccomp));
            (void)run::say_proceed(socket_); // it may have been killed meanwhile: that is heard
            break;
        case Said::listener:
            TRY(agent.send(config_.spec.seccomp, known_, Status::creating, launch_.child,
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

Result<void> Birth::unexpected_end() {
    auto [pid, status] = TRY(sys::waitpid(launch_.child, 0));
    launch_.child = 0;
    return sys::wrong("the container's first process " + how_ended(status) + " before it was ready",
                      "was it killed for want of memory? see linux.resources.memory.limit");
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

} // namespace oci
