// A new one where that shows the container what is its own, else the host's, read-only.
#include "stages/kernel_trees.hpp"

#include "stages/cgroup_place.hpp"

#include <cerrno>

namespace stages {

Result<Fd> sysfs_tree(const std::vector<std::string>& options, std::uint64_t attributes, bool fresh,
                      const std::string& source) {
    if (fresh) {
        auto own = new_filesystem("sysfs", options, attributes, causes::powerless_root, source);
        // EPERM: what the outer one shows more than ours would are the outer network's devices.
        if (own || own.error().code != EPERM)
            return own;
    }
    Fd hosts = TRY(clone_mount(AT_FDCWD, "/sys", AT_RECURSIVE));
    TRY(set_attributes(hosts, attributes | MOUNT_ATTR_RDONLY, AT_RECURSIVE));
    return hosts;
}

Result<Fd> cgroup_tree(const Inside& inside, const std::vector<std::string>& options,
                       std::uint64_t attributes, const std::string& source) {
    const spec::Spec& spec = inside.spec;
    bool sees_own = spec.stages.has(spec::Stage::cgroup) && spec.cgroup.own_namespace;
    for (const spec::Join& join : spec.joins)
        sees_own = sees_own || join.stage == spec::Stage::cgroup;
    if (sees_own) {
        auto own = new_filesystem("cgroup2", options, attributes, causes::powerless_root, source);
        // EPERM: a cgroup namespace that is joined may belong to another user namespace.
        if (own || own.error().code != EPERM)
            return own;
    }
    cgroup::Hierarchy hierarchy = TRY(cgroup::find_hierarchy());
    if (hierarchy.layout == cgroup::Layout::none)
        return sys::wrong("this machine has no cgroup v2 hierarchy",
                          "'mount -t cgroup2 none /sys/fs/cgroup/unified' makes one");
    Fd tree = TRY(clone_mount(
        AT_FDCWD, hierarchy.own.empty() ? hierarchy.root : hierarchy.directory(hierarchy.own),
        AT_RECURSIVE));
    // Writable, it would let the container out of its limits (CVE-2023-25809).
    TRY(set_attributes(tree, attributes | MOUNT_ATTR_RDONLY, AT_RECURSIVE));
    TRY(set_propagation(tree.get(), "", MS_PRIVATE, AT_EMPTY_PATH | AT_RECURSIVE));
    return tree;
}

} // namespace stages
