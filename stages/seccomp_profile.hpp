// A seccomp profile: which system call gets which verdict, and how one is read from JSON.
//
// The JSON is Docker's form; without its conditions it is linux.seccomp of an OCI config.json.
// stages/seccomp_compile.hpp makes the kernel's program of it.
#pragma once

#include "sys/result.hpp"

#include <seccomp.h>

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace stages::seccomp {

using sys::Result;

/// What the kernel is told: SECCOMP_RET_* with its data, as in seccomp(2); SCMP_ACT_* are the same.
using Action = std::uint32_t;

/// Kernel's order among verdicts: KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG,
/// ALLOW.
constexpr bool stricter(Action a, Action b) {
    constexpr Action kAction = 0xffff0000U; // SECCOMP_RET_ACTION_FULL
    return static_cast<std::int32_t>(a & kAction) < static_cast<std::int32_t>(b & kAction);
}

struct Rule {
    std::vector<std::string> names;
    Action action = 0;
    std::vector<scmp_arg_cmp> args; ///< all must hold; no argument twice
};

struct Profile {
    Action default_action = 0;
    std::vector<std::uint32_t> architectures; ///< SCMP_ARCH_*, the machine's own first
    std::uint32_t flags = 0;                  ///< SECCOMP_FILTER_FLAG_*
    std::vector<Rule> rules;
    bool notifies = false; ///< a rule says SCMP_ACT_NOTIFY
    /// Every name that the profile mentions, its conditions met or not. What is newer than all of
    /// these, its author had never heard of.
    std::vector<std::string> named;
};

struct KernelVersion {
    unsigned major = 0, minor = 0;
    auto operator<=>(const KernelVersion&) const = default;
};
/// {6, 1} of uname's "6.1.0-13-amd64"; {0, 0} of anything else.
KernelVersion kernel_version(const std::string& release);

/// What the conditions of a profile ask about.
struct Machine {
    std::uint32_t arch = 0; ///< SCMP_ARCH_*
    KernelVersion kernel;
    std::vector<std::string> capabilities; ///< of the container, "cap_chown"
    bool listened = false;                 ///< somebody waits for SCMP_ACT_NOTIFY
};

/// SCMP_ARCH_* of a name of dpkg's, uname's or Docker's ("amd64", "x86_64", "arm64"); 0 if none.
std::uint32_t arch_named(const std::string& name);

/// Read a profile, keeping the rules whose conditions hold on `machine`. Errors name the place,
/// as `syscalls[3].args[0].op: …`.
Result<Profile> parse_profile(const std::string& text, const Machine& machine);

} // namespace stages::seccomp
