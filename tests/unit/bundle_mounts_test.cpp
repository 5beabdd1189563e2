// The mounts of a bundle, as the container and the host see them.
#include "tests/unit/real.hpp"
#include "tests/unit/temporary.hpp"

#include "sys/path.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

using spec::Mount;
using spec::Spec;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using unit::bundle;
using unit::Ran;

namespace {

namespace fs = std::filesystem;

/// A root filesystem that a test may fill: the usual one's programs, and nothing else.
class BundleMounts : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "without a user namespace it needs root";
        word_ = sys::random_hex(8).value_or("");
        fs::create_directory(here_ / "src");
        here_.file("src/file", word_);
    }
    /// A rootfs of our own: /bin is the usual one's, bound there by the container.
    Spec own(const std::string& script) {
        Spec spec = bundle(script);
        fs::create_directories(here_ / "root/bin");
        spec.root.mounts.push_back({.type = "bind",
                                    .source = fs::absolute(spec.root.path) / "bin",
                                    .destination = "/bin"});
        spec.root.path = here_ / "root";
        return spec;
    }
    Mount volume(const std::string& destination) {
        return {.type = "bind", .source = here_ / "src", .destination = destination};
    }

    unit::Temporary here_;
    std::string word_;
};

/// The line of mountinfo whose mount point is `at`.
std::string line_of(const std::string& mountinfo, const std::string& at) {
    std::istringstream lines(mountinfo);
    std::string found;
    for (std::string line; std::getline(lines, line);)
        if (line.find(" " + at + " ") != std::string::npos)
            found = line;
    return found;
}

TEST_F(BundleMounts, AreThoseOfTheListAndNoOthers) {
    Ran ran = unit::run(bundle("cut -d' ' -f5 /proc/self/mountinfo"));
    EXPECT_EQ(ran.out, "/\n/proc\n/dev\n");
    EXPECT_EQ(ran.status, 0);
}

TEST_F(BundleMounts, AreMadeInTheirOrder) {
    Spec spec = own("cat /a/file; ls /a/b");
    spec.root.mounts.push_back(volume("/a"));
    spec.root.mounts.push_back({.type = "tmpfs", .source = "tmpfs", .destination = "/a/b"});
    fs::create_directory(here_ / "src/b");
    here_.file("src/b/hidden", "");
    EXPECT_EQ(unit::run(spec).out, word_);
}

TEST_F(BundleMounts, HaveTheAttributesOfTheOptions) {
    Spec spec = own("cat /proc/self/mountinfo");
    Mount one = volume("/v");
    one.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME;
    one.cleared = MOUNT_ATTR__ATIME;
    spec.root.mounts.push_back(one);
    spec.root.mounts.push_back({.type = "tmpfs",
                                .source = "word",
                                .destination = "/t",
                                .attributes = MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME,
                                .options = {"size=64k", "mode=1700"}});
    spec.root.mounts.push_back(
        {.type = "mqueue", .source = "mqueue", .destination = "/dev/mqueue"});
    spec.root.mounts.push_back({.type = "sysfs",
                                .source = "sysfs",
                                .destination = "/sys",
                                .attributes = MOUNT_ATTR_RDONLY});
    std::string table = unit::run(spec).out;
    EXPECT_THAT(line_of(table, "/v"), HasSubstr(" ro,nodev,noatime "));
    EXPECT_THAT(line_of(table, "/t"), AllOf(HasSubstr(" rw,noexec,nodiratime,relatime "),
                                            HasSubstr(" - tmpfs word "), HasSubstr("mode=1700")));
    EXPECT_THAT(line_of(table, "/dev/mqueue"), HasSubstr(" - mqueue "));
    EXPECT_THAT(line_of(table, "/sys"), AllOf(HasSubstr(" ro,"), HasSubstr(" - sysfs ")));
}

TEST_F(BundleMounts, AreChangedAloneOrWithWhatIsBelow) {
    auto below = here_ / "src/below";
    fs::create_directory(below);
    ASSERT_EQ(mount("tmpfs", below.c_str(), "tmpfs", 0, nullptr), 0);
    for (bool recursive : {false, true}) {
        Spec spec = own("echo >/v/x; echo >/v/below/x");
        Mount one = volume("/v");
        (recursive ? one.recursive_attributes : one.attributes) = MOUNT_ATTR_RDONLY;
        spec.root.mounts.push_back(one);
        Ran ran = unit::run(spec);
        EXPECT_THAT(ran.out, HasSubstr("/v/x: Read-only"));
        EXPECT_EQ(ran.status, recursive ? 1 : 0) << ran.out;
    }
    EXPECT_EQ(umount2(below.c_str(), MNT_DETACH), 0);
}

TEST_F(BundleMounts, AreRemounted) {
    Spec spec = own("echo x >/v/x; df -k /t | tail -1");
    spec.root.mounts.push_back(volume("/v"));
    spec.root.mounts.push_back(
        {.type = "tmpfs", .source = "t", .destination = "/t", .options = {"size=64k"}});
    spec.root.mounts.push_back(
        {.type = "bind", .destination = "/v", .attributes = MOUNT_ATTR_RDONLY, .remount = true});
    spec.root.mounts.push_back(
        {.type = "tmpfs", .destination = "/t", .remount = true, .options = {"size=128k"}});
    std::string out = unit::run(spec).out;
    EXPECT_THAT(out, AllOf(HasSubstr("/v/x: Read-only"), HasSubstr(" 128 ")));
    spec.root.mounts.push_back({.type = "bind", .destination = "/nowhere", .remount = true});
    fs::create_directory(here_ / "root/nowhere");
    for (auto attributes : {std::uint64_t{0}, std::uint64_t{MOUNT_ATTR_RDONLY}}) {
        spec.root.mounts.back().attributes = attributes;
        EXPECT_THAT(unit::run(spec).out, HasSubstr("nothing is mounted at \"/nowhere\""));
    }
}

TEST_F(BundleMounts, PassMountsOnOnlyAsAsked) {
    auto source = here_ / "src";
    ASSERT_EQ(mount(source.c_str(), source.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, source.c_str(), nullptr, MS_SHARED, nullptr), 0);
    fs::create_directory(here_ / "src/in");
    for (const char* way : {"private", "slave", "shared"}) {
        Spec spec = own("mount -t tmpfs t /v/in && cat /proc/self/mountinfo");
        Mount one = volume("/v");
        one.propagation = one.propagation_below = way;
        spec.root.mounts.push_back(one);
        Ran ran = unit::run(spec);
        std::string line = line_of(ran.out, "/v");
        EXPECT_EQ(line.find(" master:") != std::string::npos, way == std::string("slave")) << line;
        EXPECT_EQ(line.find(" shared:") != std::string::npos, way == std::string("shared")) << line;
        // On the host, what the container has mounted in a peer stays.
        EXPECT_EQ(umount2((here_ / "src/in").c_str(), MNT_DETACH) == 0,
                  way == std::string("shared"));
    }
    EXPECT_EQ(umount2(source.c_str(), MNT_DETACH), 0);
}

TEST_F(BundleMounts, MapIdsAsGiven) {
    ASSERT_EQ(chown((here_ / "src/file").c_str(), 7, 8), 0);
    Spec spec = own("stat -c %u:%g /v/file");
    Mount one = volume("/v");
    one.idmap = spec::Idmap::mount;
    one.uids = {{.inside = 0, .outside = 1000, .count = 10}};
    one.gids = {{.inside = 0, .outside = 2000, .count = 10}};
    spec.root.mounts.push_back(one);
    EXPECT_EQ(unit::run(spec).out, "1007:2008\n");
}

TEST_F(BundleMounts, MapIdsAsTheContainers) {
    ASSERT_EQ(chown((here_ / "src/file").c_str(), 7, 8), 0);
    fs::permissions(here_ / "src", fs::perms::owner_all); // root of the host may search it, alone
    fs::permissions(here_.path(), fs::perms(0755));
    Spec spec = bundle("stat -c %u:%g /tmp/file; stat -c %u:%g /mnt/file");
    spec.stages.add(spec::Stage::user);
    spec.user.mapping = spec::Mapping::listed;
    spec.user.uids = spec.user.gids = {{.inside = 0, .outside = 100000, .count = 65536}};
    Mount one = volume("/tmp");
    one.idmap = spec::Idmap::mount;
    spec.root.mounts.push_back(one);
    spec.root.mounts.push_back(volume("/mnt"));
    fs::permissions(here_ / "src", fs::perms(0711));
    EXPECT_EQ(unit::run(spec).out, "7:8\n65534:65534\n");
}

TEST_F(BundleMounts, OfATmpfsStartWithWhatTheyCoverWithCopyUp) {
    Spec spec = own("cd /t && ls -A | sort; stat -c '%a %u:%g' . file; cat file link; echo x >new");
    fs::create_directories(here_ / "root/t/dir/deep");
    here_.file("root/t/file", word_);
    ASSERT_EQ(chown((here_ / "root/t/file").c_str(), 5, 6), 0);
    ASSERT_EQ(chmod((here_ / "root/t/file").c_str(), 04751), 0);
    ASSERT_EQ(chmod((here_ / "root/t").c_str(), 0750), 0);
    fs::create_symlink("file", here_ / "root/t/link");
    Mount one{.type = "tmpfs", .source = "tmpfs", .destination = "/t", .copy_up = true};
    spec.root.mounts.push_back(one);
    EXPECT_EQ(unit::run(spec).out, "dir\nfile\nlink\n750 0:0\n4751 5:6\n" + word_ + word_);
    EXPECT_FALSE(fs::exists(here_ / "root/t/new"));
}

TEST_F(BundleMounts, ReadOnlyHoldMountPointsAllTheSame) {
    Spec spec = own("cat /t/v/file; echo >/t/x");
    spec.root.mounts.push_back(
        {.type = "tmpfs", .source = "tmpfs", .destination = "/t", .attributes = MOUNT_ATTR_RDONLY});
    spec.root.mounts.push_back(volume("/t/v"));
    EXPECT_THAT(unit::run(spec).out,
                AllOf(StartsWith(word_), HasSubstr("/t/x: Read-only file system")));
}

TEST_F(BundleMounts, CopyALinkInsteadOfFollowingIt) {
    fs::create_symlink(word_, here_ / "src/link");
    Spec spec = own("readlink /etc/l");
    Mount one = volume("/etc/l");
    one.source += "/link";
    one.no_follow = true;
    spec.root.mounts.push_back(one);
    EXPECT_EQ(unit::run(spec).out, word_ + "\n");
    EXPECT_EQ(unit::run(spec).out, word_ + "\n"); // it is there by now
    fs::remove(here_ / "root/etc/l");
    fs::create_symlink("elsewhere", here_ / "root/etc/l");
    EXPECT_THAT(unit::run(spec).out, HasSubstr("is not a link to"));
}

TEST_F(BundleMounts, CoverALinkInsteadOfFollowingIt) {
    Spec spec = own("cat /l /target /made; grep -o ' /l \\| /target ' /proc/self/mountinfo");
    here_.file("root/target", "untouched");
    fs::create_symlink("target", here_ / "root/l");
    Mount one = volume("/l");
    one.source += "/file";
    one.over_link = true;
    spec.root.mounts.push_back(one);
    one.destination = "/made"; // where there is no link, it is as ever
    spec.root.mounts.push_back(one);
    EXPECT_EQ(unit::run(spec).out, word_ + "untouched" + word_ + " /l \n");
}

TEST_F(BundleMounts, ShowTheContainersCgroupReadOnly) {
    Spec spec = own("cat /proc/self/cgroup | grep ^0; cat /proc/self/mountinfo");
    spec.root.mounts.push_back({.type = "cgroup", .source = "cgroup", .destination = "/cg"});
    std::string out = unit::run(spec).out;
    std::string own = out.substr(3, out.find('\n') - 3);
    EXPECT_THAT(line_of(out, "/cg"),
                AllOf(HasSubstr(" " + own + " /cg ro,"), HasSubstr(" - cgroup2 ")));
}

// --- what must not be led astray -----------------------------------------------------------------

TEST_F(BundleMounts, StayInsideARootfsFullOfLinks) {
    Spec spec = own("cat /a/v/file");
    fs::create_directory(here_ / "host");
    fs::create_symlink(here_ / "host", here_ / "root/a"); // absolute: within the root it is
    spec.root.mounts.push_back(volume("/a/v"));
    EXPECT_EQ(unit::run(spec).out, word_);
    EXPECT_TRUE(fs::is_empty(here_ / "host"));
}

TEST_F(BundleMounts, TakeNoLinkForProcSysOrDev) {
    for (const char* name : {"proc", "sys", "dev"}) {
        Spec spec = own("true");
        fs::remove_all(here_ / "root" / name);
        fs::create_directory_symlink("bin", here_ / "root" / name);
        spec.root.mounts.push_back({.type = "sysfs", .source = "sysfs", .destination = "/sys"});
        Ran ran = unit::run(spec);
        EXPECT_THAT(ran.out, HasSubstr("is not a real directory")) << name;
        EXPECT_EQ(ran.status, 125);
        fs::remove(here_ / "root" / name);
    }
}

TEST_F(BundleMounts, CoverNothingOfProcs) {
    for (const char* name : {"/proc/self/attr", "/proc/version", "/x/../proc/1", "/lnk/1"}) {
        Spec spec = own("true");
        if (!fs::exists(fs::symlink_status(here_ / "root/lnk")))
            fs::create_symlink("/proc", here_ / "root/lnk");
        fs::create_directories(here_ / "root/x");
        Mount one = volume(name);
        if (name == std::string("/proc/version"))
            one.source += "/file";
        spec.root.mounts.push_back(one);
        Ran ran = unit::run(spec);
        EXPECT_THAT(ran.out, HasSubstr("is inside /proc")) << name;
        EXPECT_EQ(ran.status, 125);
    }
    Spec spec = own("cat /proc/uptime");
    Mount one = volume("/proc/uptime");
    one.source += "/file";
    spec.root.mounts.push_back(one);
    EXPECT_EQ(unit::run(spec).out, word_);
    spec = own("true");
    spec.root.mounts.front() = volume("/proc");
    EXPECT_THAT(unit::run(spec).out, HasSubstr("can't be /proc"));
}

TEST_F(BundleMounts, SayWhichOfThemFailed) {
    Spec spec = own("true");
    spec.root.mounts.push_back({.type = "tmpfs", .destination = "/v", .options = {"bogus"}});
    EXPECT_THAT(unit::run(spec).out,
                AllOf(HasSubstr("mounts[3] \"/v\": "), HasSubstr("Unknown parameter 'bogus'")));
    spec.root.mounts.back() = {.type = "bogus", .destination = "/v"};
    EXPECT_THAT(unit::run(spec).out,
                AllOf(HasSubstr("ENODEV"), HasSubstr("this kernel has no file system \"bogus\"")));
    spec.root.mounts.back() = volume("/w");
    spec.root.mounts.back().source += "/missing";
    EXPECT_THAT(unit::run(spec).out, AllOf(HasSubstr("mounts[3] \"/w\": "), HasSubstr("ENOENT")));
    // A propagating one is made before the others.
    spec.root.mounts.back().propagation = "slave";
    EXPECT_THAT(unit::run(spec).out, AllOf(HasSubstr("mounts[3] \"/w\": "), HasSubstr("ENOENT")));
}

// Docker's client tells people what to do when it reads "not a directory".
TEST_F(BundleMounts, SayThatAFileIsNoDirectory) {
    Spec spec = own("true");
    Mount one = volume("/bin");
    one.source += "/file";
    spec.root.mounts.push_back(one);
    Ran ran = unit::run(spec);
    EXPECT_THAT(ran.out, HasSubstr("/file\" is not a directory, but \"/bin\" is one"));
    EXPECT_EQ(ran.status, 125);
}

// --- /dev ----------------------------------------------------------------------------------------

TEST_F(BundleMounts, GetTheUsualDevices) {
    Ran ran = unit::run(own("cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty; "
                            "for l in fd stdin stdout stderr core ptmx; do readlink $l; done"));
    EXPECT_EQ(ran.out, "null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\n"
                       "tty 5:0 666\n/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n"
                       "/proc/self/fd/2\n/proc/kcore\npts/ptmx\n");
}

TEST_F(BundleMounts, GetTheDevicesOfTheList) {
    Spec spec = own("stat -c '%n %F %t:%T %a %u:%g' /dev/a/fuse /etc/pipe");
    spec.root.devices = {
        {.path = "/dev/a/fuse", .major = 10, .minor = 229, .mode = 0640, .uid = 3, .gid = 4},
        {.path = "/etc/pipe", .type = 'p', .mode = 0622}};
    EXPECT_EQ(unit::run(spec).out, "/dev/a/fuse character special file a:e5 640 3:4\n"
                                   "/etc/pipe fifo 0:0 622 0:0\n");
}

TEST_F(BundleMounts, GetTheUsualDevicesAsTheListHasThem) {
    Spec spec = own("cd /dev; stat -c '%n %t:%T %a %u:%g' null zero full");
    spec.root.devices = {
        {.path = "/dev/null", .major = 1, .minor = 5},
        {.path = "/dev/zero", .major = 1, .minor = 5, .mode = 0640, .uid = 3, .gid = 4}};
    EXPECT_EQ(unit::run(spec).out, "null 1:5 666 0:0\nzero 1:5 640 3:4\nfull 1:7 666 0:0\n");
}

TEST_F(BundleMounts, GetTheHostsDevicesInAUserNamespace) {
    Spec spec = bundle("echo x >/dev/null && head -c 3 /dev/zero | wc -c && ls /dev/full");
    spec.stages.add(spec::Stage::user);
    spec.user.mapping = spec::Mapping::listed;
    spec.user.uids = spec.user.gids = {{.inside = 0, .outside = 100000, .count = 65536}};
    EXPECT_EQ(unit::run(spec).out, "3\n/dev/full\n");
    spec.root.devices = {{.path = "/dev/zero2", .major = 1, .minor = 5}};
    EXPECT_THAT(unit::run(spec).out,
                AllOf(HasSubstr("mknodat("), HasSubstr("is not device c 1:5")));
}

TEST_F(BundleMounts, RefuseAnImagesOwnDevice) {
    Spec spec = own("true");
    spec.root.mounts.erase(spec.root.mounts.begin() + 1); // no /dev but the image's
    fs::create_directories(here_ / "root/dev");
    here_.file("root/dev/null", "");
    Ran ran = unit::run(spec);
    EXPECT_THAT(ran.out, HasSubstr("\"/dev/null\" is there already, and is not device c 1:3"));
    EXPECT_EQ(ran.status, 125);
}

TEST_F(BundleMounts, LeaveAHostsDevAlone) {
    Spec spec = own("ls -A /dev");
    fs::create_directory(here_ / "src/only");
    fs::remove(here_ / "src/file");
    spec.root.mounts[1] = volume("/dev");
    EXPECT_EQ(unit::run(spec).out, "only\n");
}

// --- the root ------------------------------------------------------------------------------------

TEST_F(BundleMounts, LeaveTheRootAsItShouldPropagate) {
    for (auto [way, has] :
         {std::pair{"", ""}, {"shared", " shared:"}, {"unbindable", " unbindable"}}) {
        Spec spec = own("cat /proc/self/mountinfo");
        spec.root.propagation = way;
        std::string line = unit::run(spec).out;
        line.resize(line.find('\n'));
        EXPECT_THAT(line, HasSubstr(has));
        EXPECT_EQ(line.find(" shared:") != std::string::npos, way == std::string("shared")) << line;
    }
}

TEST_F(BundleMounts, HideWhatIsMaskedWherever) {
    Spec spec = own("cat /secret /etc/secret; ls -A /dir; echo >/ro/x; echo >/proc/version");
    fs::create_directories(here_ / "root/dir/in");
    fs::create_directories(here_ / "root/ro");
    fs::create_directories(here_ / "root/etc");
    here_.file("root/secret", word_);
    here_.file("root/etc/secret", word_);
    spec.root.masked = {"/secret", "/dir", "/etc/secret", "/not/there", "/proc/kcore"};
    spec.root.readonly = {"/ro", "/proc/version", "/nor/this"};
    Ran ran = unit::run(spec);
    EXPECT_THAT(ran.out, AllOf(HasSubstr("/ro/x: Read-only"), HasSubstr("version: Read-only")));
    EXPECT_THAT(ran.out, AllOf(Not(HasSubstr(word_)), Not(HasSubstr("in\n"))));
}

TEST_F(BundleMounts, LeaveAReadOnlyRootReadOnly) {
    Spec spec = own("echo >/x; echo >/dev/x && echo dev");
    spec.root.read_only = true;
    EXPECT_THAT(unit::run(spec).out, AllOf(HasSubstr("/x: Read-only"), HasSubstr("dev\n")));
}

} // namespace
