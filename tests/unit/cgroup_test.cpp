// The cgroup stage on hosts of every kind: what it does in which order, and what it says.
#include "stages/cgroup_place.hpp"
#include "sys/dbus.hpp"
#include "sys/path.hpp"
#include "tests/unit/fake_cgroups.hpp"
#include "tests/unit/fake_systemd.hpp"

#include <gmock/gmock.h>

#include <sys/wait.h>

#include <memory>

namespace {

using stages::Error;
using stages::Ledger;
using test::FakeCgroups;
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kAll = "cpuset cpu io memory pids";
const std::string kRoot = "/sys/fs/cgroup";
const std::string kUid = std::to_string(::geteuid());

/// One launch, without the container.
struct Trial {
    spec::Spec spec;
    std::unique_ptr<Ledger> ledger = std::make_unique<Ledger>();
    std::vector<std::string> said;
    int kept = 0;
    stages::Launch launch{.spec = spec, .ledger = ledger.get()};

    Trial() {
        spec.name = "x";
        launch.keep = [this]() -> sys::Result<void> {
            ++kept;
            return {};
        };
        launch.say = [this](const std::string& line) { said.push_back(line); };
    }
    /// "" or the error as one line.
    std::string prepare() {
        auto done = stages::cgroup::prepare(launch);
        if (done)
            done = stages::cgroup::meanwhile(launch);
        return done ? "" : sys::to_line(done.error());
    }
    /// As prepare(), and when that has worked, the half after the clone.
    std::string go() {
        if (std::string wrong = prepare(); !wrong.empty())
            return wrong;
        auto done = stages::cgroup::parent(launch);
        return done ? "" : sys::to_line(done.error());
    }
    void undo() {
        stages::cgroup::undo(*ledger);
        launch.leaf.close();
    }
};

/// cgroup v2 alone; we are in /shell, with every controller at hand.
struct Pure : FakeCgroups {
    explicit Pure(const std::string& controllers = kAll) {
        mount(kRoot, controllers);
        cgroup(kRoot + "/shell", "1\n");
        put("/proc/self/cgroup", "0::/shell\n");
    }
};

// --- where the leaf goes -------------------------------------------------------------------------

TEST(Cgroup, WithoutLimitsTheLeafIsBelowUs) {
    Pure host;
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/shell/gocontainer-x");
    EXPECT_TRUE(trial.launch.leaf.valid());
    trial.undo();
    EXPECT_THAT(host.calls, ElementsAre("mkdirat /sys/fs/cgroup/shell/gocontainer-x",
                                        "rmdir /sys/fs/cgroup/shell/gocontainer-x"));
    EXPECT_THAT(trial.said, IsEmpty());
}

TEST(Cgroup, TheLedgerIsWrittenAndKeptBeforeTheLeafIsMade) {
    Pure host;
    Trial trial;
    int seen = 0;
    host.watch = [&](const sys::Call& call) {
        if (call.name != "mkdirat")
            return;
        ++seen;
        EXPECT_EQ(trial.kept, 1);
        EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/shell/gocontainer-x");
        EXPECT_FALSE(trial.ledger->leaf_ours) << "a leaf that is not made yet can be another's";
    };
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(seen, 1);
    EXPECT_TRUE(trial.ledger->leaf_ours);
}

TEST(Cgroup, WithLimitsTheLeafIsAboveTheProcesses) {
    Pure host;
    Trial trial;
    trial.spec.cgroup.resources = {
        .memory = 100 << 20, .memory_swap = 100 << 20, .cpu_quota = 10000, .pids = 64};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(host.calls,
                ElementsAre("write /sys/fs/cgroup/cgroup.subtree_control=+memory +cpu +pids",
                            "mkdirat /sys/fs/cgroup/gocontainer-x",
                            "write /sys/fs/cgroup/gocontainer-x/memory.max=104857600",
                            "write /sys/fs/cgroup/gocontainer-x/memory.swap.max=0",
                            "write /sys/fs/cgroup/gocontainer-x/cpu.max=10000",
                            "write /sys/fs/cgroup/gocontainer-x/pids.max=64"));
}

TEST(Cgroup, ControllersThatAreEnabledAreLeftAlone) {
    Pure host;
    host.put(kRoot + "/cgroup.subtree_control", "pids memory\n");
    Trial trial;
    trial.spec.cgroup.resources.pids = -1;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(host.calls, ElementsAre("mkdirat /sys/fs/cgroup/gocontainer-x",
                                        "write /sys/fs/cgroup/gocontainer-x/pids.max=max"));
}

TEST(Cgroup, OnAHybridHostTheLeafIsInTheUnifiedHierarchy) {
    FakeCgroups host;
    host.mount(kRoot + "/unified", "hugetlb");
    host.put("/proc/self/cgroup", "4:memory:/a\n1:cpu:/b\n0::/\n");
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/unified/gocontainer-x");
}

TEST(Cgroup, SeenFromOutsideItsNamespaceTheRootIsTheOnlyPlace) {
    FakeCgroups host;
    host.mount(kRoot, kAll);
    host.put("/proc/self/cgroup", "0::/../other\n");
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/gocontainer-x");
}

TEST(Cgroup, ANameInUseIsAnErrorAndNothingOfTheOtherIsTouched) {
    Pure host;
    host.cgroup(kRoot + "/shell/gocontainer-x");
    Trial trial;
    EXPECT_THAT(trial.prepare(),
                HasSubstr("EEXIST (file exists): the name \"x\" is in use: "
                          "\"/sys/fs/cgroup/shell/gocontainer-x\" is there already: choose another "
                          "name, or, if nothing runs in it, rmdir "));
    trial.undo();
    EXPECT_TRUE(host.has(kRoot + "/shell/gocontainer-x"));
}

TEST(Cgroup, ALeafThatCanHoldNoProcessIsGivenUpForOneFurtherUp) {
    Pure host;
    Trial trial;
    host.watch = [&](const sys::Call& call) {
        if (call.text.contains("\"cgroup.type\"") && host.has(kRoot + "/shell/gocontainer-x"))
            host.put(kRoot + "/shell/gocontainer-x/cgroup.type", "domain invalid\n");
    };
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(host.calls, ElementsAre("mkdirat /sys/fs/cgroup/shell/gocontainer-x",
                                        "rmdir /sys/fs/cgroup/shell/gocontainer-x",
                                        "mkdirat /sys/fs/cgroup/gocontainer-x"));
}

// --- --cgroup PATH -------------------------------------------------------------------------------

TEST(Cgroup, APathIsMadeWithItsParentsAndRemovedWithThem) {
    Pure host;
    host.cgroup(kRoot + "/class");
    Trial trial;
    trial.spec.cgroup.path = "/class//a/./b/";
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/class/a/b");
    trial.undo();
    EXPECT_THAT(host.calls,
                ElementsAre("write /sys/fs/cgroup/cgroup.subtree_control=+pids",
                            "write /sys/fs/cgroup/class/cgroup.subtree_control=+pids",
                            "mkdirat /sys/fs/cgroup/class/a",
                            "write /sys/fs/cgroup/class/a/cgroup.subtree_control=+pids",
                            "mkdirat /sys/fs/cgroup/class/a/b",
                            "write /sys/fs/cgroup/class/a/b/pids.max=5",
                            "rmdir /sys/fs/cgroup/class/a/b", "rmdir /sys/fs/cgroup/class/a"));
}

TEST(Cgroup, ParentsThatWereMadeForAPathGoAfterAFailureToo) {
    Pure host;
    host.answer("mkdirat", "/a/b/c\"", ENOSPC);
    Trial trial;
    trial.spec.cgroup.path = "a/b/c";
    EXPECT_THAT(trial.prepare(), HasSubstr("ENOSPC"));
    trial.undo();
    EXPECT_FALSE(host.has(kRoot + "/a"));
}

TEST(Cgroup, OfContainersWithACommonParentTheLastRemovesIt) {
    Pure host;
    host.cgroup(kRoot + "/school"); // a person's: it stays
    Trial first;
    first.spec.cgroup.path = "school/class/a";
    EXPECT_EQ(first.prepare(), "");
    Trial second;
    second.spec.cgroup.path = "school/class/b";
    EXPECT_EQ(second.prepare(), "");
    first.undo();
    EXPECT_FALSE(host.has(kRoot + "/school/class/a"));
    EXPECT_TRUE(host.has(kRoot + "/school/class/b"));
    second.undo();
    EXPECT_FALSE(host.has(kRoot + "/school/class"));
    EXPECT_TRUE(host.has(kRoot + "/school"));
}

TEST(Cgroup, AnEmptyLeafThatWasThereIsUsedAndKept) {
    Pure host;
    host.cgroup(kRoot + "/pre");
    Trial trial;
    trial.spec.cgroup.path = "pre";
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_TRUE(trial.ledger->keep_cgroup);
    // What the container leaves in it goes all the same.
    host.put(kRoot + "/pre/cgroup.procs", "9\n");
    trial.undo();
    EXPECT_TRUE(host.has(kRoot + "/pre"));
    EXPECT_EQ(host.get(kRoot + "/pre/cgroup.procs"), "");
}

TEST(Cgroup, ALeafIsARecordedContainersUntilItIsUndone) {
    Pure host;
    host.cgroup(kRoot + "/pre");
    for (const char* path : {"/pre", "/new"}) {
        Trial first;
        first.launch.recorded = true;
        first.spec.cgroup.path = path;
        EXPECT_EQ(first.prepare(), "");
        first.launch.leaf.close(); // it has ended
        Trial second;
        second.spec.cgroup.path = path;
        EXPECT_THAT(second.prepare(), HasSubstr("is that of another container, which has ended: "
                                                "delete that one first"));
        second.undo();
        EXPECT_TRUE(host.has(kRoot + path));
        first.undo();
        EXPECT_EQ(second.prepare(), "") << "now it is free";
        second.undo();
    }
}

TEST(Cgroup, ALeafThatIsInUseIsRefused) {
    Pure host;
    auto refusal = [&](const std::string& path) {
        Trial trial;
        trial.spec.cgroup.path = path;
        std::string line = trial.prepare();
        trial.undo();
        EXPECT_TRUE(host.has(kRoot + "/" + path));
        return line;
    };
    host.cgroup(kRoot + "/busy", "7\n");
    EXPECT_EQ(refusal("busy"), "--cgroup: \"/sys/fs/cgroup/busy\" has processes in it: name one "
                               "that is empty, or that is not there yet");
    EXPECT_EQ(host.get(kRoot + "/busy/cgroup.procs"), "7\n");
    host.cgroup(kRoot + "/inner");
    host.cgroup(kRoot + "/inner/child");
    EXPECT_THAT(refusal("inner"), HasSubstr("has cgroups of its own"));
    host.cgroup(kRoot + "/giving");
    host.put(kRoot + "/giving/cgroup.subtree_control", "memory\n");
    EXPECT_THAT(refusal("giving"), HasSubstr("hands controllers to children"));
    host.cgroup(kRoot + "/locked");
    host.answer("flock", "", EWOULDBLOCK);
    EXPECT_THAT(refusal("locked"), HasSubstr("is in use by another container"));
}

TEST(Cgroup, APathStaysInTheHierarchy) {
    Pure host;
    Trial up;
    up.spec.cgroup.path = "/a/../../b";
    EXPECT_EQ(up.prepare(), "--cgroup \"/a/../../b\": \"..\" leads out of the hierarchy: give the "
                            "path below its root");
    Trial root;
    root.spec.cgroup.path = "/./";
    EXPECT_EQ(root.prepare(), "--cgroup \"/./\": the root itself can't be a leaf: name a cgroup "
                              "below it, as /class/alice");
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(Cgroup, APathIsMadeAgainWhenAnotherContainersEndRemovedItsParent) {
    Pure host;
    Trial trial;
    trial.spec.cgroup.path = "class/a";
    host.cgroup(kRoot + "/class");
    int times = 0;
    host.watch = [&](const sys::Call& call) {
        if (call.name == "mkdirat" && call.text.contains("class/a") && times++ == 0)
            fs::remove_all(fs::path(host.top()) / "sys/fs/cgroup/class");
    };
    EXPECT_EQ(trial.prepare(), "");
    trial.undo();
    EXPECT_THAT(host.calls,
                ElementsAre("mkdirat /sys/fs/cgroup/class", "mkdirat /sys/fs/cgroup/class/a",
                            "rmdir /sys/fs/cgroup/class/a", "rmdir /sys/fs/cgroup/class"));
}

// --- for a bundle --------------------------------------------------------------------------------

/// As config.json's front end asks.
struct BundleTrial : Trial {
    BundleTrial() {
        spec.naming = spec::Naming::properties;
        spec.cgroup.every_controller = true;
    }
};

TEST(CgroupBundle, GetsEveryControllerOnTheWay) {
    Pure host("cpu memory");
    BundleTrial trial;
    trial.spec.cgroup.path = "/docker/x";
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(host.calls,
                ElementsAre("write /sys/fs/cgroup/cgroup.subtree_control=+cpu +memory",
                            "mkdirat /sys/fs/cgroup/docker",
                            "write /sys/fs/cgroup/docker/cgroup.subtree_control=+cpu +memory",
                            "mkdirat /sys/fs/cgroup/docker/x"));
}

TEST(CgroupBundle, AControllerThatNobodyAskedForMayBeRefused) {
    Pure host("cpu memory");
    host.answer("write", "+cpu", EINVAL); // realtime processes, for one
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(host.calls, ElementsAre("write /sys/fs/cgroup/cgroup.subtree_control=+memory",
                                        "mkdirat /sys/fs/cgroup/x"));
}

TEST(CgroupBundle, ARelativePathIsBesideOurOwn) {
    Pure host;
    host.cgroup(kRoot + "/shell/deep", "1\n");
    host.put("/proc/self/cgroup", "0::/shell/deep\n");
    BundleTrial trial;
    trial.spec.cgroup.path = "a/x";
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_STREQ(trial.ledger->leaf, "/sys/fs/cgroup/shell/a/x");
}

TEST(CgroupBundle, WithoutAPathIsBelowTheRootOrWhereWeMay) {
    Pure host;
    BundleTrial root;
    EXPECT_EQ(root.prepare(), "");
    EXPECT_STREQ(root.ledger->leaf, "/sys/fs/cgroup/x");
    host.answer("faccessat", "\"/sys/fs/cgroup/cgroup.procs\"", EACCES);
    BundleTrial user;
    EXPECT_EQ(user.prepare(), "");
    EXPECT_STREQ(user.ledger->leaf, "/sys/fs/cgroup/shell/gocontainer-x");
}

TEST(CgroupBundle, IsToldInTheNamesOfConfigJson) {
    Pure host("memory");
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    trial.spec.cgroup.resources = {.memory = 1, .pids = 5};
    EXPECT_THAT(trial.prepare(),
                StartsWith("linux.resources.pids.limit: can't be enforced: this kernel has no "));
    trial.spec.cgroup.resources = {};
    trial.spec.cgroup.path = "/a/..";
    EXPECT_THAT(trial.prepare(), StartsWith("linux.cgroupsPath \"/a/..\": "));
    host.cgroup(kRoot + "/busy", "7\n");
    trial.spec.cgroup.path = "/busy";
    EXPECT_THAT(trial.prepare(), StartsWith("linux.cgroupsPath: \"/sys/fs/cgroup/busy\" has "
                                            "processes in it"));
    host.cgroup(kRoot + "/cold");
    host.put(kRoot + "/cold/cgroup.events", "populated 0\nfrozen 1\n");
    trial.spec.cgroup.path = "/cold";
    EXPECT_THAT(trial.prepare(), HasSubstr("is frozen"));
}

TEST(CgroupBundle, CanDoWithoutAny) {
    Pure host;
    BundleTrial trial;
    trial.spec.cgroup.manager = spec::CgroupManager::disabled;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_FALSE(trial.launch.leaf.valid());
    EXPECT_THAT(host.calls, IsEmpty());
    EXPECT_THAT(trial.said, IsEmpty());
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(), "linux.resources.pids.limit: can't be enforced: cgroups are "
                               "switched off: leave out the limits");
}

TEST(CgroupBundle, FiltersDevicesOrSaysWhyNot) {
    Pure host;
    host.answer("bpf", "BPF_PROG_LOAD", EPERM);
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    trial.spec.cgroup.resources.devices = {{.allow = false}};
    host.put("/proc/self/ns/user", "of a user namespace");
    EXPECT_EQ(trial.prepare(), "") << "it could make no device node either";
    EXPECT_THAT(trial.said, ElementsAre(StartsWith("cgroup: linux.resources.devices: left out: ")));
    trial.undo();
    fs::remove(host.top() + "/proc/self/ns/user");
    std::string line = ::geteuid() == 0 ? trial.prepare() : "";
    EXPECT_THAT(line, AnyOf("", AllOf(StartsWith("bpf(BPF_PROG_LOAD, [8 instructions]): EPERM"),
                                      HasSubstr("linux.resources.devices: can't be enforced"))));
    EXPECT_EQ(line.empty(), ::geteuid() != 0);
    trial.undo();
    trial.said.clear();
    trial.spec.cgroup.refused = spec::Refused::accepted;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(trial.said, ElementsAre(StartsWith("cgroup: linux.resources.devices: left out: ")));
    trial.undo();
    trial.said.clear();
    trial.spec.cgroup.refused = spec::Refused::an_error;
    host.put("/proc/self/ns/user", "of a user namespace");
    EXPECT_THAT(trial.prepare(), HasSubstr("linux.resources.devices: can't be enforced"));
    fs::remove(host.top() + "/proc/self/ns/user");
    trial.undo();
    trial.said.clear();
    trial.spec.cgroup.refused = spec::Refused::automatic;
    trial.spec.cgroup.manager = spec::CgroupManager::disabled;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(trial.said, ElementsAre(HasSubstr("left out: there is no cgroup")));
}

TEST(CgroupBundle, GivesTheLeafToTheProcesssUser) {
    Pure host;
    host.put("/sys/kernel/cgroup/delegate", "cgroup.procs\nmemory.oom.group\n");
    host.put("/proc/77/uid_map",
             "         5          7          1\n         0       4242          5\n");
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    trial.spec.cgroup.delegate = true;
    trial.spec.process.ids = spec::Ids{.uid = 3};
    trial.launch.child = 77;
    host.answer("fchownat", "memory.oom.group", ENOENT); // of a controller that isn't there
    EXPECT_EQ(trial.go(), "");
    EXPECT_THAT(host.owners,
                ElementsAre("/sys/fs/cgroup/x 4245", "/sys/fs/cgroup/x/cgroup.procs 4245"));
    host.answer("fchownat", "x\"", EPERM);
    trial.undo();
    EXPECT_THAT(trial.go(), HasSubstr("EPERM"));
}

TEST(CgroupBundle, KeepsTheLeafFromAUserWhomTheContainerDoesNotKnow) {
    Pure host;
    host.put("/proc/77/uid_map", "0 4242 5\n");
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    trial.spec.cgroup.delegate = true;
    trial.spec.process.ids = spec::Ids{.uid = 5};
    trial.launch.child = 77;
    EXPECT_EQ(trial.go(), "");
    EXPECT_THAT(host.owners, IsEmpty());
}

TEST(CgroupBundle, MayManageACgroupBelowItsLeaf) {
    Pure host("cpu");
    host.put("/sys/kernel/cgroup/delegate", "cgroup.procs\n");
    BundleTrial trial;
    trial.spec.cgroup.path = "/x";
    trial.spec.cgroup.payload = "inner";
    trial.launch.child = 77;
    host.put("/proc/77/uid_map", "0 4242 5\n");
    EXPECT_EQ(trial.go(), "");
    EXPECT_THAT(host.owners,
                ElementsAre(kRoot + "/x/inner 4242", kRoot + "/x/inner/cgroup.procs 4242",
                            kRoot + "/x/cgroup.procs 4242",
                            kRoot + "/x/cgroup.subtree_control 4242"));
    host.put("/proc/self/cgroup", "0::/x\n"); // where the child is born
    host.calls.clear();
    stages::Facts facts;
    stages::Inside inside{.spec = trial.spec, .facts = facts};
    EXPECT_TRUE(stages::cgroup::child(inside));
    EXPECT_THAT(host.calls, ElementsAre("unshare", "write " + kRoot + "/x/inner/cgroup.procs=0",
                                        "write " + kRoot + "/x/cgroup.subtree_control=+cpu"));
}

// --- limits --------------------------------------------------------------------------------------

struct Limited : Pure {
    Limited() { put(kRoot + "/cgroup.subtree_control", kAll); }
    std::string file(const std::string& name) { return get(kRoot + "/gocontainer-x/" + name); }
};

TEST(Cgroup, SwapIsWhatIsBeyondMemory) {
    Limited host;
    Trial trial;
    trial.spec.cgroup.resources = {.memory = 1000000, .memory_swap = 1000050};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("memory.max"), "1000000");
    EXPECT_EQ(host.file("memory.swap.max"), "50");
    trial.undo();
    trial.spec.cgroup.resources = {.memory = 1000000, .memory_swap = -1};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("memory.swap.max"), "max");
    trial.undo();
    trial.spec.cgroup.resources = {.memory = -1};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("memory.max"), "max");
    EXPECT_EQ(host.file("memory.swap.max"), "") << "no bound was asked for";
}

TEST(Cgroup, WhereNoProcessCanStartIsAnError) {
    Limited host;
    Trial trial;
    trial.spec.cgroup.resources.memory = 131071;
    EXPECT_EQ(trial.prepare(), "--memory \"131071\": is too little for any process to start: "
                               "1M is enough for a small one");
    trial.undo();
    EXPECT_FALSE(host.has(kRoot + "/gocontainer-x"));
    trial.spec.cgroup.resources = {.unified = {{"memory.max", "4096"}}};
    EXPECT_THAT(trial.prepare(), HasSubstr("\"4096\": is too little for any process"));
    trial.undo();
    trial.spec.cgroup.resources = {.unified = {{"cgroup.freeze", "1"}}};
    EXPECT_EQ(trial.prepare(), "--unified \"cgroup.freeze\": the first process would never take "
                               "its first step: pause the container once it is there");
    trial.undo();
    host.cgroup(kRoot + "/small");
    host.put(kRoot + "/small/memory.max", "65536\n");
    trial.spec.cgroup = {.path = "/small"};
    EXPECT_THAT(trial.prepare(), HasSubstr("\"65536\": is too little for any process"))
        << "nor in one that was there already";
    trial.undo();
    trial.spec.cgroup = {.resources = {.memory = 131072}};
    EXPECT_EQ(trial.prepare(), "");
}

TEST(Cgroup, EveryFileTakesItsOwnForm) {
    Limited host;
    Trial trial;
    trial.spec.cgroup.resources = {.cpu_quota = -1, .cpu_weight = 50, .cpuset = "0-1"};
    host.watch = [&](const sys::Call& call) {
        if (call.text.contains("cpuset.cpus.effective"))
            host.put(kRoot + "/gocontainer-x/cpuset.cpus.effective", "0-1\n");
    };
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("cpu.max"), "max");
    EXPECT_EQ(host.file("cpu.weight"), "50");
    EXPECT_EQ(host.file("cpuset.cpus"), "0-1");
}

TEST(Cgroup, CpusThatTheParentMayNotUseAreAnError) {
    Limited host;
    host.put(kRoot + "/cpuset.cpus.effective", "0-1\n");
    Trial trial;
    trial.spec.cgroup.resources.cpuset = "2";
    host.watch = [&](const sys::Call& call) {
        if (call.text.contains("cpuset.cpus.effective") && host.has(kRoot + "/gocontainer-x"))
            host.put(kRoot + "/gocontainer-x/cpuset.cpus.effective", "0-1\n");
    };
    EXPECT_EQ(trial.prepare(), "--cpuset \"2\": can't be enforced: the kernel would use CPUs 0-1: "
                               "the CPUs to choose from are 0-1");
    trial.undo();
    EXPECT_FALSE(host.has(kRoot + "/gocontainer-x"));
}

TEST(Cgroup, AValueThatTheKernelRefusesIsNamed) {
    Limited host;
    host.put(kRoot + "/cpuset.cpus.effective", "0-1\n");
    host.answer("write", "\"9\"", ERANGE);
    Trial trial;
    trial.spec.cgroup.resources.cpuset = "9";
    EXPECT_EQ(trial.prepare(),
              "write(\"cpuset.cpus\", \"9\"): ERANGE (numerical result out of range): --cpuset "
              "\"9\": the kernel refuses this value: the CPUs to choose from are 0-1");
}

TEST(Cgroup, AFileThatTheKernelLacksIsNamed) {
    Limited host;
    host.answer("openat", "\"cpu.max\"", ENOENT);
    Trial trial;
    trial.spec.cgroup.resources.cpu_quota = 5000;
    EXPECT_THAT(trial.prepare(),
                HasSubstr("ENOENT (no such file or directory): --cpus \"5000\": can't be "
                          "enforced: this kernel has no cpu.max: boot one with "
                          "CONFIG_CFS_BANDWIDTH"));
}

TEST(Cgroup, IoLimitsNeedADisk) {
    Limited host;
    Trial trial;
    trial.spec.cgroup.resources.io_max = {{.device = "8:0", .rbps = 1}};
    EXPECT_EQ(trial.prepare(), "--io-max: \"8:0\" is no block device of this host: lsblk lists "
                               "them");
    trial.undo();
    host.put("/sys/dev/block/8:0/dev", "8:0\n");
    host.put("/sys/dev/block/8:1/partition", "1\n");
    host.put("/sys/dev/block/dev", "8:0\n"); // as 8:1/../dev is, where 8:1 is a link to sda/sda1
    trial.spec.cgroup.resources.io_max = {{.device = "8:1", .rbps = 1, .wiops = 2}};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("io.max"), "8:0 rbps=1 wiops=2") << "a partition's limit is its disk's";
    trial.undo();
    trial.spec.cgroup.resources.io_max = {{.device = "/dev/null", .rbps = 1}};
    EXPECT_EQ(trial.prepare(), "--io-max: \"/dev/null\" is not a block device: lsblk lists them");
    trial.undo();
    trial.spec.cgroup.resources.io_max = {{.device = "/dev/none", .rbps = 1}};
    EXPECT_THAT(trial.prepare(), HasSubstr("ENOENT (no such file or directory): --io-max: no "
                                           "device \"/dev/none\""));
}

TEST(Cgroup, AWeightOfIoThatNoDiskLooksAtIsWrittenAndSaidToBeIdle) {
    Limited host;
    host.put(kRoot + "/io.cost.qos", "8:0 enable=0\n");
    Trial trial;
    trial.spec.cgroup.resources.io_weight = 200;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("io.weight"), "default 200");
    EXPECT_THAT(trial.said,
                ElementsAre(StartsWith("cgroup: --io-weight: no effect as long as no disk here "
                                       "weighs its users: as root: modprobe bfq && ")));
    trial.undo();
    trial.said.clear();
    host.put(kRoot + "/io.cost.qos", "8:0 enable=1 ctrl=auto\n");
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("io.weight"), "default 200");
    EXPECT_THAT(trial.said, IsEmpty());
}

TEST(Cgroup, BfqHasWeightsOfItsOwn) {
    Limited host;
    host.put("/sys/class/block/sda/queue/scheduler", "none mq-deadline [bfq]\n");
    host.watch = [&](const sys::Call& call) {
        if (call.name == "faccessat" && host.has(kRoot + "/gocontainer-x"))
            host.put(kRoot + "/gocontainer-x/io.bfq.weight", "");
    };
    Trial trial;
    trial.spec.cgroup.resources.io_weight = 1001;
    EXPECT_EQ(trial.prepare(), "--io-weight \"1001\": can't be enforced: disks here are scheduled "
                               "by bfq, which knows weights of 1 to 1000: use one of these");
    trial.undo();
    trial.spec.cgroup.resources.io_weight = 200;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(host.file("io.bfq.weight"), "default 200");
    EXPECT_THAT(trial.said, IsEmpty());
}

TEST(Cgroup, WithoutAnyWeightOfIoTheErrorSaysWhatTheKernelLacks) {
    Limited host;
    host.answer("faccessat", "\"io.weight\"", ENOENT);
    Trial trial;
    trial.spec.cgroup.resources.io_weight = 200;
    EXPECT_EQ(
        trial.prepare(),
        "--io-weight \"200\": can't be enforced: this kernel hands out io by weight neither by "
        "bfq (io.bfq.weight) nor by a cost model (io.weight): as root: modprobe bfq && echo "
        "bfq > /sys/block/DISK/queue/scheduler, or boot a kernel with "
        "CONFIG_BLK_CGROUP_IOCOST");
}

// --- what the host can't give --------------------------------------------------------------------

TEST(Cgroup, WithoutDelegationAndWithoutLimitsOneLineIsSaid) {
    Pure host;
    host.answer("faccessat", "cgroup.procs", EACCES);
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_FALSE(trial.launch.leaf.valid());
    EXPECT_EQ(trial.kept, 0);
    EXPECT_THAT(host.calls, IsEmpty());
    EXPECT_THAT(trial.said, ElementsAre("cgroup: no cgroup v2 delegated to uid " + kUid +
                                        ": no limits, the container stays in \"/shell\""));
    trial.undo(); // of nothing
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(Cgroup, WhereOurOwnIsNotMountedThatIsNoReason) {
    Pure host;
    host.put("/proc/self/cgroup", "0::/docker/box\n"); // of a hierarchy that begins further down
    host.answer("faccessat", "\"/sys/fs/cgroup/cgroup.procs\"", EACCES);
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(trial.said, ElementsAre("cgroup: no cgroup v2 delegated to uid " + kUid +
                                        ": no limits, the container stays in \"/docker/box\""));
}

TEST(Cgroup, WithoutDelegationIsAnErrorWhereOneIsWanted) {
    Pure host;
    host.answer("faccessat", "cgroup.procs", EACCES);
    Trial trial;
    trial.spec.cgroup.refused = spec::Refused::an_error;
    EXPECT_THAT(trial.prepare(), StartsWith("no cgroup v2 delegated to uid " + kUid +
                                            ": --rootless=false takes a cgroup"));
}

TEST(Cgroup, WithoutDelegationRootsDevicesAreLeftOutIfAccepted) {
    Pure host;
    host.answer("faccessat", "cgroup.procs", EACCES);
    Trial trial;
    trial.spec.cgroup.resources.devices = {{.allow = false}};
    trial.spec.cgroup.refused = spec::Refused::accepted;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_FALSE(trial.launch.leaf.valid());
}

TEST(Cgroup, WithoutDelegationALimitIsAnError) {
    Pure host;
    host.answer("faccessat", "cgroup.procs", EACCES);
    Trial trial;
    trial.spec.cgroup.resources = {.memory = 1 << 20, .pids = 5};
    std::string line = trial.prepare();
    EXPECT_THAT(line, StartsWith("--memory, --pids: can't be enforced: no cgroup v2 delegated to "
                                 "uid " +
                                 kUid + ": \"/sys/fs/cgroup/shell\" is not writable"));
    EXPECT_THAT(line, HasSubstr(::geteuid() == 0 ? "docker run --privileged" : "run as root, or"));
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(Cgroup, AReadOnlyMountIsNamed) {
    Pure host;
    host.answer("faccessat", "cgroup.procs", EROFS);
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(trial.said, ElementsAre("cgroup: \"/sys/fs/cgroup\" is mounted read-only: no "
                                        "limits, the container stays in \"/shell\""));
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(), "--pids: can't be enforced: \"/sys/fs/cgroup\" is mounted "
                               "read-only: run on the host, or start the container that we are in "
                               "with docker run --privileged");
}

TEST(Cgroup, AControllerThatV1HasIsNamed) {
    FakeCgroups host;
    host.mount(kRoot + "/unified", "hugetlb");
    host.put("/proc/self/cgroup", "0::/\n");
    host.put("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\n"
                              "memory\t4\t2\t1\nblkio\t7\t1\t1\n");
    Trial trial;
    trial.spec.cgroup.resources = {.memory = 1 << 20, .memory_swap = 1 << 21, .io_weight = 5};
    EXPECT_EQ(trial.prepare(),
              "--memory, --memory-swap: can't be enforced: \"memory\" is a cgroup v1 controller "
              "here (hybrid): boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all on the "
              "kernel's command line");
    trial.spec.cgroup.resources = {.io_weight = 5};
    EXPECT_THAT(trial.prepare(), StartsWith("--io-weight: can't be enforced: \"io\" is a cgroup v1 "
                                            "controller here (hybrid)"));
    host.put("/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n");
    EXPECT_THAT(trial.prepare(), HasSubstr(".wslconfig and run wsl --shutdown"));
}

// containerd asks for 1024 shares, a weight of 100, and Docker for no limit, when nobody did.
TEST(Cgroup, WhatEveryCgroupHasTakesNoController) {
    FakeCgroups host;
    host.mount(kRoot + "/unified", "hugetlb");
    host.put("/proc/self/cgroup", "0::/\n");
    host.put("/proc/cgroups", "cpu\t1\t1\t1\nmemory\t4\t2\t1\npids\t5\t1\t1\n");
    Trial trial;
    spec::Resources& wanted = trial.spec.cgroup.resources;
    wanted.memory = wanted.memory_swap = wanted.cpu_quota = wanted.pids = -1;
    wanted.cpu_period = 100000;
    wanted.cpu_weight = 100;
    EXPECT_EQ(trial.prepare(), "");
    wanted.cpu_weight = 101;
    EXPECT_THAT(trial.prepare(),
                StartsWith("--cpu-weight: can't be enforced: \"cpu\" is a cgroup v1"));
}

TEST(Cgroup, AControllerThatIsOffOrAbsentIsNamed) {
    Pure host("cpu pids");
    host.put("/proc/cgroups", "memory\t0\t1\t0\npids\t0\t1\t1\n");
    Trial trial;
    trial.spec.cgroup.resources.memory = 1 << 20;
    EXPECT_EQ(trial.prepare(), "--memory: can't be enforced: \"memory\" is switched off: "
                               "cgroup_disable=memory on the kernel's command line: boot without "
                               "it, or with cgroup_enable=memory");
    trial.spec.cgroup.resources = {.cpuset = "0"};
    EXPECT_EQ(trial.prepare(), "--cpuset: can't be enforced: this kernel has no \"cpuset\" "
                               "controller: boot one with CONFIG_CPUSETS");
    host.put(kRoot + "/cgroup.type", "domain\n"); // not the real root: a container's
    EXPECT_EQ(trial.prepare(), "--cpuset: can't be enforced: the container that we are in was not "
                               "given the \"cpuset\" controller: run on the host, or start that "
                               "container with its cgroup delegated");
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(Cgroup, WithoutCgroupV2ALimitIsAnErrorAndElseALineIsSaid) {
    FakeCgroups host;
    host.put("/proc/self/cgroup", "4:memory:/\n");
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_THAT(trial.said, ElementsAre("cgroup: only cgroup v1 is mounted here: no limits, the "
                                        "container stays where we are"));
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_THAT(trial.prepare(), StartsWith("--pids: can't be enforced: only cgroup v1 is mounted "
                                            "here: boot with systemd.unified_cgroup_hierarchy=1"));
    host.put("/proc/self/cgroup", "0::/\n");
    EXPECT_EQ(trial.prepare(), "--pids: can't be enforced: no cgroup v2 is mounted at "
                               "\"/sys/fs/cgroup\": as root: mount -t cgroup2 cgroup2 "
                               "/sys/fs/cgroup");
    trial.spec.cgroup = {.path = "a"};
    EXPECT_THAT(trial.prepare(), StartsWith("--cgroup: no cgroup v2 is mounted"));
}

TEST(Cgroup, ProcessesInTheWayAreAnErrorWithTheCommandsThatMoveThem) {
    Pure host;
    host.put(kRoot + "/cgroup.type", "domain\n"); // a container's root, so the rule is for it too
    host.put(kRoot + "/cgroup.procs", "1\n");
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(),
              "--pids: can't be enforced: \"/sys/fs/cgroup\" has processes in it: the kernel lets "
              "such a cgroup hand no controller to a child: move them to a child: mkdir "
              "/sys/fs/cgroup/shell && for p in $(cat /sys/fs/cgroup/cgroup.procs); do echo $p > "
              "/sys/fs/cgroup/shell/cgroup.procs; done")
        << "not the first on the way up, which was not handed the controller, but who has it";
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(Cgroup, AControllerThatIsNotHandedDownIsTracedToWhoHasIt) {
    FakeCgroups host;
    host.mount(kRoot, "memory pids");
    host.cgroup(kRoot + "/a");
    host.cgroup(kRoot + "/a/b");
    host.put("/proc/self/cgroup", "0::/a/b\n");
    host.answer("faccessat", "\"/sys/fs/cgroup/cgroup.procs\"", EACCES);
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(), "--pids: can't be enforced: the \"pids\" controller is not handed "
                               "down to \"/sys/fs/cgroup/a/b\": as root: echo +pids > "
                               "/sys/fs/cgroup/cgroup.subtree_control");
}

TEST(Cgroup, AFullHierarchyIsNamed) {
    Pure host;
    host.answer("mkdirat", "", EAGAIN);
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_THAT(trial.prepare(), HasSubstr("EAGAIN (resource temporarily unavailable): raise "
                                           "cgroup.max.descendants or cgroup.max.depth in "
                                           "\"/sys/fs/cgroup\" or above it"));
    EXPECT_STREQ(trial.ledger->leaf, "");
}

// --- systemd -------------------------------------------------------------------------------------

using sys::dbus::Message;
using sys::dbus::Writer;
using test::error_to;
using test::FakeSystemd;
using test::job_removed;
using test::reply_to;

/// We are in a terminal's scope, where the user may write, but systemd runs the place.
struct Desktop : FakeCgroups {
    const std::string app = kRoot + "/user.slice/user@7.service/app.slice";
    const std::string scope = app + "/gocontainer-x.scope";
    Desktop() {
        put("/run/systemd/system/there", "");
        mount(kRoot, "cpu memory pids");
        put(kRoot + "/cgroup.subtree_control", "memory pids");
        for (const char* directory : {"/user.slice", "/user.slice/user@7.service"}) {
            cgroup(kRoot + directory);
            put(kRoot + directory + "/cgroup.subtree_control", "memory pids");
        }
        cgroup(app);
        put(app + "/cgroup.subtree_control", "memory pids");
        cgroup(app + "/term.scope", "1\n");
        put("/proc/self/cgroup", "0::/user.slice/user@7.service/app.slice/term.scope\n");
    }
    /// What systemd does for us, but for the process: that is the test's own.
    void start_scope() {
        cgroup(scope, "1\n");
        put("/proc/self/cgroup", "0::" + scope.substr(kRoot.size()) + "\n");
        put(scope + "/cgroup.procs", "");
    }
};

TEST(CgroupSystemd, IsAskedForAScopeRatherThanWrittenTo) {
    Desktop host;
    Message asked;
    FakeSystemd systemd([&](const Message& call) {
        asked = call;
        host.start_scope();
        return job_removed("/job/6", "failed") + reply_to(call, "/job/7") +
               job_removed("/job/8", "failed") + job_removed("/job/7", "done");
    });
    Trial trial;
    trial.spec.cgroup.resources = {.memory = 1 << 20, .memory_swap = 1 << 20, .pids = 5};
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(asked.member, "StartTransientUnit");
    EXPECT_EQ(asked.interface, "org.freedesktop.systemd1.Manager");
    EXPECT_EQ(asked.path, "/org/freedesktop/systemd1");
    EXPECT_EQ(asked.signature, "ssa(sv)a(sa(sv))");
    Writer body;
    body.string("gocontainer-x.scope");
    body.string("fail");
    auto properties = body.open_array(8);
    auto property = [&body](const char* name, const char* type) {
        body.align(8);
        body.string(name);
        body.signature(type);
    };
    property("Description", "s");
    body.string("container x");
    property("PIDs", "au");
    auto pids = body.open_array(4);
    body.u32(static_cast<std::uint32_t>(::getpid()));
    body.close_array(pids);
    property("Delegate", "b");
    body.boolean(true);
    property("CollectMode", "s");
    body.string("inactive-or-failed");
    body.close_array(properties);
    body.close_array(body.open_array(8));
    EXPECT_EQ(asked.body, body.bytes());

    EXPECT_EQ(trial.kept, 1);
    EXPECT_EQ(trial.ledger->leaf, host.scope + "/container");
    trial.undo();
    EXPECT_THAT(host.calls,
                ElementsAre("mkdirat " + host.scope + "/launcher",
                            "write " + host.scope + "/launcher/cgroup.procs=0",
                            "write " + host.scope + "/cgroup.subtree_control=+memory +pids",
                            "mkdirat " + host.scope + "/container",
                            "write " + host.scope + "/container/memory.max=1048576",
                            "write " + host.scope + "/container/memory.swap.max=0",
                            "write " + host.scope + "/container/pids.max=5",
                            "rmdir " + host.scope + "/container"));
}

TEST(CgroupSystemd, IsNotAskedWithoutLimits) {
    Desktop host;
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(trial.ledger->leaf, host.app + "/term.scope/gocontainer-x");
}

TEST(CgroupSystemd, IsNotAskedInADelegatedUnit) {
    Desktop host;
    host.put(host.app + "/term.scope/cgroup.procs", "");
    host.cgroup(host.app + "/term.scope/shell", "1\n");
    host.put("/proc/self/cgroup", "0::/user.slice/user@7.service/app.slice/term.scope/shell\n");
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(), "");
    EXPECT_EQ(trial.ledger->leaf, host.app + "/term.scope/gocontainer-x");
}

TEST(CgroupSystemd, ANameThatHasAScopeIsInUse) {
    Desktop host;
    FakeSystemd systemd([](const Message& call) {
        return error_to(call, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded.");
    });
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_EQ(trial.prepare(),
              "the name \"x\" is in use: org.freedesktop.systemd1.UnitExists: Unit "
              "was already loaded.: choose another name");
}

TEST(CgroupSystemd, AFailedJobIsAnError) {
    Desktop host;
    FakeSystemd systemd([](const Message& call) {
        return reply_to(call, "/job/7") + job_removed("/job/7", "failed");
    });
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_THAT(trial.prepare(),
                AllOf(HasSubstr("systemd gave no scope: the start of \"gocontainer-x.scope\" ended "
                                "as \"failed\": journalctl"),
                      StartsWith("--pids: can't be enforced: \"" + host.app +
                                 "/term.scope\" has processes in it")));
}

TEST(CgroupSystemd, ThatHangsUpIsAnError) {
    Desktop host;
    FakeSystemd systemd([](const Message&) { return std::string(); });
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    EXPECT_THAT(trial.prepare(), HasSubstr("systemd gave no scope: the connection was closed"));
}

TEST(CgroupSystemd, ThatIsNotThereIsAnErrorWithTheWayToIt) {
    Desktop host;
    ::setenv("XDG_RUNTIME_DIR", "/run/nowhere", 1);
    Trial trial;
    trial.spec.cgroup.resources.pids = 5;
    std::string line = trial.prepare();
    ::unsetenv("XDG_RUNTIME_DIR");
    EXPECT_THAT(line, HasSubstr("systemd gave no scope: connect("));
    EXPECT_THAT(line, HasSubstr(::geteuid() == 0 ? "make /run/systemd/private reachable"
                                                 : "loginctl enable-linger"));
    EXPECT_THAT(host.calls, IsEmpty());
}

TEST(CgroupSystemd, AControllerThatTheUserWasNotGivenIsTheAdministratorsToGive) {
    Desktop host;
    FakeSystemd systemd([&](const Message& call) {
        host.start_scope();
        return reply_to(call, "/job/7") + job_removed("/job/7", "done");
    });
    Trial trial;
    trial.spec.cgroup.resources.cpu_weight = 5;
    EXPECT_EQ(trial.prepare(),
              "--cpu-weight: can't be enforced: the \"cpu\" controller is not handed down to \"" +
                  host.scope +
                  "\": as root: mkdir -p /etc/systemd/system/user@.service.d && printf "
                  "'[Service]\\nDelegate=cpu cpuset io memory pids\\n' > "
                  "/etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload, "
                  "then log in anew");
}

// --- the child, and the end ----------------------------------------------------------------------

TEST(Cgroup, TheChildUnsharesAndSaysWhyItCannot) {
    FakeCgroups host;
    spec::Spec spec;
    stages::Facts facts;
    stages::Inside inside{.spec = spec, .facts = facts};
    EXPECT_TRUE(stages::cgroup::child(inside));
    EXPECT_THAT(host.calls, ElementsAre("unshare"));
    spec.cgroup.own_namespace = false;
    EXPECT_TRUE(stages::cgroup::child(inside));
    EXPECT_EQ(host.calls.size(), 1U) << "it is joined, or the caller's";
    spec.cgroup.own_namespace = true;
    host.answer("unshare", "CLONE_NEWCGROUP", ENOSPC);
    EXPECT_EQ(sys::to_line(stages::cgroup::child(inside).error()),
              "unshare(CLONE_NEWCGROUP): ENOSPC (no space left on device): raise "
              "user.max_cgroup_namespaces (sysctl), or use --no-cgroup");
}

TEST(Cgroup, UndoKillsWhatIsLeftAndRemovesWhatWasMadeInTheLeaf) {
    Pure host;
    Trial trial;
    EXPECT_EQ(trial.prepare(), "");
    std::string leaf = trial.ledger->leaf;
    host.put(leaf + "/cgroup.procs", "5\n");
    trial.undo();
    EXPECT_THAT(host.calls, ElementsAre("mkdirat " + leaf, "write " + leaf + "/cgroup.kill=1",
                                        "rmdir " + leaf));
    trial.undo(); // once more, of nothing
    EXPECT_EQ(host.calls.size(), 3U);
}

TEST(Cgroup, UndoKillsNothingInALeafThatIsNotKnownToBeOurs) {
    Pure host;
    Trial trial;
    host.cgroup(kRoot + "/theirs", "5\n");
    (kRoot + "/theirs").copy(trial.ledger->leaf, sizeof trial.ledger->leaf);
    trial.ledger->leaf_base = static_cast<std::uint32_t>(kRoot.size());
    trial.undo();
    EXPECT_THAT(host.calls, IsEmpty());
    EXPECT_EQ(host.get(kRoot + "/theirs/cgroup.procs"), "5\n");
}

/// On the kernel itself, where this user may make cgroups.
class CgroupForReal : public ::testing::Test {
protected:
    void SetUp() override {
        trial.spec.name = "unit-" + std::to_string(::getpid());
        ASSERT_EQ(trial.prepare(), "");
        if (!trial.launch.leaf.valid())
            GTEST_SKIP() << "host lacks a cgroup v2 that this user may write to";
        leaf = trial.ledger->leaf;
    }
    /// A process in a child of the leaf, which a plain rmdir can't remove.
    pid_t start() {
        EXPECT_TRUE(sys::mkdirat(AT_FDCWD, leaf + "/a", 0755));
        EXPECT_TRUE(sys::mkdirat(AT_FDCWD, leaf + "/a/b", 0755));
        pid_t pid = ::fork();
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
        EXPECT_TRUE(sys::write_file(leaf + "/a/b/cgroup.procs", std::to_string(pid)));
        return pid;
    }
    Trial trial;
    std::string leaf;
};

/// How `pid` ended. It is not waited for before undo(): a dead process is no longer in a cgroup.
int signal_of(pid_t pid) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(CgroupForReal, UndoLeavesNothing) {
    pid_t pid = start();
    trial.undo();
    EXPECT_FALSE(sys::exists(leaf));
    EXPECT_EQ(signal_of(pid), SIGKILL);
}

TEST_F(CgroupForReal, UndoLeavesNothingOnKernelsWithoutCgroupKill) {
    struct OldKernel : sys::Listener {
        std::optional<long> before(const sys::Call& call) override {
            if (call.name == "openat" && call.text.contains("/cgroup.kill\""))
                return -ENOENT;
            return std::nullopt;
        }
    } old;
    pid_t pid = start();
    sys::listener = &old;
    trial.undo();
    sys::listener = nullptr;
    EXPECT_FALSE(sys::exists(leaf));
    EXPECT_EQ(signal_of(pid), SIGKILL);
}

} // namespace
