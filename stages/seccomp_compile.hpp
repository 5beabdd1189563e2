// From a profile to the program that the kernel runs at a system call.
//
// libseccomp tells the numbers of the calls on every architecture; the program is written here,
// for three reasons. What does not depend on arguments (nine tenths of a profile) becomes a binary
// search over ranges of numbers: for our default profile that has a third of the instructions of
// libseccomp's best program and costs half as much to load, which every container's start waits
// for. libseccomp needs 15 ms to compile that profile, this 1. And of several rules for one call,
// libseccomp can't say "all but", nor does it always get the verdict right (2.5.4: three
// architectures, two SCMP_CMP_NE on different arguments). The unit tests hold both against each
// other.
#pragma once

#include "stages/bpf.hpp"
#include "stages/seccomp_profile.hpp"

namespace stages::seccomp {

/// The whole filter, in this machine's byte order. Where a profile leaves room:
///
/// - Of a call's rules with arguments the strictest that holds counts; then the first without;
///   then the default. A rule with arguments is of no use beside a stricter one without.
/// - Names that libseccomp does not know are left out.
/// - What is newer than every call that the profile names fails with ENOSYS, so that programs
///   fall back to what they did before it (as runc has it). Not if the default is to allow.
/// - A call of an architecture that is not listed kills the process.
Result<Bpf> compile(const Profile& profile);

/// Does each of the calls ever get through, with one argument or another, on the machine's own
/// architecture?
bool pass(const Profile& profile, std::initializer_list<const char*> names);

/// Is it ever SCMP_ACT_NOTIFY, likewise?
bool notified(const Profile& profile, const std::string& name);

} // namespace stages::seccomp
