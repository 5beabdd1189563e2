// How errors and calls read.
#include "sys/flags.hpp"
#include "sys/kernel.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>

using sys::Error;
using testing::HasSubstr;
using testing::Not;

namespace {

TEST(ToLine, HasStageCallErrnoDetailAndHint) {
    Error error{.stage = "mount",
                .call = "move_mount(5, \"\", 6, \"\")",
                .code = EPERM,
                .detail = "it is",
                .hint = "do that"};
    EXPECT_EQ(sys::to_line(error), "mount: move_mount(5, \"\", 6, \"\"): EPERM (operation not "
                                   "permitted): it is: do that");
}

TEST(ToLine, NamesAnErrorAsGoDoes) { // which is what engines look for
    EXPECT_EQ(sys::to_line(Error{.code = EACCES}), "EACCES (permission denied)");
    EXPECT_EQ(sys::to_line(Error{.code = ESRCH}), "ESRCH (no such process)");
    EXPECT_EQ(sys::to_line(Error{.code = EDOTDOT}), "EDOTDOT (RFS specific error)");
}

TEST(ToLine, LeavesOutWhatIsEmpty) {
    EXPECT_EQ(sys::to_line(Error{}), "");
    EXPECT_EQ(sys::to_line(sys::wrong("only this").error()), "only this");
    EXPECT_EQ(sys::to_line(sys::wrong("this", "so that").error()), "this: so that");
}

TEST(ToLine, TakesErrnosThatLibcHasNoTextFor) {
    EXPECT_EQ(sys::to_line(Error{.code = 524}), "errno 524"); // the kernel's own ENOTSUPP
    EXPECT_EQ(sys::to_line(Error{.code = 4095}), "errno 4095");
    EXPECT_EQ(sys::to_line(Error{.code = -1}), "errno -1");
}

TEST(ToLine, IsOneLineWithoutControlCharacters) {
    Error error{.stage = "a\nb",
                .call = "x\x1b[31m\r",
                .detail = "\t\x7f",
                .hint = "\xc2\x9b"
                        "31m"};
    std::string line = sys::to_line(error);
    EXPECT_EQ(line, "a?b: x?[31m?: ??: ??31m");
}

TEST(ToLine, KeepsTextInAnyLanguage) {
    EXPECT_EQ(sys::printable("Müller… \xc2\xa0 日本 \xff"), "Müller… \xc2\xa0 日本 \xff");
    EXPECT_EQ(sys::printable("ends \xc2"), "ends \xc2");
}

TEST(Wrong, IsAnErrorOfOursWithStatus125) {
    EXPECT_EQ(sys::wrong("x").error().status, 125);
    EXPECT_EQ(sys::wrong("x").error().code, 0);
}

TEST(Show, SpellsArgumentsAsInC) {
    EXPECT_EQ(sys::show("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(sys::show(static_cast<const char*>(nullptr)), "NULL");
    EXPECT_EQ(sys::show(sys::Mode{0755}), "0755");
    EXPECT_EQ(sys::show(sys::At{AT_FDCWD}), "AT_FDCWD");
    EXPECT_EQ(sys::show(sys::Flags{0, sys::names::open}), "0");
    EXPECT_EQ(sys::show(sys::Flags{O_PATH | O_NOFOLLOW, sys::names::open}), "O_PATH|O_NOFOLLOW");
    EXPECT_EQ(sys::show(sys::Flags{std::uint64_t{1} << 40, sys::names::open}), "0x10000000000");
}

TEST(Invoke, KeepsTheErrnoAndTheSpelledCall) {
    auto got = sys::openat(AT_FDCWD, "/nowhere/at/all", O_PATH | O_DIRECTORY);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ENOENT);
    EXPECT_EQ(got.error().call, "openat(AT_FDCWD, \"/nowhere/at/all\", O_PATH|O_DIRECTORY)");
}

TEST(Invoke, LetsAListenerAnswerAndFillIn) {
    unit::Recorder kernel;
    kernel.file("/there", "text");
    auto file = sys::openat(AT_FDCWD, "/there", O_RDONLY);
    ASSERT_TRUE(file);
    EXPECT_GE(file->get(), 10000);
    std::array<char, 16> buffer{};
    EXPECT_EQ(sys::read(file->get(), buffer).value(), 4u);
    EXPECT_STREQ(buffer.data(), "text");
    kernel.answer("mkdirat", -EROFS);
    auto made = sys::mkdirat(AT_FDCWD, "/x", 0700);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, EROFS);
    EXPECT_EQ(made.error().call, "mkdirat(AT_FDCWD, \"/x\", 0700)");
}

TEST(Invoke, TellsAListenerAllAndAnErrorWhatItNeeds) {
    struct Ear : sys::Listener {
        std::vector<std::string> heard;
        void after(const sys::Call& call, long) override { heard.push_back(call.whole); }
    } ear;
    sys::listener = &ear;
    auto ends = sys::pipe();
    auto file = sys::openat(AT_FDCWD, "/proc/self/comm", O_RDONLY);
    std::array<char, 4> some{};
    (void)sys::read(file->get(), some);
    (void)sys::statfs("/proc");
    auto none = sys::openat(AT_FDCWD, "/proc/nowhere", O_WRONLY | O_CREAT, 0600);
    sys::listener = nullptr;
    std::string pair =
        std::to_string(ends->first.get()) + ", " + std::to_string(ends->second.get());
    EXPECT_THAT(
        ear.heard,
        testing::ElementsAre(
            "pipe2([" + pair + "], O_CLOEXEC)",
            "openat(AT_FDCWD, \"/proc/self/comm\", O_RDONLY|O_NOCTTY|O_CLOEXEC)",
            "read(" + std::to_string(file->get()) + ", \"unit\", 4)",
            "statfs(\"/proc\", {f_type=PROC_SUPER_MAGIC, ...})",
            "openat(AT_FDCWD, \"/proc/nowhere\", O_CREAT|O_WRONLY|O_NOCTTY|O_CLOEXEC, 0600)"));
    EXPECT_EQ(none.error().call, "openat(AT_FDCWD, \"/proc/nowhere\", O_CREAT|O_WRONLY)");
}

TEST(Seccomp, RefusesAFilterWhoseLengthWouldBeCutShort) {
    unit::Recorder kernel;
    std::vector<std::uint64_t> program(65536 + 1);
    auto set = sys::seccomp_set_filter(0, program);
    ASSERT_FALSE(set);
    EXPECT_THAT(sys::to_line(set.error()), HasSubstr("too long"));
    EXPECT_FALSE(kernel.called("seccomp"));
}

TEST(Fd, HasOneOwner) {
    sys::Fd first = sys::memfd_create("x").value();
    int number = first.get();
    sys::Fd second = std::move(first);
    EXPECT_FALSE(first.valid()); // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_EQ(second.get(), number);
    sys::Fd& same = second;
    second = std::move(same);
    EXPECT_EQ(fcntl(number, F_GETFD), FD_CLOEXEC);
    second.close();
    EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(StandardStreams, AreOpenAfterwards) {
    EXPECT_EXIT(
        {
            close(0);
            close(2);
            bool fine = sys::open_standard_streams().has_value();
            sys::Fd next = sys::memfd_create("next").value();
            _exit(fine && next.get() > 2 && fcntl(0, F_GETFD) == 0 && fcntl(2, F_GETFD) == 0 ? 0
                                                                                             : 1);
        },
        testing::ExitedWithCode(0), "");
}

} // namespace
