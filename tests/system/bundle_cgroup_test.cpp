// A bundle's cgroup, from outside: where it is, what it filters and holds, and that it goes.
#include "tests/support/bundle.hpp"
#include "tests/support/container.hpp"
#include "tests/support/host.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

using namespace support;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

/// Where cgroup v2 is mounted; "" for nowhere.
std::string hierarchy() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        if (try_slurp(std::string(root) + "/cgroup.controllers"))
            return root;
    return {};
}

/// A bundle whose command sleeps, and the runtime that it is given to.
class BundleCgroup : public ::testing::Test {
protected:
    void SetUp() override {
        if (!is_root() || hierarchy().empty() ||
            access((hierarchy() + "/cgroup.procs").c_str(), W_OK) != 0)
            GTEST_SKIP() << "host lacks a cgroup v2 that this user may write to";
        before = Host::look();
        ASSERT_EQ(runtime({"spec", "--bundle", files.path()}).status, 0);
        config = json::parse(slurp(files / "config.json"));
        config["root"]["path"] = getenv("GOCONTAINER_ROOTFS");
        config["process"]["terminal"] = false;
        config["process"]["args"] = {"/bin/sleep", "1000"};
        config["linux"]["cgroupsPath"] = "/" + parent + "/leaf";
    }
    void TearDown() override {
        if (hierarchy().empty() || parent.empty() || !is_root())
            return;
        EXPECT_EQ(runtime({"delete", "--force", id}).status, 0);
        EXPECT_NE(access((hierarchy() + "/" + parent).c_str(), F_OK), 0) << "its parent was made";
        EXPECT_EQ(differs_from(before), "");
    }
    Ended runtime(Strings arguments) {
        Strings argv = {getenv("GOCONTAINER"), "--root", files / "state"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return support::run({.argv = argv});
    }
    /// `run --detach`, whose output goes to a file, or the test would wait for the container's.
    Ended start(const std::string& name) {
        spill(files / "config.json", config.dump());
        return support::run({.argv = {"/bin/sh", "-c", "exec \"$@\" >" + (files / "out") + " 2>&1",
                                      "sh", getenv("GOCONTAINER"), "--root", files / "state", "run",
                                      "--detach", "--bundle", files.path(), name}});
    }
    std::string printed() { return slurp(files / "out"); }
    pid_t pid() { return json::parse(runtime({"state", id}).out).at("pid").get<pid_t>(); }
    std::string status() {
        return json::parse(runtime({"state", id}).out).at("status").get<std::string>();
    }
    std::string leaf() { return hierarchy() + "/" + parent + "/leaf"; }
    /// Linux 5.14 is the first that can.
    static void end_all(const std::string& cgroup) {
        if (access((cgroup + "/cgroup.kill").c_str(), W_OK) == 0)
            write_to(cgroup + "/cgroup.kill", "1");
    }
    /// Who has ended, and been waited for, may be in it for a moment still (EBUSY, Linux 6.19).
    static bool removed(const std::string& cgroup) {
        return eventually([&] { return ::rmdir(cgroup.c_str()) == 0; });
    }
    std::string sh(const std::string& script) {
        Ended ended = runtime({"exec", id, "/bin/sh", "-c", script});
        return ended.out + ended.err;
    }
    Scratch files;
    Host before;
    json config;
    std::string id = token();
    std::string parent = "test-" + token();
};

TEST_F(BundleCgroup, IsWhereCgroupsPathSays) {
    ASSERT_EQ(start(id).status, 0) << printed();
    EXPECT_EQ(cgroup_of(pid()), "/" + parent + "/leaf");
    EXPECT_EQ(slurp(leaf() + "/cgroup.procs"), std::to_string(pid()) + "\n");
    EXPECT_THAT(sh("cat /proc/self/cgroup"), HasSubstr("0::/\n"));
}

TEST_F(BundleCgroup, WithProcessesInItIsAnError) {
    ASSERT_EQ(start(id).status, 0) << printed();
    EXPECT_NE(start(token()).status, 0);
    EXPECT_THAT(printed(), HasSubstr("linux.cgroupsPath: \"" + leaf() + "\" has processes in it"));
    EXPECT_EQ(slurp(leaf() + "/cgroup.procs"), std::to_string(pid()) + "\n");
}

TEST_F(BundleCgroup, OfOneThatHasEndedIsNobodyElsesUntilItsDelete) {
    config["process"]["args"] = {"/bin/true"};
    ASSERT_EQ(start(id).status, 0) << printed();
    ASSERT_TRUE(support::eventually([&] { return status() == "stopped"; }));
    std::string other = token();
    EXPECT_NE(start(other).status, 0) << "the delete of the first would end it";
    EXPECT_THAT(printed(), HasSubstr("is that of another container, which has ended"));
    EXPECT_EQ(runtime({"delete", id}).status, 0);
    EXPECT_EQ(start(other).status, 0) << printed();
    EXPECT_EQ(runtime({"delete", "--force", other}).status, 0);
}

// All that we do in the leaf, from the clone to the exec, and two processes of the container's. The
// start takes about 220 KiB and the exec 320. Each other processor may hold 64 pages more in stock,
// charged and not used; the kernel asks for them back, but on a busy machine it kills before they
// come (drain_all_stock in mm/memcontrol.c). The start has room for that in 512 KiB on two.
TEST_F(BundleCgroup, StartsUnder512KiBOfMemory) {
    if (!slurp(hierarchy() + "/cgroup.controllers").contains("memory"))
        GTEST_SKIP() << "host lacks a memory controller in cgroup v2";
    config["linux"]["resources"]["memory"] = {{"limit", 512 * 1024}};
    for (int times = 0; times < 2; ++times) {
        ASSERT_EQ(start(id).status, 0) << printed();
        EXPECT_EQ(slurp(leaf() + "/memory.max"), "524288\n");
        EXPECT_THAT(slurp(leaf() + "/memory.events"), HasSubstr("oom_kill 0\n"));
        const long stock = (sysconf(_SC_NPROCESSORS_ONLN) - 1) * 64 * sysconf(_SC_PAGESIZE);
        write_to(leaf() + "/memory.max", std::to_string(512 * 1024 + stock));
        EXPECT_EQ(runtime({"exec", id, "/bin/true"}).status, 0);
        EXPECT_THAT(slurp(leaf() + "/memory.events"), HasSubstr("oom_kill 0\n"));
        ASSERT_EQ(runtime({"delete", "--force", id}).status, 0);
    }
}

TEST_F(BundleCgroup, FiltersDevices) {
    // A file system of its own, on which device nodes may be made and opened.
    config["mounts"].push_back({{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    for (const char* set : {"bounding", "permitted", "effective"})
        config["process"]["capabilities"][set].push_back("CAP_MKNOD");
    config["linux"]["resources"]["devices"] = json::array(
        {{{"allow", false}, {"access", "rwm"}},
         {{"allow", true}, {"type", "c"}, {"major", 10}, {"minor", 229}, {"access", "r"}}});
    ASSERT_EQ(start(id).status, 0) << printed();
    // Making a node is nothing yet. Where there is no driver, opening fails in another way.
    ASSERT_EQ(sh("mknod /tmp/fuse c 10 229 && mknod /tmp/loop c 10 237"), "");
    constexpr const char* refused = "Operation not permitted";
    EXPECT_THAT(sh("exec 3</tmp/fuse"), Not(HasSubstr(refused)));
    EXPECT_THAT(sh("exec 3>/tmp/fuse"), HasSubstr(refused));
    EXPECT_THAT(sh("exec 3</tmp/loop"), HasSubstr(refused));
    EXPECT_EQ(sh("echo >/dev/null && head -c 0 /dev/zero"), "") << "the usual ones may be used";
}

// config-linux.md, "Cgroup ownership".
TEST_F(BundleCgroup, BelongsToTheProcesssUserWhereItIsMountedForWriting) {
    json& linux = config["linux"];
    linux["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        linux[maps] = json::array({{{"containerID", 0}, {"hostID", 200000}, {"size", 65536}}});
    config["process"]["user"] = {{"uid", 33}, {"gid", 33}};
    for (json& mount : config["mounts"])
        if (mount["destination"] == "/sys/fs/cgroup")
            mount["options"] = {"nosuid", "noexec", "nodev", "rw"};
    ASSERT_EQ(start(id).status, 0) << printed();
    auto owner = [&](const std::string& file) {
        struct stat info{};
        EXPECT_EQ(::stat((leaf() + file).c_str(), &info), 0);
        return info.st_uid;
    };
    EXPECT_EQ(owner(""), 200033);
    EXPECT_EQ(owner("/cgroup.procs"), 200033);
    EXPECT_EQ(owner("/cgroup.max.depth"), 0); // not among /sys/kernel/cgroup/delegate
}

// And in a user namespace that is joined, where config.json need not say its map.
TEST_F(BundleCgroup, BelongsToTheUserOfAJoinedNamespace) {
    Process holder({.argv = {"unshare", "--user", "--", "sh", "-c", "echo in; exec sleep 1000"}});
    holder.until("in");
    std::string proc = "/proc/" + std::to_string(holder.pid());
    for (const char* map : {"/uid_map", "/gid_map"})
        write_to(proc + map, "0 300000 1000");
    json& linux = config["linux"];
    linux["namespaces"].push_back({{"type", "user"}, {"path", proc + "/ns/user"}});
    for (json& mount : config["mounts"])
        if (mount["destination"] == "/sys/fs/cgroup")
            mount["options"] = {"nosuid", "noexec", "nodev", "rw"};
    ASSERT_EQ(start(id).status, 0) << printed();
    struct stat info{};
    ASSERT_EQ(::stat(leaf().c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 300000);
}

TEST_F(BundleCgroup, IsPausedAndResumed) {
    ASSERT_EQ(start(id).status, 0) << printed();
    EXPECT_EQ(runtime({"pause", id}).status, 0);
    EXPECT_EQ(status(), "paused");
    EXPECT_THAT(slurp(leaf() + "/cgroup.events"), HasSubstr("frozen 1"));
    EXPECT_NE(runtime({"pause", id}).status, 0);
    EXPECT_THAT(runtime({"start", id}).err, HasSubstr("cannot start a paused container"));
    EXPECT_EQ(runtime({"resume", id}).status, 0);
    EXPECT_EQ(status(), "running");
    EXPECT_THAT(slurp(leaf() + "/cgroup.events"), HasSubstr("frozen 0"));
}

TEST_F(BundleCgroup, HoldsToItsLimitsOrNamesTheOneThatItCannot) {
    config["linux"]["resources"]["pids"]["limit"] = 77;
    Ended ended = start(id);
    if (slurp(hierarchy() + "/cgroup.controllers").contains("pids")) {
        EXPECT_EQ(ended.status, 0) << printed();
        EXPECT_EQ(slurp(leaf() + "/pids.max"), "77\n");
        EXPECT_EQ(runtime({"update", "--pids-limit", "78", id}).status, 0);
        EXPECT_EQ(slurp(leaf() + "/pids.max"), "78\n");
    } else {
        EXPECT_NE(ended.status, 0);
        EXPECT_THAT(printed(), HasSubstr("linux.resources.pids.limit: can't be enforced: "));
    }
}

TEST_F(BundleCgroup, ARateIsLiftedByNone) {
    if (!slurp(hierarchy() + "/cgroup.controllers").contains("io"))
        GTEST_SKIP() << "host lacks an io controller in cgroup v2";
    std::string disk;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block"))
        disk = slurp(entry.path().string() + "/dev");
    if (disk.empty())
        GTEST_SKIP() << "host lacks a disk";
    disk.pop_back();
    std::size_t colon = disk.find(':');
    auto limits = [&](unsigned rate) {
        json device = {{"major", std::stoi(disk.substr(0, colon))},
                       {"minor", std::stoi(disk.substr(colon + 1))},
                       {"rate", rate}};
        return json{{"blockIO", {{"throttleReadBpsDevice", json::array({device})}}}};
    };
    config["linux"]["resources"] = limits(4096);
    ASSERT_EQ(start(id).status, 0) << printed();
    EXPECT_EQ(slurp(leaf() + "/io.max"), disk + " rbps=4096 wbps=max riops=max wiops=max\n");
    std::string file = files / "limits";
    spill(file, limits(0).dump());
    EXPECT_EQ(runtime({"update", "--resources", file, id}).err, "");
    EXPECT_EQ(slurp(leaf() + "/io.max"), "");
}

TEST_F(BundleCgroup, NoLimitIsHeldToWithoutAController) {
    config["linux"]["resources"] = {{"memory", {{"limit", -1}, {"swap", -1}, {"reservation", -1}}},
                                    {"cpu", {{"quota", -1}, {"period", 100000}}},
                                    {"pids", {{"limit", -1}}}};
    EXPECT_EQ(start(id).status, 0) << printed();
    EXPECT_EQ(runtime({"update", "--pids-limit", "-1", id}).err, "");
    EXPECT_EQ(runtime({"update", "--memory", "-1", "--memory-swap", "-1", id}).err, "");
}

// The kernel ends who is born across two cgroups of which one was once ended by cgroup.kill.
TEST_F(BundleCgroup, OnceEndedTakesNewProcesses) {
    ASSERT_EQ(::mkdir((hierarchy() + "/" + parent).c_str(), 0755), 0);
    ASSERT_EQ(::mkdir(leaf().c_str(), 0755), 0);
    end_all(leaf());
    for (bool joins : {false, true}) { // exec: through a joiner
        if (joins) {
            config["linux"]["namespaces"].push_back({{"type", "user"}});
            for (const char* maps : {"uidMappings", "gidMappings"})
                config["linux"][maps] =
                    json::array({{{"containerID", 0}, {"hostID", 0}, {"size", 65536}}});
        }
        ASSERT_EQ(start(id).status, 0) << printed();
        EXPECT_EQ(slurp(leaf() + "/cgroup.procs"), std::to_string(pid()) + "\n");
        std::string word = token();
        EXPECT_EQ(sh("grep 0:: /proc/self/cgroup; echo " + word), "0::/\n" + word + "\n");
        EXPECT_EQ(runtime({"delete", "--force", id}).status, 0);
    }
    Ended ended =
        launch({"--cgroup", "/" + parent + "/leaf"}, {"grep", "0::", "/proc/self/cgroup"});
    EXPECT_EQ(ended.out, "0::/\n") << ended.err;
    EXPECT_EQ(slurp(leaf() + "/cgroup.procs"), "") << "it was there before the container";
    ASSERT_TRUE(removed(leaf()));
    ASSERT_TRUE(removed(hierarchy() + "/" + parent));
}

TEST_F(BundleCgroup, IsEnteredFromOneThatWasOnceEnded) {
    std::string ended = hierarchy() + "/" + token();
    ASSERT_EQ(::mkdir(ended.c_str(), 0755), 0);
    end_all(ended);
    auto from_there = [&](const Strings& words) {
        Strings argv = {gocontainer(), "--root", files / "state"};
        argv.insert(argv.end(), words.begin(), words.end());
        return support::run({.argv = argv, .before_exec = [&] {
                                 write_to(ended + "/cgroup.procs", std::to_string(getpid()));
                             }});
    };
    config["process"]["args"] = {"/bin/grep", "0::", "/proc/self/cgroup"};
    spill(files / "config.json", config.dump());
    Ended run = from_there({"run", "--bundle", files.path(), token()});
    EXPECT_EQ(run.out + run.err, "0::/\n") << run.status;
    config["process"]["args"] = {"/bin/sleep", "1000"};
    ASSERT_EQ(start(id).status, 0) << printed();
    Ended exec = from_there({"exec", id, "/bin/grep", "0::", "/proc/self/cgroup"});
    EXPECT_EQ(exec.out + exec.err, "0::/\n") << exec.status;
    ASSERT_TRUE(removed(ended));
}

TEST_F(BundleCgroup, EveryProcessBelowItIsSignalled) {
    ASSERT_EQ(start(id).status, 0) << printed();
    std::string below = leaf() + "/below";
    ASSERT_EQ(::mkdir(below.c_str(), 0755), 0);
    Process child({.argv = {"/bin/sleep", "1000"}});
    write_to(below + "/cgroup.procs", std::to_string(child.pid()));
    EXPECT_EQ(runtime({"kill", "--all", id, "KILL"}).status, 0);
    EXPECT_EQ(child.wait().signal, SIGKILL);
}

// A user's session may not move a process into a unit of the user's own systemd, which does it
// then.
TEST(SystemdScope, IsExecutedIntoFromASession) {
    const char* folder = getenv("XDG_RUNTIME_DIR");
    if (is_root() || access("/run/systemd/system", F_OK) != 0 || folder == nullptr ||
        access((folder + std::string("/bus")).c_str(), F_OK) != 0)
        GTEST_SKIP() << "host lacks a 'systemd --user' session";
    if (access((hierarchy() + cgroup_of(getpid()) + "/cgroup.procs").c_str(), W_OK) == 0)
        GTEST_SKIP() << "host lacks a session without delegation";
    Bundle bundle;
    bundle.args({"/bin/sleep", "1000"});
    bundle.config["linux"]["cgroupsPath"] = ":test:" + bundle.id();
    bundle.save();
    ASSERT_EQ(run(bundle.detached({"--systemd-cgroup", "run", "--detach", bundle.id()})).status, 0)
        << slurp(bundle.folder() / "detached.err");
    std::string leaf = cgroup_of(bundle.pid());
    ASSERT_THAT(leaf, HasSubstr("/test-" + bundle.id() + ".scope"));
    ASSERT_EQ(run(bundle.detached({"exec", "--detach", "--pid-file", bundle.folder() / "pid",
                                   bundle.id(), "/bin/sleep", "1000"}))
                  .status,
              0)
        << slurp(bundle.folder() / "detached.err");
    EXPECT_EQ(cgroup_of(std::stoi(slurp(bundle.folder() / "pid"))), leaf);
    Ended ended = bundle.runtime({"exec", bundle.id(), "/bin/sh", "-c", "exit 7"});
    EXPECT_EQ(ended.status, 7) << ended.err;
    // Its own processes may make cgroups in it.
    std::string below = token();
    ASSERT_EQ(::mkdir((hierarchy() + leaf + "/" + below).c_str(), 0755), 0);
    ended = bundle.runtime(
        {"exec", "--cgroup", below, bundle.id(), "/bin/grep", "0::", "/proc/self/cgroup"});
    EXPECT_EQ(ended.out, "0::/" + below + "\n") << ended.err;
}

} // namespace
