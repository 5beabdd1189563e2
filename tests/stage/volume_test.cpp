// Volumes of the mount stage: what they show, and that no rootfs can turn one against the host.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

using namespace support;
using testing::Contains;
using testing::HasSubstr;

namespace fs = std::filesystem;

TEST(Volume, IsWritableUnlessAskedOtherwise) {
    Scratch scratch;
    std::string word = token();
    std::string folder = scratch.folder("folder");
    scratch.file("folder/from-outside", word);
    Container box({"-v", folder + ":/mnt"});
    EXPECT_EQ(box.ask("cat /mnt/from-outside").out, word);
    EXPECT_EQ(box.ask("echo " + word + " >/mnt/from-inside").status, 0);
    EXPECT_EQ(slurp(folder + "/from-inside"), word + "\n");
    Container same({"-v", folder + ":/mnt:rw"});
    EXPECT_EQ(same.ask("rm /mnt/from-inside").status, 0);
    EXPECT_FALSE(fs::exists(folder + "/from-inside"));
}

TEST(Volume, ReadOnly) {
    Scratch scratch;
    std::string folder = scratch.folder("folder");
    scratch.file("folder/file", "kept");
    Container box({"-v", folder + ":/mnt:ro"});
    auto table = mountinfo(box.first());
    ASSERT_NE(mounted_at(table, "/mnt"), nullptr);
    EXPECT_TRUE(mounted_at(table, "/mnt")->has("ro"));
    EXPECT_EQ(box.ask("cat /mnt/file").out, "kept");
    EXPECT_NE(box.ask("echo x >/mnt/file").status, 0);
    EXPECT_NE(box.ask("touch /mnt/other").status, 0);
    EXPECT_EQ(slurp(folder + "/file"), "kept");
    // The host's own way there is still writable.
    spill(folder + "/file", "changed outside");
    EXPECT_EQ(box.ask("cat /mnt/file").out, "changed outside");
}

TEST(Volume, OptionsOfTheMount) {
    Scratch scratch;
    std::string folder = scratch.folder("folder");
    scratch.file("folder/run", "#!/bin/sh\necho ran\n", 0755);
    fs::create_symlink("run", folder + "/link");
    Container box({"-v", folder + ":/mnt:nosuid,nodev,noexec,nosymfollow"});
    auto table = mountinfo(box.first());
    const MountLine* mount = mounted_at(table, "/mnt");
    ASSERT_NE(mount, nullptr);
    for (const char* option : {"nosuid", "nodev", "noexec", "nosymfollow"})
        EXPECT_TRUE(mount->has(option)) << option;
    EXPECT_NE(box.ask("/mnt/run").status, 0);
    EXPECT_NE(box.ask("cat /mnt/link").status, 0);
    Container plain({"-v", folder + ":/mnt"});
    EXPECT_EQ(plain.ask("/mnt/run; cat /mnt/link | wc -l").out, "ran\n2\n");
}

TEST(Volume, AccessTimesAreKeptOrNotOrItSaysWhyItCannot) {
    // The kernel lets no user namespace change it on a mount of the host's.
    Scratch scratch;
    Ended ended = launch({"-v", scratch.path() + ":/mnt:noatime"}, {"cat", "/proc/self/mountinfo"});
    if (ended.status == 0) {
        EXPECT_THAT(ended.out, testing::ContainsRegex("/mnt [^ ]*noatime"));
    } else {
        EXPECT_EQ(ended.status, 125);
        EXPECT_THAT(ended.err, HasSubstr("leave noatime out"));
    }
    if (!is_root())
        return;
    Container box({"--no-user", "-v", scratch.path() + ":/mnt:noatime"});
    auto table = mountinfo(box.first());
    EXPECT_TRUE(mounted_at(table, "/mnt")->has("noatime"));
}

TEST(Volume, AFile) {
    Scratch scratch;
    std::string word = token();
    std::string file = scratch.file("file", word);
    Container box({"-v", file + ":/etc/hostname:ro", "-v", file + ":/new/file", "--overlay"});
    EXPECT_EQ(box.ask("cat /etc/hostname").out, word);
    EXPECT_NE(box.ask("echo x >/etc/hostname").status, 0);
    EXPECT_EQ(box.ask("echo more >>/new/file").status, 0);
    EXPECT_EQ(slurp(file), word + "more\n");
}

TEST(Volume, WithAResolvConfDoesNotTakeDnsAway) {
    Scratch scratch;
    std::string word = token();
    std::string etc = scratch.folder("etc");
    scratch.file("etc/resolv.conf", word);
    Container box({"--dns", "192.0.2.53", "-v", etc + ":/etc:ro"});
    EXPECT_THAT(box.ask("cat /etc/resolv.conf").out, HasSubstr("nameserver 192.0.2.53\n"));
    EXPECT_EQ(slurp(etc + "/resolv.conf"), word);
}

TEST(Volume, WhatIsBelowAnotherIsSeenWhateverTheirOrder) {
    Scratch scratch;
    std::string word = token();
    std::string outer = scratch.folder("outer");
    scratch.folder("outer/in");
    std::string inner = scratch.folder("inner");
    scratch.file("inner/" + word, "");
    Ended ended = launch({"-v", inner + ":/mnt/in", "-v", outer + ":/mnt"}, {"ls", "/mnt/in"});
    EXPECT_EQ(ended.out, word + "\n") << ended.err;
}

TEST(Volume, IsForEveryUserOfTheContainerWhateverTheUmask) {
    Scratch scratch;
    std::string word = token();
    std::string folder = scratch.folder("folder");
    scratch.file("folder/file", word, 0644);
    Ended ended = launch({"--overlay", "-v", folder + ":/a/b", "-w", "/c/d", "-u", "1000"},
                         {"sh", "-c", "cat /a/b/file; umask; stat -c %a / /c /c/d"},
                         {.before_exec = [] { umask(077); }});
    EXPECT_EQ(ended.out, word + "0077\n755\n755\n755\n") << ended.err;
}

TEST(Volume, TheDestinationIsMadeInTheRootfs) {
    Scratch scratch;
    std::string own = scratch.rootfs();
    std::string folder = scratch.folder("folder");
    std::string file = scratch.file("folder/file", "text");
    Ended ended = launch({"--rootfs", own, "-v", folder + ":/a/b/c", "-v", file + ":/d/e/f"},
                         {"cat", "/a/b/c/file", "/d/e/f"});
    EXPECT_EQ(ended.out, "texttext") << ended.err;
    EXPECT_TRUE(fs::is_directory(own + "/a/b/c"));
    EXPECT_TRUE(fs::is_regular_file(own + "/d/e/f"));
    EXPECT_EQ(fs::file_size(own + "/d/e/f"), 0U);
}

TEST(Volume, InsideAnother) {
    Scratch scratch;
    std::string outer = scratch.folder("outer");
    scratch.file("outer/name", "outer");
    scratch.folder("outer/in");
    std::string inner = scratch.folder("inner");
    scratch.file("inner/name", "inner");
    Container box({"-v", outer + ":/mnt", "-v", inner + ":/mnt/in:ro"});
    EXPECT_EQ(box.ask("cat /mnt/name /mnt/in/name").out, "outerinner");
    EXPECT_EQ(box.ask("touch /mnt/new").status, 0);
    EXPECT_NE(box.ask("touch /mnt/in/new").status, 0);
    EXPECT_TRUE(fs::is_empty(outer + "/in"));
}

TEST(Volume, ByARelativePathAndThroughASymlinkOutside) {
    Scratch scratch;
    scratch.file("folder/name", "found");
    fs::create_symlink("folder", scratch / "link");
    Container box({"-v", "./folder:/mnt", "-v", "link:/home/user"}, {.cwd = scratch.path()});
    EXPECT_EQ(box.ask("cat /mnt/name /home/user/name").out, "foundfound");
}

TEST(Volume, AMissingSourceIsAnError) {
    Scratch scratch;
    Ended ended = launch({"-v", scratch / "missing:/mnt"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("the volume's source must exist"));
    EXPECT_FALSE(fs::exists(scratch / "missing"));
}

TEST(Volume, MountsBelowTheSourceComeAlong) {
    Scratch scratch;
    std::string folder = scratch.folder("folder");
    scratch.folder("folder/below");
    // Mounted where the launcher sees it and the host does not.
    auto below = [&] {
        enter_own_mounts();
        mount_in("below", folder + "/below", "tmpfs");
        spill(folder + "/below/name", "submount");
    };
    {
        Container box({"--map", "single", "-v", folder + ":/mnt:ro"}, {.before_exec = below});
        EXPECT_EQ(box.ask("cat /mnt/below/name").out, "submount");
        EXPECT_NE(box.ask("touch /mnt/below/x").status, 0) << "ro stops at the first mount";
    }
    {
        Container box({"--map", "single", "-v", folder + ":/mnt:rbind"}, {.before_exec = below});
        EXPECT_EQ(box.ask("cat /mnt/below/name && touch /mnt/below/x").out, "submount");
    }
    // What lies under the submount may be a secret: a user namespace can't uncover it.
    Ended alone = launch({"--map", "single", "-v", folder + ":/mnt:bind"}, {"ls", "/mnt/below"},
                         {.before_exec = below});
    EXPECT_EQ(alone.status, 125);
    EXPECT_THAT(alone.err, HasSubstr("bind it recursively"));
}

TEST(Volume, OverFilesOfProcAndDev) {
    Scratch scratch;
    std::string word = token();
    std::string file = scratch.file("file", word);
    Container box({"-v", file + ":/proc/cpuinfo:ro", "-v", file + ":/dev/file"});
    EXPECT_EQ(box.ask("cat /proc/cpuinfo /dev/file").out, word + word);
}

// --- A rootfs that means harm -------------------------------------------------------------------

namespace {

/// A host folder that a hostile rootfs would like to reach, and a rootfs to spoil.
class Hostile : public testing::Test {
protected:
    void SetUp() override {
        scratch_.file("victim/file", "kept");
        scratch_.folder("volume");
        scratch_.file("volume/name", "volume");
        before_ = listing(victim());
    }
    void TearDown() override { EXPECT_EQ(listing(victim()), before_) << "the host was changed"; }

    std::string victim() const { return scratch_ / "victim"; }
    std::string volume() const { return scratch_ / "volume"; }

    Scratch scratch_;
    std::string rootfs_ = scratch_.rootfs();

private:
    std::set<std::string> before_;
};

} // namespace

TEST_F(Hostile, ASymlinkInTheWayOfAVolumeStaysInside) {
    std::string up = "../../../../../../../../../../..";
    fs::create_symlink(victim(), rootfs_ + "/absolute");
    fs::create_symlink(up + victim(), rootfs_ + "/relative");
    fs::create_symlink("mnt/second", rootfs_ + "/chain");
    fs::create_symlink("/../.." + victim(), rootfs_ + "/mnt/second");
    fs::create_symlink(victim() + "/new", rootfs_ + "/dangling");
    for (const char* name : {"/absolute", "/relative", "/chain", "/dangling"})
        for (const char* below : {"", "/deep/er"}) {
            std::string destination = std::string(name) + below;
            Container box({"--rootfs", rootfs_, "-v", volume() + ":" + destination});
            EXPECT_EQ(box.ask("cat " + destination + "/name").out, "volume") << destination;
            // It lies where the link leads to inside.
            std::string inside = std::string(name) == "/dangling" ? victim() + "/new" : victim();
            EXPECT_EQ(box.ask("cat " + inside + below + "/name").out, "volume") << destination;
        }
}

TEST_F(Hostile, AFileVolumeOverASymlinkStaysInside) {
    fs::create_symlink(victim() + "/file", rootfs_ + "/etc/link");
    Container box({"--rootfs", rootfs_, "-v", volume() + "/name:/etc/link"});
    EXPECT_EQ(box.ask("cat /etc/link").out, "volume");
    EXPECT_EQ(slurp(victim() + "/file"), "kept");
}

TEST_F(Hostile, ATmpfsOverASymlinkStaysInside) {
    fs::create_symlink(victim(), rootfs_ + "/link");
    Container box({"--rootfs", rootfs_, "--tmpfs", "/link"});
    EXPECT_EQ(box.ask("touch /link/file2").status, 0);
    EXPECT_THAT(slurp(victim() + "/file"), "kept");
}

TEST_F(Hostile, ALoopOfSymlinksIsAnError) {
    fs::create_symlink("b", rootfs_ + "/a");
    fs::create_symlink("a", rootfs_ + "/b");
    Ended ended = launch({"--rootfs", rootfs_, "-v", volume() + ":/a/x"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("ELOOP"));
}

TEST_F(Hostile, LinksOfProcAreNotFollowed) {
    for (const char* name :
         {"/proc/self/root/mnt", "/proc/1/root/mnt", "/proc/self/cwd/mnt", "/proc/self/fd/5/x"}) {
        Ended ended = launch({"--rootfs", rootfs_, "-v", volume() + ":" + name}, {"true"});
        EXPECT_EQ(ended.status, 125) << name;
    }
}

TEST_F(Hostile, DotsDoNotLeadOut) {
    Container box({"--rootfs", rootfs_, "-v", volume() + ":/../../../../.." + victim() + "/x"});
    EXPECT_EQ(box.ask("cat " + victim() + "/x/name").out, "volume");
}

TEST_F(Hostile, DevProcAndSysMustBeRealDirectories) {
    std::string up = "../../../../../../../../../../..";
    for (const char* name : {"dev", "proc", "sys"}) {
        std::string path = rootfs_ + "/" + name;
        for (const std::string& to : {victim(), up + victim(), std::string("mnt")}) {
            fs::remove_all(path);
            fs::create_symlink(to, path);
            Ended ended = launch({"--rootfs", rootfs_}, {"true"});
            EXPECT_EQ(ended.status, 125) << name << " -> " << to;
            EXPECT_THAT(ended.err, HasSubstr("\"/" + std::string(name) +
                                             "\" in the root filesystem is not a real directory"));
        }
        fs::remove(path);
        spill(path, "a file");
        EXPECT_EQ(launch({"--rootfs", rootfs_}, {"true"}).status, 125) << name;
        fs::remove(path);
        fs::create_directory(path);
    }
    EXPECT_EQ(launch({"--rootfs", rootfs_}, {"true"}).status, 0);
}

TEST_F(Hostile, MissingDirectoriesAreMade) {
    for (const char* name : {"dev", "proc", "sys"})
        fs::remove_all(rootfs_ + "/" + name);
    EXPECT_EQ(launch({"--rootfs", rootfs_}, {"ls", "/dev/null", "/proc/1", "/sys/class"}).status,
              0);
}

TEST_F(Hostile, DevicesOfTheRootfsAreNotThoseOfDev) {
    // An image can bring a file that calls itself null.
    spill(rootfs_ + "/dev/null", "mine");
    Container box({"--rootfs", rootfs_});
    EXPECT_TRUE(S_ISCHR(Root(box.first()).look("/dev/null")->st_mode));
}

TEST_F(Hostile, ASymlinkThatIsSwappedMeanwhileStaysInside) {
    fs::create_directories(rootfs_ + "/race/here");
    fs::create_symlink(victim(), rootfs_ + "/race/there");
    std::string here = rootfs_ + "/race/here";
    std::string there = rootfs_ + "/race/there";
    pid_t racer = fork();
    if (racer == 0)
        for (;;)
            renameat2(AT_FDCWD, here.c_str(), AT_FDCWD, there.c_str(), RENAME_EXCHANGE);
    auto begun = std::chrono::steady_clock::now();
    int started = 0;
    // Under sanitizers, three seconds are a dozen launches, and the race may have ended them all.
    auto enough = [&] { return std::chrono::seconds(started > 0 ? 3 : 60); };
    for (int i = 0; i < 200 && std::chrono::steady_clock::now() < begun + enough(); ++i) {
        // One that has to be made, and one that is there.
        Ended ended = launch({"--rootfs", rootfs_, "-v",
                              volume() + ":/race/here/new" + std::to_string(i) + "/deep", "-v",
                              volume() + ":/race/here"},
                             {"true"});
        started += ended.status == 0 ? 1 : 0;
        EXPECT_TRUE(ended.status == 0 || ended.status == 125) << ended.err;
        // Made in the victim, it would be there now.
        if (std::distance(fs::directory_iterator(victim()), fs::directory_iterator()) != 1)
            break;
    }
    kill(racer, SIGKILL);
    waitpid(racer, nullptr, 0);
    EXPECT_GT(started, 0);
}
