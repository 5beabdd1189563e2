// What shows the kernel's own things as files: sysfs and cgroupfs, where they can be had.
#pragma once

#include "stages/mounting.hpp"

namespace stages {

/// A sysfs of the container's own network namespace; `fresh` false, or the kernel refuses one
/// since an outer container's is partly covered: the host's, read-only. `source`: as
/// new_filesystem().
Result<Fd> sysfs_tree(const std::vector<std::string>& options, std::uint64_t attributes, bool fresh,
                      const std::string& source = {});

/// The container's cgroup. Its namespace shows that as the top of a cgroup2 of its own; without
/// one it is a read-only bind of the cgroup's directory. On a host with v1 hierarchies too, it is
/// the unified one as well: that is where the container's limits are.
Result<Fd> cgroup_tree(const Inside& inside, const std::vector<std::string>& options,
                       std::uint64_t attributes, const std::string& source);

} // namespace stages
