// The device filter: what its programs decide, by an interpreter of our own and by the kernel.
#include "stages/cgroup_place.hpp"
#include "stages/device_filter.hpp"
#include "sys/bpf.hpp"
#include "sys/path.hpp"

#include <gmock/gmock.h>

#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <random>

namespace {

using spec::DeviceRule;
using stages::DeviceProgram;
using ::testing::HasSubstr;

constexpr std::uint32_t kRead = BPF_DEVCG_ACC_READ;
constexpr std::uint32_t kWrite = BPF_DEVCG_ACC_WRITE;
constexpr std::uint32_t kMake = BPF_DEVCG_ACC_MKNOD;

struct Request {
    std::uint32_t type = BPF_DEVCG_DEV_CHAR, access = kRead, major = 1, minor = 3;
};

/// As Documentation/bpf/standardization/instruction-set.rst has it; what it doesn't know fails.
std::uint64_t interpret(const DeviceProgram& program, const Request& request) {
    const bpf_cgroup_dev_ctx context{.access_type = request.access << 16 | request.type,
                                     .major = request.major,
                                     .minor = request.minor};
    std::array<std::uint64_t, 11> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        bpf_insn now{};
        memcpy(&now, &program[at], sizeof now);
        std::uint64_t& to = registers.at(now.dst_reg);
        std::uint64_t from = (now.code & BPF_X) != 0 ? registers.at(now.src_reg)
                                                     : std::uint64_t(std::int64_t(now.imm));
        switch (now.code) {
        case BPF_LDX | BPF_MEM | BPF_W: {
            std::uint32_t word = 0;
            EXPECT_EQ(now.src_reg, BPF_REG_1);
            EXPECT_LE(std::size_t(now.off) + sizeof word, sizeof context);
            memcpy(&word, reinterpret_cast<const char*>(&context) + now.off, sizeof word);
            to = word;
            break;
        }
        case BPF_ALU64 | BPF_MOV | BPF_X:
        case BPF_ALU64 | BPF_MOV | BPF_K:
            to = from;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            to = std::uint32_t(to) & std::uint32_t(from);
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            to = std::uint32_t(to) >> from;
            break;
        case BPF_ALU64 | BPF_LSH | BPF_K:
            to <<= from;
            break;
        case BPF_ALU64 | BPF_OR | BPF_X:
            to |= from;
            break;
        case BPF_LD | BPF_DW | BPF_IMM:
            to = std::uint32_t(now.imm) | (program.at(at + 1) >> 32 << 32);
            ++at;
            break;
        case BPF_JMP | BPF_JNE | BPF_X:
            at += to != from ? std::size_t(now.off) : 0;
            break;
        case BPF_JMP32 | BPF_JNE | BPF_K:
            at += std::uint32_t(to) != std::uint32_t(from) ? std::size_t(now.off) : 0;
            break;
        case BPF_JMP32 | BPF_JEQ | BPF_K:
            at += std::uint32_t(to) == std::uint32_t(from) ? std::size_t(now.off) : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return registers[0];
        default:
            ADD_FAILURE() << "instruction " << int(now.code) << " at " << at;
            return 2;
        }
    }
    ADD_FAILURE() << "the program has no end";
    return 2;
}

/// What the rules say, read plainly: each access is decided by the last rule that is about it.
bool allowed(const std::vector<DeviceRule>& rules, const Request& request) {
    for (auto [bit, letter] : {std::pair{kRead, 'r'}, {kWrite, 'w'}, {kMake, 'm'}}) {
        if ((request.access & bit) == 0)
            continue;
        bool verdict = false;
        for (const DeviceRule& rule : rules) {
            bool type =
                rule.type == 'a' || (rule.type == 'b') == (request.type == BPF_DEVCG_DEV_BLOCK);
            if (type && (!rule.major || *rule.major == request.major) &&
                (!rule.minor || *rule.minor == request.minor) && rule.access.contains(letter))
                verdict = rule.allow;
        }
        if (!verdict)
            return false;
    }
    return true;
}

bool runs(const std::vector<DeviceRule>& rules, const Request& request) {
    return interpret(*stages::compile_device_rules(rules), request) == 1;
}

const DeviceRule kNone{.allow = false};

TEST(DeviceFilter, WhatNoRuleIsAboutIsDenied) {
    EXPECT_FALSE(runs({}, {}));
    EXPECT_FALSE(runs({{.allow = true, .type = 'b'}}, {}));
    EXPECT_FALSE(runs({{.allow = true, .type = 'c', .major = 1, .minor = 5}}, {}));
}

TEST(DeviceFilter, TheLastRuleWins) {
    DeviceRule null{.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rw"};
    EXPECT_TRUE(runs({kNone, null}, {}));
    EXPECT_FALSE(runs({null, kNone}, {}));
    EXPECT_FALSE(runs({kNone, null}, {.access = kMake}));
    EXPECT_TRUE(runs({{.allow = true}, {.allow = false, .type = 'c', .access = "m"}}, {}));
}

TEST(DeviceFilter, AccessesThatTwoRulesAllowAreAllowedTogether) {
    std::vector<DeviceRule> rules = {{.allow = true, .type = 'c', .access = "r"},
                                     {.allow = true, .type = 'c', .access = "w"}};
    EXPECT_TRUE(runs(rules, {.access = kRead | kWrite}));
    EXPECT_FALSE(runs(rules, {.access = kRead | kWrite | kMake}));
}

TEST(DeviceFilter, NumbersHave32Bits) {
    DeviceRule far{.allow = true, .type = 'c', .major = 0xffffffff, .minor = 0x80000000};
    EXPECT_TRUE(runs({far}, {.major = 0xffffffff, .minor = 0x80000000}));
    EXPECT_FALSE(runs({far}, {.major = 0xffffffff, .minor = 0}));
    DeviceRule any{.allow = true, .type = 'c', .major = -1, .minor = -1};
    EXPECT_TRUE(runs({any}, {}));
    far.major = 0x100000000;
    EXPECT_THAT(sys::to_line(stages::compile_device_rules({far}).error()),
                HasSubstr("4294967296 is no device number"));
}

TEST(DeviceFilter, WhatIsNoRuleIsAnError) {
    EXPECT_THAT(sys::to_line(stages::compile_device_rules({{.access = "rx"}}).error()),
                HasSubstr("\"rx\" is no access"));
    EXPECT_THAT(sys::to_line(stages::compile_device_rules({{.type = 'z'}}).error()),
                HasSubstr("\"z\" is no type of device"));
}

std::vector<DeviceRule> random_rules(std::mt19937& random) {
    auto pick = [&random](std::size_t from) { return random() % from; };
    auto number = [&]() -> std::optional<std::int64_t> {
        return pick(3) == 0 ? std::nullopt : std::optional<std::int64_t>(pick(2));
    };
    std::vector<DeviceRule> rules(pick(8));
    for (DeviceRule& rule : rules) {
        rule = {pick(2) == 0, "abc"[pick(3)], number(), number(), ""};
        for (char letter : {'r', 'w', 'm'})
            if (pick(3) != 0)
                rule.access += letter;
    }
    return rules;
}

void for_every_request(const std::function<void(const Request&)>& check) {
    for (std::uint32_t type : {BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR})
        for (std::uint32_t access = 1; access < 8; ++access)
            for (std::uint32_t major = 0; major < 2; ++major)
                for (std::uint32_t minor = 0; minor < 2; ++minor)
                    check({type, access, major, minor});
}

TEST(DeviceFilter, EverySetOfRulesIsHeldTo) {
    std::mt19937 random(4711);
    for (int times = 0; times < 2000; ++times) {
        auto rules = random_rules(random);
        auto program = stages::compile_device_rules(rules);
        ASSERT_TRUE(program);
        for_every_request([&](const Request& request) {
            ASSERT_EQ(interpret(*program, request) == 1, allowed(rules, request)) << times;
        });
    }
}

/// On the kernel: a process in a leaf with a filter.
class DeviceFilterForReal : public ::testing::Test {
protected:
    void SetUp() override {
        auto hierarchy = stages::cgroup::find_hierarchy();
        ASSERT_TRUE(hierarchy);
        std::string own = hierarchy->directory(hierarchy->own.empty() ? "/" : hierarchy->own);
        leaf = sys::join(own, "unit-devices-" + std::to_string(::getpid()));
        if (stages::cgroup::rootless() || !sys::mkdirat(AT_FDCWD, leaf, 0755))
            GTEST_SKIP() << "host lacks a cgroup v2 whose devices this user may filter";
        directory = *sys::openat(AT_FDCWD, leaf, O_PATH | O_DIRECTORY);
    }
    void TearDown() override {
        if (!directory.valid())
            return;
        EXPECT_TRUE(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
    }
    std::string filter(const std::vector<DeviceRule>& rules) {
        auto done = stages::filter_devices(directory, rules, spec::Naming::properties, false);
        return done ? "" : sys::to_line(done.error());
    }
    /// What `job` answers, in the leaf: an errno.
    int inside(const std::function<int()>& job) {
        pid_t pid = ::fork();
        if (pid == 0)
            ::_exit(sys::write_file(leaf + "/cgroup.procs", "0") ? job() : 255);
        int status = 0;
        EXPECT_EQ(::waitpid(pid, &status, 0), pid);
        return WEXITSTATUS(status);
    }
    static int open(const char* path, int flags) {
        int fd = ::open(path, flags | O_CLOEXEC);
        return fd >= 0 ? 0 : errno;
    }
    int makes(dev_t device) {
        std::string path = "/tmp/unit-devices-" + std::to_string(::getpid());
        int code =
            inside([&] { return ::mknod(path.c_str(), S_IFCHR | 0600, device) == 0 ? 0 : errno; });
        ::unlink(path.c_str());
        return code;
    }
    std::string leaf;
    sys::Fd directory;
};

TEST_F(DeviceFilterForReal, OpensAndMakesWhatIsAllowed) {
    ASSERT_EQ(inside([] { return open("/dev/null", O_RDWR); }), 0);
    ASSERT_EQ(filter({kNone,
                      {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "r"},
                      {.allow = true, .type = 'c', .major = 1, .access = "m"}}),
              "");
    EXPECT_EQ(inside([] { return open("/dev/null", O_RDONLY); }), 0);
    EXPECT_EQ(inside([] { return open("/dev/null", O_RDWR); }), EPERM);
    EXPECT_EQ(inside([] { return open("/dev/zero", O_RDONLY); }), EPERM);
    EXPECT_EQ(makes(makedev(1, 5)), 0);
    EXPECT_EQ(makes(makedev(5, 0)), EPERM);
    EXPECT_EQ(open("/dev/zero", O_RDONLY), 0) << "we are outside";
}

TEST_F(DeviceFilterForReal, ALaterFilterComesInThePlaceOfTheFirst) {
    ASSERT_EQ(filter({kNone}), "");
    EXPECT_EQ(inside([] { return open("/dev/null", O_RDONLY); }), EPERM);
    ASSERT_EQ(filter({{.allow = true}}), "");
    EXPECT_EQ(inside([] { return open("/dev/null", O_RDONLY); }), 0);
    EXPECT_EQ(
        sys::bpf::attached(sys::openat(AT_FDCWD, leaf, O_RDONLY)->get(), BPF_CGROUP_DEVICE)->size(),
        1U);
}

TEST_F(DeviceFilterForReal, TheKernelTakesEveryProgram) {
    std::mt19937 random(42);
    for (int times = 0; times < 100; ++times)
        ASSERT_EQ(filter(random_rules(random)), "") << times;
}

} // namespace
