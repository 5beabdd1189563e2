// cgroup-v1/*.rst of the kernel's documentation, and the names that cgroup-v2.rst has for the same.
#include "teach/cgroup_v1.hpp"

#include "sys/path.hpp"
#include "teach/proc_text.hpp"

#include <algorithm>

namespace teach {

namespace {

/// A controller's file and v2's name for it. No limit is -1, or more than any machine has.
struct Name {
    const char* controller;
    const char* v1;
    const char* v2;
};
constexpr Name kNames[] = {
    {"memory", "memory.usage_in_bytes", "memory.current"},
    {"memory", "memory.limit_in_bytes", "memory.max"},
    {"pids", "pids.current", "pids.current"},
    {"pids", "pids.max", "pids.max"},
    {"cpu", "cpu.cfs_quota_us", "cpu.max"},
    {"cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective"},
    {"cpuset", "cpuset.effective_mems", "cpuset.mems.effective"},
};

bool lists(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        std::string_view first = list.substr(0, list.find(','));
        list.remove_prefix(std::min(first.size() + 1, list.size()));
        if (first == word)
            return true;
    }
    return false;
}

/// Where the cgroup `path` of a hierarchy is to be seen; empty: nowhere.
std::string directory_of(const Cgroup& cgroup, const std::string& path,
                         const std::vector<Mount>& mounts) {
    std::string first = cgroup.controllers.substr(0, cgroup.controllers.find(','));
    for (const Mount& mount : mounts) {
        if (mount.type != "cgroup" || !lists(mount.super_options, first))
            continue;
        std::string root = mount.root == "/" ? "" : mount.root;
        if (path == root || path.starts_with(root + "/"))
            return mount.point + path.substr(root.size());
    }
    return {};
}

std::string value_of(const std::string& directory, const Name& name) {
    auto read = [&](const char* file) {
        std::string text = sys::read_file(directory + "/" + file).value_or("");
        return text.substr(0, text.find('\n'));
    };
    std::string value = read(name.v1);
    if (value.empty())
        return {};
    std::string_view as = name.v2;
    constexpr std::size_t kDigits = 19; // of 2^63 less a page, which stands for no limit
    if (as == "cpu.max")
        return (value.starts_with('-') ? "max" : value) + " " + read("cpu.cfs_period_us");
    return as == "memory.max" && value.size() >= kDigits ? "max" : value;
}

} // namespace

void add_v1_limits(Snapshot& to, const std::vector<Mount>& mounts) {
    for (const Cgroup& cgroup : to.cgroups) {
        if (cgroup.controllers.empty() || cgroup.path.starts_with("/.."))
            continue;
        for (const Name& name : kNames) {
            if (!lists(cgroup.controllers, name.controller))
                continue;
            bool limits = std::string_view(name.v2).ends_with(".max");
            for (std::string path = cgroup.path; path.size() > 1;) {
                std::string directory = directory_of(cgroup, path, mounts);
                std::string value = directory.empty() ? "" : value_of(directory, name);
                if (path == cgroup.path && !value.empty())
                    to.cgroup_files.push_back({name.v2, value});
                else if (limits && !value.empty() && !value.starts_with("max"))
                    to.cgroup_above.push_back({name.v2, value, path});
                path.resize(path.rfind('/'));
            }
        }
    }
    std::ranges::stable_sort(to.cgroup_files, {}, &CgroupFile::name);
}

} // namespace teach
