// Reading cgroupfs: what is mounted, where we are, what may be done where.
#include "stages/cgroup_place.hpp"

#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_names.hpp"
#include "sys/path.hpp"

#include <algorithm>
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

bool rootless() {
    constexpr ino_t kInitial = 0xEFFFFFFD; // the kernel's PROC_USER_INIT_INO
    if (sys::geteuid() != 0)
        return true;
    auto space = sys::fstatat(AT_FDCWD, "/proc/self/ns/user", 0);
    // Without user namespaces in the kernel there is only one root.
    return space && space->st_ino != kInitial;
}

std::vector<Limit> limits_of(const spec::Resources& wanted, spec::Naming naming) {
    std::vector<Limit> out;
    auto add = [&](bool given, Name name, const char* controller, bool usual = false) {
        if (given)
            out.push_back({name.in(naming), controller, usual});
    };
    auto none = [](const std::optional<std::int64_t>& limit) { return limit && *limit < 0; };
    add(wanted.memory.has_value(), kMemory, "memory", none(wanted.memory));
    // The same number means that there shall be no swap: not a limit of its own.
    add(wanted.memory_swap && wanted.memory_swap != wanted.memory, kMemorySwap, "memory",
        none(wanted.memory_swap));
    add(wanted.memory_reservation.has_value(), kReservation, "memory",
        none(wanted.memory_reservation));
    add(wanted.cpu_quota.has_value(), kCpuQuota, "cpu", none(wanted.cpu_quota));
    add(wanted.cpu_period.has_value(), kCpuPeriod, "cpu", none(wanted.cpu_quota));
    add(wanted.cpu_burst.has_value(), kCpuBurst, "cpu");
    add(wanted.cpu_idle.has_value(), kCpuIdle, "cpu");
    add(wanted.cpu_weight.has_value(), kCpuWeight, "cpu", wanted.cpu_weight == kUsualWeight);
    add(!wanted.cpuset.empty(), kCpuset, "cpuset");
    add(!wanted.cpuset_mems.empty(), kCpusetMems, "cpuset");
    add(wanted.pids.has_value(), kPids, "pids", none(wanted.pids));
    add(wanted.io_weight.has_value(), kIoWeight, "io");
    add(!wanted.io_weights.empty(), kIoWeights, "io");
    add(!wanted.io_max.empty(), kIoMax, "io",
        std::ranges::all_of(wanted.io_max, &spec::IoMax::lifts));
    add(!wanted.hugetlb.empty(), kHugetlb, "hugetlb");
    add(!wanted.rdma.empty(), kRdma, "rdma");
    for (const auto& [file, text] : wanted.unified) {
        std::string controller = file.substr(0, file.find('.'));
        if (controller != "cgroup") // every cgroup has these
            out.push_back({kUnified.in(naming) + std::string(" \"") + file + "\"", controller});
    }
    return out;
}

Result<std::vector<Limit>> needed(const Hierarchy& hierarchy, std::vector<Limit> limits) {
    if (limits.empty())
        return limits;
    std::string controllers = TRY(sys::read_file(sys::join(hierarchy.root, "cgroup.controllers")));
    std::erase_if(limits, [&](const Limit& limit) {
        return limit.usual && !has_word(controllers, limit.controller);
    });
    return limits;
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

std::string common_ancestor(const std::string& a, const std::string& b) {
    std::size_t end = 0;
    for (std::size_t i = 0; i <= a.size() && i <= b.size(); ++i) {
        bool a_ends = i == a.size() || a[i] == '/';
        bool b_ends = i == b.size() || b[i] == '/';
        if (a_ends && b_ends)
            end = i;
        if (i == a.size() || i == b.size() || a[i] != b[i])
            break;
    }
    return a.substr(0, end);
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
        if (has_word(*enabled, limit.controller) || has_word(missing, "+" + limit.controller))
            continue;
        missing += (missing.empty() ? "+" : " +") + limit.controller;
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

void enable_every(const std::string& directory) {
    std::string file = sys::join(directory, "cgroup.subtree_control");
    auto enabled = sys::read_file(file);
    auto available = sys::read_file(sys::join(directory, "cgroup.controllers"));
    if (!enabled || !available)
        return;
    std::vector<Limit> missing;
    std::string_view rest = *available;
    while (!rest.empty()) {
        std::string word(rest.substr(0, rest.find_first_of(" \n")));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        if (!word.empty() && !has_word(*enabled, word))
            missing.push_back({{}, std::move(word)});
    }
    if (missing.empty())
        return;
    auto obstacle = enable(directory, missing);
    // One that is refused keeps all others off in the same write.
    if (obstacle && obstacle->kind == Obstacle::refused)
        for (const Limit& one : missing)
            (void)enable(directory, {one});
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
