// The engines' commands that README.md prints, as printed; the configuration beside them is what
// the suite's engines run with. (What `sh` blocks say is tried by tests/system/readme_test.cpp.)
#include "tests/engines/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <map>
#include <sstream>

namespace {

using namespace engines;

class ReadmeEngines : public testing::TestWithParam<const char*> {
protected:
    static void SetUpTestSuite() {
        for (const char* name : {"Docker", "Podman", "containerd"})
            (void)engines::engine(name);
    }
    void SetUp() override {
        if (!engine.why_not().empty())
            GTEST_SKIP() << GetParam() << ": " << engine.why_not();
        if (!is_root())
            GTEST_SKIP() << "the commands are root's";
        std::string words;
        for (const std::string& word : engine.command({}).argv)
            words += " '" + word + "'";
        bin.file(client, "#!/bin/sh\nexec" + words + " \"$@\"\n", 0755);
    }

    Engine& engine = engines::engine(GetParam());
    std::string client = std::map<std::string, std::string>{
        {"Docker", "docker"}, {"Podman", "podman"}, {"containerd", "ctr"}}[GetParam()];
    Scratch bin; ///< a program that stands for the client, and says where its engine is
    Scratch here;
};

TEST_P(ReadmeEngines, CommandsDoWhatTheySay) {
    here.file("Dockerfile", "FROM " + kImage + "\nRUN echo hello\n");
    std::string commands;
    for (const ReadmeBlock& block : readme_blocks())
        if (block.kind == "shell")
            commands += block.text;
    std::istringstream blocks(commands);
    int ran = 0;
    for (std::string line; std::getline(blocks, line);) {
        if (!line.starts_with(client + " "))
            continue;
        Command command = engine.command({});
        command.argv = {"bash", "-euo", "pipefail", "-c", line};
        command.env.push_back("PATH=" + bin.path() + ":/usr/sbin:/usr/bin:/sbin:/bin");
        command.before_exec = [go = command.before_exec, to = here.path()] {
            go();
            if (chdir(to.c_str()) != 0)
                fail_with_errno("chdir " + to);
        };
        command.input_ends = true;
        Ended ended = run(std::move(command));
        EXPECT_EQ(ended.status, 0) << line << "\n" << ended.err;
        EXPECT_THAT(ended.out, testing::HasSubstr("hello")) << line;
        ++ran;
    }
    EXPECT_GT(ran, 0);
}

INSTANTIATE_TEST_SUITE_P(Readme, ReadmeEngines, testing::Values("Docker", "Podman", "containerd"),
                         [](const auto& which) { return which.param; });

} // namespace
