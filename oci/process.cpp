// A Spec for a container that is there already.
#include "oci/process.hpp"

#include "oci/files.hpp"
#include "oci/loading.hpp"
#include "oci/notify.hpp"
#include "oci/readiness.hpp"
#include "run/begin.hpp"
#include "run/newcomer.hpp"
#include "run/slate.hpp"
#include "run/supervise.hpp"
#include "run/visit.hpp"
#include "spec/options.hpp"
#include "spec/pack.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/stages.hpp"
#include "sys/affinity.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>

namespace oci {

using nlohmann::json;
using run::Said;
using spec::Stage;

namespace {

struct ExecTemplate {
    spec::Spec spec;
    std::vector<spec::IdMap> uids, gids;
    Affinity affinity;
    std::string seccomp_filter; ///< compiled
    std::uint32_t seccomp_flags = 0;
    bool may_silence = false;
    bool traced = false; ///< somebody in there may have the capability to trace us
};

void template_fields(auto& field, auto& exec) {
    field("seccompFilter", exec.seccomp_filter);
    field("seccompFlags", exec.seccomp_flags);
    field("maySilence", exec.may_silence);
    field("traced", exec.traced);
    field.list("uids", exec.uids, spec::kIdMapFields);
    field.list("gids", exec.gids, spec::kIdMapFields);
    field("initialAffinity", exec.affinity.initial);
    field("finalAffinity", exec.affinity.final);
}

Result<ExecTemplate> unpack_exec(const std::string& text) {
    spec::Unpacker unpacker(text);
    ExecTemplate out;
    std::string spec;
    bool end = false;
    unpacker.must("spec", spec);
    template_fields(unpacker, out);
    unpacker.must("end", end);
    bool whole = unpacker.whole() && end && spec::unpack(spec, out.spec);
    // A profile of config.json's without its program would become the default one.
    bool own_filter =
        out.spec.stages.has(Stage::seccomp) && out.spec.seccomp.mode != spec::SeccompMode::standard;
    if (!whole || own_filter == out.seccomp_filter.empty())
        return sys::wrong("the container's state is damaged, or was written by another version of "
                          "gocontainer",
                          "use that one, or remove the container with 'delete --force'");
    return out;
}

/// exec --cap: not into the inheritable set, which would hand them to every program with file
/// capabilities (CVE-2022-29162), and so not into the ambient one.
Result<void> add_capabilities(spec::Capabilities& sets, const std::vector<std::string>& names) {
    for (const std::string& text : names) {
        auto parsed = spec::parse_capability(text);
        if (!parsed)
            return sys::wrong("--cap " + parsed.error());
        for (const std::string& name : *parsed) {
            for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted})
                if (std::ranges::find(*set, name) == set->end())
                    set->push_back(name);
            if (std::ranges::find(sets.inheritable, name) != sets.inheritable.end() &&
                std::ranges::find(sets.ambient, name) == sets.ambient.end())
                sets.ambient.push_back(name);
        }
    }
    return {};
}

Result<void> apply_options(spec::Spec& spec, const ExecOptions& options) {
    spec::Process& process = spec.process;
    process.args = options.args;
    if (process.args.empty())
        return sys::wrong("exec: no command: give one after the container's ID, or --process");
    process.env.insert(process.env.end(), options.env.begin(), options.env.end());
    if (!options.cwd.empty() && !options.cwd.starts_with('/'))
        return sys::wrong("--cwd \"" + options.cwd + "\": must be absolute");
    if (!options.cwd.empty())
        process.cwd = options.cwd;
    if (!options.user.empty()) {
        std::string_view user = options.user;
        std::size_t colon = user.find(':');
        auto uid = spec::parse_number<std::uint32_t>(user.substr(0, colon));
        auto gid = colon == std::string_view::npos
                       ? spec::Parsed<std::uint32_t>(process.ids ? process.ids->gid : 0)
                       : spec::parse_number<std::uint32_t>(user.substr(colon + 1));
        // CVE-2016-3697: a name that looks like a number is a number.
        if (!uid || !gid || *uid == ~0U || *gid == ~0U)
            return sys::wrong("--user \"" + options.user + "\": UID[:GID] in digits");
        process.ids = spec::Ids{.uid = *uid, .gid = *gid, .groups = {}, .keep_groups = false};
    }
    if (!options.groups.empty()) {
        if (!process.ids)
            process.ids.emplace();
        auto& groups = process.ids->groups;
        groups.insert(groups.end(), options.groups.begin(), options.groups.end());
    }
    TRY(add_capabilities(spec.capabilities, options.capabilities));
    if (!options.apparmor.empty())
        process.apparmor = options.apparmor;
    if (!options.selinux.empty())
        process.selinux = options.selinux;
    if (options.no_new_privileges)
        process.new_privileges = false;
    process.terminal = options.tty;
    return {};
}

Result<void> apply_process(const Global& global, ExecTemplate& from, const std::string& path) {
    std::string text = TRY(read_text(path));
    json document = TRY(parse_json(text, path));
    Caller who = TRY(caller(global));
    auto applied = from_process(document, from.spec, who);
    if (!applied)
        return sys::wrong(path + ": " + applied.error());
    for (const std::string& warning : applied->warnings)
        global.debug(warning);
    if (!applied->affinity.initial.empty())
        from.affinity.initial = applied->affinity.initial;
    if (!applied->affinity.final.empty())
        from.affinity.final = applied->affinity.final;
    return {};
}

Result<void> check_status(const Now& now, const ExecOptions& options) {
    if (now.status == Status::stopped)
        return sys::wrong("cannot exec in a stopped container");
    if (now.status == Status::creating)
        return sys::wrong("cannot exec in a container that is being created");
    if (now.status == Status::paused && !options.ignore_paused)
        return sys::wrong("cannot exec in a paused container (use --ignore-paused to override)");
    return {};
}

Result<void> check_terminal(const spec::Spec& spec, const ExecOptions& options) {
    if (spec.process.terminal && options.detach && options.console_socket.empty())
        return sys::wrong("cannot allocate tty if runc will detach without setting console socket");
    if (!options.console_socket.empty() && (!options.detach || !spec.process.terminal))
        return sys::wrong("cannot use console socket if runc will not detach or allocate tty");
    return {};
}

/// The first process for good, not its number, which may be another's soon.
Result<void> find_container(stages::Launch& launch, const Now& now, const Progress& progress) {
    auto pidfd = sys::pidfd_open(now.pid);
    if (!pidfd && pidfd.error().code == ENOSYS)
        return {}; // then by its namespaces' paths
    if (!pidfd || sys::start_time(now.pid).value_or(0) != progress.ledger.child_started)
        return sys::wrong("cannot exec in a stopped container");
    launch.container = std::move(*pidfd);
    launch.container_pid = now.pid;
    return {};
}

/// The cgroup of the new process. One that hands controllers to children of its own (systemd in the
/// container does that) can hold no process: then it is the first process's.
Result<void> find_leaf(stages::Launch& launch, const Progress& progress,
                       const ExecOptions& options) {
    namespace cgroup = stages::cgroup;
    std::string leaf = progress.ledger.leaf;
    if (leaf.empty()) {
        if (!options.cgroup.empty())
            return sys::wrong("--cgroup: the container has no cgroup of its own");
        return {};
    }
    launch.leaf = TRY(cgroup::open_leaf(leaf, options.cgroup));
    std::string path = options.cgroup.empty() ? leaf : sys::join(leaf, options.cgroup);
    if (options.cgroup.empty() &&
        !sys::read_file(launch.leaf.get(), "cgroup.subtree_control").value_or("").empty())
        if (std::string inner = TRY(cgroup::directory_of(progress.ledger.child));
            inner.starts_with(leaf + "/")) {
            launch.leaf = TRY(sys::openat(AT_FDCWD, inner, O_RDONLY | O_DIRECTORY));
            path = inner;
        }
    if (std::string unit = progress.ledger.unit; !unit.empty() && !cgroup::can_enter(path))
        launch.attach = [unit, path](pid_t child) { return cgroup::attach(unit, path, child); };
    return {};
}

/// The container's Spec for exec, with what is asked for now.
Result<ExecTemplate> load_template(const Global& global, const ExecOptions& options,
                                   const Store& store) {
    std::string packed = TRY(store.read("exec"));
    ExecTemplate from = TRY(unpack_exec(packed));
    spec::Process& process = from.spec.process;
    TRY(options.process.empty() ? apply_options(from.spec, options)
                                : apply_process(global, from, options.process));
    process.terminal |= options.tty;
    if (!from.affinity.initial.empty())
        TRY(sys::set_affinity(from.affinity.initial));
    if (!from.affinity.final.empty())
        process.affinity = from.affinity.final;
    TRY(check_terminal(from.spec, options));
    process.preserved_fds = TRY(preserved_fds(options.preserve_fds, process.env));
    return from;
}

/// Until the process has become the command, and who waits for it has been told. The console, when
/// nobody else gets it.
Result<Fd> listen(const Store& store, const ExecOptions& options, stages::Launch& launch,
                  const Now& now, const Fd& socket) {
    Fd console;
    Agent agent;
    bool born = false;
    for (bool started = false; !started;) {
        run::Message message = TRY(run::hear(socket));
        if (message.said == Said::failed)
            return std::unexpected(run::error_of(message));
        started = message.said == Said::end;
        // The newcomer has nothing else to say, unless somebody in there has taken it over.
        if (born && !started)
            return sys::wrong("a process in the container has taken over the one that was to "
                              "become the command");
        if (message.said == Said::born) {
            TRY(run::adopt(launch, message));
            born = true;
        }
        if (message.said == Said::listening) {
            TRY(agent.reach(launch.spec.seccomp));
            (void)run::say_proceed(socket); // it may have been killed meanwhile: that is heard
        }
        if (message.said == Said::listener) {
            std::optional<State> state = TRY(store.state());
            TRY(agent.send(launch.spec.seccomp, state.value_or(State{}), now.status, now.pid,
                           launch.child, message.fd));
        }
        if (message.said != Said::console)
            continue;
        if (options.console_socket.empty())
            console = std::move(message.fd);
        else
            TRY(hand_over("--console-socket", options.console_socket, "/dev/ptmx", message.fd));
    }
    if (!options.pidfd_socket.empty())
        TRY(hand_over("--pidfd-socket", options.pidfd_socket, "pidfd", launch.pidfd));
    if (!options.pid_file.empty())
        TRY(write_pid_file(options.pid_file, launch.child));
    return console;
}

/// Who has CAP_SYS_PTRACE, or shares the PID namespace with others, of whom we know nothing.
bool may_be_traced(const spec::Spec& spec) {
    return !spec.stages.has(Stage::caps) || stages::joined(spec, Stage::pid) ||
           std::ranges::find(spec.capabilities.bounding, "cap_sys_ptrace") !=
               spec.capabilities.bounding.end();
}

} // namespace

std::string pack_exec(const Config& config, const stages::Facts& facts) {
    const spec::Spec& spec = config.spec;
    ExecTemplate from{.spec = {},
                      .uids = facts.uids,
                      .gids = facts.gids,
                      .affinity = config.exec_affinity,
                      .seccomp_filter = facts.seccomp_filter,
                      .seccomp_flags = facts.seccomp_flags,
                      .may_silence = facts.may_silence,
                      .traced = may_be_traced(spec)};
    spec::Spec& out = from.spec;
    out.name = spec.name;
    out.naming = spec.naming;
    out.quiet = true;
    out.inside_already = true;
    out.stages = spec::StageSet(0);
    for (Stage stage : {Stage::caps, Stage::seccomp})
        if (spec.stages.has(stage))
            out.stages.add(stage);
    out.capabilities = spec.capabilities;
    if (spec.stages.has(Stage::seccomp))
        out.seccomp = spec.seccomp; // without its text, which stays out of a packed Spec
    out.process = spec.process;
    out.process.args.clear();
    withdraw_manager(out.process.env);
    withdraw_activation(out.process.env);
    out.process.terminal = false;
    out.process.console_size.reset();
    out.process.preserved_fds = 0;
    out.root.path = spec.root.path;
    out.rdt = spec.rdt;
    spec::Packer packer;
    packer.must("spec", spec::pack(out));
    template_fields(packer, from);
    packer.must("end", true);
    return std::move(packer).finish();
}

Result<spec::Spec> spec_of(const Store& store) {
    std::string packed = TRY(store.read("exec"));
    return TRY(unpack_exec(packed)).spec;
}

Result<int> exec(const Global& global, const ExecOptions& options, const std::string& id) {
    Store store = TRY(Store::open(global.root, id));
    Progress progress = TRY(store.look());
    Now now = TRY(store.now(progress));
    TRY(check_status(now, options));
    ExecTemplate from = TRY(load_template(global, options, store));
    const spec::Spec& spec = from.spec;
    run::join_all(from.spec, now.pid);

    stages::Ledger ledger;
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    launch.keep = [] { return Result<void>{}; }; // nothing is made but the process
    launch.say = global.debug;
    launch.facts.uids = std::move(from.uids);
    launch.facts.gids = std::move(from.gids);
    launch.facts.orphan = options.detach;
    TRY(find_container(launch, now, progress));
    launch.facts.seccomp_filter = std::move(from.seccomp_filter);
    launch.facts.seccomp_flags = from.seccomp_flags;
    launch.facts.may_silence = from.may_silence;
    // With a listener, the birth itself may have to be answered for.
    launch.facts.born_late = from.traced && spec.seccomp.listener_path.empty();
    run::Slate slate;
    launch.make_slate = [&slate]() -> Result<const Fd*> {
        slate = TRY(run::Slate::make());
        return &slate.file();
    };
    TRY(find_leaf(launch, progress, options));
    sys::default_signal(SIGCHLD);
    run::BlockedSignals blocked = TRY(run::block_signals());
    launch.facts.default_signals = true;

    Fd socket = TRY(run::begin(launch));
    const pid_t joined = launch.child;
    auto console = listen(store, options, launch, now, socket);
    if (auto error = slate.verdict(); console && error)
        console = std::unexpected(std::move(*error));
    if (console && launch.facts.born_late && launch.child == joined)
        console = sys::wrong("the process that was to join the container was killed");
    if (!console) {
        run::end_child(launch);
        return std::unexpected(std::move(console).error());
    }
    if (options.detach)
        return 0;
    return run::supervise(spec, launch.child, launch.pidfd, socket, launch.say,
                          std::move(*console));
}

} // namespace oci
