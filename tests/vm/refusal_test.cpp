// What a machine can refuse, and that a launch then ends with one line that says who did and what
// to do about it, before the command has run. Each test changes the machine, so they need one that
// is theirs (tests/vm/boot) and root in it; the launches are its ordinary user's.
#include "tests/support/folders.hpp"
#include "tests/vm/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace vm;
using namespace std::chrono_literals;

#define NEEDS_OWN_MACHINE()                                                                        \
    if (!own_machine())                                                                            \
        GTEST_SKIP() << "host lacks settings that a test may change: this needs tests/vm/boot";    \
    if (getuid() != 0)                                                                             \
        GTEST_SKIP() << "host lacks root for this user, to change its settings with";              \
    if (!ordinary_user())                                                                          \
    GTEST_SKIP() << "host lacks the user \"rootless\""

namespace {

constexpr const char* kHello = "echo ran; exit 7";

/// Status 125, one line that has all of `words`, and nothing from the command.
void expect_refusal(Container& container, const support::Strings& words) {
    EXPECT_EQ(container.wait(), 125);
    std::string said = container.err();
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
    for (const std::string& word : words)
        EXPECT_THAT(said, testing::HasSubstr(word));
    EXPECT_EQ(container.out(), "");
}

void expect_launch(const Caller& caller) {
    Container container({"--map", "single"}, kHello, caller);
    EXPECT_EQ(container.wait(), 7) << container.err();
    EXPECT_EQ(container.out(), "ran\n");
}

/// Doctor's verdict on a stage: "user blocked: debian-switch".
std::string diagnosed(const Caller& caller, const std::string& stage) {
    support::Ended ended = doctor(caller);
    auto said = nlohmann::json::parse(ended.out, nullptr, /*allow_exceptions=*/false);
    if (!said.is_object())
        return ended.out + ended.err;
    for (const auto& one : said["stages"])
        if (one["name"] == stage) {
            std::string text = stage + " " + one["verdict"].get<std::string>() + ":";
            for (const auto& cause : one["causes"])
                text += " " + cause.get<std::string>();
            return text;
        }
    return "nothing about it";
}

/// A kernel setting, for as long as this lives.
class Setting {
public:
    Setting(std::string path, const std::string& value)
        : path_(std::move(path)), before_(read_file(path_)) {
        EXPECT_TRUE(write_file(path_, value)) << path_;
    }
    ~Setting() { EXPECT_TRUE(write_file(path_, before_)) << path_; }
    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;

private:
    std::string path_;
    std::string before_;
};

/// A cgroup that was handed to the ordinary user without any controller, as below a parent that
/// enables none for its children.
class BareCgroup {
public:
    BareCgroup() {
        std::filesystem::create_directories(directory());
        for (const char* file : {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"})
            EXPECT_EQ(chown((directory() + file).c_str(), *ordinary_user(), *ordinary_user()), 0);
    }
    ~BareCgroup() {
        EXPECT_EQ(rmdir(directory().c_str()), 0) << "something is left in " << directory();
        rmdir(parent_.c_str());
    }
    BareCgroup(const BareCgroup&) = delete;
    BareCgroup& operator=(const BareCgroup&) = delete;
    std::string directory() const { return parent_ + "/inner"; }

private:
    std::string parent_ = "/sys/fs/cgroup/bare-" + std::to_string(getpid());
};

/// A copy of the program with a profile that AppArmor attaches to it, for as long as this lives.
/// RULES may name the copy as @PROGRAM@ and the profile as @NAME@.
class Confined {
public:
    explicit Confined(const std::string& rules) {
        std::filesystem::create_directory(folder_);
        std::filesystem::copy_file(getenv("GOCONTAINER"), program());
        std::string text = rules;
        for (const auto& [from, to] : {std::pair<std::string, std::string>("@PROGRAM@", program()),
                                       std::pair<std::string, std::string>("@NAME@", name())})
            for (std::size_t at = 0; (at = text.find(from)) != std::string::npos;)
                text.replace(at, from.size(), to);
        std::ofstream(profile()) << text;
    }
    ~Confined() {
        if (loaded_) {
            EXPECT_EQ(support::run({.argv = {"apparmor_parser", "--remove", profile()}}).status, 0);
        }
        std::filesystem::remove_all(folder_);
    }
    Confined(const Confined&) = delete;
    Confined& operator=(const Confined&) = delete;

    void load() {
        loaded_ = support::run({.argv = {"apparmor_parser", "--add", "--skip-cache", profile()}})
                      .status == 0;
        ASSERT_TRUE(loaded_) << read_file(profile());
    }
    std::string name() const { return std::filesystem::path(folder_).filename(); }
    Caller caller() const { return {ordinary_user(), {}, program(), {}}; }

private:
    std::string program() const { return folder_ + "/gocontainer"; }
    std::string profile() const { return folder_ + "/profile"; }
    std::string folder_ =
        std::filesystem::temp_directory_path() / ("confined-" + std::to_string(getpid()));
    bool loaded_ = false;
};

bool apparmor_is_on() {
    return read_file("/sys/module/apparmor/parameters/enabled") == "Y";
}

// All that the launcher does, but for capabilities: those are what Ubuntu 24.04 takes away.
constexpr const char* kAllButCapabilities = R"(
    /** rwlkmix,
    network,
    signal,
    ptrace,
    mount,
    remount,
    umount,
    pivot_root,
)";

} // namespace

// --- user namespaces -----------------------------------------------------------------------------

TEST(UserNamespaceTest, SwitchedOffForOrdinaryUsers) {
    NEEDS_OWN_MACHINE();
    std::string sysctl = "/proc/sys/kernel/unprivileged_userns_clone";
    if (!exists(sysctl))
        GTEST_SKIP() << "host lacks the sysctl kernel.unprivileged_userns_clone";
    Caller user{ordinary_user(), {}, {}, {}};
    {
        Setting off(sysctl, "0");
        Container container({"--map", "single"}, kHello, user);
        expect_refusal(container, {"kernel.unprivileged_userns_clone=1"});
        EXPECT_EQ(diagnosed(user, "user"), "user blocked: debian-switch");
    }
    expect_launch(user);
}

TEST(UserNamespaceTest, NoneAllowed) {
    NEEDS_OWN_MACHINE();
    Caller user{ordinary_user(), {}, {}, {}};
    {
        Setting off("/proc/sys/user/max_user_namespaces", "0");
        Container container({"--map", "single"}, kHello, user);
        expect_refusal(container, {"user.max_user_namespaces="});
        EXPECT_EQ(diagnosed(user, "pid"), "pid blocked: namespaces-off");
    }
    expect_launch(user);
}

// --- controllers ---------------------------------------------------------------------------------

// What is handed down for the tries is taken back, and no leaf stays.
TEST(ControllerTest, DoctorFindsThemAndLeavesNothing) {
    NEEDS_OWN_MACHINE();
    if (std::string why = lacks_controller("pids"); !why.empty())
        GTEST_SKIP() << why;
    auto look = [] {
        std::string seen;
        for (const std::string& path : support::folders_below("/sys/fs/cgroup"))
            seen += path + ": " + read_file(path + "/cgroup.subtree_control") + "\n";
        return seen + read_file("/sys/fs/cgroup/cgroup.subtree_control");
    };
    std::string before = look();
    std::string said = diagnosed({}, "cgroup");
    EXPECT_TRUE(support::eventually([&] { return look() == before; })) << before << look();
    EXPECT_EQ(said, "cgroup works:");
    // Without delegation.
    Caller user{ordinary_user(), {}, {}, {}};
    EXPECT_EQ(diagnosed(user, "cgroup"), "cgroup limited: cgroup-not-delegated");
    EXPECT_TRUE(support::eventually([&] { return look() == before; })) << before << look();
}

TEST(ControllerTest, LimitWithoutItsControllerIsAnError) {
    NEEDS_OWN_MACHINE();
    if (std::string why = lacks_controller("memory"); !why.empty())
        GTEST_SKIP() << why;
    BareCgroup bare;
    ASSERT_EQ(read_file(bare.directory() + "/cgroup.controllers"), "");
    Caller user{ordinary_user(), bare.directory(), {}, {}};
    for (const auto& [option, value, controller] :
         {std::tuple("--memory", "64M", "memory"), std::tuple("--pids", "20", "pids"),
          std::tuple("--cpus", "0.1", "cpu"), std::tuple("--cpuset", "0", "cpuset"),
          std::tuple("--io-weight", "200", "io")}) {
        Container container({option, value, "--map", "single"}, kHello, user);
        expect_refusal(container, {option, controller});
    }
    EXPECT_EQ(diagnosed(user, "cgroup"), "cgroup limited: controller-not-handed-down");
    // Without a limit, the same place is good enough.
    expect_launch(user);
}

// --- AppArmor ------------------------------------------------------------------------------------
//
// Ubuntu 24.04 lets a program make a user namespace and gives it a profile without capabilities in
// there. Debian 12's kernel knows no rule for user namespaces, so the copy's own profile does that:
// to all of the program, or, from the second exec on, to the child alone.

TEST(AppArmorTest, CapabilitiesDeniedToTheProgram) {
    NEEDS_OWN_MACHINE();
    if (!apparmor_is_on())
        GTEST_SKIP() << "host lacks AppArmor (apparmor=1 on the kernel's command line)";
    Confined program(std::string("profile @NAME@ @PROGRAM@ flags=(attach_disconnected) {") +
                     kAllButCapabilities + "    deny capability,\n}\n");
    expect_launch(program.caller());
    ASSERT_NO_FATAL_FAILURE(program.load());
    Container container({"--map", "single"}, kHello, program.caller());
    expect_refusal(container, {"AppArmor", program.name()});
    EXPECT_THAT(diagnosed(program.caller(), "user"),
                testing::HasSubstr("blocked: apparmor-profile"));
}

TEST(AppArmorTest, CapabilitiesDeniedInTheNewNamespace) {
    NEEDS_OWN_MACHINE();
    if (!apparmor_is_on())
        GTEST_SKIP() << "host lacks AppArmor (apparmor=1 on the kernel's command line)";
    Confined program(std::string("profile @NAME@ @PROGRAM@ flags=(attach_disconnected) {") +
                     kAllButCapabilities +
                     "    capability,\n"
                     "    @PROGRAM@ px -> @NAME@-child,\n"
                     "}\n"
                     "profile @NAME@-child flags=(attach_disconnected) {" +
                     kAllButCapabilities + "    deny capability,\n}\n");
    expect_launch(program.caller());
    ASSERT_NO_FATAL_FAILURE(program.load());
    Container container({"--map", "single"}, kHello, program.caller());
    expect_refusal(container, {"AppArmor", program.name()});
}

TEST(AppArmorTest, MountsDenied) {
    NEEDS_OWN_MACHINE();
    if (!apparmor_is_on())
        GTEST_SKIP() << "host lacks AppArmor (apparmor=1 on the kernel's command line)";
    Confined program("profile @NAME@ @PROGRAM@ flags=(attach_disconnected) {\n"
                     "    /** rwlkmix,\n    network,\n    signal,\n    ptrace,\n    capability,\n"
                     "    deny mount,\n}\n");
    expect_launch(program.caller());
    ASSERT_NO_FATAL_FAILURE(program.load());
    Container container({"--map", "single"}, kHello, program.caller());
    expect_refusal(container, {"AppArmor", program.name()});
    EXPECT_EQ(diagnosed(program.caller(), "root"), "root blocked: apparmor-profile");
    EXPECT_EQ(diagnosed(program.caller(), "uts"), "uts works:");
}
