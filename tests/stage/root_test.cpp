// The root stage: what "/" is, and whether there is a way back.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

using namespace support;
using testing::HasSubstr;

namespace {

std::string identity(const std::string& path) {
    struct stat info{};
    if (stat(path.c_str(), &info) != 0)
        fail_with_errno(path);
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

std::string proc(pid_t pid, const std::string& what) {
    return "/proc/" + std::to_string(pid) + "/" + what;
}

/// Whoever enters a mount namespace stands at the root of its topmost mount: what there is to be
/// found from there is what a process in the container could escape to.
std::string topmost_root(pid_t pid) {
    return in_namespaces(pid, {"user", "mnt"}, [] { return identity("/"); });
}

/// How many mounts are to be seen from there. The container's own /proc may not know us, so ours
/// is held open.
std::size_t mounts_from_topmost_root(pid_t pid) {
    int proc_of_ours = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::string table = in_namespaces(pid, {"user", "mnt"}, [proc_of_ours] {
        int fd = openat(proc_of_ours, (std::to_string(getpid()) + "/mountinfo").c_str(), O_RDONLY);
        std::string text;
        std::array<char, 4096> buffer;
        for (ssize_t got; (got = read(fd, buffer.data(), buffer.size())) > 0;)
            text.append(buffer.data(), static_cast<std::size_t>(got));
        return text;
    });
    close(proc_of_ours);
    return lines(table).size();
}

} // namespace

TEST(RootStage, PivotLeavesNoWayBack) {
    for (const Strings& options : {Strings{}, Strings{"--root", "pivot"}}) {
        Container box(options);
        EXPECT_EQ(identity(proc(box.first(), "root")), identity(rootfs()))
            << "device and inode of its /";
        EXPECT_EQ(topmost_root(box.first()), identity(rootfs()))
            << "device and inode of what lies below its /";
        // No mount is there but those that the process sees itself.
        EXPECT_EQ(mounts_from_topmost_root(box.first()), mountinfo(box.first()).size());
        for (const MountLine& mount : mountinfo(box.first()))
            EXPECT_TRUE(mount.point == "/" || mount.point.starts_with("/dev") ||
                        mount.point.starts_with("/sys") || mount.point.starts_with("/proc") ||
                        mount.point == "/etc/resolv.conf")
                << mount.point;
    }
}

TEST(RootStage, FilesOfTheHostAreNotThere) {
    Scratch scratch;
    std::string name = token();
    scratch.file(name, "secret");
    Container box;
    EXPECT_NE(box.ask("cat " + scratch / name).status, 0) << "cat has read a file of the host's";
    EXPECT_NE(box.ask("cat /../../../.." + scratch / name).status, 0);
    EXPECT_NE(box.ask("cat /proc/1/root" + scratch / name).status, 0);
    EXPECT_NE(box.ask("cat /proc/1/cwd/../../../.." + scratch / name).status, 0);
}

TEST(RootStage, TheWorkingDirectoryIsInside) {
    Container box;
    EXPECT_EQ(identity(proc(box.first(), "cwd")), identity(rootfs()))
        << "device and inode of its directory";
    EXPECT_EQ(box.ask("pwd").out, "/\n");
}

TEST(RootStage, ChrootMovesOnlyTheProcess) {
    Container box({"--root", "chroot"});
    EXPECT_EQ(identity(proc(box.first(), "root")), identity(rootfs()));
    EXPECT_EQ(identity(proc(box.first(), "cwd")), identity(rootfs()));
    EXPECT_EQ(topmost_root(box.first()), identity("/"));
    EXPECT_GT(mounts_from_topmost_root(box.first()), mountinfo(box.first()).size());
}

TEST(RootStage, ChrootWorksWithoutTheMountStage) {
    Container box({"--no-mount", "--root", "chroot"});
    EXPECT_TRUE(shares(box.first(), "mnt"));
    EXPECT_EQ(identity(proc(box.first(), "root")), identity(rootfs()));
}

TEST(RootStage, ChdirMovesNothing) {
    Container box({"--root", "chdir"});
    EXPECT_EQ(identity(proc(box.first(), "root")), identity("/"));
    EXPECT_EQ(identity(proc(box.first(), "cwd")), identity(rootfs()));
}

TEST(RootStage, OffKeepsTheHostsRoot) {
    Scratch scratch;
    Container box({"--no-root"}, {.cwd = scratch.path()});
    EXPECT_FALSE(shares(box.first(), "mnt"));
    EXPECT_EQ(identity(proc(box.first(), "root")), identity("/"));
    EXPECT_EQ(identity(proc(box.first(), "cwd")), identity(scratch.path()));
}

TEST(RootStage, PivotNeedsTheMountStage) {
    for (const Strings& options : {Strings{"--no-mount"}, Strings{"--only", "user,root"}}) {
        Ended ended = launch(options, {"true"});
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("--root pivot"));
    }
}

TEST(RootStage, TheDefaultRootfsIsBesideTheCaller) {
    Scratch scratch;
    std::filesystem::create_directory_symlink(rootfs(), scratch / "rootfs");
    Ended ended =
        run({.argv = {gocontainer(), "parent", "--net", "none", "-q", "cat", "/etc/hostname"},
             .cwd = scratch.path()});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, slurp(rootfs() + "/etc/hostname"));
}
