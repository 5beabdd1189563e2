// Every error that tells a person why this machine says no: from what the machine answers.
#include "stages/causes.hpp"

#include "run/command.hpp"
#include "stages/rootfs.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>

#include <elf.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <cstring>

namespace causes = stages::causes;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using unit::Recorder;

namespace {

// --- the table -----------------------------------------------------------------------------------

TEST(CauseTable, HasOneCompleteRowForEachCause) {
    auto rows = causes::rows();
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(causes::Id::cgroup_no_place) + 1);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(static_cast<std::size_t>(rows[i].id), i) << rows[i].name;
        EXPECT_THAT(rows[i].name, testing::MatchesRegex("[a-z0-9-]+"));
        EXPECT_STRNE(rows[i].what, "") << rows[i].name;
        EXPECT_STRNE(rows[i].opens, "") << rows[i].name;
    }
}

TEST(CauseTable, FillsInWhatWasFoundAndTellsWhoListens) {
    std::vector<causes::Cause> heard;
    {
        causes::Ear ear([&](const causes::Cause& cause) { heard.push_back(cause); });
        EXPECT_EQ(causes::hint_of(causes::Id::rootfs_closed, {"7", "/home/@1"}),
                  "uid 7 may not search \"/home/@1\": 'chmod o+x /home/@1', or move the root "
                  "filesystem");
        auto wrong = causes::wrong(causes::Id::slirp_missing, {"apt install x"});
        EXPECT_EQ(sys::to_line(wrong.error()),
                  "slirp4netns is not installed: 'apt install x', or go on with --net none");
    }
    (void)causes::hint_of(causes::Id::in_chroot);
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_EQ(heard[0].name, "rootfs-closed");
    EXPECT_EQ(heard[0].command, "chmod o+x /home/@1");
    EXPECT_EQ(heard[1].command, "sudo apt install x");
}

constexpr const char* kFree = "36 1 0:1 / / rw - ext4 x rw\n"; // mountinfo: "/" is a mount

// --- user namespaces -----------------------------------------------------------------------------

TEST(NoUserNamespace, BecauseOfDebiansSysctl) {
    if (sys::geteuid() == 0)
        GTEST_SKIP() << "it does not hold for root";
    Recorder kernel;
    kernel.file("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM),
                HasSubstr("'sudo sysctl kernel.unprivileged_userns_clone=1'"));
}

TEST(NoUserNamespace, BecauseThereMayBeNone) {
    Recorder kernel;
    kernel.file("/proc/sys/user/max_user_namespaces", "0\n");
    EXPECT_THAT(causes::no_namespace("user", ENOSPC),
                HasSubstr("'sudo sysctl user.max_user_namespaces=15000'"));
}

TEST(NoUserNamespace, BecauseOneOfAnotherKindIsOff) {
    Recorder kernel;
    kernel.file("/proc/sys/user/max_user_namespaces", "15000\n");
    kernel.file("/proc/sys/user/max_net_namespaces", "0\n");
    EXPECT_THAT(causes::no_namespace("net", ENOSPC),
                HasSubstr("'sudo sysctl user.max_net_namespaces=15000'"));
    kernel.file("/proc/sys/user/max_net_namespaces", "7\n");
    EXPECT_THAT(causes::no_namespace("net", ENOSPC),
                AllOf(HasSubstr("too many net namespaces"), HasSubstr("max_net_namespaces=7")));
    EXPECT_THAT(causes::no_namespace("user", EUSERS), HasSubstr("32 levels deep"));
    kernel.file("/proc/sys/user/max_user_namespaces", "2147483647\n");
    EXPECT_THAT(causes::no_namespace("user", ENOSPC),
                AllOf(HasSubstr("around the one that we are in"), Not(HasSubstr("max_user"))));
}

TEST(NoUserNamespace, BecauseOfAppArmor) {
    Recorder kernel;
    kernel.file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    EXPECT_THAT(causes::no_namespace("user", EACCES),
                AllOf(HasSubstr("kernel.apparmor_restrict_unprivileged_userns=1"),
                      HasSubstr("userns,"), HasSubstr("sudo sysctl")));
    EXPECT_THAT(causes::powerless_root(EPERM), HasSubstr("apparmor_restrict"));
    EXPECT_THAT(causes::no_proc(EPERM), HasSubstr("apparmor_restrict"));
}

TEST(NoUserNamespace, BecauseOfAProfile) {
    Recorder kernel;
    kernel.file("/proc/self/attr/apparmor/current", "docker-default (enforce)\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM),
                AllOf(HasSubstr("profile \"docker-default\""),
                      HasSubstr("--security-opt apparmor=unconfined")));
    Recorder older; // the directory came with Linux 5.8
    older.file("/proc/self/attr/current", std::string("snap.x\0", 7));
    older.file("/sys/module/apparmor/parameters/enabled", "Y\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("profile \"snap.x\""));
    older.file("/sys/module/apparmor/parameters/enabled", "N\n"); // then it's another module's
    EXPECT_THAT(causes::no_namespace("user", EPERM), Not(HasSubstr("AppArmor")));
    Recorder free;
    free.file("/proc/self/attr/current", "unconfined\n");
    free.file("/proc/self/mountinfo", kFree);
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("chroot, which this may be"));
    EXPECT_THAT(causes::no_namespace("net", EPERM), IsEmpty());
}

TEST(NoUserNamespace, BecauseOfAContainersFilter) {
    Recorder kernel;
    kernel.file("/proc/self/status",
                "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM),
                AllOf(HasSubstr("seccomp=unconfined"), HasSubstr("--privileged")));
    EXPECT_THAT(causes::powerless_root(EPERM), HasSubstr("seccomp"));
}

TEST(NoUserNamespace, BecauseAFilterHidesTheCall) { // Docker's answers ENOSYS for clone3
    class Kernel : public Recorder {
        std::optional<long> before(const sys::Call& call) override {
            if (call.name == "uname")
                strcpy(reinterpret_cast<utsname*>(call.out.data())->release, release);
            return Recorder::before(call);
        }

    public:
        const char* release = "6.1.0-13-amd64";
    } kernel;
    kernel.file("/proc/self/status", "Name:\tx\nSeccomp:\t2\n");
    EXPECT_THAT(causes::no_namespace("user", ENOSYS),
                AllOf(HasSubstr("a seccomp filter"), HasSubstr("hides clone3"),
                      HasSubstr("(6.1.0-13-amd64)"), HasSubstr("seccomp=unconfined")));
    kernel.release = "5.10.0";
    EXPECT_THAT(causes::no_namespace("user", ENOSYS), HasSubstr("does not have clone3"));
}

TEST(NoUserNamespace, BecauseOfAChroot) {
    Recorder kernel;
    kernel.file("/proc/self/mountinfo", "36 1 0:1 / /srv/jail rw - ext4 x rw\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("in a chroot"));
    kernel.file("/proc/self/mountinfo",
                "36 1 0:1 / / rw - ext4 x rw\n37 36 0:1 / / rw - ext4 x rw\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("another mount covers"));
    kernel.file("/proc/self/mountinfo", "37 36 0:1 / / rw - ext4 x rw\n");
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("which this may be"));
}

TEST(NoUserNamespace, BecauseTheCallerHasNoIdHere) {
    Recorder kernel;
    kernel.file("/proc/self/mountinfo", kFree);
    kernel.file("/proc/self/uid_map", "");
    EXPECT_THAT(causes::no_namespace("user", EPERM), HasSubstr("no id for its caller"));
    EXPECT_THAT(causes::no_namespace("net", EPERM), IsEmpty());
}

TEST(NoUserNamespace, BecauseOfTheKernel) {
    Recorder kernel;
    EXPECT_THAT(causes::no_namespace("user", ENOSYS),
                AllOf(HasSubstr("clone3"), HasSubstr("Linux 5.12")));
    EXPECT_THAT(causes::no_namespace("user", EINVAL), HasSubstr("/proc/self/ns"));
    EXPECT_THAT(causes::powerless_root(ENOSYS), HasSubstr("the new mount API"));
    EXPECT_THAT(causes::powerless_root(ENOENT), IsEmpty());
}

// --- /proc ---------------------------------------------------------------------------------------

TEST(NoProc, BecauseTheOuterOneIsMasked) {
    Recorder kernel;
    EXPECT_THAT(causes::no_proc(EPERM), AllOf(HasSubstr("--proc bind"), HasSubstr("--privileged"),
                                              HasSubstr("systempaths=unconfined")));
}

// --- newuidmap -----------------------------------------------------------------------------------

TEST(NoIdMap, BecauseTheHelperIsNotSetuid) {
    Recorder kernel;
    kernel.mode("/usr/bin/newuidmap", S_IFREG | 0755);
    kernel.answer("getxattr", -ENODATA);
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap", "write failed"),
                AllOf(HasSubstr("'sudo chmod u+s /usr/bin/newuidmap'"), HasSubstr("--map single")));
    kernel.answer("getxattr", 20); // Fedora: cap_setuid=ep instead
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap", "write failed"), IsEmpty());
}

TEST(NoIdMap, BecauseItsSetuidBitHasNoEffect) {
    Recorder kernel;
    kernel.mode("/usr/bin/newuidmap", S_IFREG | S_ISUID | 0755);
    kernel.file("/proc/self/status", "Name:\tx\nNoNewPrivs:\t1\n");
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap", ""), HasSubstr("no_new_privs"));
}

TEST(NoIdMap, BecauseItsFileSystemIsMountedNosuid) {
    class Nosuid : public Recorder {
        std::optional<long> before(const sys::Call& call) override {
            auto answer = Recorder::before(call);
            if (call.name == "statfs") {
                struct statfs info{};
                info.f_flags = ST_NOSUID;
                memcpy(call.out.data(), &info, sizeof info);
            }
            return answer;
        }
    } kernel;
    kernel.mode("/usr/bin/newuidmap", S_IFREG | S_ISUID | 0755);
    kernel.file("/proc/self/mountinfo", "36 1 0:1 / / rw - ext4 x rw\n"
                                        "37 36 0:2 / /usr rw,nosuid - ext4 x rw\n"
                                        "38 36 0:3 / /us rw - ext4 x rw\n");
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap", "write failed"),
                AllOf(HasSubstr("mounted nosuid"), HasSubstr("remount,suid /usr'")));
}

TEST(NoIdMap, BecauseRootOfThisContainerMayNotWriteOne) {
    constexpr const char* kSaid = "newgidmap: write to gid_map failed: Operation not permitted";
    Recorder kernel;
    kernel.mode("/usr/bin/newgidmap", S_IFREG | S_ISUID | 0755);
    kernel.answer("getxattr", -ENODATA);
    kernel.file("/proc/self/status", "Name:\tx\nCapBnd:\t00000000a80425fb\n"); // Docker's 14
    EXPECT_THAT(causes::no_id_map("/usr/bin/newgidmap", kSaid),
                AllOf(HasSubstr("needs CAP_SYS_ADMIN"),
                      HasSubstr("'chmod u-s /usr/bin/newgidmap && setcap cap_setgid=ep")));
    kernel.file("/proc/self/status",
                "Name:\tx\nCapBnd:\t00000000a82425fb\n"); // --cap-add SYS_ADMIN
    EXPECT_THAT(causes::no_id_map("/usr/bin/newgidmap", kSaid), IsEmpty());
}

TEST(NoIdMap, BecauseTheIdsAreNotHere) {
    Recorder kernel;
    kernel.mode("/usr/bin/newuidmap", S_IFREG | S_ISUID | 0755);
    kernel.file("/proc/self/uid_map", "1002 1002 1\n");
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap",
                                  "newuidmap: write to uid_map failed: Operation not permitted"),
                AllOf(HasSubstr("/etc/subuid speaks of ids"), HasSubstr("--map single")));
    kernel.file("/proc/self/status", "Name:\tx\nNSpid:\t40\t2\n");
    EXPECT_THAT(causes::no_id_map("/usr/bin/newuidmap", "newuidmap: Target process is not yours"),
                HasSubstr("another PID namespace"));
}

TEST(NoIdMap, BecauseTheRangeIsSomebodyElses) {
    Recorder kernel;
    kernel.mode("/usr/bin/newgidmap", S_IFREG | S_ISUID | 0755);
    EXPECT_THAT(
        causes::no_id_map("/usr/bin/newgidmap", "newgidmap: gid range [0-1) -> [5-6) not allowed"),
        AllOf(HasSubstr("/etc/subgid"), HasSubstr("usermod --add-subuids 100000-165535")));
    // What is proposed is nobody's yet.
    kernel.file("/etc/subuid", "anna:100000:65536\nodd\nben:300000:1000\n");
    kernel.file("/etc/subgid", "anna:400000:10\n");
    EXPECT_EQ(causes::free_ids(), "400010-465545");
}

// --- the rootfs ----------------------------------------------------------------------------------

TEST(NoRootfs, BecauseThereIsNone) {
    EXPECT_THAT(causes::no_rootfs("./rootfs", ENOENT, 1000),
                AllOf(HasSubstr("'rootfs-scripts/busybox ./rootfs'"),
                      HasSubstr("'rootfs-scripts/image docker://alpine ./rootfs'")));
    EXPECT_THAT(causes::no_rootfs("f", ENOTDIR, 1000), HasSubstr("is not a directory"));
}

TEST(NoRootfs, BecauseADirectoryOnTheWayIsClosed) {
    Recorder kernel;
    kernel.owner("/home/lena", sys::geteuid() + 1);
    kernel.answer("faccessat(AT_FDCWD, \"/home/lena\", X_OK)", -EACCES);
    EXPECT_THAT(
        causes::no_rootfs("/home/lena/rootfs", EACCES, 1000),
        AllOf(HasSubstr("may not search \"/home/lena\""), HasSubstr("'chmod o+x /home/lena'")));
    EXPECT_THAT(causes::no_rootfs("/srv/rootfs", EACCES, 1000),
                HasSubstr("'chmod o+rx /srv/rootfs'"));
    EXPECT_THAT(causes::no_rootfs("rootfs", EACCES, 1000), HasSubstr("may not search \"rootfs\""));
    kernel.owner("/home/lena", sys::geteuid()); // whom the bits of others don't concern
    EXPECT_THAT(causes::no_rootfs("/home/lena/rootfs", EACCES, 1000),
                HasSubstr("may not search \"/home/lena\": 'chmod u+x /home/lena'"));
}

TEST(NoRootfs, BecauseItsFileSystemCannotHoldOne) {
    for (auto [magic, name] : {std::pair<long, const char*>{V9FS_MAGIC, "9p"},
                               {FUSE_SUPER_MAGIC, "virtiofs"},
                               {NFS_SUPER_MAGIC, "NFS"},
                               {MSDOS_SUPER_MAGIC, "FAT"},
                               {0x5346544e, "NTFS"}}) {
        Recorder kernel;
        kernel.type("/r", magic);
        EXPECT_THAT(causes::rootfs_cannot_hold("/r", EPERM),
                    AllOf(HasSubstr(std::string(name)), HasSubstr("local disk")));
    }
    Recorder kernel;
    EXPECT_THAT(causes::rootfs_cannot_hold("/r", EROFS),
                AllOf(HasSubstr("read-only file system"), HasSubstr("--overlay")));
    EXPECT_THAT(causes::rootfs_cannot_hold("/r", EACCES), HasSubstr("--overlay"));
    for (int code : {ENOSPC, EDQUOT})
        EXPECT_THAT(causes::rootfs_cannot_hold("/r", code),
                    AllOf(HasSubstr("no more fits"), HasSubstr("'df -h /r'")));
    EXPECT_THAT(causes::rootfs_cannot_hold("/r", EIO), IsEmpty());
}

TEST(NoRootfs, BecauseItIsTheKernelsOwn) {
    for (auto [magic, name] : {std::pair<long, const char*>{PROC_SUPER_MAGIC, "proc"},
                               {SYSFS_MAGIC, "sysfs"},
                               {CGROUP2_SUPER_MAGIC, "a cgroup hierarchy"},
                               {CGROUP_SUPER_MAGIC, "a cgroup hierarchy"},
                               {DEVPTS_SUPER_MAGIC, "devpts"},
                               {DEBUGFS_MAGIC, "debugfs"},
                               {TRACEFS_MAGIC, "tracefs"},
                               {SECURITYFS_MAGIC, "securityfs"},
                               {BPF_FS_MAGIC, "bpf"}}) {
        Recorder kernel;
        kernel.type("/r", magic);
        spec::Spec spec;
        spec.root.path = "/r";
        auto checked = stages::check_rootfs(spec);
        ASSERT_FALSE(checked) << name;
        EXPECT_THAT(sys::to_line(checked.error()),
                    AllOf(HasSubstr("\"/r\" is on " + std::string(name) + ", "),
                          HasSubstr("rootfs-scripts/busybox")));
    }
}

TEST(NoRootfs, BecauseItIsMountedNoexec) {
    class Noexec : public Recorder {
        std::optional<long> before(const sys::Call& call) override {
            auto answer = Recorder::before(call);
            if (call.name == "fstatfs") {
                struct statfs info{};
                info.f_flags = ST_NOEXEC;
                memcpy(call.out.data(), &info, sizeof info);
            }
            return answer;
        }
    } kernel;
    spec::Spec spec;
    auto done = stages::check_rootfs(spec);
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()),
                AllOf(HasSubstr("is mounted noexec"), HasSubstr("remount this one with exec")));
}

TEST(NoOverlay, SaysWhatTheKernelSays) {
    Recorder kernel;
    EXPECT_EQ(causes::no_overlay("/r", "overlay: too deep", EINVAL), "overlay: too deep");
    EXPECT_THAT(causes::no_overlay("/r", "", ENODEV), HasSubstr("'sudo modprobe overlay'"));
    kernel.type("/r", OVERLAYFS_SUPER_MAGIC);
    EXPECT_THAT(causes::no_overlay("/r", "said", EINVAL),
                AllOf(HasSubstr("overlayfs"), HasSubstr("(said)")));
}

TEST(NoOverlay, BecauseTheKernelIsTooOld) {
    class Kernel : public Recorder {
        std::optional<long> before(const sys::Call& call) override {
            if (call.name == "uname")
                strcpy(reinterpret_cast<utsname*>(call.out.data())->release, release);
            return Recorder::before(call);
        }

    public:
        const char* release = "5.10.0-28-amd64";
    } kernel;
    EXPECT_THAT(causes::no_overlay("/r", "", EPERM),
                AllOf(HasSubstr("this is Linux 5.10.0-28-amd64"), HasSubstr("needs 5.11"),
                      HasSubstr("--no-user")));
    kernel.release = "6.1.0";
    EXPECT_EQ(causes::no_overlay("/r", "said", EPERM), "said");
    kernel.file("/proc/self/status", "Name:\tx\nSeccomp:\t2\n");
    EXPECT_THAT(causes::no_overlay("/r", "", EPERM), HasSubstr("seccomp"));
}

TEST(Install, NamesThePackageOfThisDistribution) {
    Recorder kernel;
    EXPECT_EQ(causes::install("d", "f", "a"), "apt install d");
    kernel.file("/etc/os-release", "NAME=\"x\"\nID=ubuntu\nID_LIKE=debian\n");
    EXPECT_EQ(causes::install("d", "f", "a"), "apt install d");
    kernel.file("/etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"");
    EXPECT_EQ(causes::install("d", "f", "a"), "dnf install f");
    kernel.file("/etc/os-release", "ID=alpine\n");
    EXPECT_EQ(causes::install("d", "f", "a"), "apk add a");
    kernel.file("/etc/os-release", "ID=debian\nVARIANT=fedora\n");
    EXPECT_EQ(causes::install("d", "f", "a"), "apt install d");
}

// --- the command ---------------------------------------------------------------------------------

/// What running `args` in vain gives; exec itself is answered by the recorder.
sys::Error run_in_vain(Recorder& kernel, std::vector<std::string> args, int code = ENOENT,
                       const std::string& env = "PATH=/bin:/usr/bin") {
    kernel.answer("execve(", -code);
    spec::Spec spec;
    spec.process.args = std::move(args);
    spec.process.env = {env};
    sys::Fd socket(3);
    run::Slate none;
    sys::Error error = run::become_command(spec, socket, run::environment(spec), none);
    (void)socket.release(); // not ours
    return error;
}

std::string elf(const char* loader) {
    Elf64_Ehdr header{};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_phoff = sizeof header;
    header.e_phnum = 1;
    Elf64_Phdr program{};
    program.p_type = PT_INTERP;
    program.p_offset = sizeof header + sizeof program;
    program.p_filesz = strlen(loader) + 1;
    std::string out(reinterpret_cast<char*>(&header), sizeof header);
    out.append(reinterpret_cast<char*>(&program), sizeof program);
    return out.append(loader, strlen(loader) + 1);
}

TEST(Command, MissingOnThePath) {
    Recorder kernel;
    kernel.answer("faccessat", -ENOENT);
    sys::Error error = run_in_vain(kernel, {"nonsense"});
    EXPECT_EQ(error.status, 127);
    EXPECT_EQ(sys::to_line(error),
              "exec: \"nonsense\": executable file not found in $PATH: PATH in "
              "the container is \"/bin:/usr/bin\": install it in the root filesystem, or name its "
              "path there");
    EXPECT_TRUE(kernel.called("execve(\"/bin/nonsense\""));
    EXPECT_TRUE(kernel.called("execve(\"/usr/bin/nonsense\""));
}

TEST(Command, MissingByItsPath) {
    Recorder kernel;
    kernel.mode("/bin/nonsense", 0);
    sys::Error error = run_in_vain(kernel, {"/bin/nonsense"});
    EXPECT_EQ(error.status, 127);
    EXPECT_EQ(sys::to_line(error), "exec: \"/bin/nonsense\": no such file or directory: a path is "
                                   "the container's: copy it into the root filesystem, or bring "
                                   "it in as a volume");
}

TEST(Command, WithoutItsLoader) {
    for (const std::string& text :
         {elf("/lib64/ld-linux-x86-64.so.2"), std::string("#! /lib64/ld-linux-x86-64.so.2 -x\n")}) {
        Recorder kernel;
        kernel.mode("/bin/prog", S_IFREG | 0755);
        kernel.file("/bin/prog", text);
        sys::Error error = run_in_vain(kernel, {"/bin/prog"});
        EXPECT_EQ(error.status, 127);
        EXPECT_THAT(sys::to_line(error),
                    AllOf(HasSubstr("its loader \"/lib64/ld-linux-x86-64.so.2\" is not"),
                          HasSubstr("static")));
    }
}

TEST(Command, WithAHostileHeader) {
    std::string good = elf("/lib/ld.so");
    for (std::size_t length = 0; length < good.size(); ++length) {
        Recorder kernel;
        kernel.mode("/p", S_IFREG | 0755);
        kernel.file("/p", good.substr(0, length));
        EXPECT_EQ(run_in_vain(kernel, {"/p"}).status, 127);
    }
    for (std::size_t at = EI_CLASS; at < good.size(); ++at)
        for (char byte : {'\0', '\x01', '\x7f', '\xff'}) {
            std::string text = good;
            text[at] = byte;
            Recorder kernel;
            kernel.mode("/p", S_IFREG | 0755);
            kernel.file("/p", text);
            EXPECT_EQ(run_in_vain(kernel, {"/p"}).status, 127);
        }
}

TEST(Command, NotExecutable) {
    Recorder kernel;
    kernel.mode("/d", S_IFDIR | 0755);
    kernel.mode("/f", S_IFREG | 0644);
    sys::Error directory = run_in_vain(kernel, {"/d"}, EACCES);
    EXPECT_EQ(directory.status, 126);
    EXPECT_EQ(
        sys::to_line(directory),
        "execve(\"/d\"): EACCES (permission denied): it is a directory: name a program in it");
    sys::Error file = run_in_vain(kernel, {"/f"}, EACCES);
    EXPECT_EQ(file.status, 126);
    EXPECT_THAT(sys::to_line(file), HasSubstr("'chmod +x'"));
    sys::Error format = run_in_vain(kernel, {"/f"}, ENOEXEC);
    EXPECT_EQ(format.status, 126);
    EXPECT_THAT(sys::to_line(format), HasSubstr("architecture"));
}

TEST(Command, WithTooMuchToHandOver) {
    Recorder kernel;
    kernel.mode("/f", S_IFREG | 0755);
    sys::Error word = run_in_vain(kernel, {"/f", std::string(131072, 'x')}, E2BIG);
    EXPECT_EQ(word.status, 126);
    EXPECT_THAT(sys::to_line(word), HasSubstr("has 131072 bytes, and Linux takes 131071 of each"));
    sys::Error all = run_in_vain(kernel, std::vector<std::string>(50, std::string(131071, 'x')),
                                 E2BIG, "A=" + std::string(131000, 'x'));
    EXPECT_THAT(sys::to_line(all), HasSubstr("have 66"));
    EXPECT_THAT(sys::to_line(all), HasSubstr("'ulimit -s'"));
}

TEST(Command, WhoseTerminalIsClosedAlready) {
    Recorder kernel;
    kernel.answer("TIOCSCTTY", -EIO);
    spec::Process process;
    process.terminal = true;
    auto led = run::lead_session(process);
    ASSERT_FALSE(led);
    EXPECT_THAT(sys::to_line(led.error()), HasSubstr("the other end of the terminal is closed"));
}

TEST(Command, OnThePathIsTheFirstThatIsThere) {
    Recorder kernel;
    kernel.mode("/bin/x", S_IFREG | 0644);
    kernel.answer("faccessat", -ENOENT);
    sys::Error error = run_in_vain(kernel, {"x"}, EACCES);
    EXPECT_EQ(error.status, 126); // as execvp(3): found, though not executable
    Recorder relative;
    (void)run_in_vain(relative, {"x"}, ENOENT, "PATH=:/bin:");
    EXPECT_TRUE(relative.called("execve(\"./x\""));
}

TEST(Command, LeavesNoDescriptorBehind) {
    Recorder kernel;
    (void)run_in_vain(kernel, {"/x"});
    EXPECT_LT(kernel.at("close_range(4, 4294967295, 0)"), kernel.at("execve("));
    Recorder failing;
    failing.answer("close_range", -EPERM);
    EXPECT_EQ(run_in_vain(failing, {"/x"}).call, "close_range(4, 4294967295, 0)");
    EXPECT_FALSE(failing.called("execve("));
    spec::Spec spec;
    spec.process.args = {"x"};
    sys::Fd elsewhere(7);
    run::Slate none;
    EXPECT_THAT(run::become_command(spec, elsewhere, {}, none).detail,
                HasSubstr("socket has moved"));
    (void)elsewhere.release();
}

TEST(Command, HasALimitThatCannotBeRaisedExplained) {
    Recorder kernel;
    kernel.answer("prlimit", -EPERM);
    spec::Spec spec;
    spec.process.rlimits = {{7, "nofile", 5, 6}};
    auto done = run::set_limits(spec);
    ASSERT_FALSE(done);
    EXPECT_THAT(
        sys::to_line(done.error()),
        AllOf(StartsWith("--ulimit: prlimit(0, nofile, 5, 6): EPERM"), HasSubstr("hard limit")));
    spec.naming = spec::Naming::properties;
    EXPECT_EQ(run::set_limits(spec).error().stage, "process.rlimits");
}

TEST(Command, StaysInsideItsRoot) { // CVE-2024-21626
    class Outside : public Recorder {
        std::optional<long> before(const sys::Call& call) override {
            if (call.name != "getcwd")
                return Recorder::before(call);
            constexpr std::string_view where("(unreachable)/root\0", 19);
            memcpy(call.out.data(), where.data(), where.size());
            return static_cast<long>(where.size());
        }
    } kernel;
    spec::Spec spec;
    spec.process.cwd = "/proc/self/fd/7";
    auto done = run::enter_directory(spec);
    ASSERT_FALSE(done);
    EXPECT_THAT(sys::to_line(done.error()), HasSubstr("outside the root: \"(unreachable)/root\""));
}

TEST(Command, HasItsDirectoryMadeOnlyInARootOfItsOwn) {
    Recorder kernel;
    kernel.answer("chdir(\"/w/x\")", -ENOENT);
    kernel.answer("\"/w/x\", O_PATH|O_DIRECTORY", -ENOENT);
    kernel.mode("w", 0);
    kernel.mode("x", 0);
    spec::Spec spec;
    spec.process.cwd = "/w/x";
    EXPECT_TRUE(run::enter_directory(spec));
    EXPECT_TRUE(kernel.called("mkdirat("));
    spec.stages.remove(spec::Stage::root);
    kernel.calls.clear();
    EXPECT_FALSE(run::enter_directory(spec));
    EXPECT_FALSE(kernel.called("mkdirat("));
}

} // namespace
