// Local sockets, whole files.
#include "sys/local.hpp"

#include "sys/path.hpp"

#include <linux/nsfs.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace sys {

namespace {

/// A path of at most 107 bytes for `name` in `directory`, however deep that lies (unix(7)).
Result<sockaddr_un> address_in(int directory, const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
    if (path.size() >= sizeof address.sun_path)
        return wrong("\"" + name + "\" is too long for a socket's name");
    memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Result<Fd> connect_to(const sockaddr_un& address, int type, const std::string& shown,
                      socklen_t length = sizeof(sockaddr_un)) {
    // Who listens, but accepts nobody, must not hold us up (socket(7)): what was sent fits the
    // buffer, or waits as long.
    constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};
    Fd fd = TRY(socket(AF_UNIX, type));
    TRY(done(invoke(
        "setsockopt",
        [&] { return ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); },
        fd.get(), "SO_SNDTIMEO")));
    auto connected = done(invoke(
        "connect",
        [&] { return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length); },
        shown));
    if (!connected && connected.error().code == EAGAIN)
        connected.error().detail = "nobody takes up the connection";
    TRY(std::move(connected));
    return fd;
}

/// `mode`: the socket's from its start on.
Result<Fd> bind_in(int directory, const std::string& name, int type, mode_t mode) {
    sockaddr_un address = TRY(address_in(directory, name));
    Fd fd = TRY(socket(AF_UNIX, type));
    mode_t before = ::umask(0777 & ~mode); // umask can't fail
    auto bound = done(invoke(
        "bind",
        [&] {
            return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        },
        name));
    (void)::umask(before);
    TRY(std::move(bound));
    return fd;
}

Result<Fd> connect_by_path(const std::string& path, int type) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Fd directory; // for what is too long otherwise
    if (path.size() < sizeof address.sun_path) {
        memcpy(address.sun_path, path.data(), path.size());
    } else {
        std::size_t slash = path.rfind('/');
        directory = TRY(openat(AT_FDCWD, slash == std::string::npos ? "." : path.substr(0, slash),
                               O_PATH | O_DIRECTORY));
        address = TRY(address_in(directory.get(), path.substr(slash + 1)));
    }
    return connect_to(address, type, path);
}

} // namespace

Result<Fd> listen_in(int directory, const std::string& name) {
    Fd fd = TRY(bind_in(directory, name, SOCK_SEQPACKET, 0600));
    TRY(done(invoke("listen", [&] { return ::listen(fd.get(), 1); }, fd.get())));
    return fd;
}

Result<Fd> receive_in(int directory, const std::string& name) {
    return bind_in(directory, name, SOCK_DGRAM, 0777);
}

Result<Fd> connect_in(int directory, const std::string& name) {
    return connect_to(TRY(address_in(directory, name)), SOCK_SEQPACKET, name);
}

bool listens_in(int directory, const std::string& name) {
    auto address = address_in(directory, name);
    // A socket of another type is refused before it could be taken for a visitor.
    auto connected = address ? connect_to(*address, SOCK_STREAM, name)
                             : std::unexpected(std::move(address).error());
    return !connected && connected.error().code == EPROTOTYPE;
}

Result<Fd> accept(int fd) {
    return Fd(static_cast<int>(
        TRY(invoke("accept4", [&] { return ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC); }, fd))));
}

Result<Fd> connect_stream(const std::string& path) {
    return connect_by_path(path, SOCK_STREAM);
}

Result<Fd> connect_to_manager(const std::string& address) {
    if (!address.starts_with('@'))
        return connect_by_path(address, SOCK_DGRAM);
    sockaddr_un abstract{};
    abstract.sun_family = AF_UNIX;
    if (address.size() > sizeof abstract.sun_path)
        return wrong("\"" + address + "\" is too long for a socket's name");
    memcpy(abstract.sun_path + 1, address.data() + 1, address.size() - 1);
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    return connect_to(abstract, SOCK_DGRAM, address, length);
}

Result<void> make_path(const std::string& path) {
    if (exists(path))
        return {};
    std::size_t slash = path.rfind('/');
    if (slash != std::string::npos && slash != 0)
        TRY(make_path(path.substr(0, slash)));
    auto made = mkdirat(AT_FDCWD, path, 0700);
    if (!made && made.error().code != EEXIST)
        return made;
    return {};
}

namespace {

constexpr int kDeep = 24; ///< descriptors and stack that a tree may cost

Result<Fd> open_to_empty(int at, const std::string& name) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    auto opened = openat(at, name, flags);
    if (opened || opened.error().code != EACCES)
        return opened;
    Fd there = TRY(openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    TRY(chmod("/proc/self/fd/" + std::to_string(there.get()), 0700)); // it may be ours, of mode 0
    return openat(at, name, flags);
}

/// What lies deeper than kDeep is moved to `top` instead, to be emptied there.
Result<void> empty(int top, int directory, int depth, bool& moved) {
    for (const Entry& entry : TRY(entries(directory))) {
        auto removed = unlinkat(directory, entry.name);
        if (removed || removed.error().code == ENOENT)
            continue;
        auto child = open_to_empty(directory, entry.name);
        if (!child && (child.error().code == ENOTDIR || child.error().code == ELOOP))
            return removed; // no directory: what it said first counts
        Fd inner = TRY(std::move(child));
        if (depth < kDeep) {
            TRY(empty(top, inner.get(), depth + 1, moved));
            removed = unlinkat(directory, entry.name, AT_REMOVEDIR);
        } else {
            std::string name = ".deep-" + TRY(random_hex(8));
            moved = true;
            removed = done(invoke(
                "renameat",
                [&] { return ::renameat(directory, entry.name.c_str(), top, name.c_str()); },
                entry.name, name));
        }
        if (!removed && removed.error().code != ENOENT)
            return removed;
    }
    return {};
}

} // namespace

Result<void> remove_tree(int at, const std::string& path) {
    auto opened = open_to_empty(at, path);
    if (!opened && opened.error().code == ENOENT)
        return {};
    Fd top = TRY(std::move(opened));
    for (bool moved = true; moved;) {
        moved = false;
        TRY(empty(top.get(), top.get(), 0, moved));
    }
    return unlinkat(at, path, AT_REMOVEDIR);
}

Result<void> rename_in(int directory, const std::string& from, const std::string& to) {
    return done(invoke(
        "renameat", [&] { return ::renameat(directory, from.c_str(), directory, to.c_str()); },
        from, to));
}

Result<void> replace_file(int directory, const std::string& name, std::string_view text,
                          mode_t mode) {
    // A name may have 255 bytes (NAME_MAX).
    std::string temporary = "." + name.substr(0, 200) + "." + TRY(random_hex(8));
    Fd file = TRY(openat(directory, temporary, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode));
    auto written = [&]() -> Result<void> {
        TRY(write_all(file.get(), text));
        return rename_in(directory, temporary, name);
    }();
    if (!written)
        (void)unlinkat(directory, temporary); // the first failure is the one to tell
    return written;
}

Result<void> new_file(int directory, const std::string& name, std::string_view text, mode_t mode) {
    Fd file = TRY(openat(directory, ".", O_TMPFILE | O_WRONLY, mode));
    TRY(write_all(file.get(), text));
    std::string open = "/proc/self/fd/" + std::to_string(file.get());
    return done(invoke(
        "linkat",
        [&] {
            return ::linkat(AT_FDCWD, open.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW);
        },
        At{AT_FDCWD}, open, At{directory}, name, "AT_SYMLINK_FOLLOW"));
}

Result<std::string> path_of(int fd) {
    return readlinkat(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd));
}

Result<void> copy_file(int to, int from) {
    for (;;) {
        long sent = TRY(
            invoke("sendfile", [&] { return ::sendfile(to, from, nullptr, 1 << 30); }, to, from));
        if (sent == 0)
            return {};
    }
}

Result<void*> map_file(int fd, std::size_t size) {
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return detail::failed("mmap(" + std::to_string(fd) + ")", errno);
    return memory;
}

Result<std::uint64_t> namespace_type(int fd) {
    return static_cast<std::uint64_t>(
        TRY(invoke("ioctl", [&] { return ::ioctl(fd, NS_GET_NSTYPE); }, fd, "NS_GET_NSTYPE")));
}

} // namespace sys
