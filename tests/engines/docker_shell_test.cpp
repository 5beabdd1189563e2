// The Dockerfile: built by a real Docker on a base that mmdebstrap made, since no registry can be
// reached, and entered with and without --privileged, as the user that it makes.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <filesystem>

namespace {

using namespace engines;
namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kBase = "gocontainer-base";
constexpr const char* kBuilt = "gocontainer-shell";
/// lessons/ON-YOUR-MACHINE.md: what suffices in place of --privileged, but for lesson 11.
const Strings kNarrow{
    "--security-opt", "seccomp=unconfined",     "--security-opt", "apparmor=unconfined",
    "--security-opt", "systempaths=unconfined", "--device",       "/dev/net/tun"};
/// Lessons whose stage is another one in there: maps, mounts, pivot_root, /proc, tap, overlay. (All
/// are tried with --privileged.)
constexpr const char* kDependent =
    "*GoesAsPrinted/02*:*GoesAsPrinted/04*:*GoesAsPrinted/06*:*GoesAsPrinted/07*:"
    "*GoesAsPrinted/10*:*GoesAsPrinted/14*";

/// Where we are, and that a container's limit is real.
constexpr const char* kLimited = "cat /proc/self/cgroup && ./gocontainer parent --quiet --net none "
                                 "--memory 32m cat /sys/fs/cgroup/memory.max";

/// Where tests/engines/debian-base has made one, or "".
std::string debian_base() {
    const char* archive = getenv("GOCONTAINER_DEBIAN");
    return archive != nullptr && fs::exists(archive) ? archive : "";
}

/// The sources and the binary, so that there is nothing to compile.
void build(const Engine& docker) {
    std::string context = docker.enclosure().folder().folder("context");
    Strings copy{"cp", "-a", gocontainer()};
    for (const char* part : {"Dockerfile", "Makefile", "tools", "rootfs-scripts", "lessons"})
        copy.push_back(source() + "/" + part);
    copy.push_back(context);
    ASSERT_EQ(support::run({.argv = copy}).status, 0);
    ASSERT_EQ(chmod(context.c_str(), 0755), 0);
    Ended imported = docker({"import", debian_base(), kBase});
    ASSERT_EQ(imported.status, 0) << imported.err;
    Command command = docker.command({"build", "--network=none", "--tag", kBuilt, "--build-arg",
                                      std::string("BASE=") + kBase, "--build-arg",
                                      "PACKAGES=shell lesson", context});
    command.env.emplace_back("DOCKER_BUILDKIT=0");
    command.input_ends = true;
    Ended built = support::run(std::move(command));
    ASSERT_EQ(built.status, 0) << built.out << built.err;
}

class DockerShell : public testing::Test {
protected:
    static void SetUpTestSuite() {
        Engine& docker = engine("Docker");
        why_not = docker.why_not();
        if (why_not.empty())
            why_not = missing({"runc"});
        if (!why_not.empty() || docker({"image", "inspect", kBuilt}).status == 0)
            return; // in the virtual machine, which has it of the host's (tests/vm/run)
        if (debian_base().empty())
            why_not = "no Debian to build on: 'make build/debian.tar' makes one";
        else
            build(docker);
    }
    void SetUp() override {
        if (!why_not.empty())
            GTEST_SKIP() << why_not;
    }
    Ended enter(const Strings& options, const Strings& command, Duration patience = kPatience) {
        Strings words{"run", "--rm", "--runtime=runc", "--network=none"};
        words.insert(words.end(), options.begin(), options.end());
        words.emplace_back(kBuilt);
        words.insert(words.end(), command.begin(), command.end());
        Command entering = docker.command(words);
        entering.input_ends = true;
        return support::Process(std::move(entering)).wait(patience);
    }
    /// The tests of the lessons, in there: every command block is typed, and what it shows
    /// compared.
    Ended type_lessons(Strings options, const std::string& filter) {
        options.insert(options.end(),
                       {"--volume", source() + "/build/tests:/gocontainer/build/tests:ro"});
        for (const char* fact :
             {"GOCONTAINER=/gocontainer/gocontainer", "GOCONTAINER_SRC=/gocontainer",
              "GOCONTAINER_ROOTFS=/gocontainer/rootfs", "TMPDIR=/home/learner"})
            options.insert(options.end(), {"--env", fact});
        return enter(options,
                     {"build/tests/lessons", "--gtest_brief=1", "--gtest_filter=" + filter},
                     10 * kPatience);
    }
    nlohmann::json doctor(const Strings& options) {
        Ended said = enter(options, {"./gocontainer", "doctor", "--json"});
        auto found = nlohmann::json::parse(said.out, nullptr, false);
        EXPECT_TRUE(found.is_object()) << said.out << said.err;
        return found;
    }
    static std::string verdict(const nlohmann::json& found, const char* kind, const char* name) {
        for (const auto& one : found[kind])
            if (one["name"] == name)
                return one["verdict"];
        return "not there";
    }
    static inline std::string why_not;
    Engine& docker = engine("Docker");
};

TEST_F(DockerShell, WithoutOptionsTellsWhichItNeeds) {
    auto found = doctor({});
    EXPECT_EQ(found["verdict"], "blocked");
    EXPECT_THAT(found["host"]["kind"].get<std::string>(),
                StartsWith("a Docker container, with 14"));
    EXPECT_THAT(found["host"]["user"].get<std::string>(), HasSubstr("learner"));
    EXPECT_THAT(found["causes"].dump(), HasSubstr("--security-opt systempaths=unconfined"));
}

TEST_F(DockerShell, WithTheNarrowOptionsTeachesAllButLimits) {
    if (!fs::exists("/dev/net/tun"))
        GTEST_SKIP() << "host lacks /dev/net/tun";
    auto found = doctor(kNarrow);
    int lessons = 0;
    for (const auto& one : found["lessons"]) {
        std::string name = one["name"];
        if (name == "11-cgroup" || name == "15-join") // takes a cgroup of the learner's own
            continue;
        ++lessons;
        EXPECT_EQ(one["verdict"], "works") << one.dump() << found["tried"].dump(1);
    }
    EXPECT_EQ(lessons, 14);
    EXPECT_NE(verdict(found, "lessons", "15-join"), "blocked") << found["tried"].dump(1);

    // As an ordinary user whose newuidmap maps the ids of /etc/subuid, without CAP_SYS_ADMIN.
    std::string word = token();
    Ended ended = enter(kNarrow, {"sh", "-c",
                                  "id -u && ./gocontainer parent --quiet --net none --hostname " +
                                      word + " sh -c 'hostname; cat /proc/self/uid_map; echo $$'"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out,
                testing::MatchesRegex("1000\n" + word + "\n +0 +1000 +1\n +1 +100000 +65536\n1\n"));
}

TEST_F(DockerShell, WithTheNarrowOptionsTheLessonsGoAsPrinted) {
    if (!fs::exists("/dev/net/tun"))
        GTEST_SKIP() << "host lacks /dev/net/tun";
    Ended ended = type_lessons(kNarrow, kDependent);
    EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("[  PASSED  ] 6 tests."));
}

// Whose sandbox is not in a user namespace.
TEST_F(DockerShell, WithTheNarrowOptionsRootIsToldWhatSlirpLacks) {
    if (!fs::exists("/dev/net/tun"))
        GTEST_SKIP() << "host lacks /dev/net/tun";
    Strings options = kNarrow;
    options.insert(options.end(), {"--env", "AS=root"});
    Ended ended = enter(options, {"./gocontainer", "parent", "--net", "slirp", "true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("net: unshare(CLONE_NEWNS): EPERM"));
    EXPECT_THAT(ended.err, HasSubstr("root's slirp4netns needs CAP_SYS_ADMIN for its sandbox"));
}

TEST_F(DockerShell, PrivilegedTeachesEverything) {
    if (!may_raise_limits())
        GTEST_SKIP() << "host lacks CAP_SYS_RESOURCE, which Docker gives with --privileged";
    const Strings all{"--privileged", "--cgroupns=private", "--init"};
    auto found = doctor(all);
    bool limits = has_controller("memory");
    for (const auto& one : found["lessons"])
        if (limits || (one["name"] != "11-cgroup" && one["name"] != "15-join")) {
            EXPECT_EQ(one["verdict"], "works") << one.dump() << found["tried"].dump(1);
        }
    Ended typed = type_lessons(all, "*GoesAsPrinted*");
    EXPECT_EQ(typed.status, 0) << typed.out << typed.err;
    EXPECT_THAT(typed.out, HasSubstr("16 tests from 1 test suite ran"));
    if (!limits)
        GTEST_SKIP() << "host lacks the memory controller in cgroup v2";
    EXPECT_THAT(typed.out, HasSubstr("[  PASSED  ] 16 tests."));
}

// A second terminal, and whatever VS Code starts in it.
TEST_F(DockerShell, PrivilegedGivesLimitsToWhomDockerExecBrings) {
    if (!may_raise_limits())
        GTEST_SKIP() << "host lacks CAP_SYS_RESOURCE, which Docker gives with --privileged";
    if (!has_controller("memory"))
        GTEST_SKIP() << "host lacks the memory controller in cgroup v2";
    std::string name = token();
    Ended started = docker({"run", "--detach", "--name", name, "--runtime=runc", "--network=none",
                            "--privileged", "--cgroupns=private", "--init", kBuilt});
    ASSERT_EQ(started.status, 0) << started.err;
    // It has got everything ready once it is what stays.
    pid_t first = std::stoi(docker({"inspect", "--format", "{{.State.Pid}}", name}).out);
    EXPECT_TRUE(
        eventually([&] { return find_container(first, {"sleep", "infinity"}).second > 0; }));
    EXPECT_EQ(docker({"exec", name, "cat", "/proc/1/cgroup"}).out, "0::/learner/shell\n");
    Ended ended = docker({"exec", "-u", "learner", name, "sh", "-c", kLimited});
    EXPECT_EQ(ended.out, "0::/learner/shell\n33554432\n") << ended.err;
    EXPECT_EQ(docker.remove(name).status, 0);
}

} // namespace
