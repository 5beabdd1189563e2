// What a kernel would answer, as far as the stages look at it.
#include "tests/unit/recorder.hpp"

#include <poll.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <cstring>
#include <filesystem>

namespace unit {

namespace {

/// The first string in quotes; "" when there is none.
std::string first_string(const std::string& text) {
    std::size_t from = text.find('"');
    if (from == std::string::npos)
        return {};
    return text.substr(from + 1, text.find('"', from + 1) - from - 1);
}

long first_number(const std::string& text) {
    return strtol(text.c_str() + text.find('(') + 1, nullptr, 10);
}

long last_number(const std::string& text) {
    return strtol(text.c_str() + text.rfind(' ') + 1, nullptr, 10);
}

template <class T>
long put(const sys::Call& call, const T& value) {
    if (call.out.size() < sizeof value)
        return -EFAULT;
    memcpy(call.out.data(), &value, sizeof value);
    return 0;
}

long put_text(const sys::Call& call, std::string_view text) {
    std::size_t size = std::min(text.size(), call.out.size());
    memcpy(call.out.data(), text.data(), size);
    return static_cast<long>(size);
}

} // namespace

Recorder::Recorder() : before_(std::exchange(sys::listener, this)) {}
Recorder::~Recorder() {
    sys::listener = before_;
}

std::size_t Recorder::at(const std::string& part) const {
    for (std::size_t number = 0; number < calls.size(); ++number)
        if (calls[number].find(part) != std::string::npos)
            return number;
    return calls.size();
}

std::string Recorder::path_of(int fd) const {
    auto found = open_.find(fd);
    return found == open_.end() ? "" : found->second.path;
}

std::optional<long> Recorder::before(const sys::Call& call) {
    std::size_t number = calls.size();
    calls.push_back(call.text);
    if (number == fail_at_)
        return -fail_with_;
    for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
        if (call.text.find(rule->first) != std::string::npos)
            return rule->second;
    for (const std::string& part : passed_)
        if (call.text.starts_with(part))
            return std::nullopt;
    return usual(call);
}

namespace {

/// As the kernel has it, for who stands in "/".
std::string whole(const std::string& path) {
    std::string out = ("/" / std::filesystem::path(path)).lexically_normal();
    return out.size() > 1 && out.ends_with('/') ? out.substr(0, out.size() - 1) : out;
}

} // namespace

long Recorder::usual(const sys::Call& call) {
    const std::string& text = call.text;
    const std::string_view name = call.name;
    const std::string path = first_string(text);
    if (name == "openat") {
        // That is how sys::read_file opens: a file that nobody has told about is not there.
        bool read_whole = text.ends_with("\", O_NONBLOCK)");
        return read_whole && !files_.contains(path) ? -ENOENT : open(path);
    }
    for (const char* opens : {"openat2", "open_tree", "fsopen", "fsmount", "memfd_create", "socket",
                              "pidfd_open", "signalfd"})
        if (name == opens)
            return open(path);
    if (name == "fcntl" && text.find("F_DUPFD") != std::string::npos)
        return open(path_of(static_cast<int>(first_number(text))));
    if (name == "read")
        return read(call, static_cast<int>(first_number(text)));
    if (name == "write")
        return last_number(text);
    if (name == "fstat")
        return status(call, path_of(static_cast<int>(first_number(text))));
    if (name == "fstatat")
        return status(call, path);
    if (name == "fstatfs")
        return file_system(call, path_of(static_cast<int>(first_number(text))));
    if (name == "statfs")
        return file_system(call, path);
    if (name == "prctl" && text.contains("PR_CAPBSET_READ"))
        return 1; // what could not be dropped is still there
    if (name == "readlinkat" && path.starts_with("/proc/self/fd/"))
        return put_text(call, whole(path_of(std::stoi(path.substr(path.rfind('/') + 1)))));
    if (name == "getcwd")
        return put_text(call, std::string_view("/\0", 2));
    if (name == "poll" && call.out.size() >= sizeof(pollfd)) {
        // What is waited for first has come.
        auto* first = reinterpret_cast<pollfd*>(call.out.data());
        first->revents = first->events;
        return 1;
    }
    if (name == "waitpid")
        return first_number(text); // its status is all zero: exited with 0
    if (name == "vfork")           // of a helper program its pid
        return 4711;
    if (name == "execve") // would not return
        return -ENOENT;
    return 0;
}

long Recorder::open(const std::string& path) {
    open_[next_] = Open{.path = path};
    return next_++;
}

long Recorder::read(const sys::Call& call, int fd) {
    auto found = open_.find(fd);
    if (found == open_.end() || !files_.contains(found->second.path))
        return 0;
    const std::string& text = files_[found->second.path];
    std::size_t from = std::min(found->second.offset, text.size());
    long length = put_text(call, std::string_view(text).substr(from));
    found->second.offset += static_cast<std::size_t>(length);
    return length;
}

long Recorder::status(const sys::Call& call, const std::string& path) const {
    struct stat info{};
    info.st_mode = S_IFDIR | 0755;
    if (path.starts_with("/dev/"))
        info.st_mode = S_IFCHR | 0666;
    if (path == "/dev/null")
        info.st_rdev = makedev(1, 3);
    if (auto told = modes_.find(path); told != modes_.end())
        info.st_mode = told->second;
    if (auto told = owners_.find(path); told != owners_.end())
        info.st_uid = told->second;
    if (info.st_mode == 0)
        return -ENOENT;
    return put(call, info);
}

long Recorder::file_system(const sys::Call& call, const std::string& path) const {
    struct statfs info{};
    info.f_type = path.starts_with("/proc/") ? PROC_SUPER_MAGIC : EXT4_SUPER_MAGIC;
    if (auto told = types_.find(path); told != types_.end())
        info.f_type = told->second;
    return put(call, info);
}

} // namespace unit
