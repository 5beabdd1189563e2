// Every way in which cgroups can be missing, each told from the others by what the host shows.
#include "stages/cgroup_causes.hpp"

#include "stages/cgroup_names.hpp"
#include "stages/systemd.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>

namespace stages::cgroup {

namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

std::string uid_text() {
    return "uid " + std::to_string(sys::geteuid());
}

std::string text_of(const std::string& path) {
    return sys::read_file(path).value_or(""); // what can't be read tells nothing
}

/// How to get rid of cgroup v1.
std::string boot_without_v1() {
    if (text_of("/proc/sys/kernel/osrelease").contains("icrosoft"))
        return "put \"kernelCommandLine = cgroup_no_v1=all\" below [wsl2] in .wslconfig and run "
               "wsl --shutdown";
    return "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all on the kernel's command "
           "line";
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

const char* config_of(std::string_view controller) {
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

std::string fix_for_access() {
    if (sys::geteuid() == 0)
        return "run on the host, or start the container that we are in with docker run "
               "--privileged";
    if (Systemd::booted())
        return "run it through systemd-run --user --scope -p Delegate=yes, or as root";
    return "run as root, or let root give you a cgroup (chown of its directory, cgroup.procs and "
           "cgroup.subtree_control) with your shell in a child of it";
}

/// When it was asked for a scope and gave none.
std::string fix_for_systemd(const Error& error) {
    bool root = sys::geteuid() == 0;
    if (!error.call.starts_with("connect("))
        return std::string(root ? "journalctl -e" : "journalctl --user -e") + " may tell why";
    if (root)
        return "make /run/systemd/private reachable, or name a cgroup with --cgroup";
    return "let a systemd of this user run (loginctl enable-linger, then log in anew), or run as "
           "root";
}

std::string fix_for_processes(const std::string& directory) {
    std::string child = sys::join(directory, "shell");
    return "move them to a child: mkdir " + child + " && for p in $(cat " +
           sys::join(directory, "cgroup.procs") + "); do echo $p > " +
           sys::join(child, "cgroup.procs") + "; done";
}

std::string fix_for_controller(const Hierarchy& hierarchy, const Obstacle& obstacle) {
    if (Systemd::booted() && obstacle.directory.contains("/user@"))
        return "as root: mkdir -p /etc/systemd/system/user@.service.d && printf "
               "'[Service]\\nDelegate=cpu cpuset io memory pids\\n' > "
               "/etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload, "
               "then log in anew";
    return "as root: echo +" + obstacle.controller + " > " +
           sys::join(holder_above(hierarchy, obstacle.directory, obstacle.controller),
                     "cgroup.subtree_control");
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

Cause explain(const Hierarchy& hierarchy, const Obstacle& obstacle) {
    std::string directory = quoted(obstacle.directory);
    switch (obstacle.kind) {
    case Obstacle::read_only:
        return {.what = quoted(hierarchy.root) + " is mounted read-only",
                .fix = "run on the host, or start the container that we are in with docker run "
                       "--privileged"};
    case Obstacle::no_controller:
        return {.what = "the " + quoted(obstacle.controller) +
                        " controller is not handed down to " + directory,
                .fix = fix_for_controller(hierarchy, obstacle)};
    case Obstacle::has_processes:
        return {.what = directory + " has processes in it",
                .why = "the kernel lets such a cgroup hand no controller to a child",
                .fix = fix_for_processes(obstacle.directory)};
    case Obstacle::refused:
        return {.what = sys::to_line(obstacle.error),
                .fix = obstacle.error.code == EAGAIN
                           ? "raise cgroup.max.descendants or cgroup.max.depth in " + directory +
                                 " or above it"
                           : ""};
    case Obstacle::not_writable: {
        auto info = sys::fstatat(AT_FDCWD, obstacle.directory, 0);
        return {.what = "no cgroup v2 delegated to " + uid_text(),
                .why = directory + " is not writable" +
                       (info ? ", it is uid " + std::to_string(info->st_uid) + "'s" : ""),
                .fix = fix_for_access()};
    }
    case Obstacle::managed:
        return {.what = directory + " is systemd's to manage", .fix = fix_for_access()};
    }
    return {};
}

} // namespace

Cause why_no_hierarchy() {
    std::string own = text_of("/proc/self/cgroup");
    if (own.empty())
        return {.what = "this kernel has no cgroups, or /proc is not mounted",
                .fix = "boot a kernel with CONFIG_CGROUPS, or mount /proc"};
    if (!own.starts_with("0::"))
        return {.what = "only cgroup v1 is mounted here", .fix = boot_without_v1()};
    return {.what = "no cgroup v2 is mounted at \"/sys/fs/cgroup\"",
            .fix = "as root: mount -t cgroup2 cgroup2 /sys/fs/cgroup"};
}

Cause why_no_controller(const Hierarchy& hierarchy, const std::string& controller) {
    std::string name = quoted(controller);
    V1 row = row_of(controller);
    if (row.known && row.attached)
        return {.what = name + " is a cgroup v1 controller here" +
                        (hierarchy.layout == Layout::hybrid ? " (hybrid)" : ""),
                .fix = boot_without_v1()};
    if (row.known && !row.enabled)
        return {.what = name + " is switched off",
                .why = "cgroup_disable=" + controller + " on the kernel's command line",
                .fix = "boot without it, or with cgroup_enable=" + controller};
    // Only the real root lacks this file; what a cgroup namespace shows as one has it.
    if (sys::exists(sys::join(hierarchy.root, "cgroup.type")))
        return {.what = "the container that we are in was not given the " + name + " controller",
                .fix = "run on the host, or start that container with its cgroup delegated"};
    return {.what = "this kernel has no " + name + " controller",
            .fix = std::string("boot one with ") + config_of(controller)};
}

Cause why_no_place(const Hierarchy& hierarchy, const std::vector<Obstacle>& obstacles,
                   const std::optional<Error>& systemd) {
    const Obstacle* first = most_telling(obstacles);
    if (first == nullptr)
        return {.what = "no place for a leaf"};
    Cause cause = explain(hierarchy, *first);
    if (!systemd)
        return cause;
    // Whatever is in the way of doing it by hand, with systemd there it is systemd's to do.
    cause.why += (cause.why.empty() ? "" : ", and ") + std::string("systemd gave no scope: ") +
                 sys::to_line(*systemd);
    if (first->kind != Obstacle::no_controller)
        cause.fix = fix_for_systemd(*systemd);
    return cause;
}

Error unenforceable(spec::Naming naming, const std::vector<Limit>& limits, Cause cause) {
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
