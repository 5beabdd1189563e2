// Whole files, and paths that stay inside a root.
#include "sys/path.hpp"

#include "sys/flags.hpp"
#include "sys/mounts.hpp"

#include <linux/magic.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <deque>

namespace sys {

namespace {

/// `path`: what an error calls the file. `patient`: waits for a writer, though `fd` is O_NONBLOCK.
Result<std::string> read_up_to(int fd, std::size_t most, const std::string& path,
                               bool patient = false) {
    std::string text;
    std::array<char, 4096> piece; // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    for (;;) {
        if (text.size() > most)
            return wrong("\"" + path + "\" is larger than " + std::to_string(most) + " bytes");
        auto got = read(fd, piece);
        if (!got && got.error().code == EAGAIN && patient) {
            std::array<pollfd, 1> wait{{{.fd = fd, .events = POLLIN, .revents = 0}}};
            TRY(poll(wait));
            continue;
        }
        if (!got) { // a descriptor's number says nothing to a person
            got.error().call = "read(" + show(path) + ")";
            return std::unexpected(std::move(got).error());
        }
        if (*got == 0)
            return text;
        text.append(piece.data(), *got);
    }
}

} // namespace

Result<std::string> read_file(int at, const std::string& path, std::size_t most) {
    Fd file = TRY(openat(at, path, O_RDONLY | O_NONBLOCK));
    return read_up_to(file.get(), most, path);
}

Result<std::string> read_given(const std::string& path, std::size_t most) {
    Fd file = TRY(openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK));
    return read_up_to(file.get(), most, path, true);
}

Result<std::string> read_all(int fd, std::size_t most) {
    return read_up_to(fd, most, "descriptor " + std::to_string(fd), true);
}

Result<void> write_all(int fd, std::string_view text) {
    const std::size_t whole = text.size();
    while (!text.empty()) {
        auto written = write(fd, text);
        if (!written) {
            auto path = readlinkat(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd));
            if (path && path->starts_with('/')) // else a pipe, say
                written.error().call =
                    "write(\"" + *path + "\", " + std::to_string(whole) + " bytes)";
            return std::unexpected(std::move(written).error());
        }
        text.remove_prefix(*written);
    }
    return {};
}

namespace {

/// An error that names the file, which a descriptor's number does not.
Result<void> write_named(const Fd& file, const std::string& path, std::string_view text) {
    auto written = write(file.get(), text);
    if (!written) {
        Error error = std::move(written).error();
        error.call = "write(\"" + path + "\", " + show(std::string(text)) + ")";
        return std::unexpected(std::move(error));
    }
    return {};
}

} // namespace

Result<void> write_file(int at, const std::string& path, std::string_view text) {
    Fd file = TRY(openat(at, path, O_WRONLY));
    return write_named(file, path, text);
}

Result<void> write_proc(const std::string& path, std::string_view text) {
    Fd file = TRY(openat(AT_FDCWD, path, O_WRONLY));
    if (TRY(fstatfs(file.get())).f_type != PROC_SUPER_MAGIC)
        return wrong("\"" + path + "\" is not on procfs", "something is mounted over /proc");
    return write_named(file, path, text);
}

Result<ProcessStat> process_stat(pid_t pid) {
    std::string path = "/proc/" + std::to_string(pid) + "/stat";
    std::string text = TRY(read_file(path, 4096));
    // "7 (a name) S 1 …": the name may hold anything, so count from its end, which is field 2's.
    std::size_t at = text.rfind(')');
    ProcessStat out{};
    bool good = at != std::string::npos && at + 2 < text.size();
    auto number = [&](auto& value) {
        auto read = std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
        good = good && read.ec == std::errc{};
    };
    constexpr unsigned kExiting = 4;   // the kernel's PF_EXITING
    constexpr unsigned kForked = 0x40; // its PF_FORKNOEXEC
    constexpr std::uint64_t kKill = 1U << (SIGKILL - 1);
    std::uint64_t pending = 0;
    int wait_status = 0; // 0 as well for who may not trace it
    unsigned flags = 0;
    int threads = 0;
    std::uint64_t memory = 0;
    for (int field = 3; field <= 52 && good; ++field) {
        at = text.find(' ', at + 1);
        good = at != std::string::npos;
        if (field == 3 && good)
            out.state = text[at + 1];
        else if (field == 4 && good)
            number(out.parent);
        else if (field == 9 && good)
            number(flags);
        else if (field == 20 && good)
            number(threads);
        else if (field == 22 && good)
            number(out.started);
        else if (field == 23 && good)
            number(memory);
        else if (field == 31 && good)
            number(pending);
        else if (field == 52 && good)
            number(wait_status);
    }
    if (!good)
        return wrong("\"" + path + "\" is not as proc_pid_stat(5) says");
    // A first thread that has ended says nothing of the others.
    out.ended =
        (out.state == 'Z' || out.state == 'X' || ((flags & kExiting) != 0 && memory == 0)) &&
        threads <= 1;
    out.forked = (flags & kForked) != 0;
    out.killed = (pending & kKill) != 0 || WTERMSIG(wait_status) == SIGKILL;
    return out;
}

Result<std::uint64_t> start_time(pid_t pid) {
    return TRY(process_stat(pid)).started;
}

bool exists(const std::string& path) {
    return faccessat(AT_FDCWD, path, F_OK).has_value();
}

bool has_file_capabilities(const std::string& path) {
    return getxattr(path, "security.capability").has_value();
}

std::string find_program(const std::string& name) {
    const char* from = getenv("PATH");
    std::string path = std::string(from != nullptr ? from : "") +
                       ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::size_t start = 0;
    while (start < path.size()) {
        std::size_t end = std::min(path.find(':', start), path.size());
        std::string candidate = path.substr(start, end - start) + "/" + name;
        start = end + 1;
        // An empty or relative entry means the working directory: not for programs that we start.
        if (candidate.starts_with('/') && faccessat(AT_FDCWD, candidate, X_OK))
            return candidate;
    }
    return {};
}

std::string join(std::string_view directory, std::string_view name) {
    std::string out(directory);
    if (out.empty() || out.back() != '/')
        out += '/';
    while (!name.empty() && name.front() == '/')
        name.remove_prefix(1);
    return out.append(name);
}

namespace {

constexpr Resolve kInside{names::kResolveInRoot | names::kResolveNoMagiclinks};

void push_components(std::deque<std::string>& queue, const std::string& path) {
    std::deque<std::string> parts;
    std::size_t start = 0;
    while (start <= path.size()) {
        std::size_t end = path.find('/', start);
        if (end == std::string::npos)
            end = path.size();
        if (end > start && path.compare(start, end - start, ".") != 0)
            parts.push_back(path.substr(start, end - start));
        start = end + 1;
    }
    queue.insert(queue.begin(), parts.begin(), parts.end());
}

std::uint64_t flags_of(Want want) {
    return O_PATH | (want == Want::directory ? O_DIRECTORY : 0);
}

/// Walk `path` below `root` name by name, making what is missing and wanted. `done` is always free
/// of symlinks, so openat2 of it can only be fooled into failing, never into leading out; and of
/// "..", over which openat2 stumbles while anybody on this machine renames or mounts something
/// (EAGAIN).
Result<Fd> walk_in_root(int root, const std::string& path, Want want) {
    std::deque<std::string> todo;
    push_components(todo, path);
    std::string done = ".";
    int links = 0;
    while (!todo.empty()) {
        std::string name = todo.front();
        todo.pop_front();
        if (name == "..") {
            std::size_t slash = done.rfind('/');
            done = slash == std::string::npos ? "." : done.substr(0, slash);
            continue;
        }
        Fd parent = TRY(openat2(root, done, O_PATH | O_DIRECTORY, kInside));
        auto info = fstatat(parent.get(), name, AT_SYMLINK_NOFOLLOW);
        if (info && S_ISLNK(info->st_mode)) {
            if (++links > 40)
                return std::unexpected(Error{.stage = {},
                                             .call = "openat2(" + show(path) + ")",
                                             .code = ELOOP,
                                             .detail = {},
                                             .hint = {}});
            // What a magic link of /proc leads to is no path: the text of one may be a descriptor's
            // of ours, the parent that was opened just now among them.
            if (auto found = openat2(parent.get(), name, O_PATH, kInside);
                !found && found.error().code == ELOOP)
                return found;
            std::string to = TRY(readlinkat(parent.get(), name));
            if (to.starts_with('/'))
                done = ".";
            push_components(todo, to);
            continue;
        }
        if (!info && (info.error().code != ENOENT || want == Want::existing))
            return std::unexpected(std::move(info).error());
        if (!info && (want == Want::directory || !todo.empty())) {
            auto made = make_directory(parent.get(), name, 0755);
            if (!made && made.error().code != EEXIST)
                return std::unexpected(std::move(made).error());
        } else if (!info) {
            auto made = openat(parent.get(), name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0644);
            if (!made && made.error().code != EEXIST)
                return std::unexpected(std::move(made).error());
        }
        done += "/" + name;
    }
    return openat2(root, done, flags_of(want), kInside);
}

} // namespace

Result<Fd> in_root(int root, const std::string& path, Want want) {
    auto found = openat2(root, path.empty() ? "." : path, flags_of(want), kInside);
    bool walk = !found && (found.error().code == EAGAIN ||
                           (found.error().code == ENOENT && want != Want::existing));
    return walk ? walk_in_root(root, path, want) : std::move(found);
}

Result<Fd> output_file(const std::string& path, int flags) {
    auto file = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | flags, 0644);
    if (!file && file.error().code == ENOENT)
        file.error().hint = path.contains('/') ? "make its folder first: mkdir -p " +
                                                     path.substr(0, path.rfind('/') + 1)
                                               : "the folder that we are in is gone: cd to another";
    if (!file && file.error().code == EISDIR)
        file.error().hint = "that is a folder: name a file in it";
    return file;
}

} // namespace sys
