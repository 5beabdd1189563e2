// Lesson 15: `mine PID COMMAND…` runs the command in the container of the process PID.
#include "tests/exercise/mine.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

using namespace exercise;
using testing::HasSubstr;

namespace {

Strings in(pid_t pid, const Strings& command) {
    return mine(joined({std::to_string(pid)}, command));
}

std::pair<dev_t, ino_t> root_of(pid_t pid) {
    struct stat info{};
    (void)stat(("/proc/" + std::to_string(pid) + "/root/.").c_str(), &info);
    return {info.st_dev, info.st_ino};
}

} // namespace

TEST(Join, EveryNamespaceIsTheContainers) {
    Container box;
    Strings shell{"/bin/sh", "-s", token()};
    Process joined({.argv = in(box.first(), shell)});
    joined.type("echo ready\n");
    joined.until("ready");
    pid_t inside = running(joined.pid(), shell);
    ASSERT_GT(inside, 0) << "the command runs, but is no descendant of your program";
    for (const std::string& name : kNamespaces)
        EXPECT_EQ(namespace_of(inside, name), namespace_of(box.first(), name)) << name;
    EXPECT_EQ(root_of(inside), root_of(box.first()));
    // Its number in there, where the others see it.
    const std::string numbers = status(inside).at("NSpid");
    const std::string number = numbers.substr(numbers.rfind('\t') + 1);
    EXPECT_THAT(box.ask("tr '\\0' ' ' </proc/" + number + "/cmdline").out, HasSubstr(shell.back()));
    joined.type("exit\n");
    (void)joined.wait();
}

TEST(Join, TheCommandSeesWhatTheContainerSees) {
    const std::string name = token().substr(0, 12), word = token();
    Container box({"--hostname", name, "--tmpfs", "/tmp"});
    box.ask("echo " + word + " >/tmp/" + name);
    EXPECT_EQ(run({.argv = in(box.first(), {"hostname"})}).out, name + "\n");
    EXPECT_EQ(run({.argv = in(box.first(), {"cat", "/tmp/" + name})}).out, word + "\n");
    EXPECT_EQ(run({.argv = in(box.first(), {"id", "-u"})}).out, "0\n");
}

TEST(Join, TheStatusIsTheCommands) {
    Container box;
    for (int status : {0, 42})
        EXPECT_EQ(
            run({.argv = in(box.first(),
                            {"sh", "-c", "test -e /proc/1 && exit " + std::to_string(status)})})
                .status,
            status);
}

TEST(Join, AProcessThatIsNotThereIsAnError) {
    EXPECT_NE(run({.argv = in(4194305, {"true"})}).status, 0); // more than the kernel gives
}
