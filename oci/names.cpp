// Tables.
#include "oci/names.hpp"

#include <linux/mount.h>

namespace oci {

namespace {

using enum MountEffect;

constexpr Named<spec::Stage> kNamespaces[] = {
    {"cgroup", spec::Stage::cgroup}, {"ipc", spec::Stage::ipc}, {"mount", spec::Stage::mount},
    {"network", spec::Stage::net},   {"pid", spec::Stage::pid}, {"time", spec::Stage::time},
    {"user", spec::Stage::user},     {"uts", spec::Stage::uts},
};

// config.md, "Linux mount options", and what Podman has crun do besides. Those of a file system
// (sync, lazytime, …) go to it by name, since fsconfig(2) takes them so.
constexpr Named<MountOption> kMountOptions[] = {
    {"async", {super}},
    {"atime", {no_times, MOUNT_ATTR_NOATIME}},
    {"bind", {bind, 0}},
    {"copy-symlink", {no_follow}},
    {"defaults", {nothing}},
    {"dest-nofollow", {no_follow, 1}},
    {"dev", {clear, MOUNT_ATTR_NODEV}},
    {"diratime", {clear, MOUNT_ATTR_NODIRATIME}},
    {"dirsync", {super}},
    {"exec", {clear, MOUNT_ATTR_NOEXEC}},
    {"idmap", {idmap, 0}},
    {"iversion", {nothing}},
    {"lazytime", {super}},
    {"loud", {nothing}},
    {"mand", {super}},
    {"noatime", {times, MOUNT_ATTR_NOATIME}},
    {"nodev", {set, MOUNT_ATTR_NODEV}},
    {"nodiratime", {set, MOUNT_ATTR_NODIRATIME}},
    {"noexec", {set, MOUNT_ATTR_NOEXEC}},
    {"noiversion", {nothing}},
    {"nolazytime", {super}},
    {"nomand", {super}},
    {"norelatime", {nothing}},
    {"nostrictatime", {no_times, MOUNT_ATTR_STRICTATIME}},
    {"nosuid", {set, MOUNT_ATTR_NOSUID}},
    {"nosymfollow", {set, MOUNT_ATTR_NOSYMFOLLOW}},
    {"private", {propagation}},
    {"ratime", {no_times_below, MOUNT_ATTR_NOATIME}},
    {"rbind", {bind, 1}},
    {"rdev", {clear_below, MOUNT_ATTR_NODEV}},
    {"rdiratime", {clear_below, MOUNT_ATTR_NODIRATIME}},
    {"relatime", {times, MOUNT_ATTR_RELATIME}},
    {"remount", {remount}},
    {"rexec", {clear_below, MOUNT_ATTR_NOEXEC}},
    {"ridmap", {idmap, 1}},
    {"rnoatime", {times_below, MOUNT_ATTR_NOATIME}},
    {"rnodev", {set_below, MOUNT_ATTR_NODEV}},
    {"rnodiratime", {set_below, MOUNT_ATTR_NODIRATIME}},
    {"rnoexec", {set_below, MOUNT_ATTR_NOEXEC}},
    {"rnorelatime", {nothing}},
    {"rnostrictatime", {no_times_below, MOUNT_ATTR_STRICTATIME}},
    {"rnosuid", {set_below, MOUNT_ATTR_NOSUID}},
    {"rnosymfollow", {set_below, MOUNT_ATTR_NOSYMFOLLOW}},
    {"ro", {set, MOUNT_ATTR_RDONLY}},
    {"rprivate", {propagation_below}},
    {"rrelatime", {times_below, MOUNT_ATTR_RELATIME}},
    {"rro", {set_below, MOUNT_ATTR_RDONLY}},
    {"rrw", {clear_below, MOUNT_ATTR_RDONLY}},
    {"rshared", {propagation_below}},
    {"rslave", {propagation_below}},
    {"rstrictatime", {times_below, MOUNT_ATTR_STRICTATIME}},
    {"rsuid", {clear_below, MOUNT_ATTR_NOSUID}},
    {"rsymfollow", {clear_below, MOUNT_ATTR_NOSYMFOLLOW}},
    {"runbindable", {propagation_below}},
    {"rw", {clear, MOUNT_ATTR_RDONLY}},
    {"shared", {propagation}},
    {"silent", {nothing}},
    {"slave", {propagation}},
    {"src-nofollow", {no_follow}},
    {"strictatime", {times, MOUNT_ATTR_STRICTATIME}},
    {"suid", {clear, MOUNT_ATTR_NOSUID}},
    {"symfollow", {clear, MOUNT_ATTR_NOSYMFOLLOW}},
    {"sync", {super}},
    {"tmpcopyup", {copy_up}},
    {"unbindable", {propagation}},
};

// linux/sched.h and linux/sched/types.h, which don't go with libc's sched.h.
constexpr Named<std::uint32_t> kPolicies[] = {
    {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},       {"SCHED_BATCH", 3},
    {"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6},
};
constexpr Named<std::uint64_t> kPolicyFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};

constexpr Named<int> kIoClasses[] = {
    {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};

// linux/mempolicy.h, where some are newer than the headers that we may find.
constexpr Named<int> kMemoryModes[] = {
    {"MPOL_BIND", 2},
    {"MPOL_DEFAULT", 0},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED", 1},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
};
constexpr Named<unsigned> kMemoryFlags[] = {{"MPOL_F_NUMA_BALANCING", 1U << 13},
                                            {"MPOL_F_RELATIVE_NODES", 1U << 14},
                                            {"MPOL_F_STATIC_NODES", 1U << 15}};

// LANDLOCK_ACCESS_FS_* of linux/landlock.h, likewise.
constexpr Named<std::uint64_t> kLandlock[] = {
    {"execute", 1U << 0},    {"write_file", 1U << 1}, {"read_file", 1U << 2},
    {"read_dir", 1U << 3},   {"remove_dir", 1U << 4}, {"remove_file", 1U << 5},
    {"make_char", 1U << 6},  {"make_dir", 1U << 7},   {"make_reg", 1U << 8},
    {"make_sock", 1U << 9},  {"make_fifo", 1U << 10}, {"make_block", 1U << 11},
    {"make_sym", 1U << 12},  {"refer", 1U << 13},     {"truncate", 1U << 14},
    {"ioctl_dev", 1U << 15},
};

constexpr Named<bool> kActions[] = {
    {"SCMP_ACT_ALLOW", false},        {"SCMP_ACT_ERRNO", true},        {"SCMP_ACT_KILL", false},
    {"SCMP_ACT_KILL_PROCESS", false}, {"SCMP_ACT_KILL_THREAD", false}, {"SCMP_ACT_LOG", false},
    {"SCMP_ACT_NOTIFY", false},       {"SCMP_ACT_TRACE", true},        {"SCMP_ACT_TRAP", false},
};
constexpr Named<bool> kOperators[] = {
    {"SCMP_CMP_EQ", true}, {"SCMP_CMP_GE", true}, {"SCMP_CMP_GT", true},
    {"SCMP_CMP_LE", true}, {"SCMP_CMP_LT", true}, {"SCMP_CMP_MASKED_EQ", true},
    {"SCMP_CMP_NE", true},
};
constexpr Named<bool> kArchitectures[] = {
    {"SCMP_ARCH_AARCH64", true}, {"SCMP_ARCH_ARM", true},      {"SCMP_ARCH_LOONGARCH64", true},
    {"SCMP_ARCH_MIPS", true},    {"SCMP_ARCH_MIPS64", true},   {"SCMP_ARCH_MIPS64N32", true},
    {"SCMP_ARCH_MIPSEL", true},  {"SCMP_ARCH_MIPSEL64", true}, {"SCMP_ARCH_MIPSEL64N32", true},
    {"SCMP_ARCH_PARISC", true},  {"SCMP_ARCH_PARISC64", true}, {"SCMP_ARCH_PPC", true},
    {"SCMP_ARCH_PPC64", true},   {"SCMP_ARCH_PPC64LE", true},  {"SCMP_ARCH_RISCV64", true},
    {"SCMP_ARCH_S390", true},    {"SCMP_ARCH_S390X", true},    {"SCMP_ARCH_X32", true},
    {"SCMP_ARCH_X86", true},     {"SCMP_ARCH_X86_64", true},
};
constexpr Named<bool> kFlags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", true},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", true},
    {"SECCOMP_FILTER_FLAG_TSYNC", true},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", true},
};

constexpr HookList kHooks[] = {
    {"prestart", &spec::Hooks::prestart},
    {"createRuntime", &spec::Hooks::create_runtime},
    {"createContainer", &spec::Hooks::create_container},
    {"startContainer", &spec::Hooks::start_container},
    {"poststart", &spec::Hooks::poststart},
    {"poststop", &spec::Hooks::poststop},
};

} // namespace

std::span<const Named<spec::Stage>> namespace_names() {
    return kNamespaces;
}
std::span<const Named<MountOption>> mount_options() {
    return kMountOptions;
}
std::span<const Named<std::uint32_t>> scheduler_policies() {
    return kPolicies;
}
std::span<const Named<std::uint64_t>> scheduler_flags() {
    return kPolicyFlags;
}
std::span<const Named<int>> io_priority_classes() {
    return kIoClasses;
}
std::span<const Named<int>> memory_policy_modes() {
    return kMemoryModes;
}
std::span<const Named<unsigned>> memory_policy_flags() {
    return kMemoryFlags;
}
std::span<const Named<std::uint64_t>> landlock_accesses() {
    return kLandlock;
}
std::span<const Named<bool>> seccomp_actions() {
    return kActions;
}
std::span<const Named<bool>> seccomp_operators() {
    return kOperators;
}
std::span<const Named<bool>> seccomp_architectures() {
    return kArchitectures;
}
std::span<const Named<bool>> seccomp_flags() {
    return kFlags;
}
std::span<const HookList> hook_lists() {
    return kHooks;
}

} // namespace oci
