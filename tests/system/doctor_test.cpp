// What `gocontainer doctor` says, against what `parent` then does; on this machine, and in
// namespaces of the test's own where something has been taken away. Nothing stays behind.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <nlohmann/json.hpp>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

using namespace support;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

/// In a user namespace of his own, where nobody has any other id to give him.
void in_own_mounts() {
    become_ordinary();
    enter_own_mounts();
    mount_in("/dev/null", "/etc/subuid", "", MS_BIND);
    mount_in("/dev/null", "/etc/subgid", "", MS_BIND);
}
/// What `parent` is asked for, to have just this stage, and what it takes, done.
const std::map<std::string, Strings> kAlone = {
    {"user", {"--only", "user"}},
    {"cgroup", {"--only", "user,cgroup"}},
    {"net", {"--only", "user,net"}},
    {"uts", {"--only", "user,uts"}},
    {"ipc", {"--only", "user,ipc"}},
    {"time", {"--only", "user,time", "--boottime", "60"}},
    {"mount", {"--only", "user,mount"}},
    {"pid", {"--only", "user,mount,pid"}},
    {"root", {"--only", "user,mount,root"}},
    {"caps", {"--only", "user,caps"}},
    {"seccomp", {"--only", "user,seccomp"}},
    {"init", {"--only", "user,mount,pid,init"}},
};

class Doctor : public testing::Test {
protected:
    void SetUp() override {
        fs::create_symlink(rootfs(), scratch_ / "rootfs");
        EXPECT_EQ(launch({"-q"}, {"true"}).status, 0); // makes missing mount points
        rootfs_ = listing(rootfs());
        host_ = Host::look();
    }
    void TearDown() override {
        EXPECT_EQ(strays(), "");
        EXPECT_EQ(differs_from(host_), "");
        EXPECT_EQ(listing(rootfs()), rootfs_);
    }

    /// What it says, on a host that `worsen` has made worse.
    Json examine(const std::function<void()>& worsen = {}) {
        Ended ended = run({.argv = {gocontainer(), "doctor", "--json"},
                           .cwd = scratch_.path(),
                           .before_exec = worsen});
        Json said = Json::parse(ended.out, nullptr, false);
        EXPECT_TRUE(said.is_object()) << ended.out << ended.err;
        EXPECT_EQ(ended.err, "");
        EXPECT_EQ(ended.status, said.value("verdict", "") == "blocked" ? 1 : 0);
        EXPECT_FALSE(ended.held_open);
        return said;
    }
    static Json of(const Json& said, const std::string& list, const std::string& name) {
        for (const Json& one : said.at(list))
            if (one.at("name") == name)
                return one;
        ADD_FAILURE() << "nothing about " << name << " in " << list;
        return {{"verdict", ""}, {"causes", Json::array()}};
    }
    /// Each stage runs, or fails, as was said, and what the lessons start, which is all of them.
    void expect_true(const Json& said, const std::function<void()>& worsen = {}) {
        for (const auto& [stage, options] : kAlone) {
            Strings argv{gocontainer(), "parent", "-q"};
            argv.insert(argv.end(), options.begin(), options.end());
            argv.insert(argv.end(), {"--", "true"});
            Ended ended = run({.argv = argv, .cwd = scratch_.path(), .before_exec = worsen});
            bool blocked = false; // or one that it takes
            std::istringstream needed(options[1]);
            for (std::string one; std::getline(needed, one, ',');)
                blocked |= of(said, "stages", one).at("verdict") == "blocked";
            EXPECT_EQ(ended.status, blocked ? 125 : 0) << stage << ": " << ended.err;
        }
        Ended whole = run({.argv = {gocontainer(), "parent", "-q", "--net", "none", "true"},
                           .cwd = scratch_.path(),
                           .before_exec = worsen});
        bool blocked = of(said, "lessons", "01-process").at("verdict") == "blocked";
        EXPECT_EQ(whole.status, blocked ? 125 : 0) << whole.err;
    }
    static void expect_verdict(const Json& said, const std::string& stage,
                               const std::string& verdict, const std::string& cause) {
        Json one = of(said, "stages", stage);
        EXPECT_EQ(one.at("verdict"), verdict) << stage;
        EXPECT_THAT(one.at("causes").get<Strings>(), Contains(cause)) << stage;
        Json row = of(said, "causes", cause);
        EXPECT_NE(row.value("what", ""), "");
        EXPECT_NE(row.value("opens", ""), "");
    }

    Scratch scratch_;

private:
    std::set<std::string> rootfs_;
    Host host_;
};

} // namespace

TEST_F(Doctor, IsRightAboutThisMachine) {
    Json said = examine();
    EXPECT_EQ(said.at("stages").size(), kAlone.size());
    EXPECT_EQ(said.at("lessons").size(), 16U);
    for (const Json& lesson : said.at("lessons"))
        EXPECT_TRUE(fs::is_directory(source() + "/lessons/" + lesson.at("name").get<std::string>()))
            << lesson;
    EXPECT_EQ(said.at("host").at("program"), fs::canonical(gocontainer()).string());
    expect_true(said);
}

TEST_F(Doctor, ShowsItToAPersonWithinEightyColumns) {
    Ended ended = run({.argv = {gocontainer(), "doctor", "--plain"}, .cwd = scratch_.path()});
    EXPECT_THAT(ended.out, AllOf(HasSubstr("\nStages\n"), HasSubstr("\nLessons\n"),
                                 HasSubstr("15-join"), HasSubstr("16 lessons: ")));
    bool pasted = false;
    for (const std::string& line : lines(ended.out)) {
        bool command = pasted && line.starts_with("        ");
        pasted = line == "      paste" || command;
        if (!command && !line.starts_with("  program") && !line.starts_with("  cgroups")) {
            EXPECT_LE(line.size(), 80U) << line;
        }
        EXPECT_EQ(line.find('\033'), std::string::npos) << line;
    }
    EXPECT_EQ(run({.argv = {gocontainer(), "doctor", "--fast"}}).status, 125);
}

TEST_F(Doctor, FindsThatNoIdsAreGiven) {
    if (program("newuidmap").empty())
        GTEST_SKIP() << "host lacks newuidmap";
    Json said = examine(in_own_mounts);
    expect_verdict(said, "user", "limited", "subid-missing");
    EXPECT_THAT(of(said, "causes", "subid-missing").value("command", ""),
                AllOf(HasSubstr("usermod --add-subuids"), testing::Not(HasSubstr("@user"))));
}

TEST_F(Doctor, FindsNewuidmapWithoutItsSetuidBit) {
    std::string real = program("newuidmap");
    if (real.empty())
        GTEST_SKIP() << "host lacks newuidmap";
    fs::copy_file(real, scratch_ / "newuidmap");
    chmod((scratch_ / "newuidmap").c_str(), 0755);
    std::string bare = scratch_ / "newuidmap";
    std::string ids = scratch_.file("subid", std::to_string(ordinary()) + ":100000:65536\n");
    auto worsen = [bare, ids, path = fs::canonical(real)] {
        in_own_mounts();
        mount_in(ids, "/etc/subuid", "", MS_BIND);
        mount_in(ids, "/etc/subgid", "", MS_BIND);
        mount_in(bare, path, "", MS_BIND);
    };
    Json said = examine(worsen);
    expect_verdict(said, "user", "blocked", "newuidmap-powerless");
    EXPECT_THAT(of(said, "causes", "newuidmap-powerless").value("command", ""),
                testing::StartsWith("sudo chmod u+s /"));
    expect_true(said, worsen);
}

TEST_F(Doctor, FindsThatNewuidmapIsMissing) {
    std::string real = program("newuidmap");
    if (real.empty())
        GTEST_SKIP() << "host lacks newuidmap"; // then it can't be hidden
    std::string ids = scratch_.file("subid", std::to_string(ordinary()) + ":100000:65536\n");
    auto worsen = [ids, path = fs::canonical(real)] {
        in_own_mounts();
        mount_in(ids, "/etc/subuid", "", MS_BIND);
        mount_in(ids, "/etc/subgid", "", MS_BIND);
        mount_in("/dev/null", path, "", MS_BIND);
    };
    Json said = examine(worsen);
    expect_verdict(said, "user", "limited", "newuidmap-missing");
}

TEST_F(Doctor, FindsThatThereIsNoTun) {
    if (!fs::exists("/dev/net/tun"))
        GTEST_SKIP() << "host lacks /dev/net/tun"; // then it can't be hidden
    auto worsen = [] {
        in_own_mounts();
        mount_in("none", "/dev/net", "tmpfs");
    };
    Json said = examine(worsen);
    expect_verdict(said, "net", "limited", "tun-missing");
    EXPECT_EQ(of(said, "lessons", "10-slirp").at("verdict"), "blocked");
    EXPECT_EQ(of(said, "lessons", "09-net").at("verdict"), "works");
}

TEST_F(Doctor, FindsThatNamespacesAreSwitchedOff) {
    for (const auto& [kind, stages] :
         std::map<std::string, Strings>{{"user", {"user", "uts", "pid", "root", "seccomp"}},
                                        {"net", {"net"}},
                                        {"pid", {"pid", "init"}},
                                        {"mnt", {"mount", "root"}},
                                        {"cgroup", {"cgroup"}},
                                        {"time", {"time"}}}) {
        auto worsen = [kind] {
            in_own_mounts();
            write_to("/proc/sys/user/max_" + kind + "_namespaces", "0");
        };
        Json said = examine(worsen);
        for (const std::string& stage : stages)
            expect_verdict(said, stage, "blocked", "namespaces-off");
        EXPECT_EQ(of(said, "causes", "namespaces-off").at("command"),
                  "sudo sysctl user.max_" + kind + "_namespaces=15000");
        if (kind != "user") { // the others are as they were
            EXPECT_EQ(of(said, "stages", "caps").at("verdict"), "works") << kind;
        }
        if (kind == "user")
            expect_true(said, worsen);
    }
}

TEST_F(Doctor, FindsThatProcIsMasked) {
    auto worsen = [] {
        in_own_mounts();
        mount_in("none", "/proc/irq", "tmpfs");
    };
    Json said = examine(worsen);
    expect_verdict(said, "pid", "blocked", "proc-masked");
    EXPECT_EQ(of(said, "lessons", "07-pid").at("verdict"), "blocked");
    EXPECT_NE(of(said, "stages", "root").at("verdict"), "blocked");
    // Whose blocks start a container, which fails at its pid stage.
    EXPECT_EQ(of(said, "lessons", "06-pivot-root").at("verdict"), "blocked");
    EXPECT_EQ(of(said, "lessons", "00-host").at("verdict"), "limited");
    expect_true(said, worsen);
}

// A kernel that has Ubuntu's rule, or Debian's switch: their settings are covered by files that say
// so, and the refusals are there for another reason.
TEST_F(Doctor, GivesTheProfileThatUbuntuWants) {
    auto worsen = [] {
        in_own_mounts();
        mount_in("none", "/proc/sys/kernel", "tmpfs");
        spill("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    };
    Json said = examine(worsen);
    expect_verdict(said, "pid", "blocked", "apparmor-rule");
    Json row = of(said, "causes", "apparmor-rule");
    EXPECT_THAT(row.value("command", ""),
                AllOf(HasSubstr("profile gocontainer \"" + fs::canonical(gocontainer()).string() +
                                "\" flags=(unconfined)"),
                      HasSubstr("'  userns,'"), HasSubstr("sudo apparmor_parser -r ")));
    EXPECT_THAT(row.value("opens", ""), HasSubstr("Other programs stay as they are"));
}

TEST_F(Doctor, FindsDebiansSwitch) {
    auto worsen = [] {
        in_own_mounts();
        write_to("/proc/sys/user/max_user_namespaces", "0");
        mount_in("none", "/proc/sys/kernel", "tmpfs");
        spill("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
    };
    expect_verdict(examine(worsen), "user", "blocked", "debian-switch");
}

TEST_F(Doctor, FindsASeccompFilterLikeDockers) {
    for (const auto& [call, code, cause] : {std::tuple("clone3", ENOSYS, "seccomp-hides"),
                                            std::tuple("clone3", EPERM, "seccomp-filter"),
                                            std::tuple("unshare", EPERM, "seccomp-filter")}) {
        auto worsen = [name = call, number = code] {
            become_ordinary();
            deny(name, number);
        };
        Json said = examine(worsen);
        EXPECT_EQ(said.at("verdict"), "blocked");
        EXPECT_THAT(of(said, "causes", cause).value("command", ""),
                    HasSubstr("--security-opt seccomp=unconfined"));
    }
}

TEST_F(Doctor, FindsWhatIsWrongWithTheRootfs) {
    fs::remove(scratch_ / "rootfs");
    Json said = examine();
    bool busybox = !program("busybox").empty() || !program("busybox.static").empty();
    expect_verdict(said, "mount", "blocked", busybox ? "rootfs-missing" : "busybox-missing");
    EXPECT_EQ(of(said, "stages", "uts").at("verdict"), "works");

    scratch_.folder("rootfs");
    auto noexec = [path = scratch_ / "rootfs"] {
        in_own_mounts();
        mount_in("none", path, "tmpfs", MS_NOEXEC);
    };
    expect_verdict(examine(noexec), "root", "blocked", "rootfs-noexec");
}
