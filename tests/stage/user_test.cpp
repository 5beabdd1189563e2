// The user stage: who the container's users are outside.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>

using namespace support;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::string text(const IdRange& range) {
    return std::to_string(range.inside) + ":" + std::to_string(range.outside) + ":" +
           std::to_string(range.count);
}

/// Every id that exists for us, as itself.
std::vector<IdRange> identity(const std::string& which) {
    std::vector<IdRange> map = id_map(getpid(), which);
    for (IdRange& range : map)
        range.outside = range.inside;
    return map;
}

/// What `--map auto` promises here.
std::vector<IdRange> automatic(const std::string& which, unsigned own) {
    Subordinate range = subordinate(which == "uid_map" ? "/etc/subuid" : "/etc/subgid");
    if (is_root() && range.count == 0)
        return identity(which);
    if (is_root())
        return {{0, range.first, range.count}};
    if (range.count == 0)
        return {{0, own, 1}};
    return {{0, own, 1}, {1, range.first, range.count}};
}

/// A range of host ids that the caller may hand out.
IdRange spare() {
    if (is_root())
        return {0, 3'000'000, 65536};
    Subordinate range = subordinate("/etc/subuid");
    return {0, range.first, range.count};
}

unsigned owner_seen_outside(pid_t pid) {
    return static_cast<unsigned>(std::stoul(status(pid).at("Uid")));
}

} // namespace

TEST(User, IsOnByDefaultAndMapsWhatTheCallerHas) {
    Container box;
    EXPECT_FALSE(shares(box.first(), "user"));
    EXPECT_EQ(id_map(box.first(), "uid_map"), automatic("uid_map", getuid()));
    EXPECT_EQ(id_map(box.first(), "gid_map"), automatic("gid_map", getgid()));
    EXPECT_EQ(box.ask("id -u; id -g").out, "0\n0\n");
    EXPECT_EQ(owner_seen_outside(box.first()), automatic("uid_map", getuid()).front().outside);
}

TEST(User, AutoIsTheDefault) {
    Container box({"--map", "auto"});
    EXPECT_EQ(id_map(box.first(), "uid_map"), automatic("uid_map", getuid()));
    EXPECT_EQ(id_map(box.first(), "gid_map"), automatic("gid_map", getgid()));
}

TEST(User, GroupsOfTheCallerDoNotComeAlongWhenGroupsCanBeSet) {
    Container box({}, {.before_exec = [] {
                      constexpr gid_t some[] = {20, 4242}; // an ordinary user has some anyhow
                      if (is_root() && setgroups(std::size(some), some) != 0)
                          fail_with_errno("setgroups");
                  }});
    if (slurp("/proc/" + std::to_string(box.first()) + "/setgroups") != "allow\n")
        GTEST_SKIP() << "setgroups is denied: /etc/subgid gives this user no range";
    EXPECT_THAT(status(box.first()).at("Groups"), testing::MatchesRegex(" *"));
}

TEST(User, SingleMapsTheCallerAloneAsRoot) {
    Container box({"--map", "single"});
    EXPECT_FALSE(shares(box.first(), "user"));
    EXPECT_THAT(id_map(box.first(), "uid_map"), ElementsAre(IdRange{0, getuid(), 1}));
    EXPECT_THAT(id_map(box.first(), "gid_map"), ElementsAre(IdRange{0, getgid(), 1}));
    EXPECT_EQ(box.ask("id -u").out, "0\n");
    EXPECT_EQ(owner_seen_outside(box.first()), getuid());
    if (!is_root()) {
        EXPECT_EQ(slurp("/proc/" + std::to_string(box.first()) + "/setgroups"), "deny\n");
    }
}

TEST(User, ListedRangesAreMappedOneByOne) {
    IdRange all = spare();
    if (all.count < 100)
        GTEST_SKIP() << "no range in /etc/subuid for this user";
    IdRange low{0, all.outside + 7, 20};
    IdRange high{1000, all.outside + 50, 30};
    Container box({"--map", text(low), "--map", text(high)});
    EXPECT_THAT(id_map(box.first(), "uid_map"), ElementsAre(low, high));
    EXPECT_THAT(id_map(box.first(), "gid_map"), ElementsAre(low, high));
    EXPECT_EQ(owner_seen_outside(box.first()), low.outside);
}

TEST(User, GroupsCanHaveAMapOfTheirOwn) {
    IdRange all = spare();
    if (all.count < 100)
        GTEST_SKIP() << "no range in /etc/subuid for this user";
    IdRange users{0, all.outside + 1, 40};
    IdRange groups{0, all.outside + 60, 10};
    IdRange more{20, all.outside + 75, 5};
    Container box({"--map", text(users), "--gid-map", text(groups), "--gid-map", text(more)});
    EXPECT_THAT(id_map(box.first(), "uid_map"), ElementsAre(users));
    EXPECT_THAT(id_map(box.first(), "gid_map"), ElementsAre(groups, more));
}

TEST(User, FilesMadeInsideBelongToTheMappedIdsOutside) {
    IdRange all = spare();
    if (all.count < 100)
        GTEST_SKIP() << "no range in /etc/subuid for this user";
    Scratch scratch;
    std::string shared = scratch.folder("shared");
    chmod(shared.c_str(), 0777);
    std::string name = token();
    Ended ended = launch({"--map", text({0, all.outside, 100}), "-v", shared + ":/mnt"},
                         {"sh", "-c", "touch /mnt/" + name + " && chown 5:6 /mnt/" + name});
    EXPECT_EQ(ended.status, 0) << ended.err;
    struct stat info{};
    ASSERT_EQ(stat((shared + "/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, all.outside + 5);
    EXPECT_EQ(info.st_gid, all.outside + 6);
}

// As rootfs-scripts/ make one for a root with a range of its own, and as a tar archive does.
TEST(User, ARootfsIsTheContainersWhoeverOwnsItOutside) {
    if (!is_root())
        GTEST_SKIP() << "an ordinary user gives no files away";
    Scratch scratch;
    IdRange all = spare();
    for (unsigned owner : {0U, all.outside}) {
        std::string root = scratch.rootfs("of-" + std::to_string(owner));
        std::string name = token();
        std::string whose = std::to_string(owner);
        ASSERT_EQ(run({.argv = {"chown", "-hR", whose + ":" + whose, root}}).status, 0);
        Ended ended = launch({"--rootfs", root, "--map", text(all)},
                             {"sh", "-c", "stat -c %u:%g / && touch /" + name});
        EXPECT_EQ(ended.out, "0:0\n") << "of " << owner << ": " << ended.err;
        struct stat made{};
        ASSERT_EQ(stat((root + "/" + name).c_str(), &made), 0) << "of " << owner << ended.err;
        EXPECT_EQ(made.st_uid, owner);
    }
}

TEST(User, CapabilitiesInsideAreNoneOutside) {
    // A file of an id that is not mapped can't be touched, whatever the container's root may do.
    Scratch scratch;
    std::string file = scratch.file("file", "kept");
    std::string map = is_root() ? "0:3000000:1" : "single";
    if (!is_root())
        GTEST_SKIP() << "a file of another user needs root to be made";
    Ended ended = launch({"--map", map, "--cap-add", "all", "-v", file + ":/file"},
                         {"sh", "-c", "echo changed >/file"});
    EXPECT_NE(ended.status, 0);
    EXPECT_EQ(slurp(file), "kept");
}

TEST(User, RootIsToldWhenItsContainersRootIsRoot) {
    if (!is_root() || subordinate("/etc/subuid").count != 0)
        GTEST_SKIP() << "only root without a range in /etc/subuid maps every id";
    Ended ended = launch({"--no-cgroup"}, {"true"});
    ASSERT_EQ(lines(ended.err).size(), 1U) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("root of the container is root of this machine"));
    EXPECT_EQ(launch({"--no-cgroup", "--map", "single"}, {"true"}).err, "");
}

TEST(User, OffLeavesTheUserNamespaceAlone) {
    if (!is_root()) {
        Ended ended = launch({"--no-user"}, {"true"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("keep the user stage"));
        return;
    }
    Container box({"--no-user"});
    EXPECT_TRUE(shares(box.first(), "user"));
    EXPECT_FALSE(shares(box.first(), "mnt"));
    EXPECT_FALSE(shares(box.first(), "pid"));
    EXPECT_EQ(owner_seen_outside(box.first()), 0U);
}

TEST(User, AloneMakesNoOtherNamespace) {
    Container box({"--only", "user"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user"));
    EXPECT_EQ(box.ask("id -u").out, "0\n");
}

TEST(User, NoStageAtAllIsAPlainProcess) {
    Container box({"--only", "none"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre());
    EXPECT_EQ(owner_seen_outside(box.first()), getuid());
    EXPECT_EQ(status_bits(box.first(), "CapEff"), status_bits(getpid(), "CapEff"));
}
