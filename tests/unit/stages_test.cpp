// Every stage against the recorder: what it calls, in which order, and that it fails closed.
#include "run/parent.hpp"
#include "spec/options.hpp"
#include "stages/caps.hpp"
#include "stages/stages.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>
#include <linux/magic.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <functional>
#include <list>

using spec::Spec;
using spec::Stage;
using stages::Facts;
using stages::Inside;
using stages::Launch;
using stages::Ledger;
using sys::Result;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using unit::Recorder;

namespace {

Spec plain() {
    Spec spec;
    spec.name = "box";
    spec.process.args = {"sh"};
    spec.capabilities.bounding = spec::default_capabilities();
    spec.root.path = "/srv/rootfs";
    spec.root.masked = spec::default_masked_paths();
    spec.root.readonly = spec::default_readonly_paths();
    return spec;
}

/// What the stages read of this machine: none of it has a subordinate range, a proc with setgroups.
void host(Recorder& kernel) {
    kernel.file("/proc/self/setgroups", "allow\n");
    kernel.file("/proc/self/uid_map", "         0          0 4294967295\n");
    kernel.file("/proc/self/gid_map", "         0          0 4294967295\n");
    kernel.file("/etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\nlena:x:1000:1000::/home/lena:/bin/sh\n");
    kernel.file("/etc/group", "root:x:0:\nvideo:x:44:lena\n");
    kernel.mode("/proc/kcore", S_IFREG | 0400);
    kernel.type("pts", DEVPTS_SUPER_MAGIC);
    for (const char* file : {"interrupts", "keys", "latency_stats", "timer_list", "timer_stats",
                             "sched_debug", "kcore"})
        kernel.mode(file, S_IFREG | 0444); // below /proc, which is a descriptor
}

using Step = std::function<Result<void>(Recorder&)>;

// --- failing closed ------------------------------------------------------------------------------

/// An outcome of one failed call that is not an error that names the call.
struct Exception {
    const char* call; ///< begins like this
    const char* why;
    const char* on = nullptr; ///< what its descriptor was opened for, where that matters
};

/// Whatever the call was, is it in what the error says?
bool names(const sys::Error& error, const std::string& call) {
    if (error.call == call)
        return true;
    // A new file system's last two steps are what a person knows as mount; a write is told by path.
    if (call.find("FSCONFIG_CMD_CREATE") != std::string::npos || call.starts_with("fsmount("))
        return error.call.starts_with("mount(\"");
    if (call.find("FSCONFIG_SET_") != std::string::npos)
        return error.call.starts_with("fsconfig(\"");
    if (call.starts_with("write("))
        return error.call.starts_with("write(\"");
    return false;
}

/// Make each call of `step` in turn fail with `code`. Nothing may go on as if it had not, but for
/// `deliberate`, each of which must really happen.
void sweep(int code, const Step& step, const std::vector<Exception>& deliberate = {}) {
    std::size_t count = 0;
    {
        Recorder kernel;
        host(kernel);
        auto done = step(kernel);
        ASSERT_TRUE(done) << sys::to_line(done.error());
        count = kernel.calls.size();
    }
    std::vector<bool> used(deliberate.size());
    for (std::size_t number = 0; number < count; ++number) {
        Recorder kernel;
        host(kernel);
        kernel.fail(number, code);
        auto done = step(kernel);
        ASSERT_GT(kernel.calls.size(), number);
        const std::string& call = kernel.calls[number];
        auto exception = std::ranges::find_if(deliberate, [&](const Exception& e) {
            int fd = atoi(call.c_str() + call.find('(') + 1);
            return call.starts_with(e.call) && (e.on == nullptr || kernel.path_of(fd) == e.on);
        });
        if (exception != deliberate.end()) {
            used[static_cast<std::size_t>(exception - deliberate.begin())] = true;
            continue;
        }
        EXPECT_FALSE(done) << "went on after " << call;
        if (!done) {
            EXPECT_EQ(done.error().code, code) << call << " gave " << sys::to_line(done.error());
            EXPECT_TRUE(names(done.error(), call))
                << call << " gave " << sys::to_line(done.error());
        }
    }
    for (std::size_t i = 0; i < used.size(); ++i)
        EXPECT_TRUE(used[i]) << "never ignored: " << deliberate[i].call;
}

Step inside(Spec spec, Facts facts, Result<void> (*half)(Inside&), bool rootfs = false) {
    return [=](Recorder&) {
        Inside inside{.spec = spec,
                      .facts = facts,
                      .rootfs = {},
                      .console = {},
                      .note = [](const std::string&) {}};
        if (rootfs)
            inside.rootfs = sys::Fd(9999);
        return half(inside);
    };
}

Step launching(Spec spec, Facts facts, Result<void> (*half)(Launch&)) {
    return [=](Recorder&) {
        static Ledger ledger;
        ledger = Ledger{};
        Launch launch{.spec = spec,
                      .facts = facts,
                      .ledger = &ledger,
                      .child = 77,
                      .pidfd = {},
                      .leaf = {},
                      .helper_alive = {},
                      .keep = [] { return Result<void>{}; },
                      .say = [](const std::string&) {}};
        return half(launch);
    };
}

/// Run `step` once, unharmed.
Result<void> once(Recorder& kernel, const Step& step) {
    host(kernel);
    return step(kernel);
}

/// The calls in the order of `parts`, each found after the one before.
void expect_order(const Recorder& kernel, const std::vector<std::string>& parts) {
    std::size_t from = 0;
    for (const std::string& part : parts) {
        auto found = std::find_if(
            kernel.calls.begin() + static_cast<std::ptrdiff_t>(from), kernel.calls.end(),
            [&](const std::string& call) { return call.find(part) != std::string::npos; });
        ASSERT_NE(found, kernel.calls.end()) << part << " is missing, or too early, in\n"
                                             << testing::PrintToString(kernel.calls);
        from = static_cast<std::size_t>(found - kernel.calls.begin()) + 1;
    }
}

// --- the order of stages -------------------------------------------------------------------------

std::size_t place(const Spec& spec, Stage id) {
    auto order = stages::wanted(spec);
    return static_cast<std::size_t>(std::ranges::find(order, id, &stages::Stage::id) -
                                    order.begin());
}

TEST(Order, IsTheTables) {
    Spec spec = plain();
    EXPECT_LT(place(spec, Stage::user), place(spec, Stage::cgroup));
    EXPECT_LT(place(spec, Stage::net), place(spec, Stage::mount)); // /sys shows the network
    EXPECT_LT(place(spec, Stage::mount), place(spec, Stage::pid));
    EXPECT_LT(place(spec, Stage::pid), place(spec, Stage::root)); // proc before pivot
    EXPECT_LT(place(spec, Stage::root), place(spec, Stage::caps));
    EXPECT_LT(place(spec, Stage::caps), place(spec, Stage::seccomp));
    spec.stages.add(Stage::init);
    EXPECT_LT(place(spec, Stage::seccomp), place(spec, Stage::init));
}

TEST(Order, PutsTheFilterBeforeTheCapabilitiesWithoutNoNewPrivs) {
    Spec spec = plain();
    spec.process.new_privileges = true;
    EXPECT_LT(place(spec, Stage::seccomp), place(spec, Stage::caps));
    spec.stages.remove(Stage::seccomp);
    EXPECT_EQ(stages::wanted(spec).back()->id, Stage::caps);
    spec.stages.remove(Stage::caps);
    EXPECT_EQ(stages::wanted(spec).back()->id, Stage::root);
}

TEST(Order, SettlesBeforeWhatRestricts) {
    bool restricted = false;
    for (const stages::Stage& stage : stages::table()) {
        restricted = restricted || stage.restricts;
        EXPECT_EQ(stage.restricts, restricted) << name_of(stage.id);
    }
}

TEST(CloneFlags, AreThoseOfTheStagesThatRun) {
    Spec spec = plain();
    EXPECT_EQ(stages::clone_flags(spec), std::uint64_t{CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS |
                                                       CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID});
    spec.net.mode = spec::NetMode::host;
    EXPECT_EQ(stages::clone_flags(spec) & CLONE_NEWNET, 0u);
    spec.stages = spec::StageSet();
    EXPECT_EQ(stages::clone_flags(spec), 0u);
}

// --- user ----------------------------------------------------------------------------------------

Facts mapped_to(std::uint32_t id, std::uint32_t count = 1) {
    return {.uids = {{0, id, count}},
            .gids = {{0, id, count}},
            .resolv_conf = {},
            .seccomp_filter = {}};
}

TEST(User, WritesTheMapsOfTheCallerItself) {
    Recorder kernel;
    Facts own{.uids = {{0, sys::geteuid(), 1}},
              .gids = {{0, sys::getgid(), 1}},
              .groups_denied = sys::geteuid() != 0,
              .resolv_conf = {},
              .seccomp_filter = {}};
    ASSERT_TRUE(once(kernel, launching(plain(), own, stages::user::parent)));
    // Who isn't root gives up setgroups before a gid map is taken (CVE-2014-8989).
    if (sys::geteuid() != 0)
        expect_order(kernel, {"/proc/77/setgroups", "\"deny\"", "/proc/77/gid_map"});
    expect_order(kernel, {"/proc/77/uid_map", "/proc/77/gid_map"});
    EXPECT_TRUE(kernel.called("\"0 " + std::to_string(sys::geteuid()) + " 1\\n\""));
}

TEST(User, HasRangesWrittenByTheSetuidHelpers) {
    if (sys::geteuid() == 0)
        GTEST_SKIP() << "root writes its maps itself";
    Recorder kernel;
    ASSERT_TRUE(once(kernel, launching(plain(), mapped_to(100000, 65536), stages::user::parent)));
    EXPECT_TRUE(kernel.called("newuidmap 77 0 100000 65536"));
    EXPECT_TRUE(kernel.called("newgidmap 77 0 100000 65536"));
    EXPECT_FALSE(kernel.called("/proc/77/uid_map"));
}

TEST(User, BecomesRootOfTheNamespace) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, [](Recorder&) { return stages::user::enter(plain(), mapped_to(5)); }));
    EXPECT_THAT(kernel.calls,
                ElementsAre("setgroups(0, [])", "setresgid(0, 0, 0)", "setresuid(0, 0, 0)"));
}

TEST(User, LeavesGroupsAloneWhereTheyAreDenied) {
    {
        Recorder kernel; // by the parent
        Facts facts = mapped_to(5);
        facts.groups_denied = true;
        ASSERT_TRUE(stages::user::enter(plain(), facts));
        EXPECT_FALSE(kernel.called("setgroups("));
    }
    for (const char* said : {"deny\n", "allow\n"}) { // by whoever made the namespace that we are in
        Recorder kernel;
        host(kernel);
        kernel.answer("setgroups(", -EPERM);
        kernel.file("/proc/self/setgroups", said);
        EXPECT_EQ(stages::user::enter(plain(), mapped_to(5)).has_value(), said[0] == 'd');
    }
}

struct Prepared {
    Facts facts;
    std::vector<std::string> said;
};
/// `map`: of the user namespace that we are in, if it is not the machine's own.
Prepared prepare_user(Recorder& kernel, const Spec& spec, const char* map = nullptr) {
    host(kernel);
    if (map != nullptr)
        for (const char* file : {"/proc/self/uid_map", "/proc/self/gid_map"})
            kernel.file(file, map);
    Ledger ledger;
    Prepared out;
    Launch launch{.spec = spec,
                  .facts = {},
                  .ledger = &ledger,
                  .pidfd = {},
                  .leaf = {},
                  .helper_alive = {},
                  .keep = {},
                  .say = [&](const std::string& line) { out.said.push_back(line); }};
    auto done = stages::user::prepare(launch);
    EXPECT_TRUE(done);
    out.facts = launch.facts;
    return out;
}

TEST(User, MapsSubordinateIdsWhenThereAreSome) {
    Recorder kernel;
    std::string id = std::to_string(sys::geteuid());
    // By number or by name; what is not ours, or not a range, is passed over.
    for (const char* file : {"/etc/subuid", "/etc/subgid"})
        kernel.file(file, "other:1:2\n" + id + ":100000:65536\n:5:5\n" + id + ":x:1\n" + id +
                              ":7\n\n" + id + ":300000:0\n" + id + ":200000:10");
    auto [facts, said] = prepare_user(kernel, plain());
    EXPECT_THAT(said, IsEmpty());
    std::uint32_t first = sys::geteuid() == 0 ? 0 : 1; // root's range includes its own 0
    std::vector<spec::IdMap> wanted;
    if (first == 1)
        wanted.push_back({0, sys::geteuid(), 1});
    wanted.push_back({first, 100000, 65536});
    wanted.push_back({first + 65536, 200000, 10});
    EXPECT_EQ(facts.uids, wanted);
}

TEST(User, SaysThatARangeFromZeroMakesRootRoot) {
    if (sys::geteuid() != 0)
        GTEST_SKIP() << "an ordinary user's range has no 0 in it";
    Recorder kernel;
    for (const char* file : {"/etc/subuid", "/etc/subgid"})
        kernel.file(file, "root:0:65536\n");
    auto [facts, said] = prepare_user(kernel, plain());
    EXPECT_EQ(facts.uids, (std::vector<spec::IdMap>{{0, 0, 65536}}));
    EXPECT_THAT(said, ElementsAre(HasSubstr("root of the container is root here")));
}

TEST(User, MapsOneIdWithoutSubordinateOnes) {
    Recorder kernel;
    auto [facts, said] = prepare_user(kernel, plain());
    if (sys::geteuid() == 0) {
        EXPECT_EQ(facts.uids, (std::vector<spec::IdMap>{{0, 0, 4294967295}}));
        EXPECT_THAT(said, ElementsAre(HasSubstr("root of this machine")));
    } else {
        EXPECT_EQ(facts.uids, (std::vector<spec::IdMap>{{0, sys::geteuid(), 1}}));
        EXPECT_THAT(said, IsEmpty());
    }
}

TEST(User, RootOfANamespaceIsNotTakenForTheMachines) {
    if (sys::geteuid() != 0)
        GTEST_SKIP() << "says nothing of the kind to an ordinary user";
    Recorder kernel;
    auto [facts, said] = prepare_user(kernel, plain(), "         0       1000          1\n");
    EXPECT_EQ(facts.uids, (std::vector<spec::IdMap>{{0, 0, 1}}));
    EXPECT_THAT(said, ElementsAre(AllOf(HasSubstr("root of the user namespace that we are in"),
                                        Not(HasSubstr("machine")))));
}

TEST(User, SaysWhatNewuidmapWouldGive) {
    if (sys::geteuid() == 0)
        GTEST_SKIP() << "root needs no newuidmap";
    Recorder kernel;
    std::string id = std::to_string(sys::geteuid());
    for (const char* file : {"/etc/subuid", "/etc/subgid"})
        kernel.file(file, id + ":100000:65536\n");
    kernel.file("/etc/os-release", "ID=alpine\n");
    kernel.answer("newuidmap\", X_OK)", -ENOENT);
    auto [facts, said] = prepare_user(kernel, plain());
    EXPECT_EQ(facts.uids, (std::vector<spec::IdMap>{{0, sys::geteuid(), 1}}));
    EXPECT_THAT(said, ElementsAre(HasSubstr("apk add shadow-uidmap")));
}

TEST(User, FailsClosed) {
    Facts own{.uids = {{0, sys::geteuid(), 1}},
              .gids = {{0, sys::getgid(), 1}},
              .groups_denied = sys::geteuid() != 0,
              .resolv_conf = {},
              .seccomp_filter = {}};
    for (int code : {EPERM, EIO}) {
        sweep(code, launching(plain(), own, stages::user::parent));
        sweep(code, [](Recorder&) { return stages::user::enter(plain(), mapped_to(5)); });
    }
    if (sys::geteuid() != 0)
        sweep(EIO, launching(plain(), mapped_to(100000, 65536), stages::user::parent),
              {{"faccessat(", "a directory of PATH that can't be searched: the next one"}});
}

TEST(User, ReadsNoRangesWhereTheirFilesCannotBeRead) {
    // Then the map is smaller, never larger: nothing that was asked for is missing.
    sweep(EIO, launching(plain(), {}, stages::user::prepare),
          sys::geteuid() == 0 ? std::vector<Exception>{{"openat(AT_FDCWD, \"/etc/", "no range"},
                                                       {"read(1000", "no range, or refused below"}}
                              : std::vector<Exception>{{"openat(AT_FDCWD, \"/etc/", "no range"},
                                                       {"read(1000", "no range"}});
}

// --- uts, time, ipc ------------------------------------------------------------------------------

TEST(Uts, SetsTheNames) {
    Recorder kernel;
    Spec spec = plain();
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::uts::child)));
    EXPECT_THAT(kernel.calls, ElementsAre("sethostname(\"box\")"));
    kernel.calls.clear();
    spec.uts = {.hostname = "h", .domainname = "d"};
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::uts::child)));
    EXPECT_THAT(kernel.calls, ElementsAre("sethostname(\"h\")", "setdomainname(\"d\")"));
}

TEST(Uts, LeavesTheNameThatNobodyAskedToChange) {
    Recorder kernel;
    Spec spec = plain();
    spec.uts.as_found = true;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::uts::child)));
    EXPECT_THAT(kernel.calls, IsEmpty());
    spec.uts.hostname = "h";
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::uts::child)));
    EXPECT_THAT(kernel.calls, ElementsAre("sethostname(\"h\")"));
}

TEST(Uts, FailsClosed) {
    Spec spec = plain();
    spec.uts = {.hostname = "h", .domainname = "d"};
    sweep(EPERM, inside(spec, {}, stages::uts::child));
}

Step entering_time(std::int64_t boottime) {
    Spec spec = plain();
    spec.time = {.boottime = boottime, .monotonic = -1};
    return inside(spec, {}, stages::time::child);
}

TEST(Time, WritesOffsetsOfANamespaceThatNobodyIsInYet) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, entering_time(86400)));
    EXPECT_THAT(kernel.calls,
                ElementsAre("unshare(CLONE_NEWTIME)",
                            "openat(AT_FDCWD, \"/proc/self/timens_offsets\", O_WRONLY)",
                            StartsWith("fstatfs("),
                            HasSubstr("\"boottime 86400 0\\nmonotonic -1 0\\n\""),
                            "openat(AT_FDCWD, \"/proc/self/ns/time_for_children\", O_RDONLY)",
                            StartsWith("setns(")));
}

TEST(Time, ExplainsARangeError) {
    Recorder kernel;
    kernel.answer("write(", -ERANGE);
    auto done = once(kernel, entering_time(-1));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("can't go below zero"));
}

TEST(Time, FailsClosed) {
    sweep(EPERM, entering_time(1));
    Recorder kernel; // something mounted over /proc
    kernel.type("/proc/self/timens_offsets", 0x01021994);
    auto done = once(kernel, entering_time(1));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("not on procfs"));
    EXPECT_FALSE(kernel.called("write("));
}

// --- mount ---------------------------------------------------------------------------------------

Spec with_everything() {
    Spec spec = plain();
    spec.process.terminal = true;
    spec.root.mounts = {{.type = "bind",
                         .source = "/data",
                         .destination = "/data",
                         .recursive_attributes = MOUNT_ATTR_RDONLY},
                        {.type = "tmpfs",
                         .source = "tmpfs",
                         .destination = "/tmp",
                         .attributes = MOUNT_ATTR_NOSUID,
                         .options = {"size=1m"}},
                        {.type = "bind", .source = "/own", .destination = "/proc/cpuinfo"}};
    return spec;
}

Facts with_dns() {
    Facts facts = mapped_to(100000, 65536);
    facts.resolv_conf = "nameserver 10.0.2.3\n";
    return facts;
}

TEST(Mount, MakesEverythingPrivateFirst) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(with_everything(), with_dns(), stages::mount::child)));
    EXPECT_EQ(kernel.calls.front(), "mount_setattr(AT_FDCWD, \"/\", AT_RECURSIVE, {MS_PRIVATE})");
}

TEST(Mount, PutsTheTreeTogetherByDescriptor) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(with_everything(), with_dns(), stages::mount::child)));
    expect_order(kernel, {"\"/srv/rootfs\"", "move_mount", "\"dev\"", "\"/dev/null\"", "\"devpts\"",
                          "\"sysfs\"", "\"cgroup2\"", "\"/data\"", "\"/tmp\""});
    for (const std::string& call : kernel.calls)
        if (call.starts_with("move_mount")) {
            EXPECT_THAT(call, AllOf(HasSubstr("MOVE_MOUNT_F_EMPTY_PATH"),
                                    HasSubstr("MOVE_MOUNT_T_EMPTY_PATH"), HasSubstr(", \"\", ")));
        }
    // No path of the rootfs is ever looked up from outside of it.
    for (const std::string& call : kernel.calls)
        EXPECT_THAT(call, Not(HasSubstr("\"/srv/rootfs/")));
    EXPECT_FALSE(kernel.called("/proc/cpuinfo")); // that waits for /proc
}

TEST(Mount, FollowsNoLinkAtDevProcAndSys) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(with_everything(), with_dns(), stages::mount::child)));
    for (const char* name : {"dev", "sys"})
        EXPECT_THAT(kernel.calls[kernel.at(std::string("\"") + name + "\", O_PATH")],
                    AllOf(StartsWith("openat2("), HasSubstr("RESOLVE_NO_SYMLINKS"),
                          HasSubstr("RESOLVE_BENEATH")));
    for (auto [code, fix] :
         {std::pair<int, const char*>{ELOOP, "a symlink there could lead mounts out of it: remove "
                                             "it"},
          {ENOTDIR, "remove what is there: a directory is made in its place"}}) {
        Recorder odd;
        odd.answer("\"dev\", O_PATH", -code);
        auto done = once(odd, inside(plain(), {}, stages::mount::child));
        ASSERT_FALSE(done);
        EXPECT_EQ(sys::to_line(done.error()),
                  std::string("\"/dev\" in the root filesystem is not a real directory: ") + fix);
    }
}

TEST(Mount, FindsVolumesTargetsInsideTheRoot) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(with_everything(), with_dns(), stages::mount::child)));
    for (const std::string& call : kernel.calls)
        if (call.starts_with("openat2") && call.find("\"/") != std::string::npos) {
            EXPECT_THAT(call,
                        AllOf(HasSubstr("RESOLVE_IN_ROOT"), HasSubstr("RESOLVE_NO_MAGICLINKS")));
        }
    expect_order(kernel,
                 {"\"/data\", O_PATH)", "OPEN_TREE_CLONE|AT_RECURSIVE", "{set MOUNT_ATTR_RDONLY}",
                  "{MS_PRIVATE}", "\"/data\", O_PATH|O_DIRECTORY", "move_mount"});
}

TEST(Mount, GivesVolumesBelowProcToThePidStageOnlyIfItRuns) {
    Recorder kernel;
    Spec spec = with_everything();
    spec.stages.remove(Stage::pid);
    ASSERT_TRUE(once(kernel, inside(spec, with_dns(), stages::mount::child)));
    EXPECT_TRUE(kernel.called("\"/proc/cpuinfo\""));
}

TEST(Mount, RefusesADeviceThatIsNone) {
    Recorder kernel;
    kernel.mode("/dev/zero", S_IFREG | 0644);
    auto done = once(kernel, inside(plain(), {}, stages::mount::child));
    ASSERT_FALSE(done);
    EXPECT_EQ(sys::to_line(done.error()), "\"/dev/zero\" of this machine is not a device");
}

TEST(Mount, ShowsNoQueueOfTheHost) {
    Recorder kernel;
    Spec spec = plain();
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::mount::child)));
    EXPECT_TRUE(kernel.called("fsopen(\"mqueue\")"));
    kernel.calls.clear();
    spec.stages.remove(Stage::ipc);
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::mount::child)));
    EXPECT_FALSE(kernel.called("fsopen(\"mqueue\")"));
}

TEST(Mount, TakesTheOuterSysReadOnlyWhereAFreshOneIsRefused) {
    Recorder kernel;
    host(kernel);
    Spec spec = plain();
    std::size_t create = 0;
    {
        Recorder first;
        ASSERT_TRUE(once(first, inside(spec, {}, stages::mount::child)));
        create = first.at("fsopen(\"sysfs\")") + 2;
        ASSERT_THAT(first.calls[create], HasSubstr("FSCONFIG_CMD_CREATE"));
    }
    kernel.fail(create, EPERM);
    ASSERT_TRUE(inside(spec, {}, stages::mount::child)(kernel));
    expect_order(kernel, {"open_tree(AT_FDCWD, \"/sys\"", "MOUNT_ATTR_RDONLY", "move_mount"});
}

TEST(Mount, FailsClosed) {
    for (const Spec& spec : {plain(), with_everything()})
        sweep(EIO, inside(spec, with_dns(), stages::mount::child));
    Spec overlay = plain();
    overlay.root.overlay = true;
    sweep(EIO, inside(overlay, {}, stages::mount::child),
          {{"setxattr(", "what does not work then is said"}});
    Spec upper = plain();
    upper.root.upper = "/changes";
    sweep(EIO, inside(upper, {}, stages::mount::child));
}

TEST(Mount, GoesOnOnlyWhereThereIsNothingToCover) {
    // EPERM for a fresh sysfs is what an outer container answers; the rest is an error.
    sweep(EPERM, inside(plain(), {}, stages::mount::child),
          {{"fsopen(\"sysfs\")", "the outer /sys, read-only"},
           {"fsconfig(", "the same", "sysfs"},
           {"fsmount(", "the same", "sysfs"}});
}

TEST(Mount, ChecksTheRootfsBeforeAnythingIsMade) {
    Recorder kernel;
    kernel.answer("\"/srv/rootfs\"", -ENOENT);
    auto done = once(kernel, launching(plain(), {}, stages::mount::prepare));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                AllOf(HasSubstr("rootfs-scripts/busybox /srv/rootfs"),
                      HasSubstr("rootfs-scripts/image"), HasSubstr("--rootfs")));
    sweep(EIO, launching(plain(), {}, stages::mount::prepare));
    Spec upper = plain();
    upper.root.upper = "/changes";
    sweep(EIO, launching(upper, {}, stages::mount::prepare));
    upper.root.upper = "changes"; // relative: the ledger holds absolute paths
    sweep(EIO, launching(upper, {}, stages::mount::prepare));
}

// --- the work directory, and undo ----------------------------------------------------------------

TEST(WorkDirectory, IsInTheLedgerBeforeItIsMade) {
    Recorder kernel;
    host(kernel);
    Spec spec = plain();
    spec.root.upper = "/changes//";
    Ledger ledger;
    bool kept = false;
    Launch launch{.spec = spec,
                  .facts = {},
                  .ledger = &ledger,
                  .pidfd = {},
                  .leaf = {},
                  .helper_alive = {},
                  .keep = [&]() -> Result<void> {
                      EXPECT_EQ(ledger.work[0], '\0'); // the keeper first
                      EXPECT_FALSE(kernel.called("mkdirat"));
                      kept = true;
                      return {};
                  },
                  .say = {}};
    ASSERT_TRUE(stages::mount::prepare(launch));
    EXPECT_TRUE(kept);
    EXPECT_STREQ(ledger.work, "/.changes.work");
    EXPECT_TRUE(kernel.called("mkdirat(AT_FDCWD, \"/.changes.work\", 0700)"));
}

TEST(WorkDirectory, OfAnotherContainerIsNotOursToRemove) {
    Recorder kernel;
    Spec spec = plain();
    spec.root.upper = "/changes";
    kernel.answer("mkdirat", -EEXIST);
    static Ledger ledger;
    host(kernel);
    Launch launch{.spec = spec,
                  .facts = {},
                  .ledger = &ledger,
                  .pidfd = {},
                  .leaf = {},
                  .helper_alive = {},
                  .keep = [] { return Result<void>{}; },
                  .say = {}};
    auto done = stages::mount::prepare(launch);
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("another container is using \"/changes\""));
    EXPECT_EQ(ledger.work[0], '\0');
    stages::mount::undo(ledger);
    EXPECT_FALSE(kernel.called("unlinkat"));
}

TEST(WorkDirectory, NameIsNextToUpper) {
    Spec spec = plain();
    spec.root.upper = std::string(5000, 'x');
    Recorder kernel;
    auto done = once(kernel, launching(spec, {}, stages::mount::prepare));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("is too long"));
    EXPECT_FALSE(kernel.called("mkdirat"));
}

TEST(Undo, OfAnEmptyLedgerDoesNothingAndTwiceIsAsOnce) {
    Recorder kernel;
    Ledger ledger;
    stages::mount::undo(ledger);
    EXPECT_THAT(kernel.calls, IsEmpty());
    strcpy(ledger.work, "/.changes.work");
    stages::mount::undo(ledger);
    auto removed = [&] {
        std::vector<std::string> out;
        std::ranges::copy_if(kernel.calls, std::back_inserter(out),
                             [](const std::string& call) { return call.starts_with("unlinkat"); });
        return out;
    };
    EXPECT_THAT(removed(), ElementsAre("unlinkat(AT_FDCWD, \"/.changes.work/work\", AT_REMOVEDIR)",
                                       "unlinkat(AT_FDCWD, \"/.changes.work/index\", AT_REMOVEDIR)",
                                       "unlinkat(AT_FDCWD, \"/.changes.work\", AT_REMOVEDIR)"));
    stages::mount::undo(ledger);
    EXPECT_EQ(removed().size(), 3u);
}

TEST(Undo, GoesOnWhateverFails) {
    Recorder kernel;
    kernel.answer("unlinkat", -EBUSY);
    Ledger ledger;
    strcpy(ledger.work, "/.w.work");
    stages::mount::undo(ledger);
    EXPECT_EQ(kernel.calls.back(), "unlinkat(AT_FDCWD, \"/.w.work\", AT_REMOVEDIR)");
}

// --- pid -----------------------------------------------------------------------------------------

TEST(Pid, CoversProcOnceItIsThere) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(with_everything(), {}, stages::pid::child, /*rootfs=*/true)));
    expect_order(kernel, {"\"proc\", O_PATH", "fsopen(\"proc\")", "move_mount", "\"kcore\"",
                          "move_mount", "\"sysrq-trigger\"", "MOUNT_ATTR_RDONLY", "move_mount",
                          "\"/proc/cpuinfo\"", "move_mount"});
    // All that is masked and lies below /proc, and nothing of /sys, which isn't here.
    for (const std::string& path : spec::default_masked_paths())
        if (path.starts_with("/proc/")) {
            EXPECT_TRUE(kernel.called("\"" + path.substr(6) + "\"")) << path;
        }
    EXPECT_FALSE(kernel.called("firmware"));
}

TEST(Pid, TakesNoFakeNullDeviceForAMask) {
    Recorder kernel;
    kernel.mode("/dev/null", S_IFREG | 0644);
    auto done = once(kernel, inside(plain(), {}, stages::pid::child, /*rootfs=*/true));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("not the null device"));
}

TEST(Pid, LeavesTheHostsTreeAloneWithoutOneOfItsOwn) {
    Recorder kernel;
    Spec spec = plain();
    spec.stages.remove(Stage::mount);
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::pid::child)));
    EXPECT_THAT(kernel.calls, IsEmpty());
}

TEST(Pid, ShowsTheOuterProcOrNone) {
    Recorder kernel;
    Spec spec = plain();
    spec.proc = spec::ProcMode::bind;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::pid::child, /*rootfs=*/true)));
    EXPECT_TRUE(kernel.called("open_tree(AT_FDCWD, \"/proc\""));
    EXPECT_TRUE(kernel.called("\"kcore\"")); // masked all the same
    kernel.calls.clear();
    spec.proc = spec::ProcMode::none;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::pid::child, /*rootfs=*/true)));
    EXPECT_THAT(kernel.calls, IsEmpty());
}

TEST(Pid, FailsClosed) {
    for (int code : {EPERM, EIO}) {
        sweep(code, inside(with_everything(), {}, stages::pid::child, /*rootfs=*/true));
        Spec bound = plain();
        bound.proc = spec::ProcMode::bind;
        sweep(code, inside(bound, {}, stages::pid::child, /*rootfs=*/true));
    }
}

TEST(Pid, MasksNothingOnlyWhereThereIsNothing) {
    sweep(ENOENT, inside(plain(), {}, stages::pid::child, /*rootfs=*/true),
          {{"openat2(1000", "this kernel has no such file to cover"},
           {"openat2(9999, \"proc\"", "then it is made"}});
}

// --- root ----------------------------------------------------------------------------------------

TEST(Root, LetsTheOldRootGoAfterThePivot) {
    Recorder kernel;
    ASSERT_TRUE(once(kernel, inside(plain(), {}, stages::root::child, /*rootfs=*/true)));
    EXPECT_THAT(kernel.calls, ElementsAre("fchdir(9999)", "pivot_root(\".\", \".\")",
                                          "umount2(\".\", MNT_DETACH)", "chdir(\"/\")"));
}

TEST(Root, IsMadeReadOnlyWhenAllIsInPlace) {
    Recorder kernel;
    Spec spec = plain();
    spec.root.read_only = true;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::root::child, /*rootfs=*/true)));
    EXPECT_EQ(kernel.calls.front(),
              "mount_setattr(9999, \"\", AT_EMPTY_PATH, {set MOUNT_ATTR_RDONLY})");
}

TEST(Root, CanBeDoneWrongForTheLesson) {
    Recorder kernel;
    Spec spec = plain();
    spec.root.mode = spec::RootMode::chroot;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::root::child)));
    EXPECT_THAT(kernel.calls, ElementsAre(HasSubstr("\"/srv/rootfs\""), StartsWith("fchdir"),
                                          "chroot(\".\")", "chdir(\"/\")"));
    kernel.calls.clear();
    spec.root.mode = spec::RootMode::chdir;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::root::child)));
    EXPECT_THAT(kernel.calls, ElementsAre(HasSubstr("\"/srv/rootfs\""), StartsWith("fchdir")));
}

TEST(Root, LooksAtTheRootfsWhereTheMountStageDoesNot) {
    Recorder kernel;
    kernel.answer("\"/srv/rootfs\"", -ENOENT);
    Spec spec = plain();
    ASSERT_TRUE(once(kernel, launching(spec, {}, stages::root::prepare)));
    spec.stages.remove(Stage::mount);
    spec.root.mode = spec::RootMode::chroot;
    auto order = stages::wanted(spec);
    auto root = std::ranges::find(order, Stage::root, &stages::Stage::id);
    ASSERT_NE((*root)->prepare, nullptr);
    auto done = once(kernel, launching(spec, {}, (*root)->prepare));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("rootfs-scripts/busybox"));
}

TEST(Root, FailsClosed) {
    for (auto mode : {spec::RootMode::pivot, spec::RootMode::chroot, spec::RootMode::chdir}) {
        Spec spec = plain();
        spec.root.mode = mode;
        spec.root.read_only = true;
        sweep(EPERM, inside(spec, {}, stages::root::child, /*rootfs=*/true));
        sweep(EPERM, inside(spec, {}, stages::root::child));
    }
}

// --- caps ----------------------------------------------------------------------------------------

TEST(Caps, LowersTheBoundingSetWhileItMay) {
    Recorder kernel;
    Spec spec = plain();
    spec.process.user = "lena";
    ASSERT_TRUE(once(kernel, inside(spec, mapped_to(0, 65536), stages::caps::child)));
    expect_order(kernel, {"setgroups(1, [44])", "setresgid(1000, 1000, 1000)",
                          "setresuid(1000, 1000, 1000)", "prctl(PR_CAP_AMBIENT", "capset(",
                          "prctl(PR_SET_NO_NEW_PRIVS, 1)", "prctl(PR_SET_PDEATHSIG, SIGKILL)"});
    if (kernel.called("PR_CAPBSET_DROP")) { // else the bounding set here is small to begin with
        EXPECT_LT(kernel.at("PR_CAPBSET_DROP"), kernel.at("setgroups("));
        for (const std::string& call : kernel.calls)
            for (const std::string& kept : spec::default_capabilities())
                EXPECT_NE(call, "prctl(PR_CAPBSET_DROP, " + kept + ")");
    }
    EXPECT_EQ(kernel.calls.back(),
              "prctl(PR_SET_PDEATHSIG, SIGKILL)"); // cleared by the change of user
}

TEST(Caps, LeavesNewPrivilegesWhenAsked) {
    Recorder kernel;
    Spec spec = plain();
    spec.process.new_privileges = true;
    ASSERT_TRUE(once(kernel, inside(spec, {}, stages::caps::child)));
    EXPECT_FALSE(kernel.called("PR_SET_NO_NEW_PRIVS"));
}

TEST(Caps, SaysWhichCapabilityCouldNotBeDropped) {
    Recorder kernel;
    kernel.answer("PR_CAPBSET_DROP", -EPERM);
    Spec spec = plain();
    spec.stages.remove(Stage::user);
    spec.capabilities.bounding.clear();
    auto done = once(kernel, inside(spec, {}, stages::caps::child));
    if (!kernel.called("PR_CAPBSET_DROP"))
        GTEST_SKIP() << "the bounding set is empty here";
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                AllOf(HasSubstr("PR_CAPBSET_DROP, cap_"), HasSubstr("keep the user stage")));
}

TEST(Caps, NamesTheIdThatIsNotMapped) {
    Recorder kernel;
    kernel.answer("setresgid", -EINVAL);
    Spec spec = plain();
    spec.process.user = "5:6";
    auto said = [&](const stages::Facts& facts) {
        auto done = once(kernel, inside(spec, facts, stages::caps::child));
        EXPECT_FALSE(done);
        return done ? "" : done.error().hint;
    };
    stages::Facts facts;
    EXPECT_THAT(said(facts), AllOf(HasSubstr("gid 6 is not mapped"), HasSubstr("/self/gid_map")));
    facts.gids = {{0, 1000, 1}};
    EXPECT_THAT(said(facts), AllOf(HasSubstr("which has 0: "), HasSubstr("/etc/subuid")));
    spec.user.mapping = spec::Mapping::single;
    EXPECT_THAT(said(facts),
                AllOf(HasSubstr("which has 0: "), HasSubstr("leave out --map single")));
    spec.user.mapping = spec::Mapping::listed; // a range may well be there
    EXPECT_THAT(said(facts), AllOf(HasSubstr("which has 0: "), HasSubstr("a --map C:H:N more")));
    facts.gids = {{0, 1000, 1}, {1, 100000, 5}, {10, 200000, 2}};
    EXPECT_THAT(said(facts), AllOf(HasSubstr("which has 0 to 5, 10 to 11: "), HasSubstr("--map")));
    spec.naming = spec::Naming::properties;
    EXPECT_THAT(said(facts), HasSubstr("add it to linux.gidMappings"));
}

TEST(Caps, ChangesNoGroupsWhereTheyAreDenied) {
    Spec spec = plain();
    for (const char* user : {"0", "0:0", "root"}) {
        Recorder kernel;
        host(kernel);
        kernel.file("/proc/self/setgroups", "deny\n");
        spec.process.user = user;
        ASSERT_TRUE(inside(spec, {}, stages::caps::child)(kernel));
        EXPECT_FALSE(kernel.called("setresuid")) << user;
        EXPECT_FALSE(kernel.called("setgroups(")) << user;
    }
    Recorder kernel;
    host(kernel);
    kernel.file("/proc/self/setgroups", "deny\n");
    spec.process.user = "7";
    ASSERT_TRUE(inside(spec, {}, stages::caps::child)(kernel));
    EXPECT_TRUE(kernel.called("setresuid(7, 7, 7)"));
}

TEST(Caps, AsksTheCallItselfForGroupsWhereThereIsNoProc) {
    Spec spec = plain();
    spec.process.user = "7";
    auto missing = [](Recorder& kernel) {
        host(kernel);
        kernel.answer("\"/proc/self/setgroups\"", -ENOENT);
    };
    Recorder allowed;
    missing(allowed);
    ASSERT_TRUE(inside(spec, {}, stages::caps::child)(allowed));
    EXPECT_TRUE(allowed.called("setresuid(7, 7, 7)"));
    Recorder denied;
    missing(denied);
    denied.answer("setgroups(", -EPERM);
    ASSERT_TRUE(inside(spec, {}, stages::caps::child)(denied));
    EXPECT_TRUE(denied.called("setresuid(7, 7, 7)"));
    Recorder broken;
    missing(broken);
    broken.answer("setgroups(", -EIO);
    auto done = inside(spec, {}, stages::caps::child)(broken);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().stage, "-u");
}

TEST(Caps, FailsClosed) {
    Spec spec = plain();
    spec.process.user = "7:8"; // by number: passwd and group files need not be there
    std::vector<Exception> deliberate{
        {"openat(AT_FDCWD, \"/etc/", "numbers need no file"},
        {"read(1000", "numbers need no file; setgroups is checked below"}};
    std::list<std::string> missing; // in our own bounding set, or on this kernel
    for (int number = 0; number < 64; ++number)
        if (prctl(PR_CAPBSET_READ, number) <= 0)
            missing.push_back("prctl(PR_CAPBSET_DROP, " + std::string(cap_to_name(number)) + ")");
    for (const std::string& call : missing)
        deliberate.push_back({call.c_str(), "what is gone already need not be dropped"});
    for (int code : {EPERM, EIO})
        sweep(code, inside(spec, mapped_to(0, 65536), stages::caps::child), deliberate);
    // Whether groups may be set is no guess.
    Recorder kernel;
    host(kernel);
    kernel.answer("\"/proc/self/setgroups\"", -EIO);
    EXPECT_FALSE(inside(spec, {}, stages::caps::child)(kernel));
}

// --- init ----------------------------------------------------------------------------------------

TEST(Init, LeavesTheCommandTheSignalsItHad) {
    Recorder kernel; // fork answers 0: we are the command's side of it
    ASSERT_TRUE(once(kernel, inside(plain(), {}, stages::init::child)));
    EXPECT_THAT(kernel.calls,
                ElementsAre(StartsWith("sigprocmask"), "signalfd()", "pipe2(O_CLOEXEC)", "fork()",
                            StartsWith("read("), // until PID 1 has nothing open any more
                            StartsWith("sigprocmask"),
                            "prctl(PR_SET_PDEATHSIG, SIGKILL)")); // a fork doesn't inherit it
}

TEST(Init, FailsClosed) {
    sweep(EAGAIN, inside(plain(), {}, stages::init::child));
    Recorder kernel;
    kernel.answer("fork()", -EAGAIN);
    auto done = once(kernel, inside(plain(), {}, stages::init::child));
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("see ulimit -u"));
}

// --- a whole launch that fails -------------------------------------------------------------------

/// What the launcher itself needs of the real kernel: memory for the ledger.
void launcher(Recorder& kernel) {
    host(kernel);
    kernel.pass("mmap(");
}

TEST(Launch, ExplainsARefusedCloneAndEndsNobody) {
    Recorder kernel;
    launcher(kernel);
    kernel.answer("clone3(", -ENOSPC);
    kernel.file("/proc/sys/user/max_user_namespaces", "0\n");
    Spec spec = plain();
    spec.stages = spec::StageSet();
    spec.stages.add(Stage::user);
    auto status = run::launch(spec, [](const std::string&) {});
    ASSERT_FALSE(status);
    EXPECT_THAT(sys::to_line(status.error()),
                AllOf(StartsWith("user: clone3("), HasSubstr("ENOSPC"),
                      HasSubstr("user.max_user_namespaces=0")));
    EXPECT_FALSE(kernel.called("pidfd_send_signal"));
}

TEST(Launch, EndsTheChildBeforeTheMemoryThatItWorksIn) {
    Recorder kernel;
    launcher(kernel);
    kernel.answer("clone3(", 4242);
    kernel.answer("uid_map\", O_WRONLY", -EACCES);
    Spec spec = plain();
    spec.stages = spec::StageSet();
    spec.stages.add(Stage::user);
    spec.user.mapping = spec::Mapping::single;
    auto status = run::launch(spec, [](const std::string&) {});
    ASSERT_FALSE(status);
    EXPECT_THAT(sys::to_line(status.error()), StartsWith("user: openat("));
    expect_order(kernel, {"clone3(", "uid_map", "pidfd_send_signal(", "waitpid(4242"});
    EXPECT_FALSE(kernel.called("sendmsg")); // it was never told to go
}

} // namespace
