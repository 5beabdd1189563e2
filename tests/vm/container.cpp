// Starting it, and the files of cgroupfs.
#include "tests/vm/container.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace vm {

using support::Strings;

namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";

/// In the new process: become the user, with nothing of the caller's session.
void become(uid_t user) {
    for (const char* name : {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "HOME", "USER"})
        unsetenv(name);
    const passwd* entry = getpwuid(user);
    gid_t group = entry != nullptr ? entry->pw_gid : user;
    if (setgroups(0, nullptr) != 0 || setresgid(group, group, group) != 0 ||
        setresuid(user, user, user) != 0)
        support::fail_with_errno("setresuid");
}

} // namespace

std::string read_file(const std::string& path) {
    std::string out = support::try_slurp(path).value_or("");
    if (out.ends_with('\n'))
        out.pop_back();
    return out;
}

bool write_file(const std::string& path, const std::string& text) {
    int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(file);
    return done;
}

bool exists(const std::string& path) {
    return access(path.c_str(), F_OK) == 0;
}

long long field(const std::string& text, const std::string& key) {
    std::istringstream lines(text);
    std::string name;
    long long value = 0;
    while (lines >> name >> value)
        if (name == key)
            return value;
    return -1;
}

bool has_word(const std::string& text, const std::string& word) {
    return (" " + text + " ").contains(" " + word + " ");
}

int processes_with(const std::string& token) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc"))
        count += read_file(entry.path() / "cmdline").contains(token);
    return count;
}

bool own_machine() {
    return getenv("GOCONTAINER_VM") != nullptr;
}

std::optional<uid_t> ordinary_user() {
    const passwd* entry = getpwnam("rootless");
    return entry != nullptr ? std::optional(entry->pw_uid) : std::nullopt;
}

std::string own_cgroup() {
    return kCgroups + support::cgroup_of(getpid());
}

std::string lacks_controller(const std::string& controller) {
    struct statfs info{};
    if (statfs(kCgroups, &info) != 0 || info.f_type != CGROUP2_SUPER_MAGIC)
        return "host lacks a pure cgroup v2 hierarchy";
    // What we may write to, from our own cgroup upwards, hands on what it was handed.
    std::string top;
    if (getuid() == 0)
        top = kCgroups;
    else
        for (std::string at = own_cgroup(); at != kCgroups && at.starts_with(kCgroups);
             at = at.substr(0, at.rfind('/')))
            if (access((at + "/cgroup.procs").c_str(), W_OK) == 0)
                top = at;
    if (top.empty()) {
        std::string uid = std::to_string(getuid());
        top = std::string(kCgroups) + "/user.slice/user-" + uid + ".slice/user@" + uid + ".service";
    }
    if (!has_word(read_file(top + "/cgroup.controllers"), controller))
        return "host lacks a " + controller + " controller for uid " + std::to_string(getuid());
    return {};
}

namespace {

void turn_into(const Caller& caller) {
    if (!caller.cgroup.empty() && !write_file(caller.cgroup + "/cgroup.procs", "0"))
        support::fail_with_errno(caller.cgroup);
    if (caller.user)
        become(*caller.user);
}

} // namespace

support::Ended doctor(const Caller& caller) {
    std::string program = caller.program.empty() ? support::gocontainer() : caller.program;
    return support::run({.argv = {program, "doctor", "--json"},
                         .cwd = std::filesystem::path(support::rootfs()).parent_path(),
                         .before_exec = [&caller] { turn_into(caller); }});
}

Container::Container(const Strings& options, const std::string& script, const Caller& caller)
    : token_(support::token()), command_{"/bin/sh", "-c", script, token_} {
    Strings quiet{"-q"};
    quiet.insert(quiet.end(), options.begin(), options.end());
    Strings words = support::parent_words(quiet, command_);
    if (!caller.program.empty())
        words.front() = caller.program;
    words.insert(words.begin(), caller.before.begin(), caller.before.end());
    launcher_ = std::make_unique<support::Process>(
        support::Command{.argv = words, .before_exec = [&caller] { turn_into(caller); }});
}

Container::~Container() {
    launcher_.reset(); // killed, if it is still there
    (void)support::eventually([this] { return processes_with(token_) == 0; });
}

pid_t Container::process() {
    if (process_ < 0)
        (void)support::eventually([this] {
            process_ = support::find_container(launcher(), command_).first;
            return process_ > 0 || !launcher_->running();
        });
    return process_;
}

std::string Container::leaf() {
    pid_t first = process();
    if (first < 0) {
        ADD_FAILURE() << "the container did not start: " << err();
        return {};
    }
    std::string path = support::cgroup_of(first);
    return path.empty() ? "" : kCgroups + path;
}

} // namespace vm
