// What only Podman does, as root and as a user.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace engines;
using testing::HasSubstr;
using testing::Not;

class PodmanOnly : public testing::Test {
protected:
    static void SetUpTestSuite() { (void)engine("Podman"); }
    void SetUp() override {
        if (!podman.why_not().empty())
            GTEST_SKIP() << "Podman: " << podman.why_not();
    }
    Engine& podman = engine("Podman");
    std::string word = token();
};

TEST_F(PodmanOnly, KnowsTheRuntime) {
    Ended info = podman({"info", "--format",
                         "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}} "
                         "{{.Host.OCIRuntime.Version}}"});
    EXPECT_EQ(info.status, 0) << info.err;
    EXPECT_THAT(info.out, HasSubstr("gocontainer " + gocontainer() + " gocontainer version "));
}

TEST_F(PodmanOnly, RunsPods) {
    ASSERT_EQ(podman({"pod", "create", "--name", word, "--network=none"}).status, 0);
    {
        Box one(podman, {"--pod", word}, {"sleep", "1000"});
        Box two(podman, {"--pod", word}, {"sh", "-c", "echo up > /dev/shm/x; exec sleep 1000"});
        for (const char* name : {"net", "ipc", "uts"}) {
            EXPECT_EQ(namespace_of(one.pid(), name), namespace_of(two.pid(), name)) << name;
            EXPECT_FALSE(shares(one.pid(), name)) << name;
        }
        EXPECT_NE(namespace_of(one.pid(), "pid"), namespace_of(two.pid(), "pid"));
        EXPECT_TRUE(eventually([&] { return one.exec({"cat", "/dev/shm/x"}).out == "up\n"; }));
        EXPECT_THAT(podman({"pod", "ps"}).out, HasSubstr("Running"));
        EXPECT_EQ(podman({"pod", "stop", "--time", "0", word}).status, 0);
        EXPECT_EQ(one.inspect("{{.State.Status}}"), "exited");
    }
    Ended removed = podman({"pod", "rm", "--force", word});
    EXPECT_EQ(removed.status, 0) << removed.err;
}

// A Pod of Kubernetes', from the file that a cluster would take.
TEST_F(PodmanOnly, PlaysAPodOfKubernetes) {
    std::string file = enclosure().folder().file(word + ".yaml", R"(
apiVersion: v1
kind: Pod
metadata: {name: )" + word + R"(}
spec:
  hostname: played
  shareProcessNamespace: true
  securityContext: {runAsUser: 1000, runAsGroup: 2000, supplementalGroups: [3000]}
  volumes: [{name: shared, emptyDir: {}}]
  containers:
  - name: one
    image: )" + kImage + R"(
    imagePullPolicy: Never
    command: [sh, -c, "echo $WORD >/shared/file; exec sleep 1000"]
    env: [{name: WORD, value: )" + word + R"(}]
    volumeMounts: [{name: shared, mountPath: /shared}]
    securityContext: {runAsUser: 0}
  - name: two
    image: )" + kImage + R"(
    imagePullPolicy: Never
    command: [sleep, "1000"]
    volumeMounts: [{name: shared, mountPath: /shared, readOnly: true}]
    securityContext:
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL]}
)");
    Ended played = podman({"kube", "play", "--network=none", file});
    ASSERT_EQ(played.status, 0) << played.err;
    Strings look{"inspect", "--format", "{{.State.Pid}}", word + "-one", word + "-two"};
    std::istringstream pids(podman(look).out);
    pid_t one = 0, two = 0;
    EXPECT_TRUE(pids >> one >> two);
    for (const char* name : {"net", "ipc", "uts", "pid"}) {
        EXPECT_EQ(namespace_of(one, name), namespace_of(two, name)) << name;
        EXPECT_FALSE(shares(one, name)) << name;
    }
    EXPECT_TRUE(eventually([&] { return Root(two).read("/shared/file") == word + "\n"; }));
    EXPECT_EQ(podman({"exec", word + "-two", "sh", "-c", "hostname; id -u; id -G"}).out,
              "played\n1000\n2000 3000\n");
    EXPECT_EQ(status(two)["NoNewPrivs"], "1");
    EXPECT_EQ(status_bits(two, "CapBnd"), 0U);
    auto table = mountinfo(two);
    EXPECT_TRUE(mounted_at(table, "/")->has("ro"));
    EXPECT_TRUE(mounted_at(table, "/shared")->has("ro"));
    Ended down = podman({"kube", "down", file});
    EXPECT_EQ(down.status, 0) << down.err;
}

TEST_F(PodmanOnly, SharesAProcessNamespace) {
    Box first(podman, {}, {"sleep", "1000"});
    Box second(podman, {"--pid=container:" + first.name()}, {"sleep", "1000"});
    EXPECT_EQ(namespace_of(first.pid(), "pid"), namespace_of(second.pid(), "pid"));
    EXPECT_EQ(podman({"stop", "--time", "0", second.name()}).status, 0);
    EXPECT_EQ(second.wait(), "137");
    EXPECT_EQ(first.inspect("{{.State.Status}}"), "running");
}

TEST_F(PodmanOnly, HandsDescriptorsDown) {
    std::string file = enclosure().folder().file(word, word + "\n");
    int fd = open(file.c_str(), O_RDONLY);
    Command command = podman.command(
        podman.run_words({"--rm", "--network=none", "--preserve-fds=1"}, {"sh", "-c", "cat <&3"}));
    command.fds = {{fd, 3}};
    EXPECT_EQ(run(std::move(command)).out, word + "\n");
    close(fd);
}

// One line, by the JSON log that containers.conf lets it ask for, not conmon's copy of stderr.
TEST_F(PodmanOnly, QuotesTheError) {
    Ended ended = podman.run({}, {word});
    EXPECT_THAT(ended.err, HasSubstr("exec: \"" + word + "\": executable file not found in $PATH"));
    EXPECT_THAT(ended.err, Not(HasSubstr("\"level\"")));
    EXPECT_EQ(std::ranges::count(ended.err, '\n'), 1) << ended.err;
}

TEST_F(PodmanOnly, MapsIds) {
    if (!is_root())
        GTEST_SKIP() << "every container of a user's has a user namespace";
    Box box(podman, {"--uidmap", "0:100000:1000", "--gidmap", "0:200000:1000"}, {"sleep", "1000"});
    EXPECT_EQ(id_map(box.pid(), "uid_map"), (std::vector<IdRange>{{0, 100000, 1000}}));
    EXPECT_EQ(id_map(box.pid(), "gid_map"), (std::vector<IdRange>{{0, 200000, 1000}}));
    EXPECT_EQ(box.exec({"sh", "-c", "touch /etc/x && ls -ln /etc/x | awk '{print $3}'"}).out,
              "0\n");
}

TEST_F(PodmanOnly, IsRootlessForAUser) {
    if (is_root())
        GTEST_SKIP() << "we are root";
    Box box(podman, {}, {"sleep", "1000"});
    EXPECT_FALSE(shares(box.pid(), "user"));
    EXPECT_EQ(id_map(box.pid(), "uid_map").front().outside, getuid());
    EXPECT_EQ(podman.run({"--user", "12:13"}, {"id", "-u"}).out, "12\n");
}

TEST_F(PodmanOnly, GivesANetworkToAUser) {
    if (is_root() || find_program("slirp4netns").empty())
        GTEST_SKIP() << (is_root() ? "we are root" : "slirp4netns is not installed");
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        GTEST_SKIP() << "host lacks a /dev/net/tun that a user may open";
    Box box(podman, {"--network=slirp4netns"}, {"sleep", "1000"});
    EXPECT_THAT(box.exec({"ip", "-4", "addr", "show", "tap0"}).out, HasSubstr("10.0.2."));
}

// containers.conf has to say that the runtime can.
TEST_F(PodmanOnly, LeavesAContainerInItsOwnCgroup) {
    Ended ended =
        podman.run({"--cgroups=disabled", "--cgroupns=host"}, {"cat", "/proc/self/cgroup"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("0::" + cgroup_of(getpid()) + "\n"));
}

TEST_F(PodmanOnly, GoesOnWithoutCheckpoints) {
    EXPECT_NE(run({.argv = {gocontainer(), "checkpoint", "--help"}}).status, 0);
    Box box(podman, {}, {"sleep", "1000"});
    EXPECT_NE(podman({"container", "checkpoint", box.name()}).status, 0);
    EXPECT_EQ(box.inspect("{{.State.Status}}"), "running");
}

} // namespace
