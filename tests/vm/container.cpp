#include "tests/vm/container.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <poll.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace vm {

namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";
constexpr double kMinute = 60; // emulation is slow, and not alone

std::string environment(const char* name, const char* otherwise) {
    const char* value = getenv(name);
    return value != nullptr ? value : otherwise;
}

std::string random_word() {
    std::random_device source;
    std::ostringstream word;
    word << "token-" << std::hex << source() << source();
    return word.str();
}

int status_of(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    for (const std::string& string : strings)
        out.push_back(const_cast<char*>(string.c_str()));
    out.push_back(nullptr);
    return out;
}

std::string contents(int file) {
    std::string text(static_cast<std::size_t>(lseek(file, 0, SEEK_END)), '\0');
    ssize_t length = pread(file, text.data(), text.size(), 0);
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
}

/// In the new process: become the user, with nothing of the caller's session.
bool become(uid_t user) {
    for (const char* name : {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "HOME", "USER"})
        unsetenv(name);
    const passwd* entry = getpwuid(user);
    gid_t group = entry != nullptr ? entry->pw_gid : user;
    return setgroups(0, nullptr) == 0 && setresgid(group, group, group) == 0 &&
           setresuid(user, user, user) == 0;
}

} // namespace

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    std::string out = text.str();
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

double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void sleep_for(double seconds) {
    timespec time{static_cast<time_t>(seconds), 0};
    time.tv_nsec = static_cast<long>((seconds - static_cast<double>(time.tv_sec)) * 1e9);
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

int run(const std::vector<std::string>& argv) {
    auto arguments = pointers(argv);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(arguments[0], arguments.data());
        _exit(127);
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid ? status_of(status) : -1;
}

bool own_machine() {
    return getenv("GOCONTAINER_VM") != nullptr;
}

std::optional<uid_t> ordinary_user() {
    const passwd* entry = getpwnam("rootless");
    return entry != nullptr ? std::optional(entry->pw_uid) : std::nullopt;
}

std::string own_cgroup() {
    std::istringstream lines(read_file("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("0::"))
            return kCgroups + line.substr(3);
    return {};
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

Container::Container(const std::vector<std::string>& options, const std::string& script,
                     const Caller& caller)
    : token_(random_word()) {
    std::string program = caller.program;
    if (program.empty())
        program = environment("GOCONTAINER", "./gocontainer");
    std::vector<std::string> argv = caller.before;
    for (const std::string& word :
         {program, std::string("parent"), std::string("-q"), std::string("--rootfs"),
          environment("GOCONTAINER_ROOTFS", "./rootfs"), std::string("--net"), std::string("none")})
        argv.push_back(word);
    argv.insert(argv.end(), options.begin(), options.end());
    for (const std::string& word :
         {std::string("--"), std::string("/bin/sh"), std::string("-c"), script, token_})
        argv.push_back(word);
    auto arguments = pointers(argv);

    out_ = memfd_create("out", MFD_CLOEXEC);
    err_ = memfd_create("err", MFD_CLOEXEC);
    int input[2];
    if (out_ < 0 || err_ < 0 || pipe2(input, O_CLOEXEC) != 0) {
        ADD_FAILURE() << "no descriptors left";
        return;
    }
    input_ = input[1];
    launcher_ = fork();
    if (launcher_ == 0) {
        dup2(input[0], 0);
        dup2(out_, 1);
        dup2(err_, 2);
        if (!caller.cgroup.empty() && !write_file(caller.cgroup + "/cgroup.procs", "0"))
            _exit(99);
        if (caller.user && !become(*caller.user))
            _exit(98);
        execvp(arguments[0], arguments.data());
        _exit(97);
    }
    close(input[0]);
}

Container::~Container() {
    go();
    if (launcher_ > 0) {
        kill(launcher_, SIGKILL);
        waitpid(launcher_, nullptr, 0);
        eventually(5, [this] { return processes_with(token_) == 0; });
    }
    close(out_);
    close(err_);
}

pid_t Container::process() {
    // Its command line is the command's only after the last exec; before, it is still the
    // program's.
    std::string task = "/proc/" + std::to_string(launcher_) + "/task/" + std::to_string(launcher_);
    std::string shell = std::string("/bin/sh") + '\0';
    eventually(kMinute, [&] {
        std::istringstream children(read_file(task + "/children"));
        for (pid_t child = 0; process_ < 0 && children >> child;) {
            std::string line = read_file("/proc/" + std::to_string(child) + "/cmdline");
            if (line.starts_with(shell) && line.contains(token_))
                process_ = child;
        }
        siginfo_t ended{};
        (void)waitid(P_PID, static_cast<id_t>(launcher_), &ended, WEXITED | WNOHANG | WNOWAIT);
        return process_ > 0 || ended.si_pid != 0;
    });
    return process_;
}

std::string Container::leaf() {
    if (process() < 0) {
        ADD_FAILURE() << "the container did not start: " << err();
        return {};
    }
    std::string line = read_file("/proc/" + std::to_string(process_) + "/cgroup");
    return line.starts_with("0::/") ? kCgroups + line.substr(3) : "";
}

void Container::go() {
    if (input_ >= 0)
        close(input_);
    input_ = -1;
}

int Container::wait() {
    int handle = static_cast<int>(syscall(SYS_pidfd_open, launcher_, 0));
    pollfd ended{handle, POLLIN, 0};
    bool late = poll(&ended, 1, static_cast<int>(kMinute * 1000)) != 1;
    close(handle);
    if (late)
        kill(launcher_, SIGKILL);
    int status = 0;
    waitpid(launcher_, &status, 0);
    launcher_ = -1;
    return late ? -1 : status_of(status);
}

std::string Container::out() const {
    return contents(out_);
}

std::string Container::err() const {
    return contents(err_);
}

} // namespace vm
