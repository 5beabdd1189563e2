// What has gone wrong in container runtimes, tried on this one: a hostile image, a hostile command
// inside, a hostile neighbour who shares a volume. Each fails when its defence is taken out.
//
//   S1  the host's binary     run/binary.cpp       Binary.*; stage/init_test OwnBinary.*
//   S2  leaked directory, cwd run/command.cpp      Descriptors.NoneLeadsOutAsAWorkingDirectory
//   S3  leaked descriptors    run/child.cpp        Descriptors.*; Exec.LeaksNoDescriptor
//   S4  /proc, /sys as links  mounting.cpp         Image.WhoseProcOrSysIsALinkIsRefused
//   S5  mounts over procfs    mount_list.cpp       Image.NothingCoversWhatIsInProc
//   S6  destinations as links sys/path.cpp         Image.DestinationsStayInside, …Swapped…
//   S7  inheritable sets      oci/process.cpp      Executed.HandsNoCapabilityDown
//   S8  joining               run/begin.cpp        Joined.*, Executed.HasNothing…
//   S9  a false /dev/null     mounting.cpp         Image.MasksAreTheHosts…, WhoseNullDevice…
//       the machine's changed and devices.cpp      Attack.TheMachinesNullDevice…
//   S10 /dev/console a link   devices.cpp          Image.ConsoleIsNoLink
//   S11 /dev a link           mounting.cpp         Image.WhoseDevIsALinkIsRefused
//   S12 streams, owners       command_user.cpp     Attack.StreamsAreLeftAsTheyAre, PipesAre…
//   S13 read-only by number   bind.cpp, root.cpp   Image.ReadOnlyIsNotRedirected
//   S14 CRIU                  there is no checkpoint/restore here
//   S15 hooks' environment    run/hooks.cpp        Attack.HooksHaveNothingOfTheImages
//   S16 reused pids           oci/store.cpp        Attack.APidThatIsSomebodyElses…
//   S17 users as numbers      oci/process.cpp      Executed.TakesNoOddUser; UserOption.*
//   S18 paths that lead out   oci/store.cpp, path  Executed.StaysInItsCgroup; APidFile…
//   S19 cgroup files          kernel_trees.cpp     Attack.CgroupsCannotBeWritten…
//   S20 abstract sockets      oci/store.cpp        Attack.SocketsHaveANameThat…; AStateFolder…
//   S21 pushed keystrokes     run/command.cpp      Attack.TerminalsOfTheCaller…
//   S22 dropped groups        stages/user.cpp      Attack.GroupsThatCannotBeSet…; User.Leaves…
//   S23 setuid helpers        main.cpp             we are none: Errors.AProgramThatIsSetuid
//   S24 gaps in the filter    seccomp_compile.cpp  Executed.IsFilteredToo; Numbered.*; Seccomp*
//   S25 session keyring       stages/settings.cpp  Attack.KeysOfTheCallerAreOutOfReach
//   S26 devices               device_filter.cpp    BundleCgroup.FiltersDevices, DeviceFilter*
//   S27 long id maps          no fixed buffers     OciConfig.ReadsUpTo340Ranges
//   S28 propagation           mount.cpp            Attack.NoMountReachesTheHost
//   S29 the kernel's own      seccomp by default   DefaultFilter.*
//   and files that never end: Hangs.*
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Process;
using support::Strings;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

/// A bundle whose image the test may make as hostile as it likes, and a folder of the host's beside
/// it that must stay as it is.
class Attack : public testing::Test {
protected:
    Attack() {
        host_ = bundle_.folder().folder("host");
        support::spill(host_ + "/secret", secret_);
        mine_ = support::listing(host_);
    }
    ~Attack() override { EXPECT_EQ(support::listing(host_), mine_); }
    std::string image(const std::string& path) const { return bundle_.path() + "/rootfs" + path; }
    json& config() { return bundle_.config; }
    void mount(const std::string& destination, const std::string& source,
               const Strings& options = {"rbind"}) {
        config()["mounts"].push_back({{"destination", destination},
                                      {"type", "bind"},
                                      {"source", source},
                                      {"options", options}});
    }
    void without(const std::string& destination) {
        json kept = json::array();
        for (const json& one : config()["mounts"])
            if (one["destination"] != destination &&
                !std::string(one["destination"]).starts_with(destination + "/"))
                kept.push_back(one);
        config()["mounts"] = kept;
    }
    void link(const std::string& to, const std::string& path) const {
        fs::remove_all(image(path));
        fs::create_directories(fs::path(image(path)).parent_path());
        fs::create_symlink(to, image(path));
    }
    Ended run(const Strings& command, support::Command with = {}) {
        bundle_.args(command);
        bundle_.save();
        return bundle_.runtime({"run", bundle_.id()}, std::move(with));
    }
    void keep(const Strings& command = {"sleep", "1000"}) {
        bundle_.args(command);
        bundle_.start();
    }
    Ended exec(Strings words, const Strings& options = {}, support::Command with = {}) {
        Strings all{"exec"};
        all.insert(all.end(), options.begin(), options.end());
        all.push_back(bundle_.id());
        all.insert(all.end(), words.begin(), words.end());
        return bundle_.runtime(all, std::move(with));
    }
    void every_capability() {
        for (const char* set : {"bounding", "effective", "permitted"})
            config()["process"]["capabilities"][set] = {
                "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_CHOWN",
                "CAP_FOWNER",    "CAP_SYS_CHROOT", "CAP_KILL",         "CAP_SETUID",
                "CAP_SETGID",    "CAP_MKNOD",      "CAP_NET_RAW",      "CAP_DAC_READ_SEARCH",
                "CAP_SETPCAP"};
    }

    Bundle bundle_;
    std::string host_;
    std::string secret_ = support::token();

private:
    std::set<std::string> mine_;
};

// --- S1 ------------------------------------------------------------------------------------------

class Binary : public Attack {
protected:
    Binary() {
        // Of the test's own, so that nobody else keeps it busy: to "Text file busy" one only has to
        // wait.
        fs::copy_file(support::gocontainer(), copy_);
        before_ = support::slurp(copy_);
        every_capability();
        config()["root"]["readonly"] = false; // where verdicts are left
    }
    ~Binary() override { EXPECT_TRUE(support::slurp(copy_) == before_) << "it was overwritten"; }
    Ended by_copy(const Strings& words) {
        Strings command = bundle_.command(words).argv;
        command[0] = copy_;
        Strings shell{"sh", "-c", "exec \"$@\" >/dev/null 2>&1", "sh"};
        shell.insert(shell.end(), command.begin(), command.end());
        return support::run({.argv = shell, .cwd = bundle_.path()});
    }
    /// What a command inside does: keep the program of `link` open, wait until nobody runs it any
    /// more, write. Its verdict is in /result of the image.
    static std::string attack(const std::string& find) {
        return find + "; cp /proc/self/fd/8 /dev/null; touch /found; "
                      "while :; do said=$( (echo spoilt >>/proc/self/fd/8) 2>&1 ); case $said in "
                      "*busy*) sleep 0.01;; *) echo \"refused: $said\" >/result.new; "
                      "mv /result.new /result; break;; esac; done; sleep 1000";
    }
    void expect_refused() {
        ASSERT_TRUE(support::eventually([&] { return fs::exists(image("/result")); }));
        EXPECT_THAT(support::slurp(image("/result")),
                    AnyOf(HasSubstr("Read-only file system"), HasSubstr("ermission denied"),
                          HasSubstr("not permitted")));
    }

private:
    std::string copy_ = bundle_.path() + "/copy";
    std::string before_;
};

TEST_F(Binary, CannotBeWrittenByARunContainer) {
    if (!support::is_root())
        GTEST_SKIP() << "a /proc of the host's processes takes root to mount";
    // Its first process is the program itself, until it becomes the attacker.
    bundle_.args({"/proc/self/exe", "parent", "--only", "none", "--", "/bin/sh", "-c",
                  "exec 8</proc/$PPID/exe; (" + attack("true") +
                      ") & while [ ! -e /found ]; do "
                      "sleep 0.01; done; kill -9 $PPID"});
    config()["linux"]["namespaces"].push_back({{"type", "time"}});
    json kept = json::array(); // so that the end of the first isn't the attacker's
    for (const json& space : config()["linux"]["namespaces"])
        if (space["type"] != "pid" && space["type"] != "time")
            kept.push_back(space);
    config()["linux"]["namespaces"] = kept;
    bundle_.save();
    ASSERT_EQ(by_copy({"run", "--detach", bundle_.id()}).status, 0);
    expect_refused();
}

TEST_F(Binary, CannotBeWrittenByAnExecutedProcess) {
    bundle_.args({"sh", "-c",
                  attack("while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in "
                         "*busybox*|'') ;; *) command exec 8<$p/exe; "
                         // It may have become a command of the image's meanwhile, or have ended.
                         "case $(readlink /proc/self/fd/8) in *busybox*|'') ;; *) break 2;; esac;; "
                         "esac; done; done 2>/dev/null")});
    bundle_.save();
    ASSERT_EQ(by_copy({"create", bundle_.id()}).status, 0);
    ASSERT_EQ(by_copy({"start", bundle_.id()}).status, 0);
    ASSERT_EQ(by_copy({"exec", bundle_.id(), "/proc/self/exe", "parent", "--only", "none", "--",
                       "sh", "-c", "while [ ! -e /found ]; do sleep 0.01; done"})
                  .status,
              0);
    expect_refused();
}

TEST_F(Binary, OfANewcomerIsNeverTheHosts) {
    if (!support::is_root())
        GTEST_SKIP() << "strace of somebody else's container takes root";
    // Cut to nothing, what is on a read-only mount is said to be that; what isn't, to be busy.
    std::string look = "touch /looking; while :; do for p in /proc/[0-9]*; do "
                       "case $(readlink $p/exe) in *busybox*|'') continue;; esac; "
                       "said=$( (: >$p/exe) 2>&1 ); case $said in *busy*) "
                       // Who has become the command meanwhile, a busybox, is busy as well.
                       "case $(readlink $p/exe) in *busybox*|'') ;; *) "
                       "echo \"$said\" >>/exposed;; esac;; "
                       "*'Read-only'*) touch /seen;; esac; done; done";
    support::spill(image("/exposed"), "");
    bundle_.args({"sh", "-c", look});
    bundle_.save();
    ASSERT_EQ(by_copy({"create", bundle_.id()}).status, 0);
    ASSERT_EQ(by_copy({"start", bundle_.id()}).status, 0);
    ASSERT_TRUE(support::eventually([&] { return fs::exists(image("/looking")); }));
    Bundle beside; // by another name, in the same PID namespace
    for (json& space : beside.config["linux"]["namespaces"])
        if (space["type"] == "pid")
            space["path"] = "/proc/" + std::to_string(bundle_.pid()) + "/ns/pid";
    beside.args({"true"});
    beside.save();
    for (const Strings& command : {bundle_.command({"exec", bundle_.id(), "true"}).argv,
                                   beside.command({"run", beside.id()}).argv}) {
        Strings words{"strace", "-f",
                      "-o",     "/dev/null",
                      "-e",     "trace=execve,execveat",
                      "-e",     "inject=execve,execveat:delay_enter=200000"};
        words.insert(words.end(), command.begin(), command.end());
        bool seen = false; // on a slow machine a look may take longer than the newcomer's steps
        for (int tries = 0; tries < 10 && !seen; ++tries) {
            Ended ended = support::run({.argv = words, .cwd = beside.path()});
            EXPECT_EQ(ended.status, 0) << ended.err;
            seen = fs::remove(image("/seen"));
        }
        EXPECT_TRUE(seen) << command.back(); // else it has looked at nothing
        EXPECT_EQ(support::slurp(image("/exposed")), "") << command.back();
    }
}

// --- S2, S3 --------------------------------------------------------------------------------------

class Descriptors : public Attack {
protected:
    /// A folder of the host's, open; not under a number that a command gets it by.
    int leak() {
        int opened = open(host_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int moved = fcntl(opened, F_DUPFD_CLOEXEC, 200);
        close(opened);
        return moved;
    }
};

TEST_F(Descriptors, NoneLeadsOutAsAWorkingDirectory) {
    int leaked = leak();
    support::Command with{.fds = {{leaked, 15}}};
    std::string climb = "secret ../../../../../../../../.." + host_ + "/secret";
    auto expect_inside = [&](const Ended& ended, const std::string& cwd) {
        EXPECT_THAT(ended.out, Not(HasSubstr(secret_))) << cwd;
        EXPECT_NE(ended.status, 0) << cwd;
    };
    for (int fd = 3; fd < 20; ++fd) {
        std::string cwd = "/proc/self/fd/" + std::to_string(fd);
        config()["process"]["cwd"] = cwd;
        expect_inside(run({"sh", "-c", "cat " + climb}, with), cwd);
    }
    config()["process"]["cwd"] = "/";
    keep();
    for (int fd = 3; fd < 20; ++fd) {
        std::string cwd = "/proc/self/fd/" + std::to_string(fd);
        expect_inside(exec({"sh", "-c", "cat " + climb}, {"--cwd", cwd}, with), cwd);
    }
    close(leaked);
}

TEST_F(Descriptors, OfTheCallerDoNotComeAlong) {
    int leaked = leak();
    support::Command with{.fds = {{leaked, 3}, {leaked, 7}, {leaked, 100}}};
    // ls has its own one open.
    EXPECT_EQ(run({"ls", "/proc/self/fd"}, with).out, "0\n1\n2\n3\n");
    bundle_.args({"sleep", "1000"});
    bundle_.save();
    support::Command create = bundle_.detached({"create", bundle_.id()});
    create.fds = with.fds;
    ASSERT_EQ(support::run(create).status, 0);
    for (const auto& [fd, target] : support::descriptors(bundle_.pid()))
        EXPECT_TRUE(fd <= 2 || target.starts_with("socket:")) << fd << " " << target;
    ASSERT_EQ(bundle_.runtime({"start", bundle_.id()}).status, 0);
    EXPECT_EQ(support::descriptors(bundle_.pid()).size(), 3U);
    EXPECT_EQ(exec({"ls", "/proc/self/fd"}, {}, with).out, "0\n1\n2\n3\n");
    // Those that were asked for, and no others.
    Ended kept = exec({"ls", "/proc/self/fd"}, {"--preserve-fds", "1"}, with);
    EXPECT_EQ(kept.out, "0\n1\n2\n3\n4\n") << kept.err;
    close(leaked);
}

// --- S4, S5, S6, S9, S10, S11, S13 ---------------------------------------------------------------

using Image = Attack;

TEST_F(Image, WhoseProcOrSysIsALinkIsRefused) {
    for (const char* name : {"/proc", "/sys"})
        for (const std::string& to : {host_, std::string("/tmp")}) {
            link(to, name);
            Ended ended = run({"true"});
            EXPECT_EQ(ended.status, 1) << name;
            EXPECT_THAT(ended.err, HasSubstr("is not a real directory"));
            fs::remove(image(name));
            fs::create_directory(image(name));
        }
}

TEST_F(Image, WhoseDevIsALinkIsRefused) {
    link(host_, "/dev");
    EXPECT_THAT(run({"true"}).err, HasSubstr("is not a real directory"));
    without("/dev"); // then its nodes would go there
    EXPECT_THAT(run({"true"}).err, HasSubstr("is not a real directory"));
}

TEST_F(Image, NothingCoversWhatIsInProc) {
    std::string folder = bundle_.folder().folder("theirs");
    link("/proc/self", "/way");
    for (const char* destination :
         {"/proc/sys", "/proc/self/attr", "/proc/1", "/way/attr", "/proc/../proc/sys"}) {
        json before = config()["mounts"];
        mount(destination, folder);
        Ended ended = run({"true"});
        EXPECT_EQ(ended.status, 1) << destination;
        EXPECT_THAT(ended.err, AnyOf(HasSubstr("inside /proc"), HasSubstr("ELOOP"))) << destination;
        config()["mounts"] = before;
    }
    mount("/proc", folder);
    EXPECT_THAT(run({"true"}).err, HasSubstr("is not a proc file system"));
}

TEST_F(Image, DestinationsStayInside) {
    std::string folder = bundle_.folder().folder("volume");
    std::string token = support::token();
    support::spill(folder + "/mark", token);
    std::string up = "../../../../../../../../../..";
    int number = 0;
    for (const std::string& to :
         {host_, up + host_, "/proc/self/root" + host_, "/link/../.." + host_}) {
        std::string name = "/to" + std::to_string(++number);
        link(to, name);
        json before = config()["mounts"];
        mount(name + "/below", folder);
        Ended ended = run({"cat", name + "/below/mark"});
        EXPECT_TRUE(ended.out == token || ended.status != 0) << to << ended.err;
        config()["mounts"] = before;
    }
}

TEST_F(Image, ADestinationThatIsSwappedMeanwhileStaysInside) {
    // Somebody who shares the volume exchanges a directory and a link all the time.
    std::string shared = bundle_.folder().folder("shared");
    fs::create_directory(shared + "/a");
    fs::create_symlink("/../../../../../../.." + host_, shared + "/b");
    mount("/shared", shared);
    mount("/shared/a/made/here", bundle_.folder().folder("volume"));
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
        while (!stop)
            (void)syscall(SYS_renameat2, AT_FDCWD, (shared + "/a").c_str(), AT_FDCWD,
                          (shared + "/b").c_str(), 2 /* RENAME_EXCHANGE */);
    });
    for (int i = 0; i < 50; ++i)
        (void)run({"true"}); // the folder of the host's is looked at in the end
    stop = true;
    swapper.join();
}

TEST_F(Image, WhoseNullDeviceIsNoneIsRefused) {
    without("/dev");
    for (bool link_there : {true, false}) {
        if (link_there)
            link(host_ + "/secret", "/dev/null");
        else
            fs::remove(image("/dev/null")), support::spill(image("/dev/null"), "");
        EXPECT_THAT(run({"true"}).err,
                    HasSubstr("\"/dev/null\" is there already, and is not device c 1:3"));
    }
}

// A volume that is the whole of /dev is taken as it is: whoever shares it says what its "null" is,
// and with that as the mask, what could be read and written under the masked name.
TEST_F(Image, MasksAreTheHostsNullDevice) {
    std::string devices = bundle_.folder().folder("devices");
    without("/dev");
    mount("/dev", devices);
    std::string other = support::token();
    support::spill(image("/etc/hidden"), "x");
    support::spill(image("/etc/other"), other);
    config()["linux"]["maskedPaths"] = {"/etc/hidden", "/proc/version"};
    config()["root"]["readonly"] = false;
    for (bool link_there : {false, true}) {
        fs::remove(devices + "/null");
        if (link_there)
            fs::create_symlink("/etc/other", devices + "/null");
        else
            support::spill(devices + "/null", other);
        keep();
        support::Root root(bundle_.pid());
        for (const char* path : {"/etc/hidden", "/proc/version"}) {
            auto info = root.look(path);
            ASSERT_TRUE(info);
            EXPECT_TRUE(S_ISCHR(info->st_mode)) << path;
            EXPECT_EQ(info->st_rdev, makedev(1, 3)) << path;
            EXPECT_EQ(root.read(path), "") << path;
        }
        EXPECT_EQ(bundle_.runtime({"delete", "--force", bundle_.id()}).status, 0);
    }
}

// Others in the container may have the right that its root lacks, by a group that it has not.
TEST_F(Image, WhatRootCantReachIsNotTakenForMasked) {
    if (!support::is_root())
        GTEST_SKIP() << "needs root, who can give a directory away";
    fs::create_directories(image("/closed/secret"));
    chmod(image("/closed").c_str(), 0700);
    ASSERT_EQ(chown(image("/closed").c_str(), 70000, 70000), 0);
    config()["linux"]["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        config()["linux"][maps] =
            json::array({{{"containerID", 0}, {"hostID", 0}, {"size", 1000}}});
    for (const char* paths : {"maskedPaths", "readonlyPaths"}) {
        config()["linux"]["maskedPaths"] = config()["linux"]["readonlyPaths"] = json::array();
        config()["linux"][paths] = {"/closed/secret"};
        Ended ended = run({"true"});
        EXPECT_EQ(ended.status, 1) << paths;
        EXPECT_THAT(ended.err,
                    HasSubstr("\"/closed/secret\" has to be masked or read-only, and lies "
                              "behind a directory that the container's root can't search"));
    }
}

TEST_F(Image, ConsoleIsNoLink) {
    json mounts = json::array();
    for (const json& one : config()["mounts"]) // its own /dev, with our terminals
        if (one["destination"] != "/dev")
            mounts.push_back(one);
    config()["mounts"] = mounts;
    config()["process"]["terminal"] = true;
    for (const char* name : {"pts", "shm", "mqueue"})
        fs::create_directories(image("/dev/") + name);
    for (const std::string& to : {host_ + "/secret", host_ + "/new", std::string("/etc/passwd")}) {
        link(to, "/dev/console");
        bundle_.args({"true"});
        bundle_.save();
        support::Terminal terminal(bundle_.command({"run", bundle_.id()}));
        Ended ended = terminal.wait();
        EXPECT_EQ(ended.status, 1) << to << ended.out;
    }
}

TEST_F(Image, ReadOnlyIsNotRedirected) {
    // What an image shows as /proc/self/fd leads nobody's remount elsewhere.
    without("/proc");
    std::string volume = bundle_.folder().folder("volume");
    chmod(volume.c_str(), 0777);
    for (int fd = 3; fd < 30; ++fd)
        link("/volume", "/proc/self/fd/" + std::to_string(fd));
    mount("/volume", volume);
    config()["mounts"].push_back(
        {{"destination", "/small"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"ro"}}});
    config()["linux"]["readonlyPaths"] = {"/etc"};
    config()["root"]["readonly"] = true;
    Ended ended = run({"sh", "-c",
                       "touch /volume/fine; for at in / /etc/ /small/; do touch $at/x && echo "
                       "written in $at; done; true"});
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(support::lines(ended.err).size(), 3U) << ended.err;
    EXPECT_TRUE(fs::exists(volume + "/fine")) << ended.err;
}

// --- S7, S8, S17, S18, S24: exec -----------------------------------------------------------------

using Executed = Attack;

TEST_F(Executed, HandsNoCapabilityDown) {
    keep();
    Ended ended = exec({"grep", "Cap", "/proc/self/status"}, {"--cap", "CAP_SYS_CHROOT"});
    EXPECT_THAT(ended.out, HasSubstr("CapInh:\t0000000000000000")) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("CapAmb:\t0000000000000000"));
    EXPECT_EQ(support::status_bits(bundle_.pid(), "CapInh"), 0U);
    unsigned long effective =
        std::stoul(ended.out.substr(ended.out.find("CapEff:\t") + 8), nullptr, 16);
    EXPECT_NE(effective & 1UL << 18, 0U) << ended.out; // what was asked for is there
}

/// Whoever is in there looks at each newcomer as fast as it can, and each step of joining takes its
/// time.
class Joined : public Attack {
protected:
    void SetUp() override {
        if (!support::is_root())
            GTEST_SKIP() << "strace of somebody else's container takes root";
        config()["root"]["readonly"] = false;
    }
    /// With the host's root as their root, or as a descriptor.
    static std::string with_hosts_root() {
        struct stat host{};
        EXPECT_EQ(stat("/", &host), 0);
        return "case $(stat -L -c '%d:%i,' $p/root/. $p/fd/*/. 2>/dev/null) in *" +
               std::to_string(host.st_dev) + ":" + std::to_string(host.st_ino) +
               ",*) echo $p >>/seen;; esac";
    }
    /// In whom `what` was seen, while `call` took its time. `prefix`: what starts the runtime.
    std::string seen(const std::string& what, const std::string& call, Strings prefix = {}) {
        support::spill(image("/seen"), "");
        keep({"sh", "-c", "while :; do for p in /proc/[0-9]*; do " + what + "; done; done"});
        Strings command = bundle_.command({"exec", bundle_.id(), "true"}).argv;
        for (const Strings& words :
             {Strings{"strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                      "inject=" + call + ":delay_exit=20000:delay_enter=20000"},
              command})
            prefix.insert(prefix.end(), words.begin(), words.end());
        for (int i = 0; i < 2; ++i) {
            Ended ended = support::run({.argv = prefix});
            EXPECT_EQ(ended.status, 0) << ended.err;
        }
        return support::slurp(image("/seen"));
    }
};

TEST_F(Joined, IsNeverSeenWithTheHostsRoot) {
    every_capability();
    EXPECT_EQ(seen(with_hosts_root(), "setns"), "");
}

// Once in their user namespace, it is in the power of who has all capabilities there. Only its
// memory, which is from outside, is not, as long as it is not dumpable (ptrace(2)).
TEST_F(Joined, IsNeverSeenInAUserNamespace) {
    every_capability();
    config()["linux"]["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        config()["linux"][maps] = {{{"containerID", 0}, {"hostID", 0}, {"size", 65536}}};
    EXPECT_EQ(seen(with_hosts_root(), "setns"), "");
}

// Nobody has the capability to trace, the runtime neither (it may be in a container itself): then
// whoever has its user and all that it may do can trace it.
TEST_F(Joined, IsNeverSeenByItsEqual) {
    every_capability();
    Strings may;
    for (const char* set : {"bounding", "effective", "permitted"}) {
        json& names = config()["process"]["capabilities"][set];
        names.erase(std::ranges::find(names, json("CAP_SYS_PTRACE")));
        may = names.get<Strings>();
    }
    std::string list = "-all";
    for (const std::string& name : may)
        list += ",+" + name.substr(strlen("CAP_"));
    std::ranges::transform(list, list.begin(), [](unsigned char c) { return tolower(c); });
    EXPECT_EQ(seen(with_hosts_root(), "setns", {"setpriv", "--bounding-set", list}), "");
}

// When it may do no more than the command, it still has the runtime's sockets.
TEST_F(Joined, IsTracedByNobodyBeforeItIsTheCommand) {
    // Whose program can be seen can be traced.
    EXPECT_EQ(
        seen("case $(readlink $p/exe) in *busybox*|'') ;; *) echo $p >>/seen;; esac", "execve"),
        "");
}

TEST_F(Executed, HasNothingThatItsCommandWillNotHave) {
    if (!support::is_root())
        GTEST_SKIP() << "the capability to trace what this machine's root starts takes root";
    every_capability(); // with CAP_SYS_PTRACE no process can be hidden (ptrace(2))
    // Whoever is in there looks at all that a newcomer has, for as long as it is none of the
    // image's programs. It reads the image's /etc/passwd, and nothing else that has a path.
    std::string look =
        "of() { grep CapPrm $1/status; stat -L -c %d:%i $1/root/. $1/cwd/.; }; own=$(of "
        "/proc/self); "
        "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in *busybox*|'') continue;; "
        "esac; seen=$(of $p 2>&1); kept=$(ls -l $p/fd 2>&1 | grep -vE ' -> "
        "/(dev/null|etc/passwd)$' | grep ' -> "
        "/');"
        // It may have become the command meanwhile, or have ended.
        "case $(readlink $p/exe) in *busybox*|'') continue;; esac; touch /seen; "
        "[ \"$seen\" = \"$own\" ] && [ -z \"$kept\" ] || echo \"$seen $kept\" >>/gained; done; "
        "done";
    support::spill(image("/gained"), "");
    config()["root"]["readonly"] = false;
    config()["process"]["cwd"] = "/";
    keep({"sh", "-c", look});
    // …and each step between its birth and its command takes its time.
    auto run_slowly = [&](const std::string& call) {
        Strings words{"strace", "-f",
                      "-o",     "/dev/null",
                      "-e",     "trace=" + call,
                      "-e",     "inject=" + call + ":delay_enter=100000"};
        if (call == "read") // not every one of the runtime's own
            words.back() += ":when=2+4";
        Strings command = bundle_.command({"exec", bundle_.id(), "true"}).argv;
        words.insert(words.end(), command.begin(), command.end());
        Ended ended = support::run({.argv = words});
        EXPECT_EQ(ended.status, 0) << ended.err;
    };
    // On a slow machine a look may take longer than a step.
    for (int tries = 0; tries < 10 && !fs::exists(image("/seen")); ++tries)
        for (const char* call : {"execve", "read"})
            run_slowly(call);
    EXPECT_TRUE(fs::exists(image("/seen"))); // else it has looked at nothing
    EXPECT_EQ(support::slurp(image("/gained")), "");
}

TEST_F(Executed, IsTheCommandItselfWhereMembersMayTrace) {
    every_capability();
    keep();
    EXPECT_EQ(exec({"sh", "-c", "exit 7"}).status, 7);
    EXPECT_EQ(exec({"nosuch"}).status, 255);
    EXPECT_THAT(exec({"nosuch"}).err, HasSubstr("executable file not found in $PATH"));
    EXPECT_EQ(exec({"sh", "-c", "kill -9 $$"}).status, 137);
    std::string file = bundle_.path() + "/pid";
    ASSERT_EQ(support::run(bundle_.detached({"exec", "--detach", "--pid-file", file, bundle_.id(),
                                             "sleep", "1000"}))
                  .status,
              0);
    pid_t pid = std::stoi(support::slurp(file));
    EXPECT_EQ(support::command_line(pid), (Strings{"sleep", "1000"}));
    EXPECT_EQ(support::cgroup_of(pid), support::cgroup_of(bundle_.pid()));
    for (const char* space : {"pid", "mnt", "net", "uts", "ipc", "cgroup"})
        EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + space),
                  fs::read_symlink("/proc/" + std::to_string(bundle_.pid()) + "/ns/" + space));
}

// The birth of such a newcomer is ours; what its profile says of forks is for the command.
TEST_F(Executed, IsStartedWhereMembersMayTraceAndNobodyMayFork) {
    every_capability();
    config()["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"syscalls",
         {{{"names", {"clone", "clone3", "fork", "vfork"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
    for (bool new_privileges : {false, true}) {
        config()["process"]["noNewPrivileges"] = !new_privileges;
        keep();
        EXPECT_EQ(exec({"sh", "-c", "exit 7"}).status, 7) << exec({"true"}).err;
        Ended forks = exec({"sh", "-c", "ls; echo $?"});
        EXPECT_THAT(forks.err, HasSubstr("can't fork")) << forks.out;
        bundle_.runtime({"delete", "--force", bundle_.id()});
    }
}

TEST_F(Executed, TakesNoOddUser) {
    keep();
    for (const char* user : {":", "-1", "+0", " 0", "0x0", "4294967295", "4294967296", "0:-1",
                             "0:", ":0", "root", "99999999999999999999", "0:4294967295", "0 "}) {
        Ended ended = exec({"id", "-u"}, {"--user", user});
        EXPECT_EQ(ended.out, "") << user;
        EXPECT_EQ(ended.status, 255) << user;
    }
    // An image in which "7" is root's name.
    support::spill(image("/etc/passwd"), "7:x:0:0::/:/bin/sh\n");
    Ended number = exec({"id", "-u"}, {"--user", "7"});
    EXPECT_TRUE(number.out == "7\n" || number.status == 255) << number.out << number.err;
}

TEST_F(Executed, StaysInItsCgroup) {
    keep();
    std::string own = support::cgroup_of(bundle_.pid());
    for (const char* path : {"..", "../..", "/..",
                             "../"
                             "x",
                             "a/../..", "./../", "/../../.."}) {
        Ended ended = exec({"cat", "/proc/self/cgroup"}, {"--cgroup", path});
        EXPECT_EQ(ended.status, 255) << path << ended.out;
        EXPECT_EQ(ended.out, "") << path;
    }
}

TEST_F(Executed, IsFilteredToo) {
    config()["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"syscalls",
         {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 95}}}}};
    keep();
    Ended ended = exec({"sh", "-c", "mkdir /tmp/x; grep -E '^Seccomp' /proc/self/status"});
    EXPECT_THAT(ended.err, HasSubstr("not supported")); // EOPNOTSUPP: ours
    EXPECT_THAT(ended.out, HasSubstr("Seccomp:\t2"));
}

/// The calls of x86-64 by other numbers.
class Numbered : public Attack {
protected:
    Numbered() {
        fs::copy_file(probe_, image("/probe"), fs::copy_options::overwrite_existing);
        config()["linux"]["seccomp"] = {
            {"defaultAction", "SCMP_ACT_ALLOW"},
            {"syscalls",
             {{{"names", {"mount"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", EBADFD}}}}};
    }
    void SetUp() override {
#ifndef __x86_64__
        GTEST_SKIP() << "one way of numbering calls is all that this machine has";
#endif
    }
    json& architectures() { return config()["linux"]["seccomp"]["architectures"]; }
    /// By `run`, and then by `exec`.
    void expect_both(const std::string& call, int status, const std::string& out) {
        Ended first = run({"/probe", call});
        EXPECT_EQ(first.status, status) << first.err;
        EXPECT_EQ(first.out, out);
        keep();
        Ended second = exec({"/probe", call});
        EXPECT_EQ(second.status, status) << second.err;
        EXPECT_EQ(second.out, out);
        bundle_.runtime({"delete", "--force", bundle_.id()});
    }
    /// `other`: what a call's name begins with.
    void expect_filtered(const std::string& other, const char* architecture) {
        architectures() = {"SCMP_ARCH_X86_64", architecture};
        expect_both(other + "-mount", 0, other + "-mount=EBADFD\n");
        architectures() = {"SCMP_ARCH_X86_64"};
        expect_both(other + "-getppid", 128 + SIGSYS, "");
        // The profile that is our own.
        EXPECT_EQ(support::launch({"-q", "--rootfs", image("")}, {"/probe", other + "-mount"}).out,
                  other + "-mount=EPERM\n");
    }
    std::string probe_ = support::source() + "/build/tests/probe";
};

TEST_F(Numbered, AsX32TheyAreFiltered) {
    expect_filtered("x32", "SCMP_ARCH_X32");
}

TEST_F(Numbered, AsI386TheyAreFiltered) {
    Ended ours = support::run({.argv = {probe_, "i386-getppid"}});
    if (ours.out != "i386-getppid=0\n")
        GTEST_SKIP() << "host lacks a kernel that takes i386's calls (CONFIG_IA32_EMULATION)";
    expect_filtered("i386", "SCMP_ARCH_X86");
}

// --- S12, S21 ------------------------------------------------------------------------------------

TEST_F(Attack, StreamsAreLeftAsTheyAre) {
    without("/dev");
    link("/taken", "/dev/null");
    std::string taken = bundle_.folder().file("taken", "as it was");
    support::spill(image("/taken"), "");
    mount("/taken", taken);
    Ended ended = run({"sh", "-c", "ls -l /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2"});
    for (const std::string& line : support::lines(ended.out))
        EXPECT_THAT(line, HasSubstr("pipe:"));
    EXPECT_EQ(support::slurp(taken), "as it was");
    EXPECT_TRUE(ended.status != 0 || support::lines(ended.out).size() == 3);
}

// Also one that is the machine's null device, when what the image has at its place is none.
TEST_F(Attack, StreamsBecomeNoFileThatIsCalledNull) {
    without("/dev");
    std::string devices = bundle_.folder().folder("devices");
    mount("/dev", devices);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC); // NOLINT: one thread
    for (const char* make : {"echo as it was >", "ln -s /etc/passwd ", "mkfifo ", "mkdir "}) {
        fs::remove(devices + "/null");
        ASSERT_EQ(support::run({.argv = {"sh", "-c", make + devices + "/null"}}).status, 0);
        Ended ended = run({"sh", "-c", "test -c /proc/self/fd/0 && echo hidden && ls -l >&2"},
                          {.argv = {}, .fds = {{null, 0}, {null, 1}}});
        EXPECT_EQ(ended.status, 0) << make << ended.err;
        EXPECT_THAT(ended.err, HasSubstr("bin"));
    }
    close(null);
}

/// What changes when somebody changes a node: its time of change too.
std::string of_the_machines_null() {
    struct stat info{};
    return stat("/dev/null", &info) != 0
               ? "none"
               : std::to_string(info.st_mode) + " " + std::to_string(info.st_uid) + " " +
                     std::to_string(info.st_ctim.tv_sec) + "." +
                     std::to_string(info.st_ctim.tv_nsec);
}

// The host's root, which a container's may be, owns the host's nodes: bound from there, opened
// there, or laid over a file.
TEST_F(Attack, TheMachinesNullDeviceCannotBeChanged) {
    const std::string before = of_the_machines_null();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC); // NOLINT: one thread
    const Strings change{
        "sh", "-c",
        "for it in /dev/null /dev/zero /proc/self/fd/0 /proc/self/fd/1 /proc/version; do "
        "chmod 666 $it; chown 0 $it; touch $it; done 2>/dev/null; echo lost; echo x >/dev/null && "
        "seen=$(stat -L -c '%d %i' /dev/null /proc/$$/fd/0 /proc/$$/fd/1); echo \"$seen\" >&2"};
    auto its_own = [&](const Ended& ended) {
        Strings seen = support::lines(ended.err);
        ASSERT_EQ(seen.size(), 3U) << ended.err;
        EXPECT_EQ(seen[1], seen[0]);
        EXPECT_EQ(seen[2], seen[0]);
        EXPECT_EQ(of_the_machines_null(), before);
    };
    config()["linux"]["maskedPaths"] = {"/proc/version"};
    {
        SCOPED_TRACE("run");
        its_own(run(change, {.argv = {}, .fds = {{null, 0}, {null, 1}}}));
    }
    keep();
    {
        SCOPED_TRACE("exec");
        its_own(exec(change, {}, {.argv = {}, .fds = {{null, 0}, {null, 1}}}));
    }
    for (const Strings& options : {Strings{}, Strings{"--map", "single"}}) {
        SCOPED_TRACE("parent");
        Strings quiet{"-q", "--net", "none"};
        quiet.insert(quiet.end(), options.begin(), options.end());
        its_own(support::launch(quiet, change, {.argv = {}, .fds = {{null, 0}, {null, 1}}}));
    }
    close(null);
}

// Who writes to /dev/stdout opens a pipe by its name, as its owner alone may.
TEST_F(Attack, PipesAreGivenToTheUserAndNothingElse) {
    if (!support::is_root() && support::subordinate("/etc/subuid").count <= 33)
        GTEST_SKIP() << "host lacks subordinate ids for this user";
    for (const char* maps : {"uidMappings", "gidMappings"}) // else a user's single id
        config()["linux"].erase(maps);
    config()["process"]["user"] = {{"uid", 33}, {"gid", 33}};
    std::string file = bundle_.folder().file("file", "");
    struct stat null_before{}, null_after{}, tty_before{}, tty_after{}, plain{};
    ASSERT_EQ(stat("/dev/null", &null_before), 0);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(grantpt(master) + unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC); // NOLINT: one thread
    ASSERT_EQ(fstat(slave, &tty_before), 0);
    int out = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    std::string word = support::token();
    bundle_.args({"sh", "-c", "cat >/dev/stdout; echo err-" + word + " >/dev/stderr"});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()},
                                  {.argv = {}, .input = "in-" + word, .input_ends = true});
    EXPECT_EQ(ended.out + ended.err, "in-" + word + "err-" + word + "\n");
    bundle_.args({"true"});
    bundle_.save();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(
        bundle_
            .runtime({"run", bundle_.id()}, {.argv = {}, .fds = {{null, 0}, {out, 1}, {slave, 2}}})
            .status,
        0);
    ASSERT_EQ(stat("/dev/null", &null_after) + fstat(slave, &tty_after) + fstat(out, &plain), 0);
    EXPECT_EQ(null_after.st_uid, null_before.st_uid);
    EXPECT_EQ(tty_after.st_uid, tty_before.st_uid);
    EXPECT_EQ(plain.st_uid, geteuid());
    for (int fd : {master, slave, out, null})
        close(fd);
    bundle_.args({"sleep", "1000"});
    bundle_.start();
    Ended other =
        bundle_.runtime({"exec", "--user", "7", bundle_.id(), "sh", "-c", "id -u >/dev/stdout"});
    EXPECT_EQ(other.out + other.err, "7\n");
}

TEST_F(Attack, TerminalsOfTheCallerAreNotTheContainers) {
    bundle_.args({"sh", "-c", "cut -d' ' -f6,7 /proc/self/stat; exec cat"});
    bundle_.save();
    support::Terminal terminal(bundle_.command({"run", bundle_.id()}));
    std::string said = terminal.take("\n"); // session and tty_nr (proc_pid_stat(5))
    EXPECT_THAT(said, HasSubstr(" 0")) << said;
    ASSERT_TRUE(support::eventually([&] { return bundle_.status() == "running"; }));
    support::Terminal other(
        bundle_.command({"exec", bundle_.id(), "cut", "-d ", "-f7", "/proc/self/stat"}));
    EXPECT_THAT(other.wait().out, HasSubstr("0\r\n"));
    terminal.type("\x04");
    (void)terminal.wait();
}

// --- S15 -----------------------------------------------------------------------------------------

TEST_F(Attack, HooksHaveNothingOfTheImages) {
    std::string out = bundle_.path() + "/environment";
    config()["process"]["env"] = {"LD_PRELOAD=/evil.so", "PATH=/evil:/bin", "BASH_ENV=/evil"};
    for (const char* hook :
         {"prestart", "createRuntime", "createContainer", "poststart", "poststop"})
        config()["hooks"][hook] = {
            {{"path", "/bin/sh"},
             {"args", {"sh", "-c", std::string("wc -c </proc/self/environ >>") + out}}}};
    Ended hooked = run({"true"});
    ASSERT_EQ(hooked.status, 0) << hooked.err;
    EXPECT_EQ(support::slurp(out), "0\n0\n0\n0\n0\n");
    // A hook that reads nothing holds nobody up, however much there is to read.
    config()["hooks"] = {{"prestart", {{{"path", "/bin/true"}}}}};
    config()["annotations"]["org.example.long"] = std::string(1 << 20, 'x');
    Ended ended = run({"true"});
    EXPECT_EQ(ended.status, 0) << ended.err.substr(0, 1000);
}

// --- S16 -----------------------------------------------------------------------------------------

/// `body`, by the first process of a PID namespace: in there nobody else is given a number.
void among_own_pids(const std::function<void()>& body) {
    fflush(nullptr);
    pid_t outer = fork();
    if (outer == 0) {
        pid_t first = unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 ? fork() : -1;
        if (first == 0) {
            try {
                support::mount_in("none", "/", "", MS_REC | MS_PRIVATE);
                support::mount_in("proc", "/proc", "proc");
                body();
            } catch (const std::exception& problem) {
                ADD_FAILURE() << problem.what();
            }
            fflush(nullptr);
            _exit(testing::Test::HasFailure() ? 1 : 0);
        }
        int status = -1;
        (void)waitpid(first, &status, 0);
        _exit(status == 0 ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(outer, &status, 0), outer);
    EXPECT_EQ(status, 0) << "see above";
}

TEST_F(Attack, APidThatIsSomebodyElsesIsLeftAlone) {
    const char* last = "/proc/sys/kernel/ns_last_pid";
    if (!support::is_root() || access(last, W_OK) != 0)
        GTEST_SKIP() << "a PID namespace whose " << last << " can be written takes root";
    among_own_pids([&] {
        keep();
        pid_t pid = bundle_.pid();
        kill(pid, SIGKILL);
        ASSERT_TRUE(support::eventually([&] {
            (void)waitpid(pid, nullptr, WNOHANG); // as the process that inherits orphans
            return kill(pid, 0) != 0;
        }));
        // The kernel tells when a process was started in hundredths of a second.
        support::pass(std::chrono::milliseconds(20));
        support::write_to(last, std::to_string(pid - 1));
        pid_t other = fork();
        if (other == 0) {
            pause();
            _exit(0);
        }
        ASSERT_EQ(other, pid);
        EXPECT_EQ(bundle_.status(), "stopped");
        EXPECT_THAT(bundle_.runtime({"kill", bundle_.id(), "KILL"}).err, HasSubstr("not running"));
        EXPECT_EQ(bundle_.runtime({"kill", "--all", bundle_.id(), "KILL"}).status, 0);
        EXPECT_EQ(exec({"true"}).status, 255);
        EXPECT_EQ(bundle_.runtime({"delete", "--force", bundle_.id()}).status, 0);
        EXPECT_EQ(kill(other, 0), 0);
        EXPECT_EQ(waitpid(other, nullptr, WNOHANG), 0) << "it was killed";
    });
}

// --- S18, S20 ------------------------------------------------------------------------------------

TEST_F(Attack, APidFileIsNotWrittenThroughALink) {
    std::string path = bundle_.path() + "/pid";
    fs::create_symlink(host_ + "/secret", path);
    bundle_.args({"sleep", "1000"});
    bundle_.create({"--pid-file", path});
    EXPECT_FALSE(fs::is_symlink(path));
    EXPECT_EQ(support::slurp(path), std::to_string(bundle_.pid()));
    EXPECT_EQ(support::slurp(host_ + "/secret"), secret_);
}

TEST_F(Attack, SocketsHaveANameThatOnlyWeReach) {
    bundle_.args({"sleep", "1000"});
    bundle_.create();
    struct stat info{};
    ASSERT_EQ(stat((bundle_.root() + "/" + bundle_.id() + "/gate").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0U);
    std::string table = support::slurp("/proc/net/unix");
    for (const auto& [fd, target] : support::descriptors(bundle_.pid())) {
        if (!target.starts_with("socket:["))
            continue;
        std::string inode = " " + target.substr(8, target.size() - 9);
        for (const std::string& line : support::lines(table))
            if (line.ends_with(inode) || line.contains(inode + " ")) {
                EXPECT_THAT(line, Not(HasSubstr("@")));
            }
    }
}

TEST_F(Attack, AStateFolderOfSomebodyElseIsNotTrusted) {
    if (!support::is_root())
        GTEST_SKIP() << "somebody else's folder takes root to make";
    // Where there is no $XDG_RUNTIME_DIR, an ordinary user's is in /tmp, where anybody may be
    // first.
    const unsigned uid = 1'000'000'000 + static_cast<unsigned>(getpid()); // no other run's
    std::string path = "/tmp/gocontainer-" + std::to_string(uid);
    ASSERT_EQ(mkdir(path.c_str(), 0777), 0);
    ASSERT_EQ(chown(path.c_str(), 54321, 54321), 0);
    for (const Strings& words :
         {Strings{"list"}, Strings{"state", "x"}, Strings{"delete", "--force", "x"}}) {
        Strings all{support::gocontainer()};
        all.insert(all.end(), words.begin(), words.end());
        Ended ended = support::run({.argv = all, .env = {"XDG_RUNTIME_DIR"}, .before_exec = [uid] {
                                        if (setgid(uid) != 0 || setuid(uid) != 0)
                                            support::fail_with_errno("setuid");
                                    }});
        EXPECT_EQ(ended.status, 1) << words[0];
        EXPECT_THAT(ended.err, HasSubstr("belongs to uid 54321")) << words[0];
    }
    rmdir(path.c_str());
}

// --- S19, S22, S25, S28 --------------------------------------------------------------------------

TEST_F(Attack, CgroupsCannotBeWrittenWithoutANamespaceOfTheirs) {
    json kept = json::array();
    for (const json& space : config()["linux"]["namespaces"])
        if (space["type"] != "cgroup")
            kept.push_back(space);
    config()["linux"]["namespaces"] = kept;
    without("/sys/fs/cgroup");
    config()["mounts"].push_back({{"destination", "/sys/fs/cgroup"},
                                  {"type", "cgroup"},
                                  {"source", "cgroup"},
                                  {"options", {"rw"}}});
    every_capability();
    keep();
    auto table = support::mountinfo(bundle_.pid());
    const support::MountLine* mount = support::mounted_at(table, "/sys/fs/cgroup");
    ASSERT_NE(mount, nullptr);
    EXPECT_TRUE(mount->has("ro"));
    EXPECT_NE(exec({"mkdir", "/sys/fs/cgroup/out"}).status, 0);
}

TEST_F(Attack, GroupsThatCannotBeSetAreAnError) {
    // An id that no namespace maps: negative, to setgroups.
    config()["process"]["user"]["additionalGids"] = {4294967294U};
    bundle_.args({"true"});
    bundle_.save();
    Ended ended = bundle_.runtime({"create", bundle_.id()});
    if (support::is_root()) { // all ids are root's
        EXPECT_EQ(ended.status, 0) << ended.err;
        return;
    }
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("setgroups"));
}

TEST_F(Attack, KeysOfTheCallerAreOutOfReach) {
    // There already, where another test has left its own in the rootfs that this one is a copy of.
    fs::copy_file(support::source() + "/build/tests/probe", image("/probe"),
                  fs::copy_options::overwrite_existing);
    every_capability();
    auto with_key = [] {
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 ||
            syscall(SYS_add_key, "user", "gocontainer-test", "x", 1, KEY_SPEC_SESSION_KEYRING) < 0)
            support::fail_with_errno("add_key");
        // Even to others: it is not permissions that keep it from the container.
        long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user",
                           "gocontainer-test", 0);
        (void)syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3f);
    };
    Ended ours = support::run({.argv = {image("/probe"), "session-key"}, .before_exec = with_key});
    if (ours.out != "session-key=0\n")
        GTEST_SKIP() << "no keys here: " << ours.out << ours.err;
    EXPECT_EQ(run({"/probe", "session-key"}, {.before_exec = with_key}).out,
              "session-key=ENOKEY\n");
    // --no-new-keyring leaves it to the container: found, or found and not for this user.
    EXPECT_NE(
        bundle_.runtime({"run", "--no-new-keyring", bundle_.id()}, {.before_exec = with_key}).out,
        "session-key=ENOKEY\n");
    support::Command create = bundle_.detached({"create", bundle_.id()});
    bundle_.args({"sleep", "1000"});
    bundle_.save();
    create.before_exec = with_key;
    ASSERT_EQ(support::run(create).status, 0);
    ASSERT_EQ(bundle_.runtime({"start", bundle_.id()}).status, 0);
    EXPECT_EQ(exec({"/probe", "session-key"}, {}, {.before_exec = with_key}).out,
              "session-key=ENOKEY\n");
    EXPECT_EQ(support::launch({"-q", "--rootfs", image(""), "--seccomp", "none"},
                              {"/probe", "session-key"}, {.before_exec = with_key})
                  .out,
              "session-key=ENOKEY\n");
}

TEST_F(Attack, NoMountReachesTheHost) {
    every_capability();
    bundle_.args({"sh", "-c",
                  "mount -t tmpfs none /mnt && mount --make-rshared / && "
                  "mount -t tmpfs none /tmp && echo mounted"});
    for (bool own_tree : {true, false}) {
        if (!own_tree) {
            json kept = json::array();
            for (const json& space : config()["linux"]["namespaces"])
                if (space["type"] != "mount")
                    kept.push_back(space);
            config()["linux"]["namespaces"] = kept;
        }
        bundle_.save();
        // Under a tree that is shared throughout, as systemd makes it.
        Strings words{"sh", "-c",
                      "cat /proc/self/mountinfo >before; \"$@\"; cat /proc/self/mountinfo >after",
                      "sh"};
        Strings command = bundle_.command({"run", bundle_.id()}).argv;
        words.insert(words.end(), command.begin(), command.end());
        Ended ended = support::run({.argv = words, .cwd = bundle_.path(), .before_exec = [] {
                                        support::enter_own_mounts(/*shared=*/true);
                                    }});
        if (own_tree && support::is_root()) {
            EXPECT_EQ(ended.out, "mounted\n") << ended.err;
        }
        EXPECT_EQ(support::slurp(bundle_.path() + "/before"),
                  support::slurp(bundle_.path() + "/after"));
    }
}

// --- what never ends -----------------------------------------------------------------------------

using Hangs = Attack;
constexpr support::Duration kSoon{20'000};

TEST_F(Hangs, NotOnWhatTheImageHasInTheProgramsPlace) {
    keep();
    ASSERT_EQ(mkfifo(image("/bin/fifo").c_str(), 0755), 0);
    support::spill(image("/bin/itself"), "#!/bin/itself\n", 0755);
    support::spill(image("/bin/exe"), "#!/proc/self/exe\n", 0755);
    support::spill(image("/bin/huge"), "", 0755);
    ASSERT_EQ(truncate(image("/bin/huge").c_str(), 1L << 40), 0);
    link("/bin/loop", "/bin/loop");
    link("/dev/zero", "/bin/zero");
    std::string before = "/bin/busybox";
    for (int i = 0; i < 100; ++i) {
        link(before, "/bin/l" + std::to_string(i));
        before = "/bin/l" + std::to_string(i);
    }
    for (const char* name : {"fifo", "itself", "huge", "loop", "zero", "l99", "exe"})
        for (const std::string& path : {std::string(name), std::string("/bin/") + name}) {
            Process one(bundle_.command({"exec", bundle_.id(), path}));
            one.close_input();
            Ended ended = one.wait(kSoon);
            EXPECT_NE(ended.status, 0) << path;
        }
}

TEST_F(Hangs, NotOnItsPasswd) {
    auto tried = [&](const char* what) {
        Ended ended = run({"sh", "-c", "echo $HOME"});
        EXPECT_EQ(ended.out, "/\n") << what << ended.err;
    };
    fs::remove(image("/etc/passwd"));
    ASSERT_EQ(mkfifo(image("/etc/passwd").c_str(), 0644), 0);
    tried("a FIFO");
    link("/etc/passwd", "/etc/passwd");
    tried("a link to itself");
    link("/dev/zero", "/etc/passwd");
    tried("/dev/zero");
    fs::remove(image("/etc/passwd"));
    support::spill(image("/etc/passwd"), "");
    ASSERT_EQ(truncate(image("/etc/passwd").c_str(), 1L << 40), 0);
    tried("a terabyte of nothing");
}

TEST_F(Hangs, NotOnASocketThatNobodyServes) {
    std::string path = bundle_.path() + "/sock";
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener, 0), 0);
    config()["process"]["terminal"] = true;
    bundle_.args({"true"});
    bundle_.save();
    // There is room for one that is not taken up yet.
    Process first(bundle_.detached({"create", "--console-socket", path, bundle_.id()}));
    EXPECT_EQ(first.wait(kSoon).status, 0);
    ASSERT_EQ(bundle_.runtime({"delete", "--force", bundle_.id()}).status, 0);
    Process second(bundle_.command({"create", "--console-socket", path, bundle_.id()}));
    Ended ended = second.wait(kSoon);
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("nobody takes up the connection"));
    EXPECT_EQ(bundle_.runtime({"list", "-q"}).out, "");
    close(listener);
}

} // namespace
