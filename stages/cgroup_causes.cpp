// Every way in which cgroups can be missing, each told from the others by what the host shows.
#include "stages/cgroup_causes.hpp"

#include "stages/cgroup_names.hpp"
#include "stages/systemd.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>

namespace stages::cgroup {

using causes::Id;

namespace {

std::string text_of(const std::string& path) {
    return sys::read_file(path).value_or(""); // what can't be read tells nothing
}

/// Getting rid of cgroup v1 is another matter in WSL.
bool in_wsl() {
    return text_of("/proc/sys/kernel/osrelease").contains("icrosoft");
}

struct V1 {
    bool known = false;
    bool attached = false; ///< to a v1 hierarchy
    bool enabled = false;
};

/// A controller's row of /proc/cgroups: name, hierarchy, number of cgroups, enabled (cgroups(7)).
V1 row_of(std::string_view controller) {
    // v1 has another name for it.
    std::string_view name = controller == "io" ? "blkio" : controller;
    std::string text = text_of("/proc/cgroups");
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (!line.starts_with(name) || line.size() == name.size() || line[name.size()] != '\t')
            continue;
        line.remove_prefix(name.size() + 1);
        return {
            .known = true, .attached = !line.starts_with("0\t"), .enabled = !line.ends_with("\t0")};
    }
    return {};
}

const char* config_of_controller(std::string_view controller) {
    constexpr std::pair<std::string_view, const char*> options[] = {
        {"memory", "CONFIG_MEMCG"},     {"cpu", "CONFIG_CGROUP_SCHED"},
        {"cpuset", "CONFIG_CPUSETS"},   {"pids", "CONFIG_CGROUP_PIDS"},
        {"io", "CONFIG_BLK_CGROUP"},    {"hugetlb", "CONFIG_CGROUP_HUGETLB"},
        {"rdma", "CONFIG_CGROUP_RDMA"},
    };
    for (const auto& [name, option] : options)
        if (name == controller)
            return option;
    return "CONFIG_CGROUPS";
}

/// The nearest directory above that has the controller, and so could hand it down.
std::string holder_above(const Hierarchy& hierarchy, std::string directory,
                         const std::string& controller) {
    while (directory.size() > hierarchy.root.size()) {
        directory.erase(directory.rfind('/'));
        if (has_word(text_of(sys::join(directory, "cgroup.controllers")), controller))
            break;
    }
    return directory;
}

/// In words, and to be pasted.
struct Fix {
    std::string words;
    std::string command;
};

Fix fix_for_access() {
    if (sys::geteuid() == 0 || sys::exists("/.dockerenv"))
        return {"run on the host, or start the container that we are in with docker run "
                "--privileged",
                "docker run --privileged --cgroupns=private …"};
    if (Systemd::booted())
        return {"run it through systemd-run --user --scope -p Delegate=yes, or as root",
                "systemd-run --user --scope -p Delegate=yes \"$SHELL\""};
    return {"run as root, or let root give you a cgroup (chown of its directory, cgroup.procs and "
            "cgroup.subtree_control) with your shell in a child of it",
            ""};
}

/// When it was asked for a scope and gave none.
Fix fix_for_systemd(const Error& error) {
    bool root = sys::geteuid() == 0;
    if (!error.call.starts_with("connect("))
        return {std::string(root ? "journalctl -e" : "journalctl --user -e") + " may tell why", ""};
    if (root)
        return {"make /run/systemd/private reachable, or name a cgroup with --cgroup", ""};
    return {"let a systemd of this user run (loginctl enable-linger, then log in anew), or run as "
            "root",
            "loginctl enable-linger"};
}

Fix fix_for_processes(const std::string& directory) {
    std::string child = sys::join(directory, "shell");
    std::string command = "mkdir " + child + " && for p in $(cat " +
                          sys::join(directory, "cgroup.procs") + "); do echo $p > " +
                          sys::join(child, "cgroup.procs") + "; done";
    return {"move them to a child: " + command, command};
}

Fix fix_for_controller(const Hierarchy& hierarchy, const Obstacle& obstacle) {
    if (Systemd::booted() && obstacle.directory.contains("/user@")) {
        std::string words = "mkdir -p /etc/systemd/system/user@.service.d && printf "
                            "'[Service]\\nDelegate=cpu cpuset io memory pids\\n' > "
                            "/etc/systemd/system/user@.service.d/delegate.conf && systemctl "
                            "daemon-reload";
        return {"as root: " + words + ", then log in anew",
                "sudo mkdir -p /etc/systemd/system/user@.service.d\n"
                "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' |\n"
                "  sudo tee /etc/systemd/system/user@.service.d/delegate.conf\n"
                "sudo systemctl daemon-reload   # then log in anew"};
    }
    std::string command =
        "echo +" + obstacle.controller + " > " +
        sys::join(holder_above(hierarchy, obstacle.directory, obstacle.controller),
                  "cgroup.subtree_control");
    return {"as root: " + command, "sudo sh -c '" + command + "'"};
}

/// What to remove first. A cgroup that was not handed a controller is so because of one above it,
/// so it comes after those that could have handed it down.
const Obstacle* most_telling(const std::vector<Obstacle>& obstacles) {
    for (auto kind : {Obstacle::read_only, Obstacle::has_processes, Obstacle::refused,
                      Obstacle::no_controller, Obstacle::not_writable, Obstacle::managed})
        if (auto found = std::ranges::find(obstacles, kind, &Obstacle::kind);
            found != obstacles.end())
            return &*found;
    return nullptr;
}

Cause because(Id id, const Fix& fix, std::vector<std::string> found, std::string why = {}) {
    found.push_back(fix.words);
    found.push_back(fix.command);
    Cause cause = causes::cause(id, found);
    cause.why = std::move(why);
    return cause;
}

Cause explain(const Hierarchy& hierarchy, const Obstacle& obstacle) {
    const std::string& directory = obstacle.directory;
    switch (obstacle.kind) {
    case Obstacle::read_only:
        return causes::cause(Id::cgroup_read_only, {hierarchy.root});
    case Obstacle::no_controller:
        return because(Id::controller_not_handed, fix_for_controller(hierarchy, obstacle),
                       {obstacle.controller, directory});
    case Obstacle::has_processes:
        return because(Id::cgroup_has_processes, fix_for_processes(directory), {directory},
                       "the kernel lets such a cgroup hand no controller to a child");
    case Obstacle::refused:
        return causes::cause(Id::cgroup_refused,
                             {sys::to_line(obstacle.error),
                              obstacle.error.code == EAGAIN
                                  ? "raise cgroup.max.descendants or cgroup.max.depth in " +
                                        quoted(directory) + " or above it"
                                  : ""});
    case Obstacle::not_writable: {
        auto info = sys::fstatat(AT_FDCWD, directory, 0);
        return because(Id::cgroup_not_delegated, fix_for_access(), {std::to_string(sys::geteuid())},
                       quoted(directory) + " is not writable" +
                           (info ? ", it is uid " + std::to_string(info->st_uid) + "'s" : ""));
    }
    case Obstacle::managed:
        return because(Id::cgroup_managed, fix_for_access(), {directory});
    }
    return {};
}

} // namespace

Cause why_no_hierarchy() {
    std::string own = text_of("/proc/self/cgroup");
    if (own.empty())
        return causes::cause(Id::cgroup_none);
    if (!own.starts_with("0::"))
        return causes::cause(in_wsl() ? Id::cgroup_v1_wsl : Id::cgroup_v1);
    return causes::cause(Id::cgroup_unmounted);
}

Cause why_no_controller(const Hierarchy& hierarchy, const std::string& controller) {
    V1 row = row_of(controller);
    if (row.known && row.attached)
        return causes::cause(in_wsl() ? Id::controller_v1_wsl : Id::controller_v1,
                             {controller, hierarchy.layout == Layout::hybrid ? " (hybrid)" : ""});
    if (row.known && !row.enabled) {
        Cause cause = causes::cause(Id::controller_off, {controller});
        cause.why = "cgroup_disable=" + controller + " on the kernel's command line";
        return cause;
    }
    // Only the real root lacks this file; what a cgroup namespace shows as one has it.
    if (sys::exists(sys::join(hierarchy.root, "cgroup.type")))
        return causes::cause(Id::controller_not_given, {controller});
    return causes::cause(Id::controller_not_built, {controller, config_of_controller(controller)});
}

Cause why_no_place(const Hierarchy& hierarchy, const std::vector<Obstacle>& obstacles,
                   const std::optional<Error>& systemd) {
    const Obstacle* first = most_telling(obstacles);
    if (first == nullptr)
        return causes::cause(Id::cgroup_no_place);
    Cause cause = explain(hierarchy, *first);
    if (!systemd)
        return cause;
    // Whatever is in the way of doing it by hand, with systemd there it is systemd's to do.
    cause.why += (cause.why.empty() ? "" : ", and ") + std::string("systemd gave no scope: ") +
                 sys::to_line(*systemd);
    if (first->kind != Obstacle::no_controller) {
        Fix fix = fix_for_systemd(*systemd);
        cause.fix = fix.words;
        cause.command = fix.command;
    }
    return cause;
}

Error unenforceable(spec::Naming naming, const std::vector<Limit>& limits, Cause cause) {
    causes::hear(cause);
    std::string names;
    for (const Limit& limit : limits)
        names += (names.empty() ? "" : ", ") + limit.name;
    if (limits.empty())
        names = kPath.in(naming) + std::string(": ");
    else
        names += ": can't be enforced: ";
    std::string why = cause.why.empty() ? "" : ": " + cause.why;
    return sys::wrong(names + cause.what + why, std::move(cause.fix)).error();
}

Result<void> check_root(const Hierarchy& hierarchy, const std::vector<Limit>& limits,
                        spec::Naming naming) {
    if (limits.empty())
        return {};
    std::string file = sys::join(hierarchy.root, "cgroup.controllers");
    std::string controllers = TRY(sys::read_file(file));
    for (const Limit& limit : limits) {
        if (has_word(controllers, limit.controller))
            continue;
        std::vector<Limit> same = limits;
        std::erase_if(same,
                      [&](const Limit& other) { return other.controller != limit.controller; });
        return std::unexpected(
            unenforceable(naming, same, why_no_controller(hierarchy, limit.controller)));
    }
    return {};
}

} // namespace stages::cgroup
