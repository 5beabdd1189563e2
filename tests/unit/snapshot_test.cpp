// What the texts of /proc become, and JSON of them and back.
#include "teach/describe.hpp"
#include "teach/proc_text.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ProcText, MountsWithTheirPropagation) {
    auto mounts = teach::parse_mountinfo(
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 254:0 /a\\040b /mnt/x\\011y\\134z ro,nosuid shared:7 master:3 - ext4 /dev/vda rw\n"
        "28 27 0:5 / /u rw unbindable - tmpfs  rw,size=4k\n"
        "this is no mount\n"
        "29 27 0:5 / /cut\n");
    ASSERT_EQ(mounts.size(), 3U);
    EXPECT_EQ(mounts[0].point, "/proc");
    EXPECT_EQ(mounts[0].propagation, "private");
    EXPECT_EQ(mounts[0].type, "proc");
    EXPECT_EQ(mounts[1].id, 27U);
    EXPECT_EQ(mounts[1].parent, 1U);
    EXPECT_EQ(mounts[1].root, "/a b");
    EXPECT_EQ(mounts[1].point, "/mnt/x\ty\\z");
    EXPECT_EQ(mounts[1].options, "ro,nosuid");
    EXPECT_EQ(mounts[1].propagation, "shared:7,master:3");
    EXPECT_EQ(mounts[1].source, "/dev/vda");
    EXPECT_EQ(mounts[2].propagation, "unbindable");
    EXPECT_EQ(mounts[2].source, "");
    EXPECT_EQ(mounts[2].super_options, "rw,size=4k");
}

TEST(ProcText, StatusWithIdsAndCapabilities) {
    teach::Snapshot of;
    teach::parse_status("Name:\tsh\nState:\tS (sleeping)\nPPid:\t7\nUid:\t1\t2\t3\t4\n"
                        "Gid:\t5\t6\t7\t8\nGroups:\t10 20 \nNSpid:\t42\t1\n"
                        "CapInh:\t0000000000000000\nCapPrm:\t0000000000000001\n"
                        "CapEff:\t0000000000200000\nCapBnd:\t0000000000200001\n"
                        "CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
                        "Seccomp_filters:\t3\n",
                        of);
    EXPECT_EQ(of.parent, 7);
    EXPECT_EQ(of.state, "S (sleeping)");
    EXPECT_EQ(of.uid, (teach::Ids{1, 2, 3, 4}));
    EXPECT_EQ(of.gid, (teach::Ids{5, 6, 7, 8}));
    EXPECT_THAT(of.groups, ElementsAre(10, 20));
    EXPECT_THAT(of.pids, ElementsAre(42, 1));
    EXPECT_THAT(of.capabilities.permitted, ElementsAre("cap_chown"));
    EXPECT_THAT(of.capabilities.effective, ElementsAre("cap_sys_admin"));
    EXPECT_THAT(of.capabilities.bounding, ElementsAre("cap_chown", "cap_sys_admin"));
    EXPECT_THAT(of.capabilities.ambient, IsEmpty());
    EXPECT_TRUE(of.no_new_privs);
    EXPECT_EQ(of.seccomp_mode, 2U);
    EXPECT_EQ(of.seccomp_filters, 3U);
}

TEST(ProcText, TheSmallOnes) {
    auto map =
        teach::parse_id_map("         0       1000          1\n         1     100000      65536\n");
    ASSERT_EQ(map.size(), 2U);
    EXPECT_EQ(map[1].outside, 100000U);
    auto cgroups = teach::parse_cgroups("4:cpu,cpuacct:/a\n1:name=systemd:/\n0::/x:y\n");
    ASSERT_EQ(cgroups.size(), 3U);
    EXPECT_EQ(cgroups[0].controllers, "cpu,cpuacct");
    EXPECT_EQ(cgroups[2].controllers, "");
    EXPECT_EQ(cgroups[2].path, "/x:y");
    auto offsets = teach::parse_time_offsets("monotonic        -5         3\nboottime 86400 0\n");
    ASSERT_EQ(offsets.size(), 2U);
    EXPECT_EQ(offsets[0].seconds, -5);
    EXPECT_EQ(offsets[0].nanoseconds, 3U);
    auto limits = teach::parse_limits(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            64                   4096                 files     \n"
        "Max nice priority         0                    unlimited                      \n");
    ASSERT_EQ(limits.size(), 2U);
    EXPECT_EQ(limits[0].name, "Max open files");
    EXPECT_EQ(limits[0].hard, "4096");
    EXPECT_EQ(limits[1].hard, "unlimited");
    EXPECT_THAT(teach::parse_command(std::string_view("sh\0-c\0\0", 7)),
                ElementsAre("sh", "-c", ""));
    EXPECT_EQ(teach::parse_namespace("mnt:[4026531841]"), 4026531841U);
    EXPECT_EQ(teach::parse_namespace("/proc"), 0U);
    EXPECT_EQ(teach::parse_namespace("mnt:[12"), 0U);
}

teach::Snapshot sample() {
    teach::Snapshot of;
    of.pid = 42;
    of.name = "sh";
    of.command = {"sh", "-c", "\"quoted\"\n"};
    of.pids = {42, 1};
    of.namespaces = {
        {.type = "user", .inode = 2, .owner = 1, .owner_uid = 1000, .above = {1}, .host = 1},
        {.type = "uts", .inode = 5, .owner = 2, .owner_uid = {}, .above = {}, .host = 5}};
    of.uid_map = {{0, 1000, 1}};
    of.hostname = "box";
    of.links = {{.name = "lo",
                 .kind = "",
                 .mac = "",
                 .state = "unknown",
                 .up = true,
                 .mtu = 65536,
                 .addresses = {"127.0.0.1/8"}}};
    of.mounts = {{.id = 3,
                  .parent = 2,
                  .device = "0:5",
                  .root = "/",
                  .point = "/proc",
                  .options = "rw",
                  .propagation = "private",
                  .type = "proc",
                  .source = "proc",
                  .super_options = "rw"}};
    of.cgroups = {{"", "/leaf"}};
    of.cgroup_files = {{"memory.current", "5"}, {"memory.max", "100"}};
    of.capabilities.effective = {"cap_chown", "cap_kill"};
    of.time_offsets = {{"boottime", -7, 5}};
    of.unread = {{"root", "EACCES"}};
    return of;
}

TEST(Snapshot, IsTheSameAfterJson) {
    ordered_json json = teach::to_json(sample());
    auto back = teach::from_json(ordered_json::parse(json.dump()));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_EQ(teach::to_json(*back), json);
    EXPECT_TRUE(back->namespaces[0].own());
    EXPECT_FALSE(back->namespaces[1].own());
    EXPECT_EQ(back->namespaces[1].owner_uid, std::nullopt);
    EXPECT_EQ(back->space("user")->inode, 2U);
    EXPECT_EQ(*back->why_unread("root"), "EACCES");
}

TEST(Snapshot, JsonThatIsNoneIsAnErrorWithThePlace) {
    auto wrong = [](const char* pointer, const ordered_json& value) {
        ordered_json json = teach::to_json(sample());
        json[ordered_json::json_pointer(pointer)] = value;
        auto read = teach::from_json(json);
        return read ? std::string("read") : read.error().detail;
    };
    EXPECT_EQ(wrong("/mounts/0/id", "x"), "mounts[0].id is no number that fits here");
    EXPECT_EQ(wrong("/mounts/0/id", -1), "mounts[0].id is no number that fits here");
    EXPECT_EQ(wrong("/mounts/0/id", 1LL << 40), "mounts[0].id is no number that fits here");
    EXPECT_EQ(wrong("/mounts/0", 1), "mounts[0] is no object");
    EXPECT_EQ(wrong("/namespaces/0/above", "x"), "namespaces[0].above is no list");
    EXPECT_EQ(wrong("/hostname", 1), "hostname is no string");
    EXPECT_EQ(wrong("/no_new_privs", 1), "no_new_privs is no true or false");
    EXPECT_EQ(wrong("/pid", 0), "it tells of no process");
    EXPECT_EQ(teach::from_json(ordered_json::array()).error().detail, "it is no object");
}

std::vector<teach::Change> diff_when(const std::function<void(teach::Snapshot&)>& change) {
    teach::Snapshot after = sample();
    change(after);
    return teach::diff(sample(), after);
}
using Changes = std::vector<teach::Change>;

TEST(Diff, TellsWhatChangedAndNothingElse) {
    EXPECT_THAT(diff_when([](auto&) {}), IsEmpty());
    EXPECT_EQ(diff_when([](auto& of) { of.hostname = "other"; }),
              (Changes{{"hostname", "box", "other"}}));
    EXPECT_EQ(diff_when([](auto& of) { of.namespaces[1].inode = 6; }),
              (Changes{{"uts namespace", "5", "6"}}));
    EXPECT_EQ(diff_when([](auto& of) { of.cgroup_files[1].text = "max"; }),
              (Changes{{"limit memory.max", "100", "max"}}));
    EXPECT_EQ(diff_when([](auto& of) { of.links[0].up = false; }),
              (Changes{{"network link lo", "up 127.0.0.1/8", "down 127.0.0.1/8"}}));
    EXPECT_THAT(diff_when([](auto& of) {
                    of.cgroup_files[0].text = "6";
                    of.pid = 43;
                    of.pids = {43, 1};
                    of.state = "R (running)";
                }),
                IsEmpty())
        << "what changes by itself";
}

TEST(Diff, MountsAndCapabilitiesOneByOne) {
    EXPECT_EQ(diff_when([](auto& of) {
                  of.mounts.push_back(of.mounts[0]);
                  of.mounts[1].type = "tmpfs"; // on top of the first
                  of.capabilities.effective = {"cap_kill", "cap_mknod"};
              }),
              (Changes{{"mount /proc", "", "tmpfs proc rw private"},
                       {"effective capabilities", "cap_chown", ""},
                       {"effective capabilities", "", "cap_mknod"}}));
    EXPECT_EQ(diff_when([](auto& of) { of.mounts.clear(); }),
              (Changes{{"mount /proc", "proc proc rw private", ""}}));
}

TEST(Diff, AMountThatHasMovedIsTheSameOne) {
    teach::Snapshot before;
    before.namespaces = {{.type = "mnt", .inode = 5}};
    teach::Snapshot after = before;
    auto mount = [](std::uint32_t id, const char* point) {
        return teach::Mount{.id = id, .device = "0:1", .root = "/", .point = point, .type = "x"};
    };
    before.mounts = {mount(1, "/"), mount(2, "/proc"), mount(3, "/new"), mount(4, "/new/proc"),
                     mount(5, "/new/dev")};
    after.mounts = {mount(3, "/"), mount(4, "/proc"), mount(5, "/dev")};
    after.mounts[2].type = "another"; // whose number was used again
    Changes changes = teach::diff(before, after);
    EXPECT_EQ(changes[0], (teach::Change{"place of mount /new", "/new", "/, with the 1 below it"}));
    std::vector<std::string> rest;
    for (std::size_t i = 1; i < changes.size(); ++i)
        rest.push_back((changes[i].after.empty() ? "- " : "+ ") + changes[i].what);
    EXPECT_THAT(rest, testing::ElementsAre("- mount /", "- mount /proc", "- mount /new/dev",
                                           "+ mount /dev"));
    // In another namespace a number says nothing.
    after.namespaces[0].inode = 6;
    EXPECT_EQ(teach::diff(before, after)[0].what, "mount namespace");
    EXPECT_EQ(teach::diff(before, after).size(), 5U);
}

TEST(Diff, GroupsCapabilitiesThatGoTogether) {
    EXPECT_EQ(teach::grouped({{"hostname", "a", "b"},
                              {"permitted capabilities", "cap_a", ""},
                              {"permitted capabilities", "cap_b", ""},
                              {"permitted capabilities", "", "cap_c"},
                              {"effective capabilities", "cap_a", ""},
                              {"effective capabilities", "cap_b", ""},
                              {"bounding capabilities", "cap_a", ""}}),
              (Changes{{"hostname", "a", "b"},
                       {"permitted, effective capabilities", "cap_a cap_b", ""},
                       {"permitted capabilities", "", "cap_c"},
                       {"bounding capabilities", "cap_a", ""}}));
}

TEST(Diff, WhatOneCouldNotReadIsNoChangeOfItsValue) {
    EXPECT_EQ(diff_when([](auto& of) {
                  of.hostname = "";
                  of.unread.push_back({"hostname", "EPERM"});
              }),
              (Changes{{"hostname", "readable", "not readable: EPERM"}}));
    EXPECT_EQ(diff_when([](auto& of) {
                  of.root = "/x"; // before, it could not be read
                  of.unread.clear();
              }),
              (Changes{{"root", "not readable: EACCES", "readable"}}));
}

} // namespace
