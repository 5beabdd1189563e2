// What can't work is said in one line that a person can act on: where, what, why, and what to do.
// Each cause is really there: a launcher in namespaces of the test's own, where a program has lost
// its setuid bit, a sysctl is zero, or /proc is partly covered.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

using namespace support;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

namespace {

/// `said` must all stand in the one line.
void expect_error(const Ended& ended, int status, const Strings& said) {
    EXPECT_EQ(ended.status, status) << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(lines(ended.err).size(), 1U) << ended.err;
    EXPECT_THAT(ended.err, testing::StartsWith("gocontainer: "));
    for (const std::string& part : said)
        EXPECT_THAT(ended.err, HasSubstr(part));
    EXPECT_FALSE(ended.held_open);
}

Ended quiet(Strings options, const Strings& command, Command with = {}) {
    options.insert(options.begin(), "-q");
    return launch(options, command, std::move(with));
}

/// An ordinary user with these subordinate ids, in a mount namespace of its own.
std::function<void()> with_ranges(const Scratch& scratch, const std::string& ranges,
                                  const std::function<void()>& more = {}) {
    std::string file = scratch.file("subid", ranges);
    return [file, more] {
        become_ordinary();
        enter_own_mounts();
        mount_in(file, "/etc/subuid", "", MS_BIND);
        mount_in(file, "/etc/subgid", "", MS_BIND);
        if (more)
            more();
    };
}

class Errors : public testing::Test {
    void SetUp() override { host_ = Host::look(); }
    void TearDown() override { EXPECT_EQ(differs_from(host_), ""); }
    Host host_;

protected:
    Scratch scratch_;
};

} // namespace

// --- The shell's limits, and where it stands -----------------------------------------------------

/// As from a shell after 'ulimit -n'.
Command with_open_files(rlim_t most) {
    return {.before_exec = [most] {
        rlimit limit{.rlim_cur = most, .rlim_max = most};
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }};
}

TEST_F(Errors, TooFewOpenFiles) {
    for (rlim_t most : {3U, 5U, 20U, 50U})
        expect_error(quiet({"--map", "single", "--net", "none"}, {"true"}, with_open_files(most)),
                     125, {"ulimit -n"});
}

TEST_F(Errors, TooFewOpenFilesForAHelper) {
    for (rlim_t most = 3; most < 13; ++most)
        expect_error(quiet({"--net", "none"}, {"true"}, with_open_files(most)), 125, {"ulimit -n"});
}

TEST_F(Errors, InADirectoryThatIsGone) {
    auto gone = [] {
        if (mkdir("gone", 0700) != 0 || chdir("gone") != 0 || rmdir("../gone") != 0)
            fail_with_errno("gone");
    };
    Command where{.before_exec = gone};
    expect_error(quiet({"--net", "none", "-v", ".:/mnt"}, {"true"}, where), 125,
                 {"mount: ", "move_mount", "ENOENT", "has been removed: cd to another"});
    expect_error(quiet({"--net", "none", "--trace", "trace"}, {"true"}, where), 125,
                 {"--trace: ", "\"trace\"", "ENOENT", "is gone: cd to another"});
}

TEST_F(Errors, TooFewProcesses) {
    expect_error(quiet({"--map", "single", "--net", "none"}, {"true"},
                       {.before_exec =
                            [] {
                                become_ordinary();
                                rlimit limit{.rlim_cur = 1, .rlim_max = 1};
                                (void)setrlimit(RLIMIT_NPROC, &limit);
                            }}),
                 125, {"clone3(", "EAGAIN", "ulimit -u"});
}

TEST_F(Errors, TooSmallFiles) {
    std::string upper = scratch_.folder("upper");
    expect_error(quiet({"--map", "single", "--net", "none", "--upper", upper}, {"true"},
                       {.before_exec =
                            [] {
                                rlimit limit{.rlim_cur = 1024, .rlim_max = 1024};
                                (void)setrlimit(RLIMIT_FSIZE, &limit);
                            }}),
                 125, {"ftruncate(", "EFBIG", "ulimit -f"});
}

TEST_F(Errors, TooLittleMemory) {
    int failed = 0;
    for (rlim_t most = 3U << 20; most < 6U << 20; most += 64U << 10) {
        Ended ended = quiet({"--map", "single", "--net", "none"}, {"true"}, {.before_exec = [most] {
                                rlimit limit{.rlim_cur = most, .rlim_max = most};
                                (void)setrlimit(RLIMIT_AS, &limit);
                            }});
        if (ended.status != 125) // the kernel, or libc before main(), ends it; or there was enough
            continue;
        ++failed;
        expect_error(ended, 125, {"there is no memory left for it: raise 'ulimit -v'"});
    }
    EXPECT_GT(failed, 0);
}

TEST_F(Errors, ADirectoryThatIsGone) {
    std::string gone = scratch_.folder("gone");
    expect_error(run({.argv = {"sh", "-c", "rmdir \"$PWD\" && exec \"$0\" parent --only none true",
                               gocontainer()},
                      .cwd = gone}),
                 125, {"getcwd()", "ENOENT", "cd to another"});
}

TEST_F(Errors, ARuntimeDirectoryOfAnotherUsers) {
    std::string bundle = scratch_.folder("bundle"), runtime = scratch_.folder("runtime");
    fs::create_directory(bundle + "/rootfs");
    ASSERT_EQ(run({.argv = {gocontainer(), "spec", "--rootless", "--bundle", bundle}}).status, 0);
    std::string config = slurp(bundle + "/config.json");
    spill(bundle + "/config.json", config.replace(config.find("true"), 4, "false")); // a terminal
    fs::permissions(runtime, fs::perms::none);
    for (const Strings& words :
         {Strings{"list"}, Strings{"state", "box"}, Strings{"create", "--bundle", bundle, "box"}}) {
        Command command{.argv = {gocontainer()},
                        .env = {"XDG_RUNTIME_DIR=" + runtime},
                        .before_exec = become_ordinary};
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        expect_error(run(std::move(command)), 1,
                     {"EACCES", "XDG_RUNTIME_DIR is \"" + runtime, "unset it, or use --root"});
    }
}

// --- The root filesystem
// ----------------------------------------------------------------------------

TEST_F(Errors, NoRootfs) {
    std::string path = scratch_ / "nothing";
    expect_error(quiet({"--rootfs", path}, {"true"}), 125,
                 {"mount: ", "ENOENT", "there is no root filesystem at \"" + path + "\"",
                  "rootfs-scripts/busybox " + path, "rootfs-scripts/image", "--rootfs"});
    expect_error(run({.argv = {gocontainer(), "parent", "-q", "--net", "none", "true"},
                      .cwd = scratch_.path()}),
                 125, {"there is no root filesystem at \"./rootfs\""});
    expect_error(quiet({"--rootfs", ""}, {"true"}), 125, {"--rootfs \"\": names no directory"});
}

TEST_F(Errors, ARootfsThatIsNoDirectory) {
    std::string path = scratch_.file("file", "");
    expect_error(quiet({"--rootfs", path}, {"true"}), 125,
                 {"mount: ", "ENOTDIR", "\"" + path + "\" is not a directory", "rootfs-scripts"});
}

TEST_F(Errors, AFolderThatIsNoRootfsIsLeftAsItIs) {
    std::string path = scratch_.folder("no rootfs");
    for (const Strings& how : {Strings{}, Strings{"--overlay"}, Strings{"--map", "single"}}) {
        for (const char* command : {"true", "/bin/sh"}) {
            Strings options{"--rootfs", path};
            options.insert(options.end(), how.begin(), how.end());
            expect_error(quiet(options, {command}), 125,
                         {"mount: ", "\"" + path + "\" is no root filesystem", "/usr/bin",
                          "rootfs-scripts/busybox", "--rootfs"});
        }
    }
    EXPECT_TRUE(fs::is_empty(path));
    // What brings its programs along, or is one, needs no more than a folder.
    std::string busybox = rootfs() + "/bin/busybox";
    expect_error(quiet({"--rootfs", path, "-v", busybox + ":/bin/busybox:ro"}, {"true"}), 127,
                 {"\"true\"", "PATH in the container"});
    std::string bare = scratch_.folder("bare");
    fs::copy_file(busybox, bare + "/echo");
    EXPECT_EQ(quiet({"--rootfs", bare}, {"/echo", "here"}).out, "here\n");
}

TEST_F(Errors, ARootfsOfTheKernelsOwn) {
    for (auto [path, kind] : {std::pair{"/proc", "proc"},
                              {"/proc/self/ns", "proc"},
                              {"/sys", "sysfs"},
                              {"/dev/pts", "devpts"}})
        for (const Strings& more : {Strings{}, Strings{"--overlay"}}) {
            Strings options{"--rootfs", path};
            options.insert(options.end(), more.begin(), more.end());
            expect_error(quiet(options, {"true"}), 125,
                         {"mount: ", "\"" + std::string(path) + "\" is on " + kind + ", ",
                          "can't hold a root filesystem", "rootfs-scripts/busybox", "--rootfs"});
        }
}

TEST_F(Errors, ARootfsThatTheCallerCannotSearch) {
    scratch_.folder("closed/rootfs");
    chmod((scratch_ / "closed").c_str(), 0);
    Ended ended =
        quiet({"--rootfs", scratch_ / "closed/rootfs"}, {"true"}, {.before_exec = become_ordinary});
    expect_error(ended, 125,
                 {"mount: ", "EACCES", "uid " + std::to_string(ordinary()) + " may not search",
                  "\"" + scratch_ / "closed" + "\"", is_root() ? "chmod o+x" : "chmod u+x"});
    chmod((scratch_ / "closed").c_str(), 0755);
    // The rootfs itself.
    std::string inner = scratch_ / "closed/rootfs";
    chmod(inner.c_str(), 0);
    if (is_root()) // else its owner is container root, whom nothing keeps out
        expect_error(quiet({"--rootfs", inner}, {"true"}, {.before_exec = become_ordinary}), 125,
                     {"mount: ", "EACCES",
                      "uid " + std::to_string(ordinary()) + " may not search \"" + inner +
                          "\": 'chmod o+rx"});
    chmod(inner.c_str(), 0755);
}

TEST_F(Errors, ARootfsWithoutRoomForAMountPoint) {
    std::string path = scratch_.folder("rootfs");
    Ended ended = quiet({"--map", "single", "--rootfs", path}, {"true"}, {.before_exec = [path] {
                            enter_own_mounts();
                            mount_in("none", path, "tmpfs", 0, "nr_inodes=2");
                            fs::create_directory(path + "/bin");
                        }});
    expect_error(ended, 125, {"mount: ", "ENOSPC", "no more fits", "'df -i " + path + "'"});
}

TEST_F(Errors, ARootfsMountedNoexec) {
    std::string path = scratch_.folder("rootfs");
    Ended ended = quiet({"--map", "single", "--rootfs", path}, {"true"}, {.before_exec = [path] {
                            enter_own_mounts();
                            mount_in("none", path, "tmpfs", MS_NOEXEC);
                        }});
    expect_error(ended, 125, {"mount: ", "\"" + path + "\" is mounted noexec", "exec"});
}

TEST_F(Errors, ARootfsThatLacksMountPointsAndCannotGetThem) {
    std::string path = scratch_.folder("rootfs");
    Ended ended = quiet({"--map", "single", "--rootfs", path}, {"true"}, {.before_exec = [path] {
                            enter_own_mounts();
                            mount_in("none", path, "tmpfs");
                            fs::create_directory(path + "/bin");
                            mount_in("none", path, "tmpfs", MS_REMOUNT | MS_RDONLY);
                        }});
    expect_error(ended, 125, {"mount: ", "EROFS", "--overlay"});
}

TEST_F(Errors, ADirectoryThatOverlayfsCannotTake) {
    std::string own = scratch_.rootfs();
    expect_error(quiet({"--rootfs", own, "--upper", own}, {"true"}), 125,
                 {"mount: --upper \"" + own + "\" is the root filesystem", "beside"});
    expect_error(quiet({"--rootfs", own, "--upper", scratch_.path()}, {"true"}), 125,
                 {"\" holds the root filesystem", "beside"});
    std::string upper = scratch_.folder("upper");
    auto with_mount = [](const std::string& place) {
        return support::Command{.before_exec = [place] {
            enter_own_mounts();
            mount_in("none", place, "tmpfs");
        }};
    };
    expect_error(quiet({"--map", "single", "--upper", upper}, {"true"}, with_mount(upper)), 125,
                 {"\"" + upper + "\" is a mount point", "mkdir " + upper + "/changes"});
    expect_error(quiet({"--map", "single", "--rootfs", own, "--overlay"}, {"true"},
                       with_mount(own + "/mnt")),
                 125,
                 {"EINVAL", "something is mounted in", "(\"" + own + "/mnt\")", "--read-only"});
}

TEST_F(Errors, AVolumeThatLacksAMountPointAndCannotGetIt) {
    std::string folder = scratch_.folder("volume");
    expect_error(quiet({"-v", folder + ":/mnt:ro", "--tmpfs", "/mnt/in"}, {"true"}), 125,
                 {"mount: --tmpfs \"/mnt/in\"", "EROFS", "what is mounted at \"/mnt\"",
                  "make it in \"" + folder + "\" first"});
}

TEST_F(Errors, ARootfsOfSomebodyElse) {
    if (!is_root())
        GTEST_SKIP() << "needs root to make one";
    std::string path = scratch_.folder("rootfs");
    scratch_.folder("rootfs/bin");
    expect_error(
        quiet({"--map", "single", "--rootfs", path}, {"true"}, {.before_exec = become_ordinary}),
        125, {"mount: ", "EACCES", "does \"" + path + "\" belong to you", "--overlay"});
}

// --- The command
// ------------------------------------------------------------------------------------

TEST_F(Errors, ACommandThatIsNotThere) {
    expect_error(quiet({}, {"no-such"}), 127,
                 {"exec: \"no-such\"", "not found in $PATH", "/usr/bin"});
    expect_error(quiet({}, {"/no/such"}), 127, {"exec: \"/no/such\": no such file", "as a volume"});
    expect_error(quiet({"-e", "PATH="}, {"no-such"}), 127, {"no-such"});
}

TEST_F(Errors, ACommandThatCannotBeExecuted) {
    expect_error(quiet({}, {"/etc/passwd"}), 126, {"/etc/passwd", "EACCES", "chmod +x"});
    expect_error(quiet({}, {"/etc"}), 126, {"/etc", "it is a directory"});
    std::string garbage = scratch_.file("garbage", "\x01\x02\x03", 0755);
    expect_error(quiet({"-v", garbage + ":/mnt/x", "--overlay"}, {"/mnt/x"}), 126,
                 {"/mnt/x", "ENOEXEC", "neither a program of this machine's architecture"});
    scratch_.file("tools/tool", "#!/bin/sh\n", 0755);
    expect_error(quiet({"-v", scratch_ / "tools:/mnt:noexec"}, {"/mnt/tool"}), 126,
                 {"/mnt/tool", "mounted noexec"});
    expect_error(quiet({"-v", scratch_ / "tools:/mnt:noexec", "-e", "PATH=/mnt"}, {"tool"}), 126,
                 {"tool", "noexec"});
    fs::permissions(scratch_.folder("tools/closed"), fs::perms::owner_all);
    scratch_.file("tools/closed/tool", "#!/bin/sh\n", 0755);
    expect_error(quiet({"-v", scratch_ / "tools:/mnt", "-u", "1000"}, {"/mnt/closed/tool"}), 126,
                 {"/mnt/closed/tool", "EACCES", "may not search \"/mnt/closed\"", "-u"});
}

TEST_F(Errors, ACommandWhoseLoaderIsMissing) {
    // The host's own, which is dynamic on any distribution.
    std::string loader;
    Ended file =
        run({.argv = {"sh", "-c", "tr -s '\\0' '\\n' </bin/true | grep -a -m1 '^/lib.*ld-'"}});
    loader = file.out.substr(0, file.out.find('\n'));
    if (loader.empty())
        GTEST_SKIP() << "/bin/true of this host is static";
    fs::create_directory(scratch_ / "bin");
    fs::copy_file("/bin/true", scratch_ / "bin/dynamic");
    expect_error(quiet({"-v", scratch_ / "bin:/mnt"}, {"/mnt/dynamic"}), 127,
                 {"\"/mnt/dynamic\"", "its loader \"" + loader + "\" is not", "static program"});
    scratch_.file("bin/windows", "#!/bin/sh\r\necho here\r\n", 0755);
    expect_error(quiet({"-v", scratch_ / "bin:/mnt"}, {"/mnt/windows"}), 127,
                 {"\"/mnt/windows\"", "CR LF, as on Windows: sed -i 's/\\r$//' /mnt/windows"});
    scratch_.file("bin/script", "#! /no/such/interpreter -x\n", 0755);
    expect_error(quiet({"-v", scratch_ / "bin:/mnt"}, {"/mnt/script"}), 127,
                 {"\"/mnt/script\"", "its loader \"/no/such/interpreter\" is not"});
}

// --- User namespaces and id maps
// ----------------------------------------------------------------------

TEST_F(Errors, NewuidmapWithoutItsSetuidBit) {
    std::string real = program("newuidmap");
    if (real.empty())
        GTEST_SKIP() << "newuidmap is not installed";
    fs::copy_file(real, scratch_ / "newuidmap");
    chmod((scratch_ / "newuidmap").c_str(), 0755);
    std::string bare = scratch_ / "newuidmap";
    Ended ended = quiet(
        {}, {"true"},
        {.before_exec = with_ranges(scratch_, std::to_string(ordinary()) + ":100000:65536\n",
                                    [&] { mount_in(bare, fs::canonical(real), "", MS_BIND); })});
    expect_error(ended, 125,
                 {"user: ", "newuidmap", "has lost its setuid bit", "chmod u+s", "--map single"});
}

TEST_F(Errors, NewuidmapThatIsNotInstalled) {
    std::string real = program("newuidmap");
    if (real.empty())
        GTEST_SKIP() << "newuidmap is not installed"; // then it can't be hidden, nor found
    auto hidden = with_ranges(scratch_, std::to_string(ordinary()) + ":100000:65536\n",
                              [&] { mount_in("/dev/null", fs::canonical(real), "", MS_BIND); });
    expect_error(quiet({"--map", "0:100000:10"}, {"true"}, {.before_exec = hidden}), 125,
                 {"user: ", "newuidmap", "install", "--map single"});
    // Nothing was asked for: one line, and the launch goes on.
    Ended ended = launch({"--map", "auto", "--no-cgroup"}, {"id", "-u"}, {.before_exec = hidden});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "0\n");
    EXPECT_EQ(lines(ended.err).size(), 1U) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("newuidmap is missing"), HasSubstr("install")));
}

TEST_F(Errors, NoSubordinateRange) {
    if (program("newuidmap").empty())
        GTEST_SKIP() << "newuidmap is not installed";
    // newuidmap's setuid bit is of no effect where root is not mapped; so this one as it is.
    std::string foreign = "0:" + std::to_string(3'999'000'000U) + ":10";
    expect_error(quiet({"--map", foreign}, {"true"}, {.before_exec = become_ordinary}), 125,
                 {"user: ", "newuidmap", "/etc/subuid", "usermod --add-subuids", "--map single"});
    Container box({"-q"}, {.before_exec = with_ranges(scratch_, "")});
    EXPECT_EQ(id_map(box.first(), "uid_map"), (std::vector<IdRange>{{0, ordinary(), 1}}));
}

TEST_F(Errors, NoUserNamespacesLeft) {
    // The last two are left by a process that is in its user namespace, where that has its own
    // limits.
    for (const auto& [kind, stage] : std::map<std::string, std::string>{{"user", "user"},
                                                                        {"net", "net"},
                                                                        {"pid", "pid"},
                                                                        {"mnt", "mount"},
                                                                        {"uts", "uts"},
                                                                        {"ipc", "ipc"},
                                                                        {"cgroup", "cgroup"},
                                                                        {"time", "time"}}) {
        std::string name = "max_" + kind + "_namespaces";
        Ended ended =
            quiet({"--map", "single", "--boottime", "7"}, {"true"}, {.before_exec = [name] {
                      become_ordinary();
                      enter_own_mounts();
                      write_to("/proc/sys/user/" + name, "0");
                  }});
        expect_error(ended, 125, {"gocontainer: " + stage + ": ", "user." + name, "sysctl"});
    }
}

TEST_F(Errors, NoUserNamespacesLeftAroundUs) {
    Ended ended = quiet({"--map", "single"}, {"true"}, {.before_exec = [] {
                            become_ordinary();
                            enter_own_mounts(); // with a user namespace
                            write_to("/proc/sys/user/max_user_namespaces", "1");
                            std::string uid = std::to_string(getuid()),
                                        gid = std::to_string(getgid());
                            if (unshare(CLONE_NEWUSER) != 0)
                                fail_with_errno("unshare");
                            write_to("/proc/self/setgroups", "deny");
                            write_to("/proc/self/uid_map", "0 " + uid + " 1");
                            write_to("/proc/self/gid_map", "0 " + gid + " 1");
                        }});
    expect_error(ended, 125,
                 {"user: ", "clone3", "ENOSPC", "a user namespace around the one that we are in"});
}

TEST_F(Errors, ANamespaceWithoutAUserNamespace) {
    Ended ended = quiet({"--only", "uts"}, {"true"}, {.before_exec = become_ordinary});
    expect_error(ended, 125, {"uts: ", "clone3", "EPERM", "keep the user stage"});
}

TEST_F(Errors, ASeccompFilterLikeDockers) {
    for (const char* call : {"clone3", "unshare", "mount_setattr", "fsopen", "sethostname"}) {
        Ended ended = quiet({"--map", "single"}, {"true"}, {.before_exec = [call] {
                                become_ordinary();
                                deny(call, EPERM);
                            }});
        expect_error(ended, 125,
                     {call, "EPERM", "a seccomp filter is on this process", "--privileged"});
    }
}

TEST_F(Errors, AKernelOrFilterWithoutTheCall) {
    Ended ended = quiet({"--map", "single"}, {"true"}, {.before_exec = [] {
                            become_ordinary();
                            deny("clone3", ENOSYS);
                        }});
    expect_error(ended, 125, {"clone3", "ENOSYS", "Linux 5.12"});
}

/// In a chroot with `own`, a mount of its own at "/", or none, and what is mounted by `more`.
Ended in_chroot(bool own, const std::function<void(std::string)>& more, const Strings& options) {
    Scratch scratch;
    std::string root = scratch.rootfs();
    fs::copy_file(gocontainer(), root + "/gocontainer");
    fs::create_directories(root + "/inner/bin");
    fs::copy_file(root + "/bin/busybox", root + "/inner/bin/busybox");
    Command command{.argv = {"/gocontainer", "parent", "-q", "--net", "none", "--rootfs", "/inner"},
                    .before_exec = [root, own, more] {
                        enter_own_mounts();
                        if (own)
                            mount_in(root, root, "", MS_BIND | MS_REC);
                        more(root);
                        if (chroot(root.c_str()) != 0 || chdir("/") != 0)
                            fail_with_errno("chroot");
                    }};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    command.argv.insert(command.argv.end(), {"/bin/busybox", "true"});
    return run(std::move(command));
}

TEST_F(Errors, InAChroot) {
    auto with_proc = [](const std::string& root) {
        mount_in("/proc", root + "/proc", "", MS_BIND | MS_REC);
    };
    for (bool own : {false, true})
        expect_error(in_chroot(own, with_proc, {"--map", "single"}), 125,
                     {"user: ", "clone3", "EPERM", "chroot", "leave"});
}

TEST_F(Errors, InAChrootWithoutDevices) {
    if (!is_root())
        GTEST_SKIP() << "only root goes without a user namespace, and a chroot makes none";
    auto with_proc = [](const std::string& root) {
        mount_in("/proc", root + "/proc", "", MS_BIND | MS_REC);
    };
    expect_error(in_chroot(true, with_proc, {"--no-user"}), 125,
                 {"mount: ", "\"/dev/null\"", "ENOENT", "rbind"});
}

TEST_F(Errors, WithoutProc) {
    std::string root = scratch_.rootfs();
    fs::copy_file(gocontainer(), root + "/gocontainer");
    for (Strings map : {Strings{"--map", "single"}, Strings{}}) {
        Strings argv{"/gocontainer", "parent", "-q", "--net", "none", "--rootfs", "/", "true"};
        argv.insert(argv.begin() + 2, map.begin(), map.end());
        Ended ended = run({.argv = argv, .before_exec = [root] {
                               enter_own_mounts();
                               if (chroot(root.c_str()) != 0 || chdir("/") != 0)
                                   fail_with_errno("chroot");
                           }});
        expect_error(ended, 125, {"ENOENT", "/proc is not mounted", "mount -t proc"});
    }
}

TEST_F(Errors, UnderAMountThatCoversTheRoot) {
    Ended ended =
        run({.argv = {gocontainer(), "parent", "-q", "--only", "user,mount,pid", "--rootfs", "/",
                      gocontainer(), "parent", "-q", "--only", "user", "true"}});
    expect_error(ended, 125, {"user: ", "clone3", "EPERM", "whose / another mount covers"});
}

TEST_F(Errors, WhereProcIsAnotherPidNamespaces) {
    Ended ended = run({.argv = {gocontainer(), "parent", "-q", "--only", "user,pid", gocontainer(),
                                "parent", "-q", "--only", "user", "true"}});
    expect_error(ended, 125, {"user: ", "_map\"", "another PID namespace's", "--mount-proc"});
}

TEST_F(Errors, WhoHasNoIdInTheUserNamespace) {
    Ended ended = quiet({"--net", "none", "--map", "single"}, {"true"}, {.before_exec = [] {
                            if (unshare(CLONE_NEWUSER) != 0)
                                fail_with_errno("unshare");
                        }});
    expect_error(ended, 125, {"user: ", "clone3", "EPERM", "no id for its caller"});
}

TEST_F(Errors, NoNewPrivilegesMakesNewuidmapUseless) {
    if (program("newuidmap").empty())
        GTEST_SKIP() << "newuidmap is not installed";
    Ended ended =
        quiet({"--map", "0:" + std::to_string(100000) + ":10"}, {"true"}, {.before_exec = [] {
                  become_ordinary();
                  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              }});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("newuidmap"), HasSubstr("--map single")));
}

TEST_F(Errors, AProgramThatIsSetuid) {
    if (!is_root())
        GTEST_SKIP() << "needs root to make it so";
    fs::copy_file(gocontainer(), scratch_ / "setuid");
    chmod((scratch_ / "setuid").c_str(), 04755);
    expect_error(run({.argv = {scratch_ / "setuid", "stages"}, .before_exec = become_ordinary}),
                 125, {"setuid", "chmod u-s"});
}

TEST_F(Errors, InsideAnotherOfOurs) {
    Strings outer{"-v", gocontainer() + ":/g:ro", "-v", rootfs() + ":/inner"};
    Strings inner{"/g",     "parent", "-q",    "--net",  "none", "--rootfs", "/inner",
                  "--proc", "bind",   "--map", "single", "echo", "deep"};
    expect_error(quiet(outer, inner), 125, {"clone3", "ENOSYS", "that one with --seccomp none"});
    outer.insert(outer.end(), {"--seccomp", "none"});
    Ended followed = quiet(outer, inner);
    EXPECT_EQ(followed.out, "deep\n") << followed.err;
}

// --- /proc and /sys
// -----------------------------------------------------------------------------------

namespace {

/// As in a container without --privileged: a part of /proc and of /sys is covered.
void in_unprivileged_container() {
    enter_own_mounts();
    mount_in("none", "/proc/irq", "tmpfs");
    mount_in("none", "/sys/kernel", "tmpfs");
}

} // namespace

TEST_F(Errors, ProcIsRefusedInsideAnUnprivilegedContainer) {
    expect_error(quiet({"--map", "single"}, {"true"}, {.before_exec = in_unprivileged_container}),
                 125,
                 {"pid: ", "mount(\"proc\")", "EPERM", "partly masked", "--proc bind",
                  "--proc none", "--privileged"});
    // Both ways out work, and /sys needs none.
    EXPECT_EQ(quiet({"--map", "single", "--proc", "bind"},
                    {"ls", "/proc/self/status", "/sys/class"},
                    {.before_exec = in_unprivileged_container})
                  .status,
              0);
    EXPECT_EQ(quiet({"--map", "single", "--proc", "none"}, {"true"},
                    {.before_exec = in_unprivileged_container})
                  .status,
              0);
}

// --- Options
// --------------------------------------------------------------------------------------

TEST_F(Errors, BadOptionValues) {
    struct Case {
        Strings options;
        const char* said;
    };
    const Case cases[] = {
        {{"--no-such-option"}, "\"--no-such-option\" is no option"},
        {{"-z"}, "\"-z\" is no option"},
        {{"--rootfs"}, "--rootfs"}, // takes the -- for its value, and then true is the command
        {{"--only", "user,nothing"}, "\"nothing\": is no stage"},
        {{"--only", ""}, "is no stage"},
        {{"--map", "none"}, "--map"},
        {{"--map", "0:1"}, "CONTAINER:HOST:COUNT"},
        {{"--map", "0:0:0"}, "--map"},
        {{"--map", "0:-1:5"}, "--map"},
        {{"--map", "0:4294967290:100"}, "--map"},
        {{"--map", "1:100000:10"}, "id 0 of the container must be mapped"},
        {{"--map", "0:100000:10", "--map", "5:200000:10"}, "two ranges overlap"},
        {{"--map", "0:100000:10", "--map", "20:100005:10"}, "two ranges overlap"},
        {{"--gid-map", "0:100000:10"}, "needs a --map"},
        {{"--no-user", "--map", "0:0:1"}, "needs the user stage"},
        {{"--memory", "lots"}, "--memory"},
        {{"--memory", "-5"}, "--memory"},
        {{"--memory-swap", "1G"}, "needs --memory"},
        {{"--memory", "2G", "--memory-swap", "1G"}, "--memory-swap"},
        {{"--cpus", "0"}, "--cpus"},
        {{"--cpus", "many"}, "--cpus"},
        {{"--cpu-weight", "0"}, "--cpu-weight"},
        {{"--cpu-weight", "10001"}, "--cpu-weight"},
        {{"--cpuset", "3-1"}, "--cpuset"},
        {{"--pids", "0"}, "--pids"},
        {{"--pids", "1.5"}, "--pids"},
        {{"--io-weight", "x"}, "--io-weight"},
        {{"--io-max", "sda:rbps=1M"}, "--io-max"},
        {{"--io-max", "8:0:speed=1M"}, "--io-max"},
        {{"--net", "bridge"}, "is none of slirp, pasta, none, host"},
        {{"--net", "slirp", "-p", "80"}, "-p"},
        {{"--net", "slirp", "-p", "0:80"}, "-p"},
        {{"--net", "slirp", "-p", "65536:80"}, "-p"},
        {{"--net", "slirp", "-p", "80:80/icmp"}, "-p"},
        {{"--net", "slirp", "--dns", "here"}, "--dns"},
        {{"--hostname", "two words"}, "--hostname"},
        {{"--hostname", ""}, "--hostname"},
        {{"--hostname", "-x"}, "--hostname"},
        {{"--hostname", std::string(65, 'a').c_str()}, "--hostname"},
        {{"--boottime", "1.5"}, "--boottime"},
        {{"--boottime", "99999999999999999999"}, "--boottime"},
        {{"--monotonic", "soon"}, "--monotonic"},
        {{"-v", "/etc"}, "SRC:DST"},
        {{"-v", "/etc:relative"}, "must be an absolute path"},
        {{"-v", "/etc:/mnt:sparkling"}, "\"sparkling\" is no option of a volume"},
        {{"-v", ":/mnt"}, "SRC:DST"},
        {{"--tmpfs", "mnt"}, "must be an absolute path"},
        {{"--tmpfs", "/mnt:colour=red"}, "is no option of a tmpfs"},
        {{"--tmpfs", "/a", "-v", "/etc://a/./"}, "--tmpfs \"/a\" is to be there already"},
        {{"--dns", "192.0.2.1", "-v", "/etc/passwd:/etc/resolv.conf"}, "--dns: can't go with -v"},
        {{"--proc", "old"}, "is none of new, bind, none"},
        {{"--root", "jail"}, "is none of pivot, chroot, chdir"},
        {{"--cap-add", "everything"}, "is no capability"},
        {{"--cap-drop", ""}, "is no capability"},
        {{"-e", "=x"}, "--env"},
        {{"-e", "NOT_SET_ANYWHERE_AT_ALL"}, "is not set here"},
        {{"--env-file", "/no/such/file"}, "--env-file: openat("},
        {{"--env-file", "/etc"}, "--env-file: read(\"/etc\"): EISDIR"},
        {{"-w", "relative"}, "\"relative\" is not an absolute path"},
        {{"-u", ""}, "names no user"},
        {{"--ulimit", "files=5"}, "NAME=SOFT[:HARD]"},
        {{"--ulimit", "nofile=9:5"}, "soft limit is above the hard one"},
        {{"--ulimit", "nofile=many"}, "--ulimit"},
        {{"--name", "a/b"}, "--name"},
        {{"--quiet=yes"}, "--quiet"},
    };
    for (const Case& one : cases) {
        Strings argv{gocontainer(), "parent"};
        argv.insert(argv.end(), one.options.begin(), one.options.end());
        if (one.options != Strings{"--rootfs"})
            argv.insert(argv.end(), {"--", "true"});
        Ended ended = run({.argv = argv, .cwd = scratch_.path()});
        SCOPED_TRACE(testing::PrintToString(one.options));
        expect_error(ended, 125, {one.said});
    }
}

TEST_F(Errors, ThatOnlyTheKernelFinds) {
    // Where, of which option, and what to do.
    expect_error(quiet({"--map", "single", "--tmpfs", "/mnt:uid=5"}, {"true"}), 125,
                 {"mount: --tmpfs \"/mnt\": fsconfig(\"tmpfs\", \"uid=5\"): EINVAL",
                  "ids of the container"});
    expect_error(quiet({"--ulimit", "nofile=2000000000:2000000000"}, {"true"}), 125,
                 {"gocontainer: --ulimit: prlimit(", "nofile", "EPERM", "raising a hard limit",
                  "no more than the caller's own, "});
    expect_error(quiet({"-w", "/etc/passwd"}, {"true"}), 125,
                 {"gocontainer: -w: chdir(\"/etc/passwd\"): ENOTDIR", "name a directory"});
    expect_error(quiet({"-v", "/etc/passwd:/mnt"}, {"true"}), 125, {"mount: -v \"/mnt\": "});
    for (const char* file : {"/etc/passwd", "/etc/passwd/below"}) {
        std::string place = file;
        expect_error(
            quiet({"-v", "/etc:" + place}, {"true"}), 125,
            {"mount: -v \"" + place + "\": ", "ENOTDIR", "is a file in the root filesystem"});
        expect_error(
            quiet({"--tmpfs", place}, {"true"}), 125,
            {"mount: --tmpfs \"" + place + "\": ", "ENOTDIR", "is a file in the root filesystem"});
    }
    expect_error(quiet({"-w", "/proc/x"}, {"true"}), 125,
                 {"gocontainer: -w: mkdirat(", "ENOENT", "\"/proc/x\" can't be made"});
    expect_error(quiet({"-w", "/sys/x"}, {"true"}), 125,
                 {"gocontainer: -w: mkdirat(", "EROFS", "\"/sys/x\" can't be made"});
    expect_error(
        quiet({"--upper", "/etc/passwd"}, {"true"}), 125,
        {"mount: openat(AT_FDCWD, \"/etc/passwd\"", "ENOTDIR", "--upper wants a directory"});
    scratch_.folder("closed/inner");
    std::string closed = scratch_ / "closed";
    chmod(closed.c_str(), 0);
    if (is_root()) // else its owner is container root, whom nothing keeps out
        expect_error(quiet({"--map", "single", "-v", closed + "/inner:/mnt"}, {"true"},
                           {.before_exec = become_ordinary}),
                     125,
                     {"mount: -v \"/mnt\": ", "EACCES",
                      "container root may not search \"" + closed + "\": 'chmod o+x' it"});
    chmod(closed.c_str(), 0755);
    expect_error(quiet({"-u", "nosuch"}, {"true"}), 125,
                 {"-u \"nosuch\": there is no user", "give a number"});
    expect_error(
        quiet({"--map", "single", "-u", "5"}, {"true"}), 125,
        {"gocontainer: -u: setresuid(5, 5, 5): EINVAL", "which has 0: ", "leave out --map single"});
    expect_error(quiet({"--boottime", "-99999999999"}, {"true"}), 125,
                 {"time: ", "timens_offsets", "ERANGE", " seconds"});
    expect_error(quiet({"-v", "/etc:/proc/x"}, {"true"}), 125,
                 {"mount: -v \"/proc/x\": ", "ENOENT", "nothing can be made in /proc"});
    for (const char* option : {"--trace", "--record"})
        expect_error(quiet({option, "/no/such/file"}, {"true"}), 125,
                     {std::string("gocontainer: ") + option + ": openat(", "ENOENT",
                      "make its folder first: mkdir -p /no/such/"});
    expect_error(launch({"--replace", "uts=/no/such"}, {"true"}), 125,
                 {"gocontainer: --replace uts=/no/such: faccessat(", "ENOENT", "by its path"});
    expect_error(launch({"--replace", "uts=/etc"}, {"true"}), 125,
                 {"gocontainer: --replace uts=/etc: that is a folder"});
}
