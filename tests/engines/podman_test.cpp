// What only Podman does, as root and as a user.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

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
        // "stopped" until Podman has put its things away too.
        EXPECT_TRUE(eventually([&] { return one.inspect("{{.State.Status}}") == "exited"; }));
    }
    Ended removed = podman.removing({"pod", "rm", "--force", word});
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
    Ended down = podman.removing({"kube", "down", file});
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

// Socket activation: what systemd hands to Podman is the container's.
TEST_F(PodmanOnly, HandsListeningSocketsDown) {
    int socket = ::socket(AF_UNIX, SOCK_STREAM, 0); // which may be 3 already
    Command command = podman.command(podman.run_words(
        {"--rm", "--network=none"},
        {"sh", "-c", "echo $LISTEN_PID $$ $LISTEN_FDS $LISTEN_FDNAMES; readlink /proc/$$/fd/3"}));
    command.fds = {{socket, 3}};
    command.env.insert(command.env.end(), {"LISTEN_FDS=1", "LISTEN_FDNAMES=" + word});
    command.before_exec = [go = command.before_exec] {
        if (go)
            go();
        setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    };
    std::string ours = descriptors(getpid())[socket];
    Ended ended = run(std::move(command));
    EXPECT_EQ(ended.out, "1 1 1 " + word + "\n" + ours + "\n") << ended.err;
    close(socket);
}

// Of a service of systemd's that is ready when what is in the container says so.
TEST_F(PodmanOnly, TellsThatTheContainerIsReady) {
    support::Manager manager(enclosure().folder() / word);
    Strings options{"--detach",
                    "--rm",
                    "--network=none",
                    "--name",
                    word,
                    "--sdnotify=container",
                    "--volume",
                    source() + "/build/tests/probe:/probe:ro"};
    Command command =
        podman.command(podman.run_words(options, {"sh", "-c", "/probe notify-ready; sleep 1000"}));
    command.env.push_back(manager.variable());
    command.input_ends = true;
    Ended started = run(std::move(command));
    EXPECT_EQ(started.status, 0) << started.err;
    std::string said;
    while (!said.contains("READY=1"))
        said += manager.hear();
    EXPECT_THAT(said, HasSubstr("MAINPID="));
    EXPECT_EQ(podman.remove(word).status, 0);
}

TEST_F(PodmanOnly, KeepsGroups) {
    Command command = podman.command(podman.run_words(
        {"--rm", "--network=none", "--group-add=keep-groups"}, {"cat", "/proc/self/status"}));
    std::string expected = "Groups:\t7 8 ";
    if (is_root()) {
        command.before_exec = [go = command.before_exec] {
            constexpr gid_t kOurs[] = {7, 8};
            if (setgroups(2, kOurs) != 0)
                fail_with_errno("setgroups");
            go();
        };
    } else {
        if (getgroups(0, nullptr) < 2)
            GTEST_SKIP() << "the user has no other groups than their own";
        expected = "65534 "; // nobody in there knows it
    }
    Ended ended = run(std::move(command));
    EXPECT_THAT(ended.out, HasSubstr(expected)) << ended.err;
}

TEST_F(PodmanOnly, CopiesUpIntoATmpfs) {
    Box box(podman, {"--mount", "type=tmpfs,dst=/etc,tmpcopyup"}, {"sleep", "1000"});
    auto table = mountinfo(box.pid());
    ASSERT_NE(mounted_at(table, "/etc"), nullptr);
    EXPECT_EQ(mounted_at(table, "/etc")->type, "tmpfs");
    EXPECT_EQ(Root(box.pid()).read("/etc/passwd"), slurp(rootfs() + "/etc/passwd"));
}

TEST_F(PodmanOnly, HasAFilterOfTheUsersOwn) {
    std::string file = enclosure().folder().file(
        word + ".json", R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})");
    Ended ended = podman.run({"--security-opt", "seccomp=" + file}, {"mkdir", "/tmp/new"});
    EXPECT_THAT(ended.err, HasSubstr("Operation not supported"));
    EXPECT_EQ(podman
                  .run({"--security-opt", "seccomp=unconfined"},
                       {"grep", "Seccomp:", "/proc/self/status"})
                  .out,
              "Seccomp:\t0\n");
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

TEST_F(PodmanOnly, MapsTheIdsOfAVolume) {
    if (!is_root())
        GTEST_SKIP() << "only root of the namespace that a file system was mounted in maps its ids";
    std::string volume = enclosure().folder().folder("volume-" + word);
    spill(volume + "/file", word);
    Box box(podman, {"--uidmap", "0:100000:1000", "--volume", volume + ":/data:idmap"},
            {"sleep", "1000"});
    EXPECT_EQ(box.exec({"sh", "-c", "touch /data/new; stat -c %u /data/file /data/new"}).out,
              "0\n0\n");
    for (const char* name : {"/file", "/new"}) {
        struct stat seen{};
        ASSERT_EQ(stat((volume + name).c_str(), &seen), 0) << name;
        EXPECT_EQ(seen.st_uid, 0U) << name; // and not 100000
    }
}

TEST_F(PodmanOnly, KeepsTheUsersId) {
    if (is_root())
        GTEST_SKIP() << "root is root in there anyhow";
    Scratch volume;
    Box box(podman, {"--userns=keep-id", "--volume", volume.path() + ":/data"}, {"sleep", "1000"});
    EXPECT_EQ(box.exec({"sh", "-c", "id -u; touch /data/new"}).out,
              std::to_string(getuid()) + "\n");
    struct stat seen{};
    ASSERT_EQ(stat((volume / "new").c_str(), &seen), 0);
    EXPECT_EQ(seen.st_uid, getuid());
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

// With all that systemd wants; where the host has cgroup v1, too, without that one's hierarchy.
TEST_F(PodmanOnly, StartsAnInit) {
    Ended ended = podman.run({"--systemd=always"}, {"sh", "-c",
                                                    "touch /run/new && echo $$; grep cgroup "
                                                    "/proc/mounts; mkdir /sys/fs/cgroup/new"});
    EXPECT_THAT(ended.out, testing::StartsWith("1\n")) << ended.err;
    EXPECT_THAT(ended.out, Not(HasSubstr("cgroup cgroup ")));
    EXPECT_EQ(ended.status == 0, ended.out.contains("cgroup2 rw")) << ended.err;
}

TEST_F(PodmanOnly, GoesOnWithoutCheckpoints) {
    EXPECT_NE(run({.argv = {gocontainer(), "checkpoint", "--help"}}).status, 0);
    Box box(podman, {}, {"sleep", "1000"});
    EXPECT_NE(podman({"container", "checkpoint", box.name()}).status, 0);
    EXPECT_EQ(box.inspect("{{.State.Status}}"), "running");
}

} // namespace
