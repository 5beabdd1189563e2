// Seccomp: the profile reader, the compiler (its programs run on a BPF machine here), the stage.
#include "spec/spec.hpp"
#include "stages/seccomp_cache.hpp"
#include "stages/seccomp_compile.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"
#include "tests/support/bpf.hpp"
#include "tests/unit/recorder.hpp"
#include "tests/unit/temporary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>

namespace {

using stages::seccomp::Bpf;
using stages::seccomp::Machine;
using stages::seccomp::Profile;
using support::judge;
using support::SystemCall;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using unit::Recorder;

using Numbers = std::initializer_list<std::uint32_t>;
using Words = std::initializer_list<std::uint64_t>;

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kKill = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint32_t kX32 = 0x40000000;
constexpr std::uint64_t kHigh = 1ULL << 32;
constexpr std::uint32_t fails(std::uint32_t code) {
    return SECCOMP_RET_ERRNO | code;
}

constexpr std::uint64_t kCompiledIn[] = {
#include "seccomp_default.inc"
};
constexpr const char* kEmbedded =
#include "seccomp_default_json.inc"
    ;

std::string source(const std::string& path) {
    const char* root = getenv("GOCONTAINER_SRC");
    return *sys::read_file(std::string(root != nullptr ? root : ".") + "/" + path);
}

Machine machine(std::uint32_t arch = SCMP_ARCH_X86_64,
                std::vector<std::string> capabilities = spec::default_capabilities()) {
    return {.arch = arch, .kernel = {6, 1}, .capabilities = std::move(capabilities)};
}

Profile read(const std::string& json, const Machine& on = machine()) {
    auto profile = stages::seccomp::parse_profile(json, on);
    if (!profile)
        throw std::runtime_error(sys::to_line(profile.error()));
    return *profile;
}

std::string refused(const std::string& json) {
    auto profile = stages::seccomp::parse_profile(json, machine());
    return profile ? "accepted" : sys::to_line(profile.error());
}

Bpf compiled(const Profile& profile) {
    auto filter = stages::seccomp::compile(profile);
    if (!filter)
        throw std::runtime_error(sys::to_line(filter.error()));
    return *filter;
}

Bpf compiled(const std::string& json, const Machine& on = machine()) {
    return compiled(read(json, on));
}

/// One rule in a profile that denies everything else.
std::string with_rule(const std::string& rule) {
    return R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [)" + rule + "]}";
}

std::uint32_t number(std::uint32_t arch, const char* name) {
    int found = seccomp_syscall_resolve_name_arch(arch, name);
    if (found < 0)
        throw std::runtime_error(std::string("no number for ") + name);
    return static_cast<std::uint32_t>(found);
}

std::uint32_t on(const Bpf& filter, std::uint32_t arch, const char* name, std::uint64_t a = 0,
                 std::uint64_t b = 0, std::uint64_t c = 0) {
    std::uint32_t audit = arch == SCMP_ARCH_X32 ? std::uint32_t{SCMP_ARCH_X86_64} : arch;
    return judge(filter, {.arch = audit, .number = number(arch, name), .args = {a, b, c}});
}

std::uint32_t on_x86_64(const Bpf& filter, const char* name, std::uint64_t a = 0,
                        std::uint64_t b = 0, std::uint64_t c = 0) {
    return on(filter, SCMP_ARCH_X86_64, name, a, b, c);
}

// --- the reader --------------------------------------------------------------------------------

TEST(SeccompProfile, ReadsRulesAndArguments) {
    Profile profile = read(R"({
        "comment": "for people",
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "comment": "", "args": null},
            {"name": "clone", "action": "SCMP_ACT_TRACE", "errnoRet": 7, "args": [
                {"index": 2, "op": "SCMP_CMP_MASKED_EQ", "value": 18446744073709551615,
                 "valueTwo": 5}]}
        ]})");
    EXPECT_EQ(profile.default_action, fails(ENOSYS));
    EXPECT_EQ(profile.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
    EXPECT_THAT(profile.architectures, ElementsAre(SCMP_ARCH_X86_64));
    ASSERT_EQ(profile.rules.size(), 2U);
    EXPECT_THAT(profile.rules[0].names, ElementsAre("read", "write"));
    EXPECT_EQ(profile.rules[0].action, kAllow);
    EXPECT_THAT(profile.rules[1].names, ElementsAre("clone"));
    EXPECT_EQ(profile.rules[1].action, SECCOMP_RET_TRACE | 7);
    ASSERT_EQ(profile.rules[1].args.size(), 1U);
    EXPECT_EQ(profile.rules[1].args[0].arg, 2U);
    EXPECT_EQ(profile.rules[1].args[0].op, SCMP_CMP_MASKED_EQ);
    EXPECT_EQ(profile.rules[1].args[0].datum_a, UINT64_MAX);
    EXPECT_EQ(profile.rules[1].args[0].datum_b, 5U);
}

TEST(SeccompProfile, KnowsEveryAction) {
    for (auto [name, action] : {std::pair{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
                                {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
                                {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
                                {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
                                {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO | EPERM},
                                {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM},
                                {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
                                {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW}})
        EXPECT_EQ(read(std::string(R"({"defaultAction": ")") + name + "\"}").default_action, action)
            << name;
}

TEST(SeccompProfile, ErrorsNameThePlace) {
    struct {
        const char* json;
        const char* says;
    } const cases[] = {
        {"{", "is not JSON: parse error at line 1, column 2"},
        {"[]", "the profile: is not an object"},
        {"{}", "the profile: needs \"defaultAction\""},
        {R"({"defaultAction": 1})", "defaultAction: is not a string"},
        {R"({"defaultAction": "ALLOW"})",
         "defaultAction: \"ALLOW\" is not an action: one of SCMP_ACT_KILL, "},
        {R"({"defaultAction": "SCMP_ACT_NOTIFY"})",
         "defaultAction: nothing here listens for SCMP_ACT_NOTIFY"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})",
         "defaultAction: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have an errno"},
        {R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})",
         "defaultErrnoRet: 4096 is more than 4095"},
        {R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1})",
         "defaultErrnoRet: is not a whole number from 0 on"},
        {R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOPE"})",
         "defaultErrno: \"ENOPE\" is not the name of an errno"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "syscals": []})",
         "the profile: has no field \"syscals\": one of comment, defaultAction, "},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}})", "syscalls: is not a list"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]})",
         "architectures[0]: \"x86\" is not an architecture: one of SCMP_ARCH_X86_64, "},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [], "archMap": []})",
         "the profile: has both \"architectures\" and \"archMap\""},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{}]})",
         "archMap[0]: needs \"architecture\""},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [
             {"architecture": "SCMP_ARCH_ARM", "subArchitectures": ["SCMP_ARCH_Z80"]}]})",
         "archMap[0].subArchitectures[0]: \"SCMP_ARCH_Z80\" is not an architecture"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["LOG"]})",
         "flags[0]: \"LOG\" is not a flag: one of SECCOMP_FILTER_FLAG_TSYNC, "},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "", "listenerMetadata": "m"})",
         "listenerMetadata: is for SCMP_ACT_NOTIFY, which is not used"},
        {R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent"})",
         "listenerPath: is for SCMP_ACT_NOTIFY, which is not used"},
    };
    for (const auto& [json, says] : cases)
        EXPECT_THAT(refused(json), StartsWith(says));
}

TEST(SeccompProfile, ErrorsInRulesNameThePlace) {
    struct {
        const char* rule;
        const char* says;
    } const cases[] = {
        {"1", "syscalls[0]: is not an object"},
        {R"({"action": "SCMP_ACT_ALLOW"})", "syscalls[0]: needs \"names\""},
        {R"({"names": "read", "action": "SCMP_ACT_ALLOW"})", "syscalls[0].names: is not a list"},
        {R"({"names": ["read", 2], "action": "SCMP_ACT_ALLOW"})",
         "syscalls[0].names[1]: is not a string"},
        {R"({"names": [""], "action": "SCMP_ACT_ALLOW"})", "syscalls[0].names[0]: is empty"},
        {R"({"names": ["read"], "name": "write", "action": "SCMP_ACT_ALLOW"})",
         "syscalls[0]: has both \"name\" and \"names\""},
        {R"({"names": ["read"]})", "syscalls[0]: needs \"action\""},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOWED"})",
         "syscalls[0].action: \"SCMP_ACT_ALLOWED\" is not an action"},
        {R"({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})",
         "syscalls[0].action: nothing here listens for SCMP_ACT_NOTIFY"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1})",
         "syscalls[0].action: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have an errno"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "arg": []})",
         "syscalls[0]: has no field \"arg\": one of names, "},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [[]]})",
         "syscalls[0].args[0]: is not an object"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"op": "SCMP_CMP_EQ"}]})",
         "syscalls[0].args[0]: needs \"index\""},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 6, "op": "SCMP_CMP_EQ", "value": 0}]})",
         "syscalls[0].args[0].index: 6 is more than 5"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "op": "==", "value": 0}]})",
         "syscalls[0].args[0].op: \"==\" is not an operator: one of SCMP_CMP_NE, "},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": "0"}]})",
         "syscalls[0].args[0].value: is not a whole number from 0 on"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": []})",
         "syscalls[0].includes: is not an object"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["SYS_ADMIN"]}})",
         "syscalls[0].excludes.caps[0]: \"SYS_ADMIN\" is not a capability"},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["x64"]}})",
         "syscalls[0].includes.arches[0]: \"x64\" is not an architecture: one of amd64, "},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "5"}})",
         "syscalls[0].includes.minKernel: \"5\" is not a version like \"4.8\""},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "5.4.1"}})",
         "syscalls[0].includes.minKernel: \"5.4.1\" is not a version like \"4.8\""},
        {R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"cap": []}})",
         "syscalls[0].includes: has no field \"cap\": one of caps, arches, minKernel"},
    };
    for (const auto& [rule, says] : cases)
        EXPECT_THAT(refused(with_rule(rule)), StartsWith(says));
}

std::size_t rules_with(const std::string& conditions, const Machine& where) {
    return read(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", )" + conditions + "}"),
                where)
        .rules.size();
}

TEST(SeccompProfile, ConditionsAskAboutCapabilitiesArchitectureAndKernel) {
    Machine two = machine(SCMP_ARCH_AARCH64, {"cap_chown", "cap_sys_admin"});
    two.kernel = {5, 4};
    struct {
        const char* condition;
        bool applies;
    } const cases[] = {
        {R"("includes": {})", true},
        {R"("includes": {"caps": []})", true},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN"]})", true},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]})", true},
        {R"("includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]})", false},
        {R"("excludes": {"caps": ["CAP_BPF"]})", true},
        {R"("excludes": {"caps": ["CAP_BPF", "CAP_CHOWN"]})", false},
        {R"("includes": {"arches": ["amd64", "arm64"]})", true},
        {R"("includes": {"arches": ["amd64", "arm"]})", false},
        {R"("excludes": {"arches": ["s390", "s390x"]})", true},
        {R"("excludes": {"arches": ["arm64"]})", false},
        {R"("includes": {"minKernel": "5.4"})", true},
        {R"("includes": {"minKernel": "4.19"})", true},
        {R"("includes": {"minKernel": "5.10"})", false},
        {R"("excludes": {"minKernel": "5.10"})", true},
        {R"("excludes": {"minKernel": "5.4"})", false},
        {R"("includes": {"caps": ["CAP_CHOWN"]}, "excludes": {"caps": ["CAP_SYS_ADMIN"]})", false},
    };
    for (const auto& [condition, applies] : cases)
        EXPECT_EQ(rules_with(condition, two), applies ? 1U : 0U) << condition;
}

TEST(SeccompProfile, ReadsKernelReleases) {
    using stages::seccomp::kernel_version;
    using stages::seccomp::KernelVersion;
    EXPECT_EQ(kernel_version("6.1.0-13-amd64"), (KernelVersion{6, 1}));
    EXPECT_EQ(kernel_version("5.15.90.1-microsoft-standard-WSL2"), (KernelVersion{5, 15}));
    EXPECT_EQ(kernel_version("4.8-rc1"), (KernelVersion{4, 8}));
    EXPECT_EQ(kernel_version("six"), (KernelVersion{0, 0}));
    EXPECT_LT((KernelVersion{4, 19}), (KernelVersion{5, 4}));
}

TEST(SeccompProfile, ArchitecturesComeFromTheMapOfThisMachine) {
    std::string json = source("stages/seccomp-default.json");
    EXPECT_THAT(read(json).architectures,
                ElementsAre(SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32));
    EXPECT_THAT(read(json, machine(SCMP_ARCH_AARCH64)).architectures,
                ElementsAre(SCMP_ARCH_AARCH64, SCMP_ARCH_ARM));
    EXPECT_THAT(read(R"({"defaultAction": "SCMP_ACT_ALLOW",
                         "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"]})")
                    .architectures,
                ElementsAre(SCMP_ARCH_X86_64, SCMP_ARCH_X86));
}

TEST(SeccompProfile, AnArgumentComparedTwiceMakesTwoRules) {
    Profile profile = read(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "op": "SCMP_CMP_EQ", "value": 1},
        {"index": 0, "op": "SCMP_CMP_EQ", "value": 2}]})"));
    ASSERT_EQ(profile.rules.size(), 2U);
    Bpf filter = compiled(profile);
    EXPECT_EQ(on_x86_64(filter, "read", 1), kAllow);
    EXPECT_EQ(on_x86_64(filter, "read", 2), kAllow);
    EXPECT_EQ(on_x86_64(filter, "read", 3), fails(EPERM));
}

// --- the default profile -----------------------------------------------------------------------

class DefaultFilter : public testing::Test {
protected:
    static Bpf with(std::vector<std::string> more, std::uint32_t arch = SCMP_ARCH_X86_64) {
        std::vector<std::string> all = spec::default_capabilities();
        all.insert(all.end(), more.begin(), more.end());
        return compiled(source("stages/seccomp-default.json"), machine(arch, all));
    }
    Bpf plain_ = with({});
};

TEST_F(DefaultFilter, IsWhatWasCompiledIn) {
    Machine here{.arch = seccomp_arch_native(),
                 .kernel = {5, 12},
                 .capabilities = spec::default_capabilities()};
    Bpf fresh = compiled(source("stages/seccomp-default.json"), here);
    EXPECT_EQ(fresh, Bpf(std::begin(kCompiledIn), std::end(kCompiledIn)));
    EXPECT_EQ(fresh, compiled(kEmbedded, here));
    EXPECT_LT(fresh.size(), 450U) << "loading costs each container time";
}

TEST_F(DefaultFilter, AllowsEverydayCallsOnEveryNumbering) {
    for (const char* name : {"read", "openat", "execve", "exit_group", "futex", "mmap", "fork",
                             "getpid", "epoll_wait", "connect", "sendmsg", "kill", "ptrace",
                             "process_vm_readv", "landlock_create_ruleset", "seccomp", "chroot"})
        for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_X32})
            EXPECT_EQ(on(plain_, arch, name), kAllow) << name << " " << arch;
    for (const char* name : {"read", "openat", "execve", "mmap2", "socketcall", "ipc", "waitpid",
                             "clock_gettime64", "set_thread_area", "chroot"})
        EXPECT_EQ(on(plain_, SCMP_ARCH_X86, name), kAllow) << name;
    // Calls that i386 got directly in Linux 4.3 and 5.1, beside socketcall and ipc.
    for (std::uint32_t direct : Numbers{361U /* bind */, 362U /* connect */, 395U /* shmget */})
        EXPECT_EQ(judge(plain_, {.arch = AUDIT_ARCH_I386, .number = direct, .args = {}}), kAllow);
}

TEST_F(DefaultFilter, DeniesWhatNeedsACapabilityUntilItIsThere) {
    struct {
        const char* call;
        const char* capability;
    } const cases[] = {
        {"mount", "cap_sys_admin"},
        {"umount2", "cap_sys_admin"},
        {"unshare", "cap_sys_admin"},
        {"setns", "cap_sys_admin"},
        {"open_tree", "cap_sys_admin"},
        {"fsopen", "cap_sys_admin"},
        {"bpf", "cap_bpf"},
        {"perf_event_open", "cap_perfmon"},
        {"reboot", "cap_sys_boot"},
        {"finit_module", "cap_sys_module"},
        {"acct", "cap_sys_pacct"},
        {"kcmp", "cap_sys_ptrace"},
        {"pidfd_getfd", "cap_sys_ptrace"},
        {"iopl", "cap_sys_rawio"},
        {"settimeofday", "cap_sys_time"},
        {"vhangup", "cap_sys_tty_config"},
        {"mbind", "cap_sys_nice"},
        {"syslog", "cap_syslog"},
        {"set_mempolicy_home_node", "cap_sys_nice"},
        {"open_by_handle_at", "cap_dac_read_search"},
    };
    for (const auto& [call, capability] : cases) {
        EXPECT_EQ(on_x86_64(plain_, call), fails(EPERM)) << call;
        EXPECT_EQ(on_x86_64(with({capability}), call), kAllow) << call;
    }
}

TEST_F(DefaultFilter, NeverAllowsWhatNoContainerNeeds) {
    Bpf all = with({"cap_sys_admin", "cap_sys_boot", "cap_sys_ptrace", "cap_sys_module"});
    for (const char* name :
         {"io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
          "request_key", "userfaultfd", "kexec_load", "kexec_file_load", "pivot_root", "swapon",
          "swapoff", "move_pages", "migrate_pages", "uselib", "ustat", "sysfs", "_sysctl"}) {
        EXPECT_EQ(on_x86_64(plain_, name), fails(EPERM)) << name;
        EXPECT_EQ(on_x86_64(all, name), fails(EPERM)) << name;
    }
}

TEST_F(DefaultFilter, CloneMakesNoNamespaces) {
    constexpr std::uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                                      CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;
    Bpf admin = with({"cap_sys_admin"});
    for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86}) {
        EXPECT_EQ(on(plain_, arch, "clone", SIGCHLD), kAllow);
        EXPECT_EQ(on(plain_, arch, "clone", kThread), kAllow);
        for (std::uint64_t flag : Words{CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                        CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
            EXPECT_EQ(on(plain_, arch, "clone", flag | SIGCHLD), fails(EPERM)) << flag;
            EXPECT_EQ(on(admin, arch, "clone", flag | SIGCHLD), kAllow) << flag;
        }
        EXPECT_EQ(on(plain_, arch, "clone3"), fails(ENOSYS));
        EXPECT_EQ(on(admin, arch, "clone3"), kAllow);
    }
    EXPECT_EQ(on_x86_64(plain_, "clone", kHigh | CLONE_NEWUSER), fails(EPERM));
}

TEST_F(DefaultFilter, IoctlDoesNotType) {
    constexpr std::uint64_t kTiocSti = 0x5412, kTiocLinux = 0x541c, kTiocgWinsz = 0x5413;
    for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86})
        for (std::uint64_t garbage : Words{0ULL, kHigh, 0xffffffff00000000ULL}) {
            if (arch == SCMP_ARCH_X86 && garbage != 0)
                continue; // has no such bits
            EXPECT_EQ(on(plain_, arch, "ioctl", 0, garbage | kTiocSti), fails(EPERM));
            EXPECT_EQ(on(plain_, arch, "ioctl", 0, garbage | kTiocLinux), fails(EPERM));
            EXPECT_EQ(on(plain_, arch, "ioctl", 0, garbage | kTiocgWinsz), kAllow);
        }
    EXPECT_EQ(on(with({}, SCMP_ARCH_AARCH64), SCMP_ARCH_AARCH64, "ioctl", 0, kHigh | kTiocSti),
              fails(EPERM));
    EXPECT_EQ(on_x86_64(with({"cap_sys_admin"}), "ioctl", 0, kTiocSti), fails(EPERM));
}

TEST_F(DefaultFilter, SocketsByFamily) {
    for (std::uint64_t family :
         Words{AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_NFC, 41, 45})
        for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_X32})
            EXPECT_EQ(on(plain_, arch, "socket", family), kAllow) << family;
    for (std::uint64_t family : Words{AF_ALG, AF_VSOCK}) {
        EXPECT_EQ(on_x86_64(plain_, "socket", family), fails(EPERM)) << family;
        EXPECT_EQ(on_x86_64(plain_, "socket", kHigh | family), fails(EPERM)) << family;
        EXPECT_EQ(on(plain_, SCMP_ARCH_X32, "socket", kHigh | family), fails(EPERM)) << family;
        // Directly on i386 (socket is 359 there).
        EXPECT_EQ(judge(plain_, {.arch = AUDIT_ARCH_I386, .number = 359, .args = {family}}),
                  fails(EPERM));
    }
    EXPECT_EQ(judge(plain_, {.arch = AUDIT_ARCH_I386, .number = 359, .args = {AF_INET}}), kAllow);
}

TEST_F(DefaultFilter, PersonalityByValue) {
    for (std::uint64_t value : Words{0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL})
        EXPECT_EQ(on_x86_64(plain_, "personality", value), kAllow) << value;
    for (std::uint64_t value : Words{1ULL, 0x40000ULL, 0x400000ULL, 0x20009ULL, kHigh, kHigh | 8})
        EXPECT_EQ(on_x86_64(plain_, "personality", value), fails(EPERM)) << value;
    static_assert(ADDR_NO_RANDOMIZE == 0x40000);
}

TEST_F(DefaultFilter, WhatIsNewerThanTheProfileDoesNotExist) {
    // The newest call that the profile names and this libseccomp knows.
    std::uint32_t newest = number(SCMP_ARCH_X86_64, "set_mempolicy_home_node");
    for (const char* name :
         {"cachestat", "fchmodat2", "map_shadow_stack", "futex_wake", "futex_wait", "futex_requeue",
          "statmount", "listmount", "lsm_list_modules", "mseal", "setxattrat", "removexattrat"})
        newest =
            std::max(newest, static_cast<std::uint32_t>(std::max(
                                 0, seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name))));
    for (std::uint32_t arch : Numbers{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386})
        for (std::uint32_t at :
             Numbers{newest + 1, newest + 2, 511U, 512U, 547U, 1000U, 0x3fffffffU})
            EXPECT_EQ(judge(plain_, {.arch = arch, .number = at, .args = {}}), fails(ENOSYS)) << at;
    EXPECT_EQ(judge(plain_, {.arch = AUDIT_ARCH_I386, .number = 0xffffffff, .args = {}}),
              fails(ENOSYS));
    // Known, and denied.
    EXPECT_EQ(on_x86_64(plain_, "set_mempolicy_home_node"), fails(EPERM));
    EXPECT_EQ(on_x86_64(plain_, "io_uring_setup"), fails(EPERM));
}

TEST_F(DefaultFilter, X32HasNumbersOfItsOwn) {
    auto x32 = [&](std::uint32_t at) {
        return judge(plain_, {.arch = AUDIT_ARCH_X86_64, .number = kX32 | at, .args = {}});
    };
    EXPECT_EQ(x32(number(SCMP_ARCH_X86_64, "getpid")), kAllow);
    EXPECT_EQ(x32(number(SCMP_ARCH_X86_64, "mount")), fails(EPERM));
    EXPECT_EQ(on(plain_, SCMP_ARCH_X32, "execve"), kAllow);
    EXPECT_EQ(number(SCMP_ARCH_X32, "execve"), kX32 | 520);
    // x86-64's execve with the bit, and x32's without, are nobody's: the kernel has no such calls.
    EXPECT_EQ(x32(number(SCMP_ARCH_X86_64, "execve")), kAllow);
    EXPECT_EQ(judge(plain_, {.arch = AUDIT_ARCH_X86_64, .number = 520, .args = {}}), fails(ENOSYS));
    EXPECT_EQ(x32(511), fails(ENOSYS));
    EXPECT_EQ(x32(548), fails(ENOSYS));
    EXPECT_EQ(x32(0x3fffffff), fails(ENOSYS));
}

TEST_F(DefaultFilter, OtherArchitecturesAreKilled) {
    for (std::uint32_t arch :
         Numbers{AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_S390X, 0U, ~0U})
        EXPECT_EQ(judge(plain_, {.arch = arch, .number = 0, .args = {}}), kKill) << arch;
}

TEST_F(DefaultFilter, WorksForArm64) {
    Bpf arm = with({}, SCMP_ARCH_AARCH64);
    for (std::uint32_t arch : Numbers{SCMP_ARCH_AARCH64, SCMP_ARCH_ARM}) {
        EXPECT_EQ(on(arm, arch, "openat"), kAllow);
        EXPECT_EQ(on(arm, arch, "mount"), fails(EPERM));
        EXPECT_EQ(on(arm, arch, "clone3"), fails(ENOSYS));
        EXPECT_EQ(on(arm, arch, "clone", CLONE_NEWUSER), fails(EPERM));
        EXPECT_EQ(on(arm, arch, "socket", AF_VSOCK), fails(EPERM));
        EXPECT_EQ(judge(arm, {.arch = arch, .number = 1000, .args = {}}), fails(ENOSYS));
    }
    EXPECT_EQ(on(arm, SCMP_ARCH_ARM, "cacheflush"), kAllow);
    EXPECT_EQ(on(arm, SCMP_ARCH_ARM, "set_tls"), kAllow);
    EXPECT_EQ(judge(arm, {.arch = AUDIT_ARCH_X86_64, .number = 0, .args = {}}), kKill);
}

TEST_F(DefaultFilter, NoCallTakesLong) {
    std::size_t longest = 0;
    for (std::uint32_t arch : Numbers{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386})
        for (std::uint32_t at = 0; at < 600; ++at) {
            std::size_t steps = 0;
            (void)judge(plain_, {.arch = arch, .number = at, .args = {~0ULL, ~0ULL}}, &steps);
            longest = std::max(longest, steps);
        }
    EXPECT_LE(longest, 32U);
}

// --- the compiler against libseccomp's own ------------------------------------------------------

/// The whole profile compiled by libseccomp alone, as runc would.
Bpf by_libseccomp(const Profile& profile) {
    std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(profile.default_action),
                                                  seccomp_release);
    (void)seccomp_arch_remove(filter.get(), SCMP_ARCH_NATIVE);
    for (std::uint32_t arch : profile.architectures)
        EXPECT_EQ(seccomp_arch_add(filter.get(), arch), 0);
    (void)seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (const auto& rule : profile.rules)
        for (const std::string& name : rule.names) {
            int nr = seccomp_syscall_resolve_name(name.c_str());
            if (nr != __NR_SCMP_ERROR && rule.action != profile.default_action) {
                int code = seccomp_rule_add_array(filter.get(), rule.action, nr,
                                                  static_cast<unsigned>(rule.args.size()),
                                                  rule.args.data());
                EXPECT_TRUE(code == 0 || code == -EEXIST) << name;
            }
        }
    sys::Fd file = *sys::memfd_create("filter");
    EXPECT_EQ(seccomp_export_bpf(filter.get(), file.get()), 0);
    auto size = static_cast<std::size_t>(sys::fstat(file.get())->st_size);
    Bpf program(size / sizeof(std::uint64_t));
    EXPECT_EQ(pread(file.get(), program.data(), size, 0), static_cast<ssize_t>(size));
    return program;
}

/// Every number of every architecture, with arguments at the edges of the rules and at random.
void compare(const Profile& profile, auto&& is_expected_to_differ) {
    Bpf ours = compiled(profile);
    Bpf theirs = by_libseccomp(profile);
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> edges = {0,       1,          2,     8,    CLONE_NEWUSER,
                                        0x20000, 0xffffffff, kHigh, ~0ULL};
    for (const auto& rule : profile.rules)
        for (const auto& arg : rule.args)
            for (std::uint64_t base : Words{arg.datum_a, arg.datum_b})
                for (std::uint64_t value :
                     Words{base - 1, base, base + 1, base | kHigh, base ^ kHigh << 7})
                    edges.push_back(value);
    std::size_t differ = 0;
    for (std::uint32_t token : profile.architectures) {
        std::uint32_t arch = token == SCMP_ARCH_X32 ? std::uint32_t{SCMP_ARCH_X86_64} : token;
        std::uint32_t base = token == SCMP_ARCH_X32 ? kX32 : 0;
        for (std::uint32_t number = base; number < base + 600; ++number)
            for (int round = 0; round < 40; ++round) {
                SystemCall call{.arch = arch, .number = number, .args = {}};
                for (std::uint64_t& arg : call.args)
                    arg = random() % 8 == 0 ? random() : edges[random() % edges.size()];
                if (token == SCMP_ARCH_X86 || token == SCMP_ARCH_ARM)
                    for (std::uint64_t& arg : call.args)
                        arg &= 0xffffffff;
                std::uint32_t mine = judge(ours, call);
                // Behind a number that both have is one function of the kernel's, with arguments of
                // 64 bits; libseccomp looks at 32 of them for x32.
                if (token == SCMP_ARCH_X32 && number < kX32 + 512)
                    call.number = number - kX32;
                std::uint32_t other = judge(theirs, call);
                if (mine == other || is_expected_to_differ(call, mine, other))
                    continue;
                if (++differ < 10)
                    ADD_FAILURE() << "number " << number << " on " << arch << " (" << call.args[0]
                                  << ", " << call.args[1] << "): " << mine << ", libseccomp says "
                                  << other;
            }
    }
}

TEST(SeccompCompile, AgreesWithLibseccompOnTheDefaultProfile) {
    for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64})
        for (const std::vector<std::string>& capabilities :
             {spec::default_capabilities(), std::vector<std::string>{},
              std::vector<std::string>{"cap_sys_admin", "cap_sys_ptrace", "cap_sys_nice"}}) {
            Profile profile =
                read(source("stages/seccomp-default.json"), machine(arch, capabilities));
            compare(profile, [](const SystemCall& call, std::uint32_t mine, std::uint32_t other) {
                bool newer = mine == fails(ENOSYS) && other == fails(EPERM);
                // What only we deny: see IoctlDoesNotType and SocketsByFamily.
                auto low = [&](int arg) { return static_cast<std::uint32_t>(call.args[arg]); };
                bool denied = mine == fails(EPERM) && other == kAllow &&
                              (low(1) == 0x5412 || low(1) == 0x541c || low(0) == AF_ALG ||
                               low(0) == AF_VSOCK);
                return newer || denied;
            });
        }
}

TEST(SeccompCompile, AgreesWithLibseccompOnMultiplexedCalls) {
    // Without socketcall and ipc, libseccomp looks into them for those that are allowed.
    Profile profile = read(R"({"defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{"names": ["bind", "connect", "shmget", "semop", "read"],
                      "action": "SCMP_ACT_ALLOW"}]})");
    compare(profile, [](const SystemCall&, std::uint32_t mine, std::uint32_t other) {
        return mine == fails(ENOSYS) && other == fails(EPERM);
    });
    Bpf filter = compiled(profile);
    EXPECT_EQ(on(filter, SCMP_ARCH_X86, "socketcall", 2 /* SYS_BIND */), kAllow);
    EXPECT_EQ(on(filter, SCMP_ARCH_X86, "socketcall", 1 /* SYS_SOCKET */), fails(EPERM));
}

TEST(SeccompCompile, AgreesWithLibseccompOnEveryOperator) {
    for (const char* op : {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}) {
        std::string args = std::string(R"("args": [{"index": 0, "op": "SCMP_CMP_)") + op +
                           R"(", "value": 4294967338, "valueTwo": 42},
                              {"index": 1, "op": "SCMP_CMP_GE", "value": 8}])";
        compare(read(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", )" + args + "}")),
                [](const SystemCall&, std::uint32_t mine, std::uint32_t other) {
                    return mine == fails(ENOSYS) && other == fails(EPERM);
                });
        // The same condition as a denial that goes before an allowance is its opposite.
        Bpf allows =
            compiled(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW", )" + args + "}"));
        Bpf denies = compiled(with_rule(
            R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"},
               {"names": ["read"], "action": "SCMP_ACT_ERRNO", )" +
            args + "}"));
        for (std::uint64_t a : Words{0ULL, 41ULL, 42ULL, 43ULL, kHigh, kHigh | 41, kHigh | 42,
                                     kHigh | 43, 2 * kHigh, 2 * kHigh | 42, ~0ULL})
            for (std::uint64_t b : Words{0ULL, 7ULL, 8ULL, 9ULL, kHigh})
                EXPECT_NE(on_x86_64(allows, "read", a, b), on_x86_64(denies, "read", a, b))
                    << op << " " << a << " " << b;
    }
}

TEST(SeccompCompile, AgreesWithLibseccompOnPodmansProfile) {
    auto json = sys::read_file("/usr/share/containers/seccomp.json");
    if (!json)
        GTEST_SKIP() << "needs Debian's golang-github-containers-common";
    for (const std::vector<std::string>& capabilities :
         {spec::default_capabilities(), std::vector<std::string>{}})
        compare(read(*json, machine(SCMP_ARCH_X86_64, capabilities)),
                [](const SystemCall&, std::uint32_t, std::uint32_t) { return false; });
}

TEST(SeccompCompile, DenialsByArgumentGoFirst) {
    Bpf filter = compiled(R"({"defaultAction": "SCMP_ACT_LOG", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
        {"names": ["write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["write"], "action": "SCMP_ACT_KILL_PROCESS",
         "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]},
        {"names": ["close"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["close"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]}]})");
    EXPECT_EQ(on_x86_64(filter, "read"), kAllow) << "of two without arguments, the first";
    EXPECT_EQ(on_x86_64(filter, "write", 1), kKill);
    EXPECT_EQ(on_x86_64(filter, "write", 2), kAllow);
    EXPECT_EQ(on_x86_64(filter, "close", 1), fails(EPERM));
    EXPECT_EQ(on_x86_64(filter, "getpid"), SECCOMP_RET_LOG);
}

TEST(SeccompCompile, UnknownNamesAreLeftOut) {
    Bpf filter = compiled(
        with_rule(R"({"names": ["read", "call_of_the_future"], "action": "SCMP_ACT_ALLOW"})"));
    EXPECT_EQ(on_x86_64(filter, "read"), kAllow);
}

TEST(SeccompCompile, EnosysStartsAfterWhatTheProfileNames) {
    std::string names = R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["openat2"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}})";
    Bpf filter = compiled(with_rule(names));
    EXPECT_EQ(on_x86_64(filter, "openat2"), fails(EPERM)) << "named, though its condition fails";
    EXPECT_EQ(on_x86_64(filter, "faccessat2"), fails(ENOSYS)) << "newer than openat2";
    // Profiles that list what is forbidden leave the rest alone; a tracer wants to see it.
    for (const char* action : {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"}) {
        Profile open =
            read(std::string(R"({"defaultAction": ")") + action +
                 R"(", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]})");
        EXPECT_EQ(on_x86_64(compiled(open), "faccessat2"), open.default_action);
        EXPECT_EQ(on_x86_64(compiled(open), "mount"), fails(EPERM));
    }
}

TEST(SeccompCompile, TellsWhatEverPasses) {
    using stages::seccomp::pass;
    Profile profile = read(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["write"], "action": "SCMP_ACT_LOG",
         "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]},
        {"names": ["close"], "action": "SCMP_ACT_KILL"}]})");
    EXPECT_TRUE(pass(profile, {"read"}));
    EXPECT_TRUE(pass(profile, {"write"}));
    EXPECT_TRUE(pass(profile, {"read", "write"}));
    EXPECT_FALSE(pass(profile, {"close"}));
    EXPECT_FALSE(pass(profile, {"read", "close", "write"}));
    EXPECT_FALSE(pass(profile, {"execve"}));
    EXPECT_TRUE(pass(read(R"({"defaultAction": "SCMP_ACT_TRACE"})"), {"execve"}));
}

// What libseccomp 2.5.4 compiles wrongly for these three architectures: (AF_UNIX, 9) fails there.
TEST(SeccompCompile, EveryRuleOfSeveralCounts) {
    Bpf filter = compiled(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [
            {"index": 0, "op": "SCMP_CMP_EQ", "value": 16},
            {"index": 2, "op": "SCMP_CMP_EQ", "value": 9}]},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
            {"index": 2, "op": "SCMP_CMP_NE", "value": 9}]},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
            {"index": 0, "op": "SCMP_CMP_NE", "value": 16}]}]})");
    for (std::uint32_t arch : Numbers{SCMP_ARCH_X86_64, SCMP_ARCH_X32}) {
        EXPECT_EQ(on(filter, arch, "socket", AF_UNIX, 0, 0), kAllow);
        EXPECT_EQ(on(filter, arch, "socket", AF_UNIX, 0, 9), kAllow);
        EXPECT_EQ(on(filter, arch, "socket", AF_NETLINK, 0, 0), kAllow);
        EXPECT_EQ(on(filter, arch, "socket", AF_NETLINK, 0, 9), fails(EINVAL));
    }
}

TEST(SeccompCompile, WithoutX32ItsNumbersKill) {
    Bpf filter = compiled(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"})"));
    EXPECT_EQ(judge(filter, {.arch = AUDIT_ARCH_X86_64, .number = kX32, .args = {}}), kKill);
    // What a tracer leaves in place of a call that it skips.
    EXPECT_EQ(judge(filter, {.arch = AUDIT_ARCH_X86_64, .number = ~0U, .args = {}}), fails(EPERM));
    EXPECT_EQ(judge(filter, {.arch = AUDIT_ARCH_I386, .number = 3, .args = {}}), kKill);
}

TEST(SeccompCompile, LongProgramsJumpFar) {
    // A hundred conditions put 255 instructions between the search and its leaves.
    std::string rules;
    for (int i = 0; i < 100; ++i)
        for (const char* name : {"read", "write", "close", "clone"})
            rules += std::string(rules.empty() ? "" : ",") + R"({"names": [")" + name +
                     R"("], "action": "SCMP_ACT_ERRNO", "errnoRet": 7, "args": [{"index": 0,
                     "op": "SCMP_CMP_EQ", "value": )" +
                     std::to_string(1000 + 3 * i) + "}]}";
    Bpf filter = compiled(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["read", "write", "close", "clone", "getpid"], "action": "SCMP_ACT_ALLOW"},)" +
                          rules + "]}");
    EXPECT_GT(filter.size(), 1500U);
    for (const char* name : {"read", "write", "close", "clone"})
        for (std::uint64_t value = 990; value < 1310; ++value)
            EXPECT_EQ(on_x86_64(filter, name, value),
                      value >= 1000 && value < 1300 && value % 3 == 1 ? fails(7) : kAllow);
    EXPECT_EQ(on_x86_64(filter, "getpid"), kAllow);
    EXPECT_EQ(on_x86_64(filter, "open"), fails(EPERM));
}

TEST(SeccompCompile, TooLongIsAnError) {
    std::string rules;
    for (int i = 0; i < 2000; ++i)
        rules += R"(,{"names": ["read"], "action": "SCMP_ACT_KILL_PROCESS", "args": [{"index": 0,
                 "op": "SCMP_CMP_EQ", "value": )" +
                 std::to_string(i) + "}]}";
    auto filter = stages::seccomp::compile(
        read(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ALLOW"})" + rules)));
    ASSERT_FALSE(filter);
    EXPECT_THAT(sys::to_line(filter.error()), HasSubstr("the kernel takes at most 4096"));
}

// --- the stage ---------------------------------------------------------------------------------

class SeccompStage : public testing::Test {
protected:
    sys::Result<void> prepare() {
        stages::Launch launch{.spec = spec_};
        auto done = stages::seccomp::prepare(launch);
        facts_ = std::move(launch.facts);
        return done;
    }
    sys::Result<void> child() {
        stages::Inside inside{.spec = spec_, .facts = facts_};
        return stages::seccomp::child(inside);
    }
    std::string file(const std::string& text) {
        std::string path =
            testing::TempDir() + "seccomp-test." + std::to_string(getpid()) + ".json";
        std::ofstream(path) << text;
        spec_.seccomp = {.mode = spec::SeccompMode::file, .file = path};
        files_.push_back(path);
        return path;
    }
    void SetUp() override {
        spec_.capabilities.bounding = spec::default_capabilities();
        spec_.process.args = {"/bin/true"};
    }
    void TearDown() override {
        for (const std::string& path : files_)
            (void)unlink(path.c_str());
    }
    Bpf filter() const {
        Bpf out(facts_.seccomp_filter.size() / sizeof(std::uint64_t));
        memcpy(out.data(), facts_.seccomp_filter.data(), facts_.seccomp_filter.size());
        return out;
    }

    spec::Spec spec_;
    stages::Facts facts_;
    std::vector<std::string> files_;
};

TEST_F(SeccompStage, DefaultCompilesNothing) {
    std::ranges::reverse(spec_.capabilities.bounding);
    ASSERT_TRUE(prepare());
    EXPECT_EQ(facts_.seccomp_filter, "");
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_THAT(kernel.calls,
                ElementsAre("seccomp(SECCOMP_SET_MODE_FILTER, 0, [" +
                            std::to_string(std::size(kCompiledIn)) + " instructions])"));
}

TEST_F(SeccompStage, NoneDoesNothing) {
    spec_.seccomp.mode = spec::SeccompMode::none;
    ASSERT_TRUE(prepare());
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_TRUE(kernel.calls.empty());
}

TEST_F(SeccompStage, OtherCapabilitiesGetAFilterOfTheirOwn) {
    spec_.capabilities.bounding.push_back("cap_sys_admin");
    ASSERT_TRUE(prepare());
    ASSERT_FALSE(filter().empty());
    SystemCall mount{.arch = seccomp_arch_native(),
                     .number = number(seccomp_arch_native(), "mount"),
                     .args = {}};
    EXPECT_EQ(judge(filter(), mount), kAllow);
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_THAT(kernel.calls, ElementsAre(HasSubstr(std::to_string(filter().size()) + " instr")));
}

TEST_F(SeccompStage, WithoutTheCapsStageAllCapabilitiesOfTheNamespaceCount) {
    spec_.stages.remove(spec::Stage::caps);
    ASSERT_TRUE(prepare());
    SystemCall mount{.arch = seccomp_arch_native(),
                     .number = number(seccomp_arch_native(), "mount"),
                     .args = {}};
    EXPECT_EQ(judge(filter(), mount), kAllow);
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_THAT(kernel.calls,
                ElementsAre(StartsWith("prctl(PR_SET_NO_NEW_PRIVS, 1"), StartsWith("seccomp(")));
}

TEST_F(SeccompStage, NewPrivilegesAreLeftAlone) {
    spec_.stages.remove(spec::Stage::caps);
    spec_.process.new_privileges = true;
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_THAT(kernel.calls, ElementsAre(StartsWith("seccomp(")));
}

TEST_F(SeccompStage, ABundlesProfileIsItsFilter) {
    spec_.seccomp = {.mode = spec::SeccompMode::text, .text = R"({"defaultAction": "SCMP_ACT_ALLOW",
        "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [{"names": ["getpid"],
        "action": "SCMP_ACT_ERRNO", "errnoRet": 7}]})"};
    ASSERT_TRUE(prepare());
    EXPECT_EQ(facts_.seccomp_flags, 2U);
    SystemCall getpid{.arch = seccomp_arch_native(),
                      .number = number(seccomp_arch_native(), "getpid"),
                      .args = {}};
    EXPECT_EQ(judge(filter(), getpid), fails(7));
    spec_.seccomp.text = R"({"defaultAction": "SCMP_ACT_FLY"})";
    auto wrong = prepare();
    ASSERT_FALSE(wrong);
    EXPECT_THAT(sys::to_line(wrong.error()), HasSubstr("linux.seccomp: defaultAction: "));
}

TEST_F(SeccompStage, AFileIsReadWithItsFlags) {
    file(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]})");
    ASSERT_TRUE(prepare());
    EXPECT_EQ(facts_.seccomp_flags, 2U);
    EXPECT_TRUE(facts_.may_silence);
    Recorder kernel;
    ASSERT_TRUE(child());
    EXPECT_THAT(kernel.calls, ElementsAre(StartsWith(
                                  "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, [")));
}

TEST_F(SeccompStage, ABadFileIsNamed) {
    std::string path = file(R"({"defaultAction": "SCMP_ACT_DENY"})");
    auto done = prepare();
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                StartsWith("--seccomp \"" + path +
                           "\": defaultAction: \"SCMP_ACT_DENY\" is not an action"));
    path = file(R"({"defaultAction": "SCMP_ACT_KILL"})");
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_EQ(sys::to_line(done.error()),
              "--seccomp \"" + path +
                  "\": execve never passes, so that no command could start: allow it: "
                  R"({"names": ["execve"], "action": "SCMP_ACT_ALLOW"})");
    path = file("{}");
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                StartsWith("--seccomp \"" + path +
                           "\": the profile: needs \"defaultAction\": one that is right: {"));
    // What is held up as right is.
    std::string example = done.error().hint.substr(done.error().hint.find('{'));
    EXPECT_EQ(refused(example), "accepted");
    path = file(std::string(1U << 21, ' '));
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_EQ(sys::to_line(done.error()), "\"" + path + "\" is larger than 1048576 bytes");
    spec_.seccomp.file = "/nowhere/profile";
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_EQ(sys::to_line(done.error()),
              "openat(AT_FDCWD, \"/nowhere/profile\", O_NONBLOCK): ENOENT (no such file or "
              "directory): there is no \"/nowhere/profile\": --seccomp takes default, none or a "
              "profile in Docker's JSON form");
    spec_.seccomp.file = "/";
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                AllOf(HasSubstr("EISDIR"), HasSubstr("\"/\" is a directory: --seccomp takes")));
    Recorder kernel;
    kernel.answer("openat(AT_FDCWD, \"closed\"", -EACCES);
    spec_.seccomp.file = "closed";
    done = prepare();
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), AllOf(HasSubstr("may not read \"closed\""),
                                                  HasSubstr("'chmod +r' it, or use a copy")));
}

TEST_F(SeccompStage, RefusalsAreExplained) {
    struct {
        int code;
        long mode; ///< PR_GET_SECCOMP's answer
        bool flags;
        const char* hint;
    } const cases[] = {
        {EACCES, 0, false, "without no_new_privs a filter needs CAP_SYS_ADMIN"},
        {EINVAL, -EINVAL, false, "this kernel has no filters of system calls"},
        {ENOSYS, 0, false, "this kernel has no filters of system calls"},
        {EPERM, 2, false, "we are under a filter already, which lets nobody add one"},
        {ENOSYS, 2, false, "we are under a filter already, which lets nobody add one"},
        {EINVAL, 0, true, "does this kernel know all \"flags\" of \"profile.json\"?"},
    };
    for (const auto& [code, mode, flags, says] : cases) {
        Recorder kernel;
        kernel.answer("seccomp(", -code);
        kernel.answer("PR_GET_SECCOMP", mode);
        facts_.seccomp_flags = flags ? 2 : 0;
        spec_.seccomp.file = flags ? "profile.json" : "";
        auto done = child();
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, code);
        EXPECT_THAT(done.error().hint, StartsWith(says));
    }
}

TEST(SeccompCache, NothingRemainsOfWhatWasKilledWhileItKeptAFilter) {
    unit::Temporary here;
    const std::string folder = here / "filters";
    const std::string key = std::to_string(std::random_device{}());
    const stages::seccomp::Cached filter{std::string(100'000, 'f'), 0, true};
    auto files = [&] {
        std::vector<std::string> names;
        for (const auto& file : std::filesystem::directory_iterator(folder))
            names.push_back(file.path().filename());
        return names;
    };
    pid_t pid = fork();
    if (pid == 0) { // SIGXFSZ in the middle of it
        const rlimit small{50'000, 50'000};
        setrlimit(RLIMIT_FSIZE, &small);
        stages::seccomp::keep(folder, key, filter);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << status;
    EXPECT_THAT(files(), ElementsAre());
    EXPECT_FALSE(stages::seccomp::cached(folder, key));
    stages::seccomp::keep(folder, key, filter);
    EXPECT_EQ(files().size(), 1U);
    auto found = stages::seccomp::cached(folder, key);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->program, filter.program);
    EXPECT_TRUE(found->may_silence);
}

} // namespace
