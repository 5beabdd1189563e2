// The caps stage: what root of the container may do.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

using namespace support;
using testing::HasSubstr;

namespace {

constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}
// Numbers of linux/capability.h.
constexpr std::uint64_t kChown = bit(0), kNetRaw = bit(13), kSysAdmin = bit(21), kSysTime = bit(25);
/// chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot
/// mknod audit_write setfcap
constexpr std::uint64_t kDocker = bit(0) | bit(1) | bit(3) | bit(4) | bit(5) | bit(6) | bit(7) |
                                  bit(8) | bit(10) | bit(13) | bit(18) | bit(27) | bit(29) |
                                  bit(31);

std::uint64_t every() {
    return (std::uint64_t{2} << std::stoul(slurp("/proc/sys/kernel/cap_last_cap"))) - 1;
}

struct Sets {
    std::uint64_t bounding, permitted, effective, inheritable, ambient;
    bool operator==(const Sets&) const = default;
};
void PrintTo(const Sets& sets, std::ostream* out) {
    *out << std::hex << "bounding " << sets.bounding << " permitted " << sets.permitted
         << " effective " << sets.effective << " inheritable " << sets.inheritable << " ambient "
         << sets.ambient;
}

Sets sets_of(pid_t pid) {
    return {status_bits(pid, "CapBnd"), status_bits(pid, "CapPrm"), status_bits(pid, "CapEff"),
            status_bits(pid, "CapInh"), status_bits(pid, "CapAmb")};
}
Sets root_with(std::uint64_t kept) {
    return {kept, kept, kept, 0, 0};
}

bool maps_1000() {
    return is_root() || subordinate("/etc/subuid").count >= 1000;
}

} // namespace

TEST(Caps, DockersFourteenByDefault) {
    Container box;
    EXPECT_EQ(sets_of(box.first()), root_with(kDocker));
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1");
}

TEST(Caps, AddAndDrop) {
    struct Case {
        Strings options;
        std::uint64_t kept;
    };
    const Case cases[] = {
        {{"--cap-add", "sys_admin"}, kDocker | kSysAdmin},
        {{"--cap-add", "CAP_SYS_ADMIN"}, kDocker | kSysAdmin},
        {{"--cap-add", "cap_sys_admin", "--cap-add", "SYS_TIME"}, kDocker | kSysAdmin | kSysTime},
        {{"--cap-drop", "chown"}, kDocker & ~kChown},
        {{"--cap-drop", "CHOWN", "--cap-drop", "cap_net_raw"}, kDocker & ~kChown & ~kNetRaw},
        {{"--cap-drop", "all"}, 0},
        {{"--cap-drop", "ALL", "--cap-add", "net_raw"}, kNetRaw},
        {{"--cap-add", "net_raw", "--cap-drop", "all"}, kNetRaw},
        {{"--cap-add", "all"}, every()},
        {{"--cap-add", "all", "--cap-drop", "sys_admin"}, every() & ~kSysAdmin},
        {{"--cap-drop", "sys_admin"}, kDocker},
    };
    for (const Case& one : cases) {
        Container box(one.options);
        EXPECT_EQ(sets_of(box.first()), root_with(one.kept)) << testing::PrintToString(one.options);
    }
}

TEST(Caps, WhatIsDroppedCannotBeUsed) {
    Container with;
    EXPECT_EQ(with.ask("touch /tmp/file && chown 0:0 /tmp/file").status, 0);
    Container without({"--cap-drop", "all"});
    EXPECT_NE(without.ask("chroot / true").status, 0);
    EXPECT_EQ(with.ask("chroot / true").status, 0);
}

TEST(Caps, MountingNeedsTheCapabilityThatOnlyAddingGives) {
    Container box;
    EXPECT_NE(box.ask("mount -t tmpfs none /mnt").status, 0);
    Container more({"--cap-add", "sys_admin", "--seccomp", "none"});
    EXPECT_EQ(more.ask("mount -t tmpfs none /mnt").status, 0);
}

TEST(Caps, AnOrdinaryUserInsideHasNone) {
    if (!maps_1000())
        GTEST_SKIP() << "no range in /etc/subuid for this user";
    Container box({"-u", "1000"});
    EXPECT_EQ(sets_of(box.first()), (Sets{kDocker, 0, 0, 0, 0}));
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1");
    Container more({"-u", "1000", "--cap-add", "sys_admin"});
    EXPECT_EQ(sets_of(more.first()), (Sets{kDocker | kSysAdmin, 0, 0, 0, 0}));
}

TEST(Caps, RootByNumberIsRoot) {
    Container box({"-u", "0:0"});
    EXPECT_EQ(sets_of(box.first()), root_with(kDocker));
}

TEST(Caps, NewPrivilegesCanBeAllowed) {
    Container box({"--new-privs"});
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "0");
    EXPECT_EQ(sets_of(box.first()), root_with(kDocker));
    Container off({"--only", "user,caps"});
    EXPECT_EQ(status(off.first()).at("NoNewPrivs"), "1");
}

TEST(Caps, OffKeepsAllOfTheUserNamespace) {
    Container box({"--no-caps"});
    EXPECT_EQ(sets_of(box.first()), root_with(every()));
}

TEST(Caps, OffStillBecomesTheUserAskedFor) {
    if (!maps_1000())
        GTEST_SKIP() << "no range in /etc/subuid for this user";
    Container box({"--no-caps", "-u", "1000"});
    EXPECT_EQ(status_bits(box.first(), "CapEff"), 0U);
    EXPECT_EQ(status_bits(box.first(), "CapPrm"), 0U);
    EXPECT_EQ(box.ask("id -u").out, "1000\n");
}

TEST(Caps, InheritedAmbientOnesDoNotPassThrough) {
    // As under a service manager that hands out ambient capabilities (CVE-2022-24769).
    if (!is_root())
        GTEST_SKIP() << "an ordinary user has none to inherit";
    Command with;
    Strings words = parent_words({}, {"cat", "/proc/self/status"});
    words.insert(words.begin(), {"setpriv", "--inh-caps", "+chown,+sys_admin", "--ambient-caps",
                                 "+chown,+sys_admin"});
    Ended ended = run({.argv = words});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("CapInh:\t0000000000000000"));
    EXPECT_THAT(ended.out, HasSubstr("CapAmb:\t0000000000000000"));
}

TEST(Caps, TheFirstProcessOfInitHasNoMore) {
    Container box({"--init", "--cap-drop", "all", "--cap-add", "kill"});
    EXPECT_EQ(sets_of(box.command()), root_with(bit(5)));
    EXPECT_EQ(sets_of(box.first()), root_with(bit(5)));
    EXPECT_EQ(status(box.first()).at("NoNewPrivs"), "1");
}

TEST(Caps, WithoutTheUserStage) {
    if (!is_root())
        GTEST_SKIP() << "only root can do without the user stage";
    Container box({"--no-user"});
    EXPECT_EQ(sets_of(box.first()), root_with(kDocker));
}
