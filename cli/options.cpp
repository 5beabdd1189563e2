// Every option of `parent`, in the order of --help.
#include "cli/options.hpp"

#include "spec/cgroup_options.hpp"
#include "spec/net_options.hpp"
#include "spec/options.hpp"

#include <algorithm>

namespace cli {

namespace {

using spec::Parsed;
using Text = const std::string&;

/// Store a parsed value, or hand its error on.
template <class T>
Applied store(auto& place, Parsed<T> parsed) {
    if (!parsed)
        return std::unexpected(std::move(parsed).error());
    place = std::move(*parsed);
    return {};
}
template <class T>
Applied append(std::vector<T>& place, Parsed<T> parsed) {
    if (!parsed)
        return std::unexpected(std::move(parsed).error());
    place.push_back(std::move(*parsed));
    return {};
}
template <class T>
Applied append_all(std::vector<T>& place, Parsed<std::vector<T>> parsed) {
    if (!parsed)
        return std::unexpected(std::move(parsed).error());
    std::ranges::move(*parsed, std::back_inserter(place));
    return {};
}

template <class E>
struct Choice {
    std::string_view name;
    E value;
};
template <class E, std::size_t N>
Applied choose(E& place, Text value, const Choice<E> (&choices)[N]) {
    std::string names;
    for (const Choice<E>& choice : choices) {
        if (choice.name == value) {
            place = choice.value;
            return {};
        }
        names += (names.empty() ? "" : ", ") + std::string(choice.name);
    }
    return std::unexpected("\"" + value + "\": is none of " + names);
}

/// STAGE,… with `word` for none of them, or for all.
Applied stage_list(spec::StageSet& place, Text value, std::string_view word, spec::StageSet worth) {
    spec::StageSet set;
    std::size_t start = 0;
    while (start <= value.size()) {
        std::size_t end = std::min(value.find(',', start), value.size());
        std::string name = value.substr(start, end - start);
        start = end + 1;
        if (name == word) {
            set = spec::StageSet(set.bits() | worth.bits());
            continue;
        }
        auto stage = spec::stage_named(name);
        if (!stage)
            return std::unexpected("\"" + name + "\": is no stage: see 'gocontainer stages'");
        set.add(*stage);
    }
    place = set;
    return {};
}

Applied only(Draft& draft, Text value) {
    return stage_list(draft.only.emplace(), value, "none", spec::StageSet(0));
}

Applied pause(Draft& draft, Text value) {
    return stage_list(draft.watching.pauses, value, "all",
                      spec::StageSet((1U << spec::kStageCount) - 1));
}

Applied replace(Draft& draft, Text value) {
    std::size_t equals = value.find('=');
    auto stage = spec::stage_named(value.substr(0, equals));
    if (equals == std::string::npos || equals + 1 == value.size())
        return std::unexpected("\"" + value + "\": wants STAGE=PROGRAM");
    if (!stage)
        return std::unexpected("\"" + value.substr(0, equals) +
                               "\": is no stage: see 'gocontainer stages'");
    draft.spec.replacements.push_back({*stage, value.substr(equals + 1)});
    return {};
}

/// Else it would be taken for one that was not asked for.
Applied named(std::string& place, Text value, const std::string& what) {
    if (value.empty())
        return std::unexpected("\"\": names no " + what);
    place = value;
    return {};
}

template <spec::Stage stage>
Applied leave_out(Draft& draft, Text) {
    draft.left_out.push_back(stage);
    return {};
}

Applied map(Draft& draft, Text value) {
    spec::User& user = draft.spec.user;
    draft.asked["--map"] = spec::Stage::user;
    if (value == "auto" || value == "single") {
        user.mapping = value == "auto" ? spec::Mapping::automatic : spec::Mapping::single;
        return {};
    }
    user.mapping = spec::Mapping::listed;
    auto parsed = spec::parse_map(value);
    if (!parsed)
        return std::unexpected(parsed.error() + ", or auto, or single");
    user.uids.push_back(*parsed);
    return {};
}

/// The last of one name is the one that counts: lowered first, it could not be raised again.
Applied limit(std::vector<spec::Rlimit>& limits, Parsed<spec::Rlimit> parsed) {
    if (parsed)
        std::erase_if(limits, [&](const auto& one) { return one.resource == parsed->resource; });
    return append<spec::Rlimit>(limits, std::move(parsed));
}

using enum spec::Stage;

// clang-format off
const Option kOptions[] = {
    {"--only", "STAGE,…|none", "stages", "Run just these stages", only},
    {"--no-user", nullptr, "stages", "Leave a stage out: there is a --no-STAGE for each", leave_out<user>},
    {"--no-cgroup", nullptr, "", "", leave_out<cgroup>},
    {"--no-net", nullptr, "", "", leave_out<net>},
    {"--no-uts", nullptr, "", "", leave_out<uts>},
    {"--no-ipc", nullptr, "", "", leave_out<ipc>},
    {"--no-time", nullptr, "", "", leave_out<spec::Stage::time>},
    {"--no-mount", nullptr, "", "", leave_out<mount>},
    {"--no-pid", nullptr, "", "", leave_out<pid>},
    {"--no-root", nullptr, "", "", leave_out<root>},
    {"--no-caps", nullptr, "", "", leave_out<caps>},
    {"--no-seccomp", nullptr, "", "", leave_out<seccomp>},
    {"--no-init", nullptr, "", "", leave_out<init>},

    {"--map", "auto|single|C:H:N", "user", "Ids: subordinate ones when there are some (auto), yours alone (single), or N from C inside to H outside", map},
    {"--gid-map", "C:H:N", "user", "Groups, when they differ from --map",
     [](Draft& d, Text v) { return append<spec::IdMap>(d.spec.user.gids, spec::parse_map(v)); }},

    {"--memory", "SIZE", "cgroup", "Memory, as 100M; past it the kernel kills",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.cgroup.resources.memory, spec::parse_size(v)); }},
    {"--memory-swap", "SIZE", "cgroup", "Memory and swap together; -1: no limit (default: no swap)",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.cgroup.resources.memory_swap, spec::parse_size(v)); }},
    {"--cpus", "N", "cgroup", "Processors' worth of time, as 0.1",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.cgroup.resources.cpu_quota, spec::parse_cpus(v)); }},
    {"--cpu-weight", "1…10000", "cgroup", "Share of processor time beside others (100 is usual)",
     [](Draft& d, Text v) { return store<std::uint64_t>(d.spec.cgroup.resources.cpu_weight, spec::parse_weight(v)); }},
    {"--cpuset", "LIST", "cgroup", "Processors it may use, as 0-3,7",
     [](Draft& d, Text v) { return store<std::string>(d.spec.cgroup.resources.cpuset, spec::parse_cpuset(v)); }},
    {"--pids", "N", "cgroup", "Processes and threads at once",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.cgroup.resources.pids, spec::parse_pids(v)); }},
    {"--io-weight", "1…10000", "cgroup", "Share of disk time beside others (100 is usual)",
     [](Draft& d, Text v) { return store<std::uint64_t>(d.spec.cgroup.resources.io_weight, spec::parse_weight(v)); }},
    {"--io-max", "DEV:rbps=N,…", "cgroup", "A disk's limits: rbps wbps riops wiops",
     [](Draft& d, Text v) { return append<spec::IoMax>(d.spec.cgroup.resources.io_max, spec::parse_io_max(v)); }},
    {"--cgroup", "PATH", "cgroup", "The leaf, below the hierarchy's root (default: one is found)",
     [](Draft& d, Text v) -> Applied { d.spec.cgroup.path = v.starts_with('/') ? v : "/" + v; return {}; }},

    {"--net", "slirp|pasta|none|host", "net", "The way out (default: slirp4netns, else pasta)",
     [](Draft& d, Text v) { return choose<spec::NetMode>(d.spec.net.mode, v, {{"slirp", spec::NetMode::slirp}, {"pasta", spec::NetMode::pasta}, {"none", spec::NetMode::none}, {"host", spec::NetMode::host}}); }},
    {"-p,--publish", "[ADDR:]HOST:CONT[/udp]", "net", "Publish a port of the container on the host",
     [](Draft& d, Text v) { return append_all<spec::Port>(d.spec.net.ports, spec::parse_port(v)); }},
    {"--dns", "ADDR", "net", "Name server for the container's resolv.conf",
     [](Draft& d, Text v) { return append<std::string>(d.spec.net.dns, spec::parse_dns(v)); }},
    {"--allow-host-loopback", nullptr, "net", "Let the container reach the host's 127.0.0.1",
     [](Draft& d, Text) -> Applied { d.spec.net.allow_host_loopback = true; return {}; }},

    {"--hostname", "NAME", "uts", "Host name (default: the container's name)",
     [](Draft& d, Text v) { return store<std::string>(d.spec.uts.hostname, spec::parse_name(v)); }},
    {"--domainname", "NAME", "uts", "NIS domain name",
     [](Draft& d, Text v) { return store<std::string>(d.spec.uts.domainname, spec::parse_name(v)); }},

    {"--boottime", "SECONDS", "time", "Offset of the time since boot; turns the time stage on",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.time.boottime, spec::parse_seconds(v)); }},
    {"--monotonic", "SECONDS", "time", "Offset of the monotonic clock; turns the time stage on",
     [](Draft& d, Text v) { return store<std::int64_t>(d.spec.time.monotonic, spec::parse_seconds(v)); }},

    {"--rootfs", "DIR", "mount", "Root filesystem (default: ./rootfs)",
     [](Draft& d, Text v) -> Applied { d.asked["--rootfs"] = mount; return named(d.spec.root.path, v, "directory"); }},
    {"-v,--volume", "SRC:DST[:ro,…]", "mount", "Show SRC of the host at DST",
     [](Draft& d, Text v) { return append<spec::Mount>(d.spec.root.mounts, spec::parse_volume(v)); }},
    {"--tmpfs", "DST[:size=…]", "mount", "An empty file system in memory at DST",
     [](Draft& d, Text v) { return append<spec::Mount>(d.spec.root.mounts, spec::parse_tmpfs(v)); }},
    {"--read-only", nullptr, "mount", "The root filesystem can't be written",
     [](Draft& d, Text) -> Applied { d.spec.root.read_only = true; return {}; }},
    {"--overlay", nullptr, "mount", "Changes go to memory and vanish",
     [](Draft& d, Text) -> Applied { d.spec.root.overlay = true; return {}; }},
    {"--upper", "DIR", "mount", "Changes are kept in DIR, not in the root filesystem",
     [](Draft& d, Text v) { return named(d.spec.root.upper, v, "directory"); }},

    {"--proc", "new|bind|none", "pid", "/proc: of the new namespace, the outer one, or none",
     [](Draft& d, Text v) { return choose<spec::ProcMode>(d.spec.proc, v, {{"new", spec::ProcMode::fresh}, {"bind", spec::ProcMode::bind}, {"none", spec::ProcMode::none}}); }},

    {"--root", "pivot|chroot|chdir", "root", "How the root filesystem becomes / (default: pivot)",
     [](Draft& d, Text v) { d.asked["--root"] = root; return choose<spec::RootMode>(d.spec.root.mode, v, {{"pivot", spec::RootMode::pivot}, {"chroot", spec::RootMode::chroot}, {"chdir", spec::RootMode::chdir}}); }},

    {"--cap-add", "NAME|all", "caps", "Keep a capability beyond Docker's 14",
     [](Draft& d, Text v) { return append_all<std::string>(d.caps_added, spec::parse_capability(v)); }},
    {"--cap-drop", "NAME|all", "caps", "Drop one of them",
     [](Draft& d, Text v) { return append_all<std::string>(d.caps_dropped, spec::parse_capability(v)); }},
    {"--new-privs", nullptr, "caps", "Let setuid programs work: no_new_privs is not set",
     [](Draft& d, Text) -> Applied { d.spec.process.new_privileges = true; return {}; }},

    {"--seccomp", "default|none|FILE", "seccomp", "Filter of system calls; FILE in Docker's JSON form",
     [](Draft& d, Text v) -> Applied {
         d.spec.seccomp.mode = v == "default" ? spec::SeccompMode::standard : v == "none" ? spec::SeccompMode::none : spec::SeccompMode::file;
         d.spec.seccomp.file = d.spec.seccomp.mode == spec::SeccompMode::file ? v : "";
         d.asked["--seccomp"] = seccomp;
         if (v == "none") d.asked.erase("--seccomp");
         return {}; }},

    {"--init", nullptr, "init", "A PID 1 that reaps orphans and forwards signals",
     [](Draft& d, Text) -> Applied { d.asked["--init"] = init; d.spec.stages.add(init); return {}; }},

    {"-e,--env", "NAME=VALUE", "process", "Set a variable; NAME alone hands the caller's on",
     [](Draft& d, Text v) { return append<std::string>(d.env, spec::parse_env(v)); }},
    {"--env-file", "FILE", "process", "Variables from FILE, one NAME=VALUE a line",
     [](Draft& d, Text v) -> Applied { d.env_files.push_back(v); return {}; }},
    {"-w,--workdir", "DIR", "process", "Working directory (default: /)",
     [](Draft& d, Text v) { return named(d.spec.process.cwd, v, "directory"); }},
    {"-u,--user", "UID[:GID]", "process", "User, or names that the root filesystem's passwd knows",
     [](Draft& d, Text v) { return named(d.spec.process.user, v, "user"); }},
    {"--ulimit", "NAME=SOFT[:HARD]", "process", "A resource limit, as nofile=1024:4096",
     [](Draft& d, Text v) { return limit(d.spec.process.rlimits, spec::parse_ulimit(v)); }},
    {"--name", "NAME", "process", "Name of the container: its host name and its cgroup",
     [](Draft& d, Text v) { return store<std::string>(d.spec.name, spec::parse_name(v)); }},
    {"-q,--quiet", nullptr, "process", "No lines of ours but errors",
     [](Draft& d, Text) -> Applied { d.spec.quiet = true; return {}; }},

    {"--explain", nullptr, "watching", "Say what each stage does and why, each system call as it is made, and what it changes",
     [](Draft& d, Text) -> Applied { d.watching.explain = true; return {}; }},
    {"--pause", "STAGE,…|all", "watching", "Stop before these stages, and ask what to do", pause},
    {"--trace", "FILE", "watching", "Write each step and each call to FILE as JSON lines",
     [](Draft& d, Text v) { return named(d.watching.trace, v, "file"); }},
    {"--record", "FILE", "watching", "Write what the container is like between the stages to FILE, for 'gocontainer inspect'",
     [](Draft& d, Text v) { return named(d.watching.recording, v, "file"); }},
    {"--replace", "STAGE=PROGRAM", "watching", "Run PROGRAM in the place of a stage's child half; it ends with: exec \"$GOCONTAINER_NEXT\" \"$@\"", replace},
    {"--break", "FAULT", "", "", // hidden: whoever has a class has the list (lessons/TEACHING.md)
     [](Draft& d, Text v) -> Applied { d.spec.faults.push_back(v); return {}; }},
    {"--plain", nullptr, "watching", "Without colours and drawn lines, for a log or a screen reader",
     [](Draft& d, Text) -> Applied { d.watching.plain = true; return {}; }},
};
// clang-format on

} // namespace

std::span<const Option> parent_options() {
    return kOptions;
}

} // namespace cli
