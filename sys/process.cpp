// Calls that libc has no wrapper for, or an old one not.
#include "sys/process.hpp"

#include "sys/seam.hpp"

#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sys {

namespace {

/// sched_setattr(2)'s, which glibc 2.41 is the first to declare.
struct SchedAttr {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
};
static_assert(sizeof(SchedAttr) == 48); // SCHED_ATTR_SIZE_VER0

} // namespace

Result<void> sched_setattr(const SchedulingPolicy& policy) {
    SchedAttr attr{.size = sizeof attr,
                   .policy = policy.policy,
                   .flags = policy.flags,
                   .nice = policy.nice,
                   .priority = policy.priority,
                   .runtime = policy.runtime,
                   .deadline = policy.deadline,
                   .period = policy.period};
    return done(invoke(
        "sched_setattr", [&] { return syscall(SYS_sched_setattr, 0, &attr, 0); }, 0,
        Shown{"{policy " + std::to_string(policy.policy) + " nice " + std::to_string(policy.nice) +
              " priority " + std::to_string(policy.priority) + "}"}));
}

Result<void> ioprio_set(int priority) {
    constexpr int kProcess = 1; // IOPRIO_WHO_PROCESS
    return done(invoke(
        "ioprio_set", [&] { return syscall(SYS_ioprio_set, kProcess, 0, priority); }, 0, priority));
}

Result<void> set_mempolicy(int mode, const std::vector<std::uint64_t>& nodes) {
    // The kernel takes one bit less than it is told (set_mempolicy(2), BUGS of every release).
    unsigned long bits = nodes.empty() ? 0 : nodes.size() * 64 + 1;
    return done(invoke(
        "set_mempolicy",
        [&] {
            return syscall(SYS_set_mempolicy, mode, nodes.empty() ? nullptr : nodes.data(), bits);
        },
        mode, bits));
}

Result<void> personality(unsigned long persona) {
    return done(
        invoke("personality", [&] { return static_cast<long>(::personality(persona)); }, persona));
}

Result<void> join_session_keyring(const std::string& name) {
    return done(invoke(
        "keyctl",
        [&] {
            return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING,
                           name.empty() ? nullptr : name.c_str());
        },
        Shown{"KEYCTL_JOIN_SESSION_KEYRING"}, name));
}

Result<int> landlock_version() {
    return static_cast<int>(TRY(invoke(
        "landlock_create_ruleset",
        [] {
            return syscall(SYS_landlock_create_ruleset, nullptr, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
        },
        Shown{"NULL"}, 0, Shown{"LANDLOCK_CREATE_RULESET_VERSION"})));
}

Result<Fd> landlock_create_ruleset(std::uint64_t handled) {
    landlock_ruleset_attr attr{};
    attr.handled_access_fs = handled;
    return descriptor(invoke(
        "landlock_create_ruleset",
        [&] {
            return syscall(SYS_landlock_create_ruleset, &attr, sizeof attr.handled_access_fs, 0);
        },
        handled));
}

Result<void> landlock_add_path(int ruleset, std::uint64_t allowed, int path) {
    landlock_path_beneath_attr attr{};
    attr.allowed_access = allowed;
    attr.parent_fd = path;
    return done(invoke(
        "landlock_add_rule",
        [&] {
            return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
        },
        ruleset, allowed, path));
}

Result<void> landlock_restrict_self(int ruleset) {
    return done(invoke(
        "landlock_restrict_self", [&] { return syscall(SYS_landlock_restrict_self, ruleset, 0); },
        ruleset));
}

} // namespace sys
