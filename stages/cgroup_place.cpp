// Reading cgroupfs: what is mounted, where we are, what may be done where.
#include "stages/cgroup_place.hpp"

#include "sys/path.hpp"

#include <cerrno>

namespace stages::cgroup {

std::string Hierarchy::directory(const std::string& cgroup) const {
    return cgroup == "/" ? root : root + cgroup;
}

namespace {

/// The path of the line "0::PATH" of /proc/PID/cgroup (cgroups(7)).
std::string unified_line(std::string_view text) {
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!line.starts_with("0::"))
            continue;
        line.remove_prefix(3);
        // We can be outside of what our cgroup namespace shows: "/../elsewhere".
        if (line == "/.." || line.starts_with("/../"))
            return {};
        return std::string(line);
    }
    return {};
}

} // namespace

Result<Hierarchy> find_hierarchy() {
    Hierarchy found;
    // No v1 hierarchy has this file, and every v2 one does.
    if (sys::exists("/sys/fs/cgroup/cgroup.controllers")) {
        found.layout = Layout::pure;
        found.root = "/sys/fs/cgroup";
    } else if (sys::exists("/sys/fs/cgroup/unified/cgroup.controllers")) {
        found.layout = Layout::hybrid;
        found.root = "/sys/fs/cgroup/unified";
    } else {
        return found;
    }
    found.own = unified_line(TRY(sys::read_file("/proc/self/cgroup")));
    return found;
}

Result<std::string> cgroup_of(pid_t pid) {
    return unified_line(TRY(sys::read_file("/proc/" + std::to_string(pid) + "/cgroup")));
}

std::vector<Limit> limits_of(const spec::Resources& resources) {
    std::vector<Limit> out;
    if (resources.memory)
        out.push_back({"--memory", "memory"});
    if (resources.memory_swap)
        out.push_back({"--memory-swap", "memory"});
    if (resources.cpu_quota)
        out.push_back({"--cpus", "cpu"});
    if (resources.cpu_weight)
        out.push_back({"--cpu-weight", "cpu"});
    if (!resources.cpuset.empty())
        out.push_back({"--cpuset", "cpuset"});
    if (resources.pids)
        out.push_back({"--pids", "pids"});
    if (resources.io_weight)
        out.push_back({"--io-weight", "io"});
    if (!resources.io_max.empty())
        out.push_back({"--io-max", "io"});
    return out;
}

bool has_word(std::string_view text, std::string_view word) {
    while (!text.empty()) {
        std::size_t start = text.find_first_not_of(" \n");
        if (start == std::string_view::npos)
            return false;
        text.remove_prefix(start);
        std::string_view first = text.substr(0, text.find_first_of(" \n"));
        if (first == word)
            return true;
        text.remove_prefix(first.size());
    }
    return false;
}

Obstacle refusal(std::string directory, Error error, std::string controller) {
    Obstacle::Kind kind = error.code == EROFS                           ? Obstacle::read_only
                          : error.code == EACCES || error.code == EPERM ? Obstacle::not_writable
                          : error.code == EBUSY                         ? Obstacle::has_processes
                                                                        : Obstacle::refused;
    return {kind, std::move(directory), std::move(controller), std::move(error)};
}

std::optional<Obstacle> check_access(const std::string& directory) {
    auto may = sys::faccessat(AT_FDCWD, sys::join(directory, "cgroup.procs"), W_OK);
    if (!may)
        return refusal(directory, std::move(may).error());
    return std::nullopt;
}

std::optional<Obstacle> enable(const std::string& directory, const std::vector<Limit>& limits) {
    if (limits.empty())
        return std::nullopt;
    std::string file = sys::join(directory, "cgroup.subtree_control");
    auto enabled = sys::read_file(file);
    if (!enabled)
        return refusal(directory, std::move(enabled).error());
    std::string missing;
    std::string last;
    for (const Limit& limit : limits) {
        if (has_word(*enabled, limit.controller) ||
            has_word(missing, "+" + std::string(limit.controller)))
            continue;
        missing += (missing.empty() ? "+" : " +") + std::string(limit.controller);
        last = limit.controller;
    }
    if (missing.empty())
        return std::nullopt;
    auto available = sys::read_file(sys::join(directory, "cgroup.controllers"));
    if (!available)
        return refusal(directory, std::move(available).error());
    for (const Limit& limit : limits)
        if (!has_word(*available, limit.controller))
            return Obstacle{Obstacle::no_controller, directory, limit.controller, {}};
    // The kernel itself refuses this only for memory and io. With cpu, cpuset or pids alone it
    // makes the cgroup a threaded one, whose children can't hold a process (cgroup-v2.rst,
    // "Threads"). The root, which has no type, may have both.
    auto processes = sys::read_file(sys::join(directory, "cgroup.procs"), 64 << 20);
    if (processes && !processes->empty() && sys::exists(sys::join(directory, "cgroup.type")))
        return Obstacle{Obstacle::has_processes, directory, last, {}};
    auto written = sys::write_file(file, missing);
    if (!written)
        return refusal(directory, std::move(written).error(), last);
    return std::nullopt;
}

std::vector<std::string> candidates(const Hierarchy& hierarchy) {
    std::vector<std::string> out;
    std::string cgroup = hierarchy.own;
    while (cgroup.size() > 1) {
        out.push_back(hierarchy.directory(cgroup));
        cgroup.erase(cgroup.rfind('/'));
    }
    out.push_back(hierarchy.root);
    return out;
}

bool is_managed(const Hierarchy& hierarchy, const std::string& directory) {
    // The unit that we run in ends at its own directory; all above it is made by systemd.
    std::string unit = hierarchy.directory(hierarchy.own);
    while (unit.size() > hierarchy.root.size() && !unit.ends_with(".scope") &&
           !unit.ends_with(".service"))
        unit.erase(unit.rfind('/'));
    return directory.size() < unit.size() || directory.ends_with(".slice") ||
           directory == hierarchy.root;
}

} // namespace stages::cgroup
