// Kubernetes' way to run us: what a kubelet asks of containerd's CRI plugin, for pods whose
// RuntimeClass names our handler. What becomes of it is read from the kernel.
#include "tests/engines/cri.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

namespace {

using namespace engines;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

const Strings kIdle{"sleep", "1000000"};
/// Tells when it has begun; TERM ends it.
const Strings kServer{"sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"};

/// Where `changes` go in a container's and in a pod's configuration.
json confined(const json& security) {
    return {{"linux", {{"security_context", security}}}};
}
json limited(const json& resources) {
    return {{"linux", {{"resources", resources}}}};
}
json namespaces(const json& modes) {
    return confined({{"namespace_options", modes}});
}

class Kubernetes : public WithKubelet {
protected:
    static std::string its(pid_t pid, const char* name) { return namespace_of(pid, name); }
};

// --- a pod's life --------------------------------------------------------------------------------

TEST_F(Kubernetes, RunsAPodWithItsHandler) {
    Pod pod(cri);
    json said = pod.status()["status"];
    EXPECT_EQ(said["runtime_handler"], "gocontainer");
    PodContainer box(pod, kServer);
    for (const auto& [id, pid] : {std::pair(pod.id(), pod.pid()), std::pair(box.id(), box.pid())}) {
        Ended state = run(enclosure().inside(
            {gocontainer(), "--root", "/run/containerd/runc/k8s.io", "state", id}));
        ASSERT_EQ(state.status, 0) << state.err;
        EXPECT_EQ(json::parse(state.out)["pid"], pid);
        EXPECT_EQ(json::parse(state.out)["status"], "running");
    }
    EXPECT_THAT(command_line(box.pid()), testing::ElementsAreArray(kServer));
    EXPECT_EQ(box.status()["status"]["state"], "CONTAINER_RUNNING");
    EXPECT_TRUE(eventually([&] { return box.log().ends_with(" stdout F up\n"); })) << box.log();
}

TEST_F(Kubernetes, ExecsProbes) {
    Pod pod(cri);
    PodContainer box(pod, kIdle, {{"envs", {{{"key", "WORD"}, {"value", word}}}}});
    json said = box.exec({"sh", "-c", "echo $WORD; echo err >&2; exit 7"});
    EXPECT_EQ(said["stdout"], word + "\n");
    EXPECT_EQ(said["stderr"], "err\n");
    EXPECT_EQ(said["exit_code"], 7);
    json absent = cri.ask("ExecSync", {{"container_id", box.id()}, {"cmd", {word}}});
    EXPECT_THAT(absent.value("error", ""),
                HasSubstr("exec: \"" + word + "\": executable file not found in $PATH"));
    json late = cri.ask("ExecSync",
                        {{"container_id", box.id()}, {"cmd", {"sleep", "997"}}, {"timeout", 1}});
    EXPECT_THAT(late.value("error", ""), HasSubstr("timeout 1s exceeded"));
    EXPECT_THAT(box.exec({"ps"})["stdout"].get<std::string>(), Not(HasSubstr("sleep 997")));
}

TEST_F(Kubernetes, StopsWithGraceAndWithout) {
    Pod pod(cri);
    PodContainer polite(pod, kServer);
    PodContainer deaf(pod, {"sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"});
    PodContainer done(pod, {"sh", "-c", "exit 42"});
    for (const PodContainer* one : {&polite, &deaf})
        ASSERT_TRUE(eventually([&] { return one->log().contains("up"); }));
    (void)cri.call("StopContainer", {{"container_id", polite.id()}, {"timeout", 30}});
    EXPECT_EQ(polite.ended()["exit_code"], 3);
    EXPECT_EQ(polite.ended()["reason"], "Error");
    pid_t pid = deaf.pid();
    (void)cri.call("StopContainer", {{"container_id", deaf.id()}, {"timeout", 1}});
    EXPECT_EQ(deaf.ended()["exit_code"], 137);
    EXPECT_FALSE(fs::exists("/proc/" + std::to_string(pid) + "/exe"));
    EXPECT_EQ(done.ended()["exit_code"], 42);
}

TEST_F(Kubernetes, TellsWhyAContainerCanNotStart) {
    Pod pod(cri);
    json config{
        {"metadata", {{"name", word}}}, {"image", {{"image", kFullName}}}, {"command", {word}}};
    json made = cri.call(
        "CreateContainer",
        {{"pod_sandbox_id", pod.id()}, {"config", config}, {"sandbox_config", pod.config()}});
    json started = cri.ask("StartContainer", made);
    EXPECT_THAT(started.value("error", ""),
                HasSubstr("exec: \"" + word + "\": executable file not found in $PATH"));
    json now = cri.call("ContainerStatus", made)["status"];
    EXPECT_EQ(now["reason"], "StartError");
    EXPECT_EQ(now["exit_code"], 128);
    (void)cri.call("RemoveContainer", made);
}

// --- what a pod's containers share ---------------------------------------------------------------

TEST_F(Kubernetes, SharesThePodsNamespaces) {
    if (!network_plugins())
        GTEST_SKIP() << "host lacks the container network plugins";
    Pod pod(cri, {{"hostname", word},
                  {"linux",
                   {{"security_context",
                     {{"namespace_options", {{"network", "POD"}, {"pid", "CONTAINER"}}}}},
                    {"sysctls", {{"net.ipv4.ip_unprivileged_port_start", "1007"}}}}}});
    PodContainer one(pod, kIdle), two(pod, kIdle);
    for (const char* name : {"net", "ipc", "uts"}) {
        EXPECT_FALSE(shares(pod.pid(), name)) << name;
        EXPECT_EQ(its(one.pid(), name), its(pod.pid(), name)) << name;
        EXPECT_EQ(its(two.pid(), name), its(pod.pid(), name)) << name;
    }
    for (const char* name : {"pid", "mnt"})
        EXPECT_EQ(
            (std::set{its(one.pid(), name), its(two.pid(), name), its(pod.pid(), name)}).size(), 3U)
            << name;
    json said =
        one.exec({"sh", "-c", "hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start"});
    EXPECT_EQ(said["stdout"], word + "\n1007\n");
    std::string address = pod.status()["status"]["network"]["ip"];
    EXPECT_THAT(two.exec({"ip", "-4", "address"})["stdout"].get<std::string>(),
                HasSubstr("inet " + address + "/"));
}

TEST_F(Kubernetes, SharesAProcessNamespace) {
    json shared{{"network", "NODE"}, {"pid", "POD"}};
    Pod pod(cri, namespaces(shared));
    PodContainer one(pod, {"sh", "-c", "sleep 1000 & echo up; wait"}), two(pod, kIdle);
    EXPECT_FALSE(shares(pod.pid(), "pid"));
    EXPECT_EQ(its(one.pid(), "pid"), its(pod.pid(), "pid"));
    EXPECT_EQ(its(two.pid(), "pid"), its(pod.pid(), "pid"));
    // Pause is process 1 there, and each sees the other's.
    EXPECT_EQ(two.exec({"sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"})["stdout"], "sleep 1000000 ");
    EXPECT_THAT(two.exec({"ps"})["stdout"].get<std::string>(), HasSubstr("sleep 1000 & echo up"));
    // What a container leaves running ends with it, though the namespace goes on.
    ASSERT_TRUE(eventually([&] { return one.log().contains("up"); }));
    ASSERT_EQ(children_of(one.pid()).size(), 1U);
    std::string child = "/proc/" + std::to_string(children_of(one.pid())[0]) + "/exe";
    (void)cri.call("StopContainer", {{"container_id", one.id()}});
    EXPECT_EQ(one.ended()["exit_code"], 137);
    EXPECT_TRUE(eventually([&] { return !fs::exists(child); }));
    EXPECT_EQ(two.exec({"true"}).value("exit_code", 0), 0);
}

TEST_F(Kubernetes, JoinsTheProcessesThatAreDebugged) {
    Pod pod(cri, namespaces({{"network", "NODE"}, {"pid", "CONTAINER"}}));
    PodContainer one(pod, kIdle);
    PodContainer debugger(
        pod, kIdle, namespaces({{"network", "NODE"}, {"pid", "TARGET"}, {"target_id", one.id()}}));
    EXPECT_EQ(its(debugger.pid(), "pid"), its(one.pid(), "pid"));
    EXPECT_NE(its(one.pid(), "pid"), its(pod.pid(), "pid"));
    EXPECT_NE(status(debugger.pid())["NSpid"], status(one.pid())["NSpid"]);
}

// --- securityContext -----------------------------------------------------------------------------

TEST_F(Kubernetes, AppliesASecurityContext) {
    Pod pod(cri);
    PodContainer box(
        pod, kIdle,
        confined({{"run_as_user", {{"value", 1234}}},
                  {"run_as_group", {{"value", 5678}}},
                  {"supplemental_groups", {4321, 8765}},
                  {"readonly_rootfs", true},
                  {"no_new_privs", true},
                  {"capabilities",
                   {{"drop_capabilities", {"ALL"}}, {"add_capabilities", {"NET_BIND_SERVICE"}}}},
                  {"masked_paths", {"/proc/timer_list", "/sys/firmware"}},
                  {"readonly_paths", {"/proc/sys"}},
                  {"seccomp", {{"profile_type", "RuntimeDefault"}}}}));
    auto seen = status(box.pid());
    EXPECT_EQ(seen["Uid"], "1234\t1234\t1234\t1234");
    EXPECT_EQ(seen["Gid"], "5678\t5678\t5678\t5678");
    EXPECT_THAT(seen["Groups"], testing::AllOf(HasSubstr("4321"), HasSubstr("8765")));
    EXPECT_EQ(seen["NoNewPrivs"], "1");
    EXPECT_EQ(seen["Seccomp"], "2");
    EXPECT_EQ(status_bits(box.pid(), "CapBnd"), 1U << 10); // CAP_NET_BIND_SERVICE
    EXPECT_EQ(status_bits(box.pid(), "CapEff"), 0U);       // not root's any more
    auto table = mountinfo(box.pid());
    EXPECT_TRUE(mounted_at(table, "/")->has("ro"));
    EXPECT_TRUE(mounted_at(table, "/proc/sys")->has("ro"));
    EXPECT_EQ(Root(box.pid()).read("/proc/timer_list"), "");
    EXPECT_EQ(Root(box.pid()).list("/sys/firmware").size(), 0U);
    EXPECT_EQ(box.exec({"id", "-u"})["stdout"], "1234\n");
}

TEST_F(Kubernetes, LeavesAPrivilegedContainerItsPowers) {
    json privileged = confined({{"privileged", true}});
    Pod pod(cri, privileged);
    PodContainer box(pod, kIdle, privileged);
    auto seen = status(box.pid());
    EXPECT_EQ(seen["Seccomp"], status(getpid())["Seccomp"]);
    EXPECT_EQ(status_bits(box.pid(), "CapEff"), status_bits(getpid(), "CapEff"));
    auto table = mountinfo(box.pid());
    EXPECT_FALSE(mounted_at(table, "/sys")->has("ro"));
    EXPECT_EQ(mounted_at(table, "/proc/sys"), nullptr);
    EXPECT_TRUE(Root(box.pid()).look("/dev/kmsg")) << "the machine's devices";
}

// --- volumes -------------------------------------------------------------------------------------

TEST_F(Kubernetes, MountsVolumes) {
    Scratch volume; // as an emptyDir
    volume.file("sub/file", word);
    Pod pod(cri);
    PodContainer writer(
        pod, kIdle, {{"mounts", {{{"container_path", "/data"}, {"host_path", volume.path()}}}}});
    PodContainer reader(
        pod, kIdle,
        {{"mounts",
          {{{"container_path", "/data"}, {"host_path", volume.path()}, {"readonly", true}},
           {{"container_path", "/etc/one"}, {"host_path", volume / "sub/file"}, {"readonly", true}},
           {{"container_path", "/new/place"}, {"host_path", volume / "sub"}}}}});
    EXPECT_EQ(writer.exec({"sh", "-c", "echo from one >/data/shared"}).value("exit_code", 0), 0);
    EXPECT_EQ(reader.exec({"cat", "/data/shared", "/etc/one", "/new/place/file"})["stdout"],
              "from one\n" + word + word);
    auto table = mountinfo(reader.pid());
    EXPECT_TRUE(mounted_at(table, "/data")->has("ro"));
    EXPECT_TRUE(mounted_at(table, "/etc/one")->has("ro"));
    EXPECT_FALSE(mounted_at(table, "/new/place")->has("ro"));
    EXPECT_TRUE(mounted_at(table, "/data")->optional.empty()) << "private";
}

TEST_F(Kubernetes, PropagatesMounts) {
    std::string volume = enclosure().folder().folder("volume-" + word);
    ASSERT_EQ(run(enclosure().inside(
                      {"sh", "-c", "mount --bind $0 $0 && mount --make-shared $0", volume}))
                  .status,
              0);
    json privileged = confined({{"privileged", true}});
    Pod pod(cri, privileged);
    auto with = [&](const char* how) {
        json changes = privileged;
        changes["mounts"] = {
            {{"container_path", "/data"}, {"host_path", volume}, {"propagation", how}}};
        return changes;
    };
    PodContainer both(pod, kIdle, with("PROPAGATION_BIDIRECTIONAL"));
    PodContainer slave(pod, kIdle, with("PROPAGATION_HOST_TO_CONTAINER"));
    PodContainer none(pod, kIdle, with("PROPAGATION_PRIVATE"));
    json made = both.exec({"sh", "-c", "mkdir /data/in && mount -t tmpfs " + word + " /data/in"});
    EXPECT_EQ(made.value("exit_code", 0), 0) << made;
    auto sees = [&](pid_t pid, const std::string& at) {
        auto table = mountinfo(pid);
        const MountLine* there = mounted_at(table, at);
        return there != nullptr && there->source == word;
    };
    EXPECT_TRUE(sees(both.pid(), "/data/in"));
    EXPECT_TRUE(sees(slave.pid(), "/data/in"));
    EXPECT_FALSE(sees(none.pid(), "/data/in"));
    EXPECT_EQ(run(enclosure().inside({"umount", volume + "/in"})).status,
              0); // it came to the machine
    EXPECT_FALSE(sees(both.pid(), "/data/in"));
    EXPECT_FALSE(sees(slave.pid(), "/data/in"));
}

// --- resources: named for the machine that has controllers (tests/vm/guest-tests)
// -----------------

std::string cgroup(const PodContainer& box, const std::string& file) {
    return slurp("/sys/fs/cgroup" + cgroup_of(box.pid()) + "/" + file);
}

constexpr int kMiB = 1 << 20;
constexpr const char* kLacks = "host lacks the memory controller in a cgroup v2";

TEST_F(Kubernetes, MeasuresAndLimits) {
    if (!has_controller("memory"))
        GTEST_SKIP() << kLacks;
    Pod pod(cri);
    PodContainer box(pod, kIdle,
                     limited({{"memory_limit_in_bytes", 64 * kMiB},
                              {"cpu_period", 100000},
                              {"cpu_quota", 50000},
                              {"cpu_shares", 512},
                              {"oom_score_adj", 500}}));
    EXPECT_THAT(cgroup_of(box.pid()),
                HasSubstr(systemd_runs() ? "/cri-containerd-" + box.id() + ".scope"
                                         : pod.cgroup() + "/" + box.id()));
    EXPECT_THAT(cgroup_of(box.pid()), HasSubstr(pod.cgroup() + "/"));
    EXPECT_EQ(cgroup(box, "memory.max"), std::to_string(64 * kMiB) + "\n");
    EXPECT_EQ(cgroup(box, "cpu.max"), "50000 100000\n");
    EXPECT_EQ(slurp("/proc/" + std::to_string(box.pid()) + "/oom_score_adj"), "500\n");
    std::string weight = cgroup(box, "cpu.weight");
    (void)cri.call("UpdateContainerResources", {{"container_id", box.id()},
                                                {"linux",
                                                 {{"memory_limit_in_bytes", 32 * kMiB},
                                                  {"cpu_period", 50000},
                                                  {"cpu_quota", 20000},
                                                  {"cpu_shares", 1024}}}});
    EXPECT_EQ(cgroup(box, "memory.max"), std::to_string(32 * kMiB) + "\n");
    EXPECT_EQ(cgroup(box, "cpu.max"), "20000 50000\n");
    EXPECT_NE(cgroup(box, "cpu.weight"), weight);
    json stats = cri.call("ContainerStats", {{"container_id", box.id()}})["stats"];
    EXPECT_GT(std::stol(stats["memory"]["working_set_bytes"]["value"].get<std::string>()), 0);
    EXPECT_LT(std::stol(stats["memory"]["working_set_bytes"]["value"].get<std::string>()),
              32 * kMiB);
}

TEST_F(Kubernetes, EndsWhatTakesTooMuch) {
    if (!has_controller("memory"))
        GTEST_SKIP() << kLacks;
    Pod pod(cri);
    json last = json::object();
    // containerd hears of it by another way than of the end, and on a slow machine sometimes too
    // late.
    for (int times = 0; times < 10 && last.value("reason", "") != "OOMKilled"; ++times) {
        PodContainer greedy(
            pod, {"sh", "-c", "until test -e /go; do sleep 0.1; done; exec tail /dev/zero"},
            limited({{"memory_limit_in_bytes", 16 * kMiB}}));
        EXPECT_EQ(greedy.exec({"touch", "/go"}).value("exit_code", 0), 0); // it watches by now
        last = greedy.ended();
        EXPECT_EQ(last["exit_code"], 137);
    }
    EXPECT_EQ(last["reason"], "OOMKilled");
}

} // namespace
