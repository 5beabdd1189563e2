// The mount stage: the file tree, which nobody outside sees, and which leads nowhere outside.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

using namespace support;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

namespace {

std::set<std::string> points(pid_t pid) {
    std::set<std::string> out;
    for (const MountLine& mount : mountinfo(pid))
        out.insert(mount.point);
    return out;
}

} // namespace

TEST(Mount, TheRootfsIsAMountOfItsOwn) {
    Container box;
    EXPECT_FALSE(shares(box.first(), "mnt"));
    auto table = mountinfo(box.first());
    const MountLine* root = mounted_at(table, "/");
    ASSERT_NE(root, nullptr);
    EXPECT_THAT(rootfs(), testing::EndsWith(root->root));
    EXPECT_TRUE(root->has("rw"));
    EXPECT_EQ(box.ask("cat /etc/hostname").out, slurp(rootfs() + "/etc/hostname"));
}

TEST(Mount, NothingInsideIsSharedWithAnybody) {
    Container box({"--map", "single", "--tmpfs", "/mnt"},
                  {.before_exec = [] { enter_own_mounts(/*shared=*/true); }});
    for (const MountLine& mount : mountinfo(box.first()))
        EXPECT_TRUE(mount.optional.empty()) << mount.point << " " << *mount.optional.begin();
}

TEST(Mount, MountsInsideDoNotReachTheHostNorTheOtherWay) {
    Scratch scratch;
    std::string shared = scratch.folder("shared");
    std::string below = scratch.folder("shared/below");
    Container box(
        {"--map", "single", "--cap-add", "sys_admin", "--seccomp", "none", "-v", shared + ":/mnt"},
        {.before_exec = [] { enter_own_mounts(/*shared=*/true); }});
    pid_t launcher = box.launcher().pid();
    std::set<std::string> before = points(launcher);
    EXPECT_EQ(box.ask("mount -t tmpfs inside /mnt/below && mount -t tmpfs inside /home").status, 0);
    EXPECT_THAT(points(box.first()), Contains("/mnt/below"));
    EXPECT_EQ(points(launcher), before);

    in_namespaces(launcher, {"user", "mnt"}, [&] {
        mount_in("outside", below, "tmpfs");
        return std::string();
    });
    EXPECT_THAT(points(launcher), Contains(below));
    for (const MountLine& mount : mountinfo(box.first()))
        EXPECT_NE(mount.source, "outside");
}

TEST(Mount, TheHostsMountsAreAsTheyWere) {
    Host before = Host::look();
    EXPECT_EQ(launch({"--tmpfs", "/mnt", "--read-only"}, {"true"}).status, 0);
    EXPECT_EQ(differs_from(before), "");
}

TEST(Mount, DevHasTheUsualNodesAndNothingElse) {
    Container box;
    Root root(box.first());
    EXPECT_THAT(root.list("/dev"),
                ElementsAre("core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm",
                            "stderr", "stdin", "stdout", "tty", "urandom", "zero"));
    struct Node {
        const char* name;
        unsigned minor;
        unsigned major = 1;
    };
    for (Node node : {Node{"null", 3}, Node{"zero", 5}, Node{"full", 7}, Node{"random", 8},
                      Node{"urandom", 9}, Node{"tty", 0, 5}}) {
        auto info = root.look(std::string("/dev/") + node.name, /*follow=*/false);
        ASSERT_TRUE(info) << node.name;
        EXPECT_TRUE(S_ISCHR(info->st_mode)) << node.name;
        EXPECT_EQ(info->st_rdev, makedev(node.major, node.minor)) << node.name;
        EXPECT_EQ(info->st_mode & 0666, 0666U) << node.name;
    }
    for (auto [name, to] : {std::pair{"fd", "/proc/self/fd"},
                            {"stdin", "/proc/self/fd/0"},
                            {"stdout", "/proc/self/fd/1"},
                            {"stderr", "/proc/self/fd/2"},
                            {"ptmx", "pts/ptmx"}})
        EXPECT_EQ(root.link(std::string("/dev/") + name), to);
    EXPECT_EQ(box.ask("echo lost >/dev/null; head -c 3 /dev/zero | wc -c; "
                      "head -c 5 /dev/urandom | wc -c")
                  .out,
              "3\n5\n");
    EXPECT_NE(box.ask("echo x >/dev/full").status, 0);
}

TEST(Mount, DevIsATmpfsOfItsOwn) {
    Container box;
    auto table = mountinfo(box.first());
    const MountLine* dev = mounted_at(table, "/dev");
    ASSERT_NE(dev, nullptr);
    EXPECT_EQ(dev->type, "tmpfs");
    EXPECT_TRUE(dev->has("nosuid"));
    const MountLine* shm = mounted_at(table, "/dev/shm");
    ASSERT_NE(shm, nullptr);
    EXPECT_EQ(shm->type, "tmpfs");
    for (const char* option : {"nosuid", "nodev", "noexec"})
        EXPECT_TRUE(shm->has(option)) << option;
    EXPECT_EQ(Root(box.first()).look("/dev/shm")->st_mode & 07777, 01777U);
    const MountLine* mqueue = mounted_at(table, "/dev/mqueue");
    ASSERT_NE(mqueue, nullptr);
    EXPECT_EQ(mqueue->type, "mqueue");
}

TEST(Mount, TerminalsAreItsOwn) {
    Container box;
    Container other;
    auto table = mountinfo(box.first());
    const MountLine* pts = mounted_at(table, "/dev/pts");
    ASSERT_NE(pts, nullptr);
    EXPECT_EQ(pts->type, "devpts");
    EXPECT_TRUE(pts->has("nosuid") && pts->has("noexec"));
    EXPECT_TRUE(pts->super.contains("ptmxmode=666"));
    for (const MountLine& mount : mountinfo(getpid()))
        EXPECT_NE(mount.device, pts->device) << mount.point;
    for (const MountLine& mount : mountinfo(other.first()))
        EXPECT_NE(mount.device, pts->device) << mount.point;
    EXPECT_THAT(Root(box.first()).list("/dev/pts"), ElementsAre("ptmx"));
    EXPECT_EQ(box.ask("sh -c 'exec 9<>/dev/ptmx && ls /dev/pts'").out, "0\nptmx\n");
}

TEST(Mount, SysIsReadOnly) {
    Container box({"--cap-add", "all", "--seccomp", "none"});
    auto table = mountinfo(box.first());
    const MountLine* sys = mounted_at(table, "/sys");
    ASSERT_NE(sys, nullptr);
    EXPECT_EQ(sys->type, "sysfs");
    for (const MountLine& mount : table)
        if (mount.point == "/sys" || mount.point.starts_with("/sys/")) {
            EXPECT_TRUE(mount.has("ro")) << mount.point;
        }
    EXPECT_EQ(box.ask("echo mine >/sys/class/net/lo/ifalias").status, 1);
    EXPECT_EQ(Root(box.first()).list("/sys/class/net").at(0), "lo");
}

TEST(Mount, SysOfTheHostsNetworkIsReadOnlyToo) {
    Container box({"--net", "host", "--cap-add", "all", "--seccomp", "none"});
    for (const MountLine& mount : mountinfo(box.first()))
        if (mount.point == "/sys" || mount.point.starts_with("/sys/")) {
            EXPECT_TRUE(mount.has("ro")) << mount.point;
        }
}

// What Docker hides (moby's oci/defaults.go).
TEST(Mount, WhatTellsAboutTheMachineIsMasked) {
    Container box({"--cap-add", "all", "--seccomp", "none"});
    Root root(box.first());
    auto table = mountinfo(box.first());
    int seen = 0;
    for (const char* path :
         {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
          "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
          "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}) {
        auto info = root.look(path);
        if (!info)
            continue; // this kernel has none
        ++seen;
        ASSERT_NE(mounted_at(table, path), nullptr) << path << " is not masked";
        if (S_ISDIR(info->st_mode)) {
            EXPECT_THAT(root.list(path), ElementsAre()) << path;
            EXPECT_TRUE(mounted_at(table, path)->has("ro")) << path;
            EXPECT_NE(box.ask(std::string("touch ") + path + "/x").status, 0) << path;
        } else {
            EXPECT_EQ(info->st_rdev, makedev(1, 3)) << path;
            EXPECT_EQ(box.ask(std::string("wc -c <") + path).out, "0\n") << path;
        }
    }
    EXPECT_GE(seen, 2);
}

TEST(Mount, WhatChangesTheMachineIsReadOnly) {
    Container box({"--cap-add", "all", "--seccomp", "none"});
    Root root(box.first());
    auto table = mountinfo(box.first());
    int seen = 0;
    for (const char* path :
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
        if (!root.look(path))
            continue;
        ++seen;
        const MountLine* mount = mounted_at(table, path);
        ASSERT_NE(mount, nullptr) << path;
        EXPECT_TRUE(mount->has("ro")) << path;
        EXPECT_EQ(mount->type, "proc") << path;
    }
    EXPECT_GE(seen, 2);
    std::string name = token();
    EXPECT_NE(box.ask("echo " + name + " >/proc/sys/kernel/hostname").status, 0);
    EXPECT_NE(box.ask("hostname").out, name + "\n");
    EXPECT_NE(box.ask("echo 1 >/proc/sys/kernel/ns_last_pid").status, 0);
}

TEST(Mount, ReadOnlyRootfs) {
    auto before = listing(rootfs());
    Container box({"--read-only", "--tmpfs", "/mnt"});
    auto table = mountinfo(box.first());
    EXPECT_TRUE(mounted_at(table, "/")->has("ro"));
    EXPECT_NE(box.ask("touch /file").status, 0);
    EXPECT_NE(box.ask("rm /etc/hostname").status, 0);
    EXPECT_EQ(box.ask("touch /mnt/file && touch /dev/shm/file").status, 0);
    EXPECT_EQ(listing(rootfs()), before);
}

TEST(Mount, OverlayChangesVanish) {
    auto before = listing(rootfs());
    std::string name = token();
    {
        Container box({"--overlay"});
        auto table = mountinfo(box.first());
        EXPECT_EQ(mounted_at(table, "/")->type, "overlay");
        EXPECT_EQ(box.ask("echo changed >/" + name + " && cat /" + name).out, "changed\n");
        EXPECT_EQ(box.ask("echo " + name +
                          " >>/etc/hostname && rm /etc/hosts && mkdir -p /var/x/y "
                          "&& mv /etc/group /etc/group2")
                      .status,
                  0);
        // To hide a directory, overlayfs marks the one over it with a user.* attribute, which a
        // tmpfs holds since Linux 6.6.
        std::string probe = "/dev/shm/" + name;
        spill(probe, "");
        if (setxattr(probe.c_str(), "user.probe", "1", 1, 0) == 0) {
            EXPECT_EQ(box.ask("rm -r /home").status, 0);
            EXPECT_THAT(box.launcher().err(), Not(HasSubstr("--overlay")));
        } else {
            EXPECT_THAT(box.launcher().err(), HasSubstr("--upper"));
        }
        (void)unlink(probe.c_str());
        EXPECT_EQ(box.ask("ls /etc/hosts").status, 1);
        EXPECT_EQ(listing(rootfs()), before);
    }
    EXPECT_EQ(listing(rootfs()), before);
    EXPECT_NE(launch({"--overlay"}, {"cat", "/" + name}).status, 0);
}

TEST(Mount, UpperKeepsChanges) {
    Scratch scratch;
    // Characters that mean something to overlayfs.
    std::string upper = scratch.folder("upper, of:a \\ kind");
    auto rootfs_before = listing(rootfs());
    std::string name = token();
    Ended first =
        launch({"--upper", upper}, {"sh", "-c", "echo kept >/" + name + "; rm /etc/hosts"});
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(slurp(upper + "/" + name), "kept\n");
    Ended second = launch({"--upper", upper}, {"cat", "/" + name});
    EXPECT_EQ(second.out, "kept\n") << second.err;
    EXPECT_NE(launch({"--upper", upper}, {"ls", "/etc/hosts"}).status, 0);
    EXPECT_EQ(listing(rootfs()), rootfs_before);
    // Nothing beside it, as overlayfs's work directory.
    Strings beside;
    for (const auto& entry : fs::directory_iterator(scratch.path()))
        beside.push_back(entry.path().filename());
    EXPECT_THAT(beside, ElementsAre("upper, of:a \\ kind"));
}

TEST(Mount, UpperByARelativePath) {
    Scratch scratch;
    scratch.folder("changes");
    std::string name = token();
    EXPECT_EQ(
        launch({"--upper", "changes/"}, {"touch", "/" + name}, {.cwd = scratch.path()}).status, 0);
    EXPECT_TRUE(fs::exists(scratch / "changes/" + name));
    EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()), 1);
}

TEST(Mount, UpperByWhateverLeadsThere) {
    Scratch scratch;
    scratch.folder("changes/in");
    const std::string other = "/dev/shm/" + token(); // another file system, most often
    fs::create_directories(other + "/far");
    fs::create_directory_symlink(other + "/far", scratch / "link");
    const std::pair<std::string, std::string> ways[] = {{"changes", "."},
                                                        {"changes/in", ".."},
                                                        {"", "changes/."},
                                                        {"", "changes/in/../"},
                                                        {"", "link"}};
    for (const auto& [from, upper] : ways) {
        std::string name = token();
        Ended ended = launch({"--upper", upper}, {"touch", "/" + name}, {.cwd = scratch / from});
        EXPECT_EQ(ended.status, 0) << upper << ": " << ended.err;
        EXPECT_TRUE(fs::exists(scratch / (upper == "link" ? "link/" : "changes/") + name)) << upper;
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()), 2);
    EXPECT_EQ(std::distance(fs::directory_iterator(other), fs::directory_iterator()), 1);
    fs::remove_all(other);
}

TEST(Mount, UpperIsForOneContainerAtATime) {
    Scratch scratch;
    std::string upper = scratch.folder("upper");
    Container box({"--upper", upper});
    Ended second = launch({"--upper", upper}, {"true"});
    EXPECT_EQ(second.status, 125);
    EXPECT_THAT(second.err, HasSubstr("another container is using"));
    EXPECT_EQ(box.ask("touch /still-works").status, 0);
    EXPECT_EQ(box.end().status, 0);
    EXPECT_EQ(launch({"--upper", upper}, {"ls", "/still-works"}).status, 0);
}

TEST(Mount, UpperThatIsNotThereIsAnError) {
    Scratch scratch;
    Ended ended = launch({"--upper", scratch / "missing"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("mkdir"));
    EXPECT_TRUE(fs::is_empty(scratch.path()));
}

TEST(Mount, UpperWithReadOnlyKeepsNothing) {
    Scratch scratch;
    std::string upper = scratch.folder("upper");
    EXPECT_NE(launch({"--upper", upper, "--read-only"}, {"touch", "/x"}).status, 0);
    EXPECT_FALSE(fs::exists(upper + "/x"));
}

TEST(Mount, TheRootfsThroughASymlinkAndByARelativePath) {
    Scratch scratch;
    fs::create_directory_symlink(rootfs(), scratch / "link");
    EXPECT_EQ(launch({"--rootfs", "./link"}, {"cat", "/etc/hostname"}, {.cwd = scratch.path()}).out,
              slurp(rootfs() + "/etc/hostname"));
}

TEST(Mount, OffKeepsTheHostsTree) {
    Container box({"--no-mount", "--no-root"});
    EXPECT_TRUE(shares(box.first(), "mnt"));
    EXPECT_EQ(points(box.first()), points(getpid()));
    EXPECT_FALSE(shares(box.first(), "pid"));
}

TEST(Mount, AloneWithTheUserStage) {
    Container box({"--only", "user,mount"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "mnt"));
}

TEST(Mount, OptionsNeedTheStage) {
    for (const Strings& options :
         {Strings{"-v", "/tmp:/mnt"}, Strings{"--tmpfs", "/mnt"}, Strings{"--overlay"},
          Strings{"--upper", "/tmp"}, Strings{"--read-only"}}) {
        Strings all{"--no-mount", "--no-root"};
        all.insert(all.end(), options.begin(), options.end());
        Ended ended = launch(all, {"true"});
        EXPECT_EQ(ended.status, 125) << options.front();
        EXPECT_THAT(ended.err, HasSubstr("needs the mount stage")) << options.front();
    }
    EXPECT_EQ(launch({"--overlay", "--upper", "/tmp"}, {"true"}).status, 125);
}

TEST(Mount, Tmpfs) {
    Container box({"--tmpfs", "/mnt:size=1m,mode=1770", "--tmpfs", "/home/user:exec", "--tmpfs",
                   "/made/on/the/way:ro,nr_inodes=10", "--overlay"});
    auto table = mountinfo(box.first());
    const MountLine* first = mounted_at(table, "/mnt");
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->type, "tmpfs");
    EXPECT_TRUE(first->super.contains("size=1024k"));
    EXPECT_TRUE(first->has("nosuid") && first->has("nodev") && first->has("noexec"));
    EXPECT_EQ(Root(box.first()).look("/mnt")->st_mode & 07777, 01770U);
    EXPECT_NE(box.ask("head -c 2000000 /dev/zero >/mnt/file").status, 0);
    const MountLine* second = mounted_at(table, "/home/user");
    ASSERT_NE(second, nullptr);
    EXPECT_TRUE(second->has("nosuid") && second->has("nodev"));
    EXPECT_FALSE(second->has("noexec"));
    const MountLine* third = mounted_at(table, "/made/on/the/way");
    ASSERT_NE(third, nullptr);
    EXPECT_TRUE(third->has("ro"));
}
