// `inspect` of a container with limits, where the kernel has them all.
#include "tests/vm/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

#include <sys/stat.h>

using namespace vm;

namespace {

using ::testing::HasSubstr;

support::Ended inspect(const support::Strings& words) {
    support::Strings all{getenv("GOCONTAINER"), "inspect"};
    all.insert(all.end(), words.begin(), words.end());
    return support::run({.argv = all, .input_ends = true});
}

TEST(Inspect, TellsTheLimitsOfTheLeafAndThoseAbove) {
    for (const char* controller : {"memory", "pids", "cpu"})
        if (std::string why = lacks_controller(controller); !why.empty())
            GTEST_SKIP() << why;
    Container box({"--memory", "64m", "--pids", "20", "--cpus", "0.5"}, "read go; exit 7");
    std::string pid = std::to_string(box.process());
    support::Ended ended = inspect({pid, "--json"});
    ASSERT_EQ(ended.status, 0) << ended.err;
    auto seen = nlohmann::json::parse(ended.out);
    EXPECT_EQ(seen["cgroup_directory"], box.leaf());
    auto file = [&](const std::string& name) {
        for (const auto& one : seen["cgroup_files"])
            if (one["name"] == name)
                return one["text"].get<std::string>();
        return std::string("missing");
    };
    for (const char* name : {"memory.max", "pids.max", "pids.current", "cpu.max", "cpu.weight"})
        EXPECT_EQ(file(name), read_file(box.leaf() + "/" + name)) << name;
    std::string text = inspect({pid}).out;
    EXPECT_THAT(text, HasSubstr("used, at most 64 MiB\n"));
    EXPECT_THAT(text, HasSubstr("used, at most 20\n"));
    EXPECT_THAT(text, HasSubstr("at most 50 % of one CPU\n"));
    // A process of a child cgroup without limits of its own is under those above it. The child goes
    // with its container.
    std::string child = box.leaf() + "/child";
    ASSERT_EQ(mkdir(child.c_str(), 0755), 0);
    ASSERT_TRUE(write_file(child + "/cgroup.procs", pid));
    auto below = nlohmann::json::parse(inspect({pid, "--json"}).out);
    nlohmann::json above = {
        {"name", "memory.max"}, {"text", "67108864"}, {"path", seen["cgroups"].back()["path"]}};
    EXPECT_THAT(below["cgroup_above"], ::testing::Contains(above));
    EXPECT_THAT(inspect({pid}).out, HasSubstr("memory at most 64 MiB for all of"));
    box.go();
    EXPECT_EQ(box.wait(), 7) << box.err();
}

} // namespace
