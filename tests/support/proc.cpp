// Reading /proc/PID.
#include "tests/support/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <sstream>
#include <stdexcept>

namespace support {

namespace {

std::string of(pid_t pid, const std::string& file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

std::optional<std::string> read_all(int fd) {
    std::string text;
    std::array<char, 1 << 16> buffer;
    for (;;) {
        ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got == 0)
            return text;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return std::nullopt;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Strings split(const std::string& text, char by) {
    Strings parts;
    std::istringstream in(text);
    std::string part;
    while (std::getline(in, part, by))
        parts.push_back(part);
    return parts;
}

std::set<std::string> options(const std::string& text) {
    Strings parts = split(text, ',');
    return {parts.begin(), parts.end()};
}

/// mountinfo writes a space as \040.
std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '\\' && i + 3 < text.size()) {
            out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
            i += 3;
        } else {
            out += text[i];
        }
    return out;
}

} // namespace

std::optional<std::string> try_slurp(const std::string& path) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return std::nullopt;
    auto text = read_all(fd);
    int code = errno;
    close(fd);
    errno = code;
    return text;
}

std::string slurp(const std::string& path) {
    auto text = try_slurp(path);
    if (!text)
        fail_with_errno(path);
    return *text;
}

void spill(const std::string& path, const std::string& text, mode_t mode) {
    int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        fchmod(fd, mode) != 0)
        fail_with_errno(path);
    close(fd);
}

void write_to(const std::string& path, const std::string& text) {
    int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        fail_with_errno(path);
    close(fd);
}

std::string read_link(const std::string& path) {
    std::array<char, PATH_MAX> buffer;
    ssize_t length = readlink(path.c_str(), buffer.data(), buffer.size());
    if (length < 0)
        fail_with_errno(path);
    return {buffer.data(), static_cast<std::size_t>(length)};
}

std::string namespace_of(pid_t pid, const std::string& name) {
    return read_link(of(pid, "ns/" + name));
}

std::string lsns(pid_t pid) {
    // It reads all of /proc, and gives up, without a word, when a process ends under its eyes.
    Ended ended;
    for (int i = 0; i < 100; ++i) {
        ended = run(
            {.argv = {"lsns", "--json", "-o", "NS,TYPE,NPROCS,PID", "-p", std::to_string(pid)}});
        if (ended.status == 0)
            return ended.out;
    }
    throw std::runtime_error("lsns of " + std::to_string(pid) + ": " + ended.err);
}

void PrintTo(const IdRange& range, std::ostream* out) {
    *out << range.inside << " is " << range.outside << " outside, " << range.count
         << (range.count == 1 ? " id" : " ids");
}

std::vector<IdRange> id_map(pid_t pid, const std::string& which) {
    std::istringstream in(slurp(of(pid, which)));
    std::vector<IdRange> map;
    IdRange range;
    while (in >> range.inside >> range.outside >> range.count)
        map.push_back(range);
    return map;
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" (proc(5))
std::vector<MountLine> mountinfo(pid_t pid) {
    std::vector<MountLine> table;
    for (const std::string& line : split(slurp(of(pid, "mountinfo")), '\n')) {
        Strings fields = split(line, ' ');
        auto dash = std::ranges::find(fields, "-");
        if (fields.size() < 9 || fields.end() - dash < 4)
            throw std::runtime_error("mountinfo: " + line);
        MountLine mount;
        mount.device = fields[2];
        mount.root = unescape(fields[3]);
        mount.point = unescape(fields[4]);
        mount.options = options(fields[5]);
        mount.optional = {fields.begin() + 6, dash};
        mount.type = dash[1];
        mount.source = unescape(dash[2]);
        mount.super = options(dash[3]);
        table.push_back(std::move(mount));
    }
    return table;
}

const MountLine* mounted_at(const std::vector<MountLine>& table, const std::string& point) {
    const MountLine* found = nullptr;
    for (const MountLine& mount : table)
        if (mount.point == point)
            found = &mount;
    return found;
}

std::map<std::string, std::string> status(pid_t pid) {
    std::map<std::string, std::string> fields;
    for (const std::string& line : split(slurp(of(pid, "status")), '\n')) {
        std::size_t colon = line.find(":\t");
        if (colon != std::string::npos)
            fields[line.substr(0, colon)] = line.substr(colon + 2);
    }
    return fields;
}

std::uint64_t status_bits(pid_t pid, const std::string& field) {
    return std::stoull(status(pid).at(field), nullptr, 16);
}

Strings command_line(pid_t pid) {
    return split(slurp(of(pid, "cmdline")), '\0');
}

std::map<std::string, std::string> environment(pid_t pid) {
    std::map<std::string, std::string> out;
    for (const std::string& variable : split(slurp(of(pid, "environ")), '\0')) {
        std::size_t equals = variable.find('=');
        out[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    return out;
}

std::pair<std::string, std::string> limit(pid_t pid, const std::string& name) {
    for (const std::string& line : split(slurp(of(pid, "limits")), '\n')) {
        if (!line.starts_with(name + " "))
            continue;
        std::istringstream in(line.substr(name.size()));
        std::pair<std::string, std::string> values;
        in >> values.first >> values.second;
        return values;
    }
    throw std::runtime_error("no limit \"" + name + "\"");
}

std::map<int, std::string> descriptors(pid_t pid) {
    std::map<int, std::string> out;
    std::string directory = of(pid, "fd");
    DIR* open_directory = opendir(directory.c_str());
    if (open_directory == nullptr)
        fail_with_errno(directory);
    while (dirent* entry = readdir(open_directory)) {
        if (entry->d_name[0] == '.')
            continue;
        std::array<char, PATH_MAX> target;
        ssize_t length =
            readlinkat(dirfd(open_directory), entry->d_name, target.data(), target.size());
        if (length >= 0)
            out[std::stoi(entry->d_name)] = {target.data(), static_cast<std::size_t>(length)};
        else if (errno != ENOENT) // it was closed since
            fail_with_errno(directory + "/" + entry->d_name);
    }
    closedir(open_directory);
    return out;
}

std::string cgroup_of(pid_t pid) {
    for (const std::string& line : split(slurp(of(pid, "cgroup")), '\n'))
        if (line.starts_with("0::"))
            return line.substr(3);
    return {};
}

// Every thread may have children of its own.
std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> out;
    std::string directory = of(pid, "task");
    DIR* threads = opendir(directory.c_str());
    if (threads == nullptr)
        return out;
    while (dirent* thread = readdir(threads)) {
        if (thread->d_name[0] == '.')
            continue;
        auto text = try_slurp(directory + "/" + thread->d_name + "/children");
        std::istringstream in(text.value_or(""));
        pid_t child = 0;
        while (in >> child)
            out.push_back(child);
    }
    closedir(threads);
    return out;
}

std::vector<pid_t> descendants_of(pid_t pid) {
    std::vector<pid_t> out = children_of(pid);
    for (std::size_t i = 0; i < out.size(); ++i)
        for (pid_t child : children_of(out[i]))
            out.push_back(child);
    return out;
}

Root::Root(pid_t pid) : fd_(::open(of(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ < 0)
        fail_with_errno(of(pid, "root"));
}

Root::~Root() {
    close(fd_);
}

int Root::open(const std::string& path, int flags) const {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_IN_ROOT;
    // EAGAIN: anybody moved or mounted something while it went through a ".." (openat2(2)).
    long fd = -1;
    do
        fd = syscall(SYS_openat2, fd_, path.c_str(), &how, sizeof how);
    while (fd < 0 && errno == EAGAIN);
    return static_cast<int>(fd);
}

std::optional<struct stat> Root::look(const std::string& path, bool follow) const {
    int fd = open(path, O_PATH | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return std::nullopt;
    struct stat info{};
    int failed = fstat(fd, &info);
    close(fd);
    return failed != 0 ? std::nullopt : std::optional(info);
}

std::string Root::link(const std::string& path) const {
    int fd = open(path, O_PATH | O_NOFOLLOW);
    std::array<char, PATH_MAX> buffer;
    ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", buffer.data(), buffer.size());
    if (fd >= 0)
        close(fd);
    return length < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(length));
}

std::optional<std::string> Root::read(const std::string& path) const {
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return std::nullopt;
    auto text = read_all(fd);
    close(fd);
    return text;
}

Strings Root::list(const std::string& path) const {
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    DIR* directory = fd < 0 ? nullptr : fdopendir(fd);
    if (directory == nullptr)
        fail_with_errno("list " + path);
    Strings names;
    while (dirent* entry = readdir(directory))
        if (std::string name = entry->d_name; name != "." && name != "..")
            names.push_back(std::move(name));
    closedir(directory);
    std::ranges::sort(names);
    return names;
}

int Root::open_error(const std::string& path, int flags) const {
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

std::string in_namespaces(pid_t pid, const Strings& names,
                          const std::function<std::string()>& function) {
    std::vector<int> targets;
    for (const std::string& name : names) {
        if (namespace_of(pid, name) == namespace_of(getpid(), name))
            continue;
        int fd = open(of(pid, "ns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            fail_with_errno(of(pid, "ns/" + name));
        targets.push_back(fd);
    }
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail_with_errno("pipe2");
    fflush(nullptr);
    pid_t helper = fork();
    if (helper < 0)
        fail_with_errno("fork");
    if (helper == 0) {
        std::string answer;
        try {
            for (int target : targets)
                if (setns(target, 0) != 0)
                    fail_with_errno("setns");
            answer = "+" + function();
        } catch (const std::exception& problem) {
            answer = std::string("-") + problem.what();
        }
        ssize_t put = write(ends[1], answer.data(), answer.size());
        _exit(put == static_cast<ssize_t>(answer.size()) ? 0 : 1);
    }
    close(ends[1]);
    for (int target : targets)
        close(target);
    std::string answer = read_all(ends[0]).value_or("");
    close(ends[0]);
    int wait_status = 0;
    waitpid(helper, &wait_status, 0);
    if (!answer.starts_with('+'))
        throw std::runtime_error("in the container's namespaces: " + answer);
    return answer.substr(1);
}

} // namespace support
