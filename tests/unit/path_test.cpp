// Walks that can't leave a root, against a real directory full of traps.
#include "sys/path.hpp"

#include "tests/unit/temporary.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <thread>

using sys::Want;
using testing::HasSubstr;

namespace fs = std::filesystem;

namespace {

class InRoot : public testing::Test {
protected:
    InRoot() {
        fs::create_directories(top_ / "root/a/b");
        fs::create_directories(top_ / "outside");
        top_.file("outside/secret", "s");
        root_ = sys::openat(AT_FDCWD, (top_ / "root").string(), O_PATH | O_DIRECTORY).value();
    }
    void link(const std::string& to, const std::string& at) {
        fs::create_symlink(to, top_ / "root" / at);
    }
    auto walk(const std::string& path, Want want) { return sys::in_root(root_.get(), path, want); }
    /// Where a descriptor leads, relative to the root; with a "!" when that is outside.
    std::string place(const sys::Fd& fd) {
        std::string path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd.get())).string();
        std::string root = fs::canonical(top_ / "root").string();
        return path.starts_with(root) ? path.substr(root.size()) : "!" + path;
    }
    bool outside_untouched() {
        return std::distance(fs::directory_iterator(top_ / "outside"), {}) == 1 &&
               std::distance(fs::directory_iterator(top_.path()), {}) == 2;
    }

    unit::Temporary top_;
    sys::Fd root_;
};

TEST_F(InRoot, FindsAndMakes) {
    EXPECT_EQ(place(walk("a/b", Want::existing).value()), "/a/b");
    EXPECT_EQ(place(walk("/a/./b/", Want::directory).value()), "/a/b");
    EXPECT_EQ(place(walk("", Want::existing).value()), "");
    EXPECT_EQ(place(walk("/", Want::directory).value()), "");
    EXPECT_EQ(walk("new", Want::existing).error().code, ENOENT);
    EXPECT_EQ(place(walk("/new/deep/dir", Want::directory).value()), "/new/deep/dir");
    EXPECT_EQ(place(walk("new/deep/file", Want::file).value()), "/new/deep/file");
    EXPECT_TRUE(fs::is_regular_file(top_ / "root/new/deep/file"));
    EXPECT_EQ(place(walk("new/deep/file", Want::file).value()), "/new/deep/file"); // again
}

TEST_F(InRoot, NeverLeadsOutByDots) {
    EXPECT_EQ(place(walk("../../outside/x", Want::directory).value()), "/outside/x");
    EXPECT_EQ(place(walk("a/../../../b", Want::file).value()), "/b");
    EXPECT_EQ(place(walk("..", Want::existing).value()), "");
    EXPECT_TRUE(outside_untouched());
}

TEST_F(InRoot, NeverLeadsOutByLinks) {
    link((top_ / "outside").string(), "absolute");
    link("../outside", "relative");
    link("../../../../../../etc", "a/up");
    link("absolute", "chain");
    link("/../..", "dots");
    EXPECT_EQ(walk("relative/secret", Want::existing).error().code, ENOENT);
    EXPECT_EQ(walk("absolute/secret", Want::existing).error().code, ENOENT);
    // Made, but inside: the links mean what they would mean after the switch of the root.
    EXPECT_EQ(place(walk("relative/made", Want::directory).value()), "/outside/made");
    EXPECT_EQ(place(walk("a/up/resolv.conf", Want::file).value()), "/etc/resolv.conf");
    EXPECT_EQ(place(walk("dots/made2", Want::file).value()), "/made2");
    for (const char* name : {"absolute/x", "chain/y"}) {
        auto made = walk(name, Want::directory);
        ASSERT_TRUE(made);
        EXPECT_EQ(place(*made), fs::canonical(top_.path()).string() + "/outside/" +
                                    (name + std::string(name).size() - 1));
    }
    EXPECT_TRUE(outside_untouched());
}

TEST_F(InRoot, MakesWhatADanglingLinkMeans) {
    link("/run/resolv.conf", "dangling");
    EXPECT_EQ(walk("dangling", Want::existing).error().code, ENOENT);
    EXPECT_EQ(place(walk("dangling", Want::file).value()), "/run/resolv.conf");
    EXPECT_TRUE(outside_untouched());
}

TEST_F(InRoot, EndsInLoopsWithAnError) {
    link("b", "x");
    link("x", "b");
    link("self", "self");
    link("grow/grow", "grow");
    for (const char* path : {"x", "self/y", "grow", "grow/z", "a/../self"})
        for (Want want : {Want::existing, Want::directory, Want::file}) {
            auto found = walk(path, want);
            ASSERT_FALSE(found) << path;
            EXPECT_EQ(found.error().code, ELOOP) << path;
        }
}

TEST_F(InRoot, EndsInALongChainWithAnError) {
    for (int i = 0; i < 200; ++i)
        link("l" + std::to_string(i + 1), "l" + std::to_string(i));
    EXPECT_EQ(walk("l0", Want::file).error().code, ELOOP);
    EXPECT_TRUE(walk("l165", Want::file)); // 35 links, dangling at the end
}

TEST_F(InRoot, EndsInAHugePathWithAnError) {
    std::string deep;
    for (int i = 0; i < 100000; ++i)
        deep += "d/";
    auto made = walk(deep, Want::directory);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ENAMETOOLONG);
    EXPECT_EQ(walk(std::string(300, 'n'), Want::file).error().code, ENAMETOOLONG);
    std::string wide;
    for (int i = 0; i < 100000; ++i)
        wide += "./";
    auto found = walk("a/" + wide + "b", Want::directory);
    EXPECT_TRUE(!found || place(*found) == "/a/b");
}

TEST_F(InRoot, TakesNoMagicLink) {
    // As a bind of the host's /proc into the root would offer it.
    sys::Fd proc = sys::openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY).value();
    for (const char* path : {"self/cwd", "self/root", "self/fd/0", "self/exe"})
        EXPECT_EQ(sys::in_root(proc.get(), path, Want::existing).error().code, ELOOP) << path;
}

TEST_F(InRoot, GoesThroughNoFile) {
    top_.file("root/file", "x");
    EXPECT_EQ(walk("file/x", Want::directory).error().code, ENOTDIR);
    EXPECT_EQ(walk("file", Want::directory).error().code, ENOTDIR);
    EXPECT_EQ(mkfifo((top_ / "root/fifo").c_str(), 0600), 0);
    EXPECT_TRUE(walk("fifo", Want::file)); // O_PATH: nobody waits for a writer
}

TEST_F(InRoot, GetsThereWhileOthersRenameAllTheTime) {
    // What the kernel says of every "..", then.
    class Storm : public sys::Listener {
    public:
        Storm() : before_(std::exchange(sys::listener, this)) {}
        ~Storm() override { sys::listener = before_; }
        std::optional<long> before(const sys::Call& call) override {
            if (call.name == "openat2" && call.text.contains(".."))
                return -EAGAIN;
            return std::nullopt;
        }

    private:
        sys::Listener* before_;
    } storm;
    fs::create_directories(top_ / "root/a/b");
    auto found = walk("a/b/../../a/./b", Want::existing);
    ASSERT_TRUE(found) << sys::to_line(found.error());
    EXPECT_EQ(place(*found), "/a/b");
    EXPECT_EQ(walk("a/../none", Want::existing).error().code, ENOENT);
    EXPECT_FALSE(fs::exists(top_ / "root/none"));
    found = walk("a/../made", Want::directory);
    ASSERT_TRUE(found) << sys::to_line(found.error());
    EXPECT_EQ(place(*found), "/made");
}

TEST_F(InRoot, HoldsWhileALinkIsSwapped) {
    // Another process exchanges a directory and a link to the outside, as fast as it can.
    fs::create_directory(top_ / "root/swap");
    link("../../outside", "other");
    pid_t swapper = fork();
    if (swapper == 0) {
        std::string one = top_ / "root/swap";
        std::string two = top_ / "root/other";
        for (;;)
            (void)renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), RENAME_EXCHANGE);
    }
    int made = 0;
    for (int i = 0; i < 300; ++i) {
        auto found = walk("swap/n" + std::to_string(i) + "/deep", Want::directory);
        if (!found)
            continue; // being fooled into an error is fine
        ++made;
        EXPECT_FALSE(place(*found).starts_with('!')) << place(*found);
    }
    kill(swapper, SIGKILL);
    waitpid(swapper, nullptr, 0);
    EXPECT_GT(made, 0);
    EXPECT_TRUE(outside_untouched());
}

// --- whole files ---------------------------------------------------------------------------------

TEST(ReadFile, ReadsAllOrNothing) {
    unit::Temporary dir;
    dir.file("small", "text");
    dir.file("exact", std::string(100, 'x'));
    EXPECT_EQ(sys::read_file(dir / "small").value(), "text");
    EXPECT_EQ(sys::read_file(dir / "exact", 100)->size(), 100u);
    auto large = sys::read_file(dir / "exact", 99);
    ASSERT_FALSE(large);
    EXPECT_THAT(sys::to_line(large.error()), HasSubstr("is larger than 99 bytes"));
    EXPECT_EQ(sys::read_file(dir / "absent").error().code, ENOENT);
    EXPECT_EQ(sys::read_file(dir.path()).error().code, EISDIR);
    EXPECT_THAT(sys::read_file("/dev/zero", 5000).error().detail, HasSubstr("larger"));
}

TEST(ReadFile, WaitsForNoWriter) {
    unit::Temporary dir;
    ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(sys::read_file(dir / "fifo").value(), "");
}

// bash's <(…), /dev/stdin: who is slow must not make it fail.
TEST(ReadGiven, WaitsForWhoWritesIntoAPipe) {
    unit::Temporary dir;
    ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
    int writer = open((dir / "fifo").c_str(), O_RDWR);
    std::jthread slow([writer](const std::stop_token& over) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_EQ(write(writer, "late", 4), 4);
        // Who has not opened it by now would find it empty, or wait for another writer.
        for (int unread = 4; unread > 0 && !over.stop_requested();
             (void)ioctl(writer, FIONREAD, &unread))
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        close(writer);
    });
    auto text = sys::read_given(dir / "fifo");
    ASSERT_TRUE(text) << sys::to_line(text.error());
    EXPECT_EQ(*text, "late");
}

TEST(WriteFile, NamesThePathAndTheText) {
    auto wrong = sys::write_file("/dev/full", "x");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().call, "write(\"/dev/full\", \"x\")");
    EXPECT_EQ(wrong.error().code, ENOSPC);
}

TEST(WriteProc, WritesToProcfsAlone) {
    unit::Temporary dir;
    dir.file("fake", "");
    auto wrong = sys::write_proc(dir / "fake", "x");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(sys::to_line(wrong.error()), HasSubstr("is not on procfs"));
    EXPECT_EQ(fs::file_size(dir / "fake"), 0u);
    EXPECT_TRUE(sys::write_proc("/proc/self/comm", "unit"));
}

TEST(FindProgram, LooksInPathAndInTheUsualPlaces) {
    unit::Temporary dir;
    dir.file("tool", "#!/bin/sh\n");
    fs::permissions(dir / "tool", fs::perms::owner_all);
    dir.file("data", "");
    std::string before = getenv("PATH");
    setenv("PATH", (dir.path().string() + "::.").c_str(), 1);
    EXPECT_EQ(sys::find_program("tool"), (dir / "tool").string());
    EXPECT_EQ(sys::find_program("data"), "");
    EXPECT_NE(sys::find_program("sh"), "");
    fs::path here = fs::current_path();
    setenv("PATH", "::.", 1); // the working directory is no place for programs that we start
    fs::current_path(dir.path());
    EXPECT_EQ(sys::find_program("tool"), "");
    fs::current_path(here);
    unsetenv("PATH");
    EXPECT_NE(sys::find_program("sh"), "");
    setenv("PATH", before.c_str(), 1);
}

TEST(Join, PutsOneSlashBetween) {
    EXPECT_EQ(sys::join("/a", "b"), "/a/b");
    EXPECT_EQ(sys::join("/a/", "//b"), "/a/b");
    EXPECT_EQ(sys::join("", "b"), "/b");
}

} // namespace
