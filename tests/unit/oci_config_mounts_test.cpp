// from_config: mounts[].
#include "oci/names.hpp"
#include "tests/unit/oci_config.hpp"

#include <linux/mount.h>

#include <set>

using namespace oci_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

namespace {

json mount_of(const std::string& type, const std::vector<std::string>& options) {
    return {{"destination", "/m"}, {"source", "/s"}, {"type", type}, {"options", options}};
}

std::expected<oci::Config, std::string> convert_mount(const json& mount) {
    json config = minimal();
    config["mounts"] = json::array({mount});
    return convert(config);
}

/// The one mount, of a type and options that are right.
spec::Mount read(const std::string& type, const std::vector<std::string>& options) {
    auto config = convert_mount(mount_of(type, options));
    if (!config) {
        ADD_FAILURE() << config.error();
        return {};
    }
    return config->spec.root.mounts.at(0);
}

TEST(OciMounts, AreReadAsTheyAre) {
    json config = minimal();
    config["mounts"] = json::parse(R"([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/data", "source": "rel/dir", "options": ["rbind", "ro", "rprivate"]},
        {"destination": "/etc/hosts", "type": "none", "source": "/h", "options": ["bind"]}
    ])");
    auto read = convert(config);
    ASSERT_TRUE(read) << read.error();
    EXPECT_THAT(
        read->spec.root.mounts,
        ElementsAre(
            spec::Mount{
                .type = "proc", .source = "proc", .destination = "/proc", .recursive = false},
            spec::Mount{.type = "tmpfs",
                        .source = "tmpfs",
                        .destination = "/dev",
                        .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
                        .cleared = MOUNT_ATTR__ATIME,
                        .recursive = false,
                        .options = {"mode=755", "size=65536k"}},
            spec::Mount{.type = "bind",
                        .source = "/bundle/rel/dir",
                        .destination = "/data",
                        .attributes = MOUNT_ATTR_RDONLY,
                        .recursive = true,
                        .propagation = "private",
                        .propagation_below = "private"},
            spec::Mount{
                .type = "bind", .source = "/h", .destination = "/etc/hosts", .recursive = false}));
    EXPECT_THAT(read->warnings, IsEmpty());
}

TEST(OciMounts, ARelativeDestinationIsBelowTheRoot) {
    json mount = mount_of("tmpfs", {});
    mount["destination"] = "a/b";
    auto config = convert_mount(mount);
    ASSERT_TRUE(config) << config.error();
    EXPECT_EQ(config->spec.root.mounts.at(0).destination, "/a/b");
    EXPECT_THAT(config->warnings, ElementsAre(StartsWith("mounts[0].destination: is relative")));
}

TEST(OciMounts, TheLastOfTwoOppositesCounts) {
    struct Pair {
        const char* set;
        const char* clear;
        std::uint64_t bit;
    };
    const Pair pairs[] = {
        {"ro", "rw", MOUNT_ATTR_RDONLY},
        {"nosuid", "suid", MOUNT_ATTR_NOSUID},
        {"nodev", "dev", MOUNT_ATTR_NODEV},
        {"noexec", "exec", MOUNT_ATTR_NOEXEC},
        {"nodiratime", "diratime", MOUNT_ATTR_NODIRATIME},
        {"nosymfollow", "symfollow", MOUNT_ATTR_NOSYMFOLLOW},
    };
    for (auto [on, off, bit] : pairs) {
        spec::Mount mount = read("bind", {"bind", off, on});
        EXPECT_EQ(mount.attributes, bit) << on;
        EXPECT_EQ(mount.cleared, 0u) << on;
        mount = read("bind", {"bind", on, off});
        EXPECT_EQ(mount.attributes, 0u) << off;
        EXPECT_EQ(mount.cleared, bit) << off; // of a source that has it
        mount = read("bind", {"rbind", std::string("r") + off, std::string("r") + on});
        EXPECT_EQ(mount.recursive_attributes, bit) << on;
        EXPECT_EQ(mount.recursive_cleared, 0u) << on;
        EXPECT_EQ(mount.attributes, 0u) << on;
        mount = read("bind", {"rbind", std::string("r") + on, std::string("r") + off});
        EXPECT_EQ(mount.recursive_attributes, 0u) << off;
        EXPECT_EQ(mount.recursive_cleared, bit) << off;
    }
}

TEST(OciMounts, AccessTimesAreKeptOneWay) {
    const std::pair<std::vector<std::string>, std::uint64_t> ways[] = {
        {{"noatime"}, MOUNT_ATTR_NOATIME},
        {{"strictatime"}, MOUNT_ATTR_STRICTATIME},
        {{"relatime"}, MOUNT_ATTR_RELATIME},
        {{"atime"}, MOUNT_ATTR_RELATIME}, // whatever the source has
        {{"nostrictatime"}, MOUNT_ATTR_RELATIME},
        {{"strictatime", "noatime"}, MOUNT_ATTR_NOATIME},
        {{"noatime", "strictatime"}, MOUNT_ATTR_STRICTATIME},
        {{"noatime", "atime"}, MOUNT_ATTR_RELATIME},
        {{"noatime", "nostrictatime"}, MOUNT_ATTR_NOATIME},
        {{"strictatime", "atime"}, MOUNT_ATTR_STRICTATIME},
        {{"strictatime", "norelatime"}, MOUNT_ATTR_STRICTATIME},
        {{"noatime", "relatime"}, MOUNT_ATTR_RELATIME},
    };
    for (const auto& [options, way] : ways) {
        std::vector<std::string> all{"bind"};
        std::vector<std::string> below{"rbind"};
        for (const std::string& option : options) {
            all.push_back(option);
            below.push_back("r" + option);
        }
        spec::Mount mount = read("bind", all);
        EXPECT_EQ(mount.attributes, way) << options.back();
        EXPECT_EQ(mount.cleared, std::uint64_t{MOUNT_ATTR__ATIME}) << options.back();
        mount = read("bind", below);
        EXPECT_EQ(mount.recursive_attributes, way) << options.back();
        EXPECT_EQ(mount.recursive_cleared, std::uint64_t{MOUNT_ATTR__ATIME}) << options.back();
    }
    EXPECT_EQ(read("bind", {"bind"}).cleared, 0u); // what the source has stays
}

TEST(OciMounts, PropagateOneWay) {
    for (std::string way : {"private", "slave", "shared", "unbindable"}) {
        spec::Mount mount = read("bind", {"rbind", way});
        EXPECT_EQ(mount.propagation, way);
        EXPECT_EQ(mount.propagation_below, "");
        mount = read("bind", {"rbind", "r" + way});
        EXPECT_EQ(mount.propagation, way);
        EXPECT_EQ(mount.propagation_below, way);
    }
    spec::Mount both = read("bind", {"rbind", "rslave", "shared"});
    EXPECT_EQ(both.propagation, "shared");
    EXPECT_EQ(both.propagation_below, "slave");
    EXPECT_THAT(said(convert_mount(mount_of("bind", {"bind", "slave", "shared"}))),
                HasSubstr("propagates one way"));
}

TEST(OciMounts, WhatIsTheFileSystemsGoesToIt) {
    EXPECT_THAT(read("ext4", {"sync", "data=ordered", "lazytime"}).options,
                ElementsAre("data=ordered", "sync", "lazytime"));
    EXPECT_THAT(read("ext4", {"sync", "async", "nolazytime", "dirsync"}).options,
                ElementsAre("dirsync"));
    EXPECT_THAT(read("ext4", {"remount", "sync", "async", "nolazytime"}).options,
                ElementsAre("async", "nolazytime"));
    EXPECT_TRUE(read("ext4", {"remount"}).remount);
    EXPECT_THAT(read("tmpfs", {"mode=755,size=1m"}).options, ElementsAre("mode=755", "size=1m"));
    EXPECT_THAT(read("tmpfs", {R"(context="u:r:t:s0:c1,c2",size=1m)"}).options,
                ElementsAre("context=u:r:t:s0:c1,c2", "size=1m"));
    EXPECT_THAT(read("overlay", {R"(lowerdir=/a\,b:/c\:d,upperdir=/u)"}).options,
                ElementsAre(R"(lowerdir=/a\,b:/c\:d)", "upperdir=/u"));
}

TEST(OciMounts, ABindMountHasNoDataOfItsOwn) {
    EXPECT_THAT(said(convert_mount(mount_of("bind", {"bind", "size=1m"}))),
                StartsWith("mounts[0].options: \"size=1m\" is no option of a bind mount"));
    for (const char* word : {"sync", "dirsync", "mand", "lazytime"}) {
        auto refused = convert_mount(mount_of("bind", {"bind", word}));
        ASSERT_FALSE(refused) << word;
        EXPECT_THAT(refused.error(), StartsWith("mounts[0].options: \"" + std::string(word) +
                                                "\" is the file system's affair"));
    }
    auto usual = convert_mount(mount_of("bind", {"bind", "sync", "async", "nolazytime", "nomand"}));
    ASSERT_TRUE(usual) << usual.error();
    EXPECT_THAT(usual->spec.root.mounts.at(0).options, IsEmpty());
    EXPECT_THAT(usual->warnings, IsEmpty());
}

TEST(OciMounts, MapIds) {
    spec::Mount own = read("bind", {"rbind", "idmap"});
    EXPECT_EQ(own.idmap, spec::Idmap::mount);
    EXPECT_THAT(own.uids, IsEmpty()); // the container's
    EXPECT_EQ(read("bind", {"rbind", "ridmap"}).idmap, spec::Idmap::recursive);
    spec::Mount crun = read("bind", {"bind", "idmap=uids=0-1-10#10-11-10;gids=0-100-5"});
    EXPECT_EQ(crun.idmap, spec::Idmap::mount);
    EXPECT_THAT(crun.uids, ElementsAre(spec::IdMap{0, 1, 10}, spec::IdMap{10, 11, 10}));
    EXPECT_THAT(crun.gids, ElementsAre(spec::IdMap{0, 100, 5}));
    // "@": an id of the container's, which the host knows as another.
    spec::Mount relative = read("bind", {"bind", "ridmap=uids=@1-3-10;gids=@1-3-10"});
    EXPECT_EQ(relative.idmap, spec::Idmap::recursive);
    EXPECT_THAT(relative.uids, ElementsAre(spec::IdMap{1, 100003, 10}));
    EXPECT_THAT(relative.gids, ElementsAre(spec::IdMap{1, 200003, 10}));

    json mount = mount_of("bind", {"bind"});
    mount["uidMappings"] = json::parse(R"([{"containerID": 1, "hostID": 2, "size": 3}])");
    EXPECT_THAT(said(convert_mount(mount)), StartsWith("mounts[0]: an idmapped mount has uidM"));
    mount["gidMappings"] = json::parse(R"([{"containerID": 4, "hostID": 5, "size": 6}])");
    auto listed = convert_mount(mount);
    ASSERT_TRUE(listed) << listed.error();
    EXPECT_EQ(listed->spec.root.mounts.at(0).idmap, spec::Idmap::mount);
    EXPECT_THAT(listed->spec.root.mounts.at(0).uids, ElementsAre(spec::IdMap{1, 2, 3}));
    EXPECT_THAT(listed->spec.root.mounts.at(0).gids, ElementsAre(spec::IdMap{4, 5, 6}));
    mount["options"] = {"bind", "ridmap"};
    EXPECT_EQ(convert_mount(mount)->spec.root.mounts.at(0).idmap, spec::Idmap::recursive);
}

TEST(OciMounts, AMapOfIdsMustComeFromSomewhere) {
    json config = without_namespace("user");
    config["linux"].erase("uidMappings");
    config["linux"].erase("gidMappings");
    config["mounts"] = json::array({mount_of("bind", {"bind", "idmap"})});
    EXPECT_THAT(said(convert(config)), StartsWith("mounts[0].options: idmap needs"));
}

TEST(OciMounts, FollowNoLinkWhenAskedNotTo) {
    EXPECT_TRUE(read("bind", {"bind", "copy-symlink"}).no_follow);
    EXPECT_TRUE(read("bind", {"bind", "src-nofollow"}).no_follow);
    EXPECT_TRUE(read("bind", {"bind", "dest-nofollow"}).over_link);
    EXPECT_FALSE(read("bind", {"bind", "dest-nofollow"}).no_follow);
    EXPECT_TRUE(read("tmpfs", {"tmpcopyup"}).copy_up);
}

struct WrongMount {
    const char* mount;
    const char* message;
};
const WrongMount kWrong[] = {
    {"5", "mounts[0]: a number where an object belongs"},
    {"{}", "mounts[0].destination: is missing"},
    {R"({"destination": 5})", "mounts[0].destination: a number where"},
    {R"({"destination": "", "type": "tmpfs"})", "mounts[0].destination: \"/\": the root is"},
    {R"({"destination": "//./..", "type": "tmpfs"})", "mounts[0].destination: \"//./..\": the"},
    {R"({"destination": "/a"})", "mounts[0].type: is missing"},
    {R"({"destination": "/a", "type": ""})", "mounts[0].type: is empty"},
    {R"({"destination": "/a", "type": 5})", "mounts[0].type: a number where"},
    {R"({"destination": "/a", "type": "bind", "source": "/s"})",
     "mounts[0].type: \"bind\" needs the option bind or rbind"},
    {R"({"destination": "/a", "type": "none", "source": "/s", "options": ["ro"]})",
     "mounts[0].type: \"none\" needs the option bind or rbind"},
    {R"({"destination": "/a", "options": ["bind"]})", "mounts[0].source: is missing"},
    {R"({"destination": "/a", "source": "", "options": ["bind"]})", "mounts[0].source: is empty"},
    {R"({"destination": "/a", "source": {}, "options": ["bind"]})", "mounts[0].source: an object"},
    {R"({"destination": "/a", "source": "/s", "options": "bind"})", "mounts[0].options: a string"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", 1]})",
     "mounts[0].options[1]: a number where a string"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "tmpcopyup"]})",
     "mounts[0].options: \"tmpcopyup\" is for a tmpfs"},
    {R"({"destination": "/a", "type": "tmpfs", "options": ["dest-nofollow"]})",
     "mounts[0].options: \"copy-symlink\", \"src-nofollow\" and \"dest-nofollow\""},
    {R"({"destination": "/a", "type": "tmpfs", "options": ["copy-symlink"]})",
     "mounts[0].options: \"copy-symlink\""},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "idmap=x"]})",
     "mounts[0].options: \"x\": idmap= wants"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "idmap=uids=1-2"]})",
     "mounts[0].options: \"1-2\": idmap= wants"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "idmap=uids=1-2-3-"]})",
     "mounts[0].options: \"1-2-3-\": idmap= wants"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "idmap=uids=@1-65536-1"]})",
     "mounts[0].options: \"@1-65536-1\": idmap= wants"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind", "idmap=uids=1-2-3"]})",
     "mounts[0]: an idmapped mount has"},
    {R"({"destination": "/a", "source": "/s", "options": ["bind"], "uidMappings": [{}]})",
     "mounts[0].uidMappings[0].containerID: is missing"},
};

TEST(OciMounts, NameThePathOfWhatIsWrong) {
    for (const WrongMount& wrong : kWrong)
        EXPECT_THAT(said(convert_mount(json::parse(wrong.mount))), StartsWith(wrong.message))
            << wrong.mount;
}

/// Those that say what is so anyway.
const std::set<std::string_view> kNothing{"defaults",   "iversion",    "loud",  "noiversion",
                                          "norelatime", "rnorelatime", "silent"};

TEST(OciMounts, EveryOptionDoesSomething) {
    auto options = oci::mount_options();
    EXPECT_TRUE(std::ranges::is_sorted(options, {}, &oci::Named<oci::MountOption>::name));
    for (const auto& option : options) {
        std::string name(option.name);
        bool super = option.value.effect == oci::MountEffect::super;
        bool tmpfs = super || name == "tmpcopyup";
        spec::Mount plain = tmpfs ? read("tmpfs", {"remount"}) : read("bind", {"bind"});
        spec::Mount with = tmpfs ? read("tmpfs", {"remount", name}) : read("bind", {"bind", name});
        bool nothing = kNothing.contains(name) || name == "bind";
        EXPECT_EQ(with == plain, nothing) << name;
    }
}

} // namespace
