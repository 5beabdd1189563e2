// What only Docker does.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace {

using namespace engines;
namespace fs = std::filesystem;
using testing::HasSubstr;

class DockerOnly : public testing::Test {
protected:
    static void SetUpTestSuite() { (void)engine("Docker"); }
    void SetUp() override {
        if (!docker.why_not().empty())
            GTEST_SKIP() << "Docker: " << docker.why_not();
    }
    Engine& docker = engine("Docker");
    std::string word = token();
};

TEST_F(DockerOnly, KnowsTheRuntime) {
    Ended info = docker({"info", "--format", "{{json .Runtimes}} {{.DefaultRuntime}}"});
    EXPECT_EQ(info.status, 0) << info.err;
    EXPECT_THAT(info.out, HasSubstr("\"gocontainer\":{"));
    EXPECT_THAT(info.out, HasSubstr("} gocontainer\n"));
}

// Up to 27 by a prestart hook, which binds the network namespace of the first process.
TEST_F(DockerOnly, GivesANetwork) {
    Box server(docker, {"--network=bridge"},
               {"sh", "-c", "while :; do echo " + word + " | nc -l -p 80; done"});
    std::string address = server.inspect("{{.NetworkSettings.IPAddress}}");
    ASSERT_FALSE(address.empty());
    EXPECT_THAT(server.exec({"ip", "-4", "addr", "show", "eth0"}).out, HasSubstr(address + "/"));
    Ended asked;
    EXPECT_TRUE(eventually([&] {
        asked = docker(docker.run_words({"--rm"}, {"nc", "-w", "5", address, "80"}));
        return asked.out == word + "\n";
    })) << asked.err;
}

TEST_F(DockerOnly, ItsContainersCanBeLookedInto) {
    Box box(docker, {"--network=bridge", "--hostname", word}, {"sleep", "1000"});
    std::string address = box.inspect("{{.NetworkSettings.IPAddress}}");
    for (const Strings& whom :
         {Strings{std::to_string(box.pid())}, Strings{"--root", docker.state_root(), box.id()}}) {
        Strings words{support::gocontainer(), "inspect", "--json"};
        words.insert(words.end(), whom.begin(), whom.end());
        Ended ended = support::run({.argv = words, .input_ends = true});
        ASSERT_EQ(ended.status, 0) << ended.err;
        auto seen = nlohmann::json::parse(ended.out);
        EXPECT_EQ(seen["pid"], box.pid());
        EXPECT_EQ(seen["hostname"], word);
        EXPECT_THAT(seen["links"].dump(), HasSubstr("\"" + address + "/"));
    }
}

TEST_F(DockerOnly, SharesNamespacesOfAnother) {
    Box first(docker, {"--ipc=shareable"}, {"sleep", "1000"});
    std::string whose = "container:" + first.name();
    Box second(docker, {"--network=" + whose, "--pid=" + whose, "--ipc=" + whose},
               {"sleep", "1000"});
    for (const char* name : {"net", "pid", "ipc"})
        EXPECT_EQ(namespace_of(first.pid(), name), namespace_of(second.pid(), name)) << name;
    EXPECT_NE(namespace_of(first.pid(), "mnt"), namespace_of(second.pid(), "mnt"));
    EXPECT_EQ(docker({"kill", second.name()}).status, 0);
    EXPECT_EQ(second.wait(), "137");
    EXPECT_EQ(first.inspect("{{.State.Status}}"), "running");
}

TEST_F(DockerOnly, SaysThatAFileIsNoDirectory) {
    std::string file = enclosure().folder().file("file", word);
    Ended ended = docker.run({"-v", file + ":/etc"}, {"true"});
    EXPECT_EQ(ended.status, 125); // as with runc
    EXPECT_THAT(ended.err, HasSubstr("Are you trying to mount a directory onto a file"));
}

TEST_F(DockerOnly, UpdatesLimits) {
    for (const char* controller : {"memory", "cpu", "pids"})
        if (!has_controller(controller))
            GTEST_SKIP() << "host lacks the " << controller << " controller in a cgroup v2";
    Box box(docker, {"-m", "64m"}, {"sleep", "1000"});
    Ended updated = docker({"update", "-m", "32m", "--memory-swap", "32m", "--cpus", "0.25",
                            "--pids-limit", "33", box.name()});
    EXPECT_EQ(updated.status, 0) << updated.err;
    EXPECT_EQ(slurp(box.cgroup() + "/memory.max"), "33554432\n");
    EXPECT_EQ(slurp(box.cgroup() + "/cpu.max"), "25000 100000\n");
    EXPECT_EQ(slurp(box.cgroup() + "/pids.max"), "33\n");
}

// Where limits can't be had, asking for one says so, and nothing of the container is left.
TEST_F(DockerOnly, IsToldWhyALimitCanNotBeHad) {
    if (has_controller("memory"))
        GTEST_SKIP() << "host has cgroup v2 with all it takes";
    Ended ended = docker.run({"-m", "64m"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("\"memory\" is a cgroup v1 controller here (hybrid)"));
    EXPECT_EQ(docker({"ps", "--all", "--quiet"}).out, "");
}

// --- `gocontainer doctor`, and `parent`, in Docker's containers
// ------------------------------------

/// In a container with these options: what doctor says, and whether the whole of `parent` runs.
std::pair<nlohmann::json, int> examine(Engine& docker, Strings options) {
    options.insert(options.end(), {"-v", gocontainer() + ":/gocontainer:ro", "-v",
                                   rootfs() + ":/rootfs", "-w", "/"});
    Ended ended = docker.run(options, {"/gocontainer", "doctor", "--json"});
    auto said = nlohmann::json::parse(ended.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(said.is_object()) << ended.out << ended.err;
    Ended launched = docker.run(options, {"/gocontainer", "parent", "-q", "true"});
    return {said, launched.status};
}

Strings verdicts(const nlohmann::json& said) {
    Strings out;
    for (const auto& stage : said.at("stages"))
        out.push_back(stage.at("name").get<std::string>() + " " +
                      stage.at("verdict").get<std::string>());
    return out;
}

TEST_F(DockerOnly, LetsDoctorSayWhatItsFilterTakes) {
    auto [said, launched] = examine(docker, {});
    EXPECT_EQ(said.at("verdict"), "blocked");
    EXPECT_EQ(launched, 125);
    EXPECT_THAT(verdicts(said), testing::IsSupersetOf({"user blocked", "pid blocked"}));
    EXPECT_THAT(said.at("host").at("kind").get<std::string>(), HasSubstr("Docker container"));
    Strings causes;
    for (const auto& cause : said.at("causes"))
        causes.push_back(cause.at("name"));
    EXPECT_THAT(causes, testing::Contains("seccomp-hides"));
}

TEST_F(DockerOnly, LetsDoctorSayThatPrivilegedIsEnough) {
    auto [said, launched] = examine(docker, {"--privileged"});
    EXPECT_EQ(launched, 0);
    for (const char* stage : {"user", "uts", "mount", "pid", "root", "caps", "seccomp"})
        EXPECT_THAT(verdicts(said), testing::Contains(stage + std::string(" works")));
}

// What the table of causes gives to paste.
TEST_F(DockerOnly, LetsDoctorSayThatTheNarrowerOptionsAreEnough) {
    Strings options{"--security-opt", "seccomp=unconfined", "--security-opt",
                    "systempaths=unconfined"};
    if (fs::exists("/sys/module/apparmor/parameters/enabled"))
        options.insert(options.end(), {"--security-opt", "apparmor=unconfined"});
    if (fs::exists("/dev/net/tun"))
        options.insert(options.end(), {"--device", "/dev/net/tun"});
    auto [said, launched] = examine(docker, options);
    EXPECT_EQ(launched, 0);
    for (const char* stage : {"user", "uts", "mount", "pid", "root", "caps", "seccomp"})
        EXPECT_THAT(verdicts(said), testing::Contains(stage + std::string(" works")));
}

} // namespace
