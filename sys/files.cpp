// Files, directories and descriptors: sys/kernel.hpp's.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"
#include "sys/structures.hpp"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <array>
#include <climits>

namespace sys {

Result<Fd> openat(int at, const std::string& path, int flags, mode_t mode) {
    return descriptor(invoke(
        "openat", [&] { return ::openat(at, path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode); },
        At{at}, path,
        Heard{Flags{static_cast<std::uint64_t>(flags), names::open, "O_RDONLY"},
              [&](long) { return show_open(flags | O_CLOEXEC | O_NOCTTY); }},
        also([&] { return (flags & O_CREAT) != 0 ? show(Mode{mode}) : ""; })));
}

Result<Fd> openat2(int at, const std::string& path, std::uint64_t flags, Resolve resolve,
                   mode_t mode) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = mode;
    how.resolve = resolve.flags;
    return descriptor(invoke(
        "openat2",
        [&] {
            // EAGAIN: somebody moved or mounted something meanwhile; ask again (openat2(2)).
            long fd = 0;
            for (int tries = 0; tries < 64; ++tries)
                if (fd = syscall(SYS_openat2, at, path.c_str(), &how, sizeof how);
                    fd != -1 || errno != EAGAIN)
                    break;
            return fd;
        },
        At{at}, path,
        Heard{Flags{flags, names::open, "O_RDONLY"},
              [&](long) {
                  return "{flags=" + show_open(static_cast<int>(how.flags)) +
                         (mode != 0 ? ", mode=" + show(Mode{mode}) : "") +
                         ", resolve=" + show(Flags{how.resolve, names::resolve}) + "}";
              }},
        Heard{Flags{resolve.flags, names::resolve},
              [](long) { return std::to_string(sizeof(open_how)); }}));
}

Result<std::size_t> read(int fd, std::span<char> into) {
    return static_cast<std::size_t>(TRY(invoke(
        "read",
        [&] {
            long got = 0;
            do
                got = ::read(fd, into.data(), into.size());
            while (got == -1 && errno == EINTR);
            return got;
        },
        fd, Out{into.data(), into.size()},
        filled([&](long got) { return show_bytes({into.data(), static_cast<std::size_t>(got)}); }),
        into.size())));
}

Result<std::size_t> write(int fd, std::string_view from) {
    return static_cast<std::size_t>(TRY(invoke(
        "write",
        [&] {
            long put = 0;
            do
                put = ::write(fd, from.data(), from.size());
            while (put == -1 && errno == EINTR);
            return put;
        },
        fd,
        Heard{[&] { return from.size() <= 64 ? show(std::string(from)) : "…"; },
              [&](long) { return show_bytes(from, 64); }},
        from.size())));
}

Result<void> mkdirat(int at, const std::string& path, mode_t mode) {
    return done(invoke(
        "mkdirat", [&] { return ::mkdirat(at, path.c_str(), mode); }, At{at}, path, Mode{mode}));
}

Result<void> symlinkat(const std::string& to, int at, const std::string& path) {
    return done(invoke(
        "symlinkat", [&] { return ::symlinkat(to.c_str(), at, path.c_str()); }, to, At{at}, path));
}

Result<std::string> readlinkat(int at, const std::string& path) {
    std::array<char, PATH_MAX> buffer; // NOLINT: filled by the call
    long length = TRY(invoke(
        "readlinkat", [&] { return ::readlinkat(at, path.c_str(), buffer.data(), buffer.size()); },
        At{at}, path, Out{buffer.data(), buffer.size()}, filled([&](long got) {
            return show_bytes({buffer.data(), static_cast<std::size_t>(got)}, 128);
        }),
        also([&] { return std::to_string(buffer.size()); })));
    return std::string(buffer.data(), static_cast<std::size_t>(length));
}

Result<void> unlinkat(int at, const std::string& path, int flags) {
    return done(invoke(
        "unlinkat", [&] { return ::unlinkat(at, path.c_str(), flags); }, At{at}, path,
        Flags{static_cast<std::uint64_t>(flags), names::unlink}));
}

Result<struct stat> fstat(int fd) {
    struct stat info{};
    TRY(invoke(
        "fstat", [&] { return ::fstat(fd, &info); }, fd, Out{&info, sizeof info},
        filled([&](long) { return show(info); })));
    return info;
}

Result<struct stat> fstatat(int at, const std::string& path, int flags) {
    struct stat info{};
    TRY(invoke(
        "fstatat", [&] { return ::fstatat(at, path.c_str(), &info, flags); }, At{at}, path,
        Out{&info, sizeof info}, filled([&](long) { return show(info); }),
        also([&] { return show(Flags{static_cast<std::uint64_t>(flags), names::at}); })));
    return info;
}

Result<struct statfs> fstatfs(int fd) {
    struct statfs info{};
    TRY(invoke(
        "fstatfs", [&] { return ::fstatfs(fd, &info); }, fd, Out{&info, sizeof info},
        filled([&](long) { return show(info); })));
    return info;
}

Result<struct statfs> statfs(const std::string& path) {
    struct statfs info{};
    TRY(invoke(
        "statfs", [&] { return ::statfs(path.c_str(), &info); }, path, Out{&info, sizeof info},
        filled([&](long) { return show(info); })));
    return info;
}

Result<void> faccessat(int at, const std::string& path, int mode) {
    return done(invoke(
        "faccessat", [&] { return ::faccessat(at, path.c_str(), mode, 0); }, At{at}, path,
        Flags{static_cast<std::uint64_t>(mode), names::access, "F_OK"}));
}

Result<void> fchmod(int fd, mode_t mode) {
    return done(invoke("fchmod", [&] { return ::fchmod(fd, mode); }, fd, Mode{mode}));
}

Result<void> chmod(const std::string& path, mode_t mode) {
    return done(invoke("chmod", [&] { return ::chmod(path.c_str(), mode); }, path, Mode{mode}));
}

Result<void> fchown(int fd, uid_t uid, gid_t gid) {
    return done(invoke("fchown", [&] { return ::fchown(fd, uid, gid); }, fd, uid, gid));
}

Result<void> fchownat(int at, const std::string& path, uid_t uid, gid_t gid) {
    return done(invoke(
        "fchownat", [&] { return ::fchownat(at, path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); },
        At{at}, path, uid, Shown{gid == static_cast<gid_t>(-1) ? "-1" : std::to_string(gid)},
        also([] { return "AT_SYMLINK_NOFOLLOW"; })));
}

Result<std::string> random_hex(std::size_t count) {
    std::string bytes(count, '\0');
    TRY(invoke(
        "getrandom", [&] { return ::getrandom(bytes.data(), count, 0); },
        filled([&](long) { return show_bytes(bytes); }), count, also([] { return "0"; })));
    std::string out;
    for (char byte : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
    }
    return out;
}

Result<Fd> memfd_create(const std::string& name) {
    return descriptor(invoke(
        "memfd_create",
        [&] { return ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING); }, name,
        also([] { return "MFD_CLOEXEC|MFD_ALLOW_SEALING"; })));
}

Result<void> seal(int memfd) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    return done(invoke(
        "fcntl", [&] { return ::fcntl(memfd, F_ADD_SEALS, seals); }, memfd, Shown{"F_ADD_SEALS"},
        also([] { return show(Flags{seals, names::seal}); })));
}

Result<void> ftruncate(int fd, std::int64_t size) {
    return done(invoke("ftruncate", [&] { return ::ftruncate(fd, size); }, fd, size));
}

bool is_sealed(int fd) {
    auto seals =
        invoke("fcntl", [&] { return ::fcntl(fd, F_GET_SEALS); }, fd, Shown{"F_GET_SEALS"});
    return seals && (*seals & F_SEAL_WRITE) != 0;
}

Result<void> seal_size(int memfd) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;
    return done(invoke(
        "fcntl", [&] { return ::fcntl(memfd, F_ADD_SEALS, seals); }, memfd, Shown{"F_ADD_SEALS"},
        also([] { return show(Flags{seals, names::seal}); })));
}

Result<void> lseek_start(int fd) {
    return done(invoke(
        "lseek", [&] { return ::lseek(fd, 0, SEEK_SET); }, fd, 0, also([] { return "SEEK_SET"; })));
}

Result<Fd> dup_above(int fd, int lowest) {
    return descriptor(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, lowest); }, fd, Shown{"F_DUPFD_CLOEXEC"},
        lowest));
}

Result<void> dup2(int from, int to) {
    return done(invoke("dup2", [&] { return ::dup2(from, to); }, from, to));
}

Result<void> open_standard_streams() {
    for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) != -1)
            continue;
        // The lowest free number, which is this one: those below are open by now.
        Fd null = TRY(openat(AT_FDCWD, "/dev/null", O_RDWR));
        TRY(set_cloexec(null.get(), false));
        (void)null.release(); // for the process's whole life
    }
    return {};
}

Result<void> set_cloexec(int fd, bool on) {
    return done(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0); }, fd, Shown{"F_SETFD"},
        Heard{Flags{on ? 1U : 0U, {}}, [&](long) { return on ? "FD_CLOEXEC" : "0"; }}));
}

Result<void> set_nonblocking(int fd) {
    return done(invoke(
        "fcntl", [&] { return ::fcntl(fd, F_SETFL, O_NONBLOCK); }, fd, Shown{"F_SETFL"},
        Shown{"O_NONBLOCK"}));
}

Result<void> close_range(unsigned first, unsigned last, unsigned flags) {
    return done(invoke(
        "close_range", [&] { return syscall(SYS_close_range, first, last, flags); }, first, last,
        Flags{flags, names::close_range}));
}

Result<std::uint64_t> getrandom() {
    std::uint64_t number = 0;
    TRY(invoke(
        "getrandom", [&] { return ::getrandom(&number, sizeof number, 0); }, filled([&](long) {
            return show_bytes({reinterpret_cast<const char*>(&number), sizeof number});
        }),
        sizeof number, also([] { return "0"; })));
    return number;
}

Result<std::pair<Fd, Fd>> pipe() {
    int ends[2] = {-1, -1};
    TRY(invoke(
        "pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); }, filled([&](long) { return show(ends); }),
        Shown{"O_CLOEXEC"}));
    return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Result<void> chdir(const std::string& path) {
    return done(invoke("chdir", [&] { return ::chdir(path.c_str()); }, path));
}

Result<void> fchdir(int fd) {
    return done(invoke("fchdir", [&] { return ::fchdir(fd); }, fd));
}

Result<std::string> getcwd() {
    std::array<char, PATH_MAX> buffer; // NOLINT: filled by the call
    buffer[0] = '\0';
    // The raw call, not libc's: outside the root it answers "(unreachable)/…" instead of failing.
    TRY(invoke(
        "getcwd", [&] { return syscall(SYS_getcwd, buffer.data(), buffer.size()); },
        Out{buffer.data(), buffer.size()}, filled([&](long) { return show(buffer.data()); }),
        also([&] { return std::to_string(buffer.size()); })));
    if (buffer[0] != '/')
        return wrong("the working directory is outside the root: \"" + std::string(buffer.data()) +
                     "\"");
    return std::string(buffer.data());
}

Result<std::vector<Entry>> entries(int fd) {
    std::vector<Entry> found;
    alignas(dirent64) std::array<char, 8192> buffer{};
    TRY(lseek_start(fd)); // a second look at the same descriptor starts over
    for (;;) {
        long length = TRY(invoke(
            "getdents64", [&] { return ::getdents64(fd, buffer.data(), buffer.size()); }, fd,
            filled([&](long got) {
                return show_entries({buffer.data(), static_cast<std::size_t>(got)});
            }),
            also([&] { return std::to_string(buffer.size()); })));
        if (length == 0)
            return found;
        for (long at = 0; at < length;) {
            const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
            std::string_view name = entry->d_name;
            if (name != "." && name != "..")
                found.push_back({std::string(name), entry->d_type});
            at += entry->d_reclen;
        }
    }
}

Result<void> flock(int fd, int operation) {
    return done(invoke(
        "flock", [&] { return ::flock(fd, operation); }, fd,
        Flags{static_cast<std::uint64_t>(operation), names::lock}));
}

Result<void> setxattr(const std::string& path, const std::string& name, std::string_view value) {
    return done(invoke(
        "setxattr",
        [&] { return ::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0); }, path,
        name, std::string(value), also([&] { return std::to_string(value.size()) + ", 0"; })));
}

Result<void> getxattr(const std::string& path, const std::string& name) {
    return done(invoke(
        "getxattr", [&] { return ::getxattr(path.c_str(), name.c_str(), nullptr, 0); }, path, name,
        also([] { return "NULL, 0"; })));
}

Result<void> removexattr(const std::string& path, const std::string& name) {
    return done(invoke(
        "removexattr", [&] { return ::removexattr(path.c_str(), name.c_str()); }, path, name));
}

} // namespace sys
