// The names that config.json may use, and `features` lists: one table for both.
#pragma once

#include "oci/document.hpp"
#include "spec/spec.hpp"

#include <span>

namespace oci {

std::span<const Named<spec::Stage>> namespace_names();

/// What an option of a mount does.
enum class MountEffect : std::uint8_t {
    nothing,     ///< as it is anyway
    bind,        ///< `value`: is it recursive?
    remount,     ///< of what is mounted there
    set,         ///< `value`: MOUNT_ATTR_*, of the mount alone
    clear,       ///< likewise
    set_below,   ///< likewise, of what is mounted below it too
    clear_below, ///< likewise
    times,       ///< `value`: MOUNT_ATTR_* of MOUNT_ATTR__ATIME
    no_times,    ///< not `value`, but relatime
    times_below,
    no_times_below,
    super, ///< of the file system, whoever mounts it: it knows the word
    propagation,
    propagation_below,
    copy_up,
    no_follow, ///< a link: `value`: as the destination, else as the source
    idmap,     ///< `value`: is it recursive?
};
struct MountOption {
    MountEffect effect = MountEffect::nothing;
    std::uint64_t value = 0;
};
/// Sorted by name.
std::span<const Named<MountOption>> mount_options();

std::span<const Named<std::uint32_t>> scheduler_policies(); ///< SCHED_*
std::span<const Named<std::uint64_t>> scheduler_flags();    ///< SCHED_FLAG_*
std::span<const Named<int>> io_priority_classes();          ///< IOPRIO_CLASS_*
std::span<const Named<int>> memory_policy_modes();          ///< MPOL_*
std::span<const Named<unsigned>> memory_policy_flags();     ///< MPOL_F_*
std::span<const Named<std::uint64_t>> landlock_accesses();  ///< LANDLOCK_ACCESS_FS_*

// Of linux.seccomp; the seccomp stage knows what they stand for.
std::span<const Named<bool>> seccomp_actions(); ///< true: it takes an errno
std::span<const Named<bool>> seccomp_operators();
std::span<const Named<bool>> seccomp_architectures();
std::span<const Named<bool>> seccomp_flags(); ///< false: known, and not supported

struct HookList {
    const char* name;
    std::vector<spec::Hook> spec::Hooks::* list;
};
std::span<const HookList> hook_lists();

} // namespace oci
