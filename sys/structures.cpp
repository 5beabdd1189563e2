// Structures to text.
#include "sys/structures.hpp"

#include "sys/flags.hpp"

#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace sys {

namespace {

template <class... Args>
std::string format(const char* pattern, Args... args) {
    char text[128];
    (void)snprintf(text, sizeof text, pattern, args...); // the patterns below are shorter
    return text;
}

constexpr FlagName kFileTypes[] = {
    {S_IFREG, "S_IFREG"}, {S_IFDIR, "S_IFDIR"}, {S_IFLNK, "S_IFLNK"},   {S_IFCHR, "S_IFCHR"},
    {S_IFBLK, "S_IFBLK"}, {S_IFIFO, "S_IFIFO"}, {S_IFSOCK, "S_IFSOCK"},
};
constexpr FlagName kFileSystems[] = {
    {PROC_SUPER_MAGIC, "PROC_SUPER_MAGIC"},
    {SYSFS_MAGIC, "SYSFS_MAGIC"},
    {TMPFS_MAGIC, "TMPFS_MAGIC"},
    {CGROUP_SUPER_MAGIC, "CGROUP_SUPER_MAGIC"},
    {CGROUP2_SUPER_MAGIC, "CGROUP2_SUPER_MAGIC"},
    {NSFS_MAGIC, "NSFS_MAGIC"},
    {OVERLAYFS_SUPER_MAGIC, "OVERLAYFS_SUPER_MAGIC"},
    {EXT4_SUPER_MAGIC, "EXT4_SUPER_MAGIC"},
    {BTRFS_SUPER_MAGIC, "BTRFS_SUPER_MAGIC"},
    {XFS_SUPER_MAGIC, "XFS_SUPER_MAGIC"},
    {DEVPTS_SUPER_MAGIC, "DEVPTS_SUPER_MAGIC"},
};
constexpr FlagName kPolled[] = {
    {POLLIN, "POLLIN"},   {POLLOUT, "POLLOUT"},   {POLLERR, "POLLERR"},
    {POLLHUP, "POLLHUP"}, {POLLNVAL, "POLLNVAL"},
};

} // namespace

std::string show_open(int flags) {
    bool reads = (flags & (O_ACCMODE | O_PATH)) == 0;
    return (reads ? "O_RDONLY|" : "") + show(Flags{static_cast<std::uint64_t>(flags), names::open});
}

std::string show_bytes(std::string_view bytes, std::size_t most) {
    bool cut = bytes.size() > most;
    bytes = bytes.substr(0, most);
    std::string out = "\"";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto byte = static_cast<unsigned char>(bytes[i]);
        bool digit = i + 1 < bytes.size() && bytes[i + 1] >= '0' && bytes[i + 1] <= '9';
        std::size_t special = std::string_view("\t\n\v\f\r\"\\").find(bytes[i]);
        if (special != std::string_view::npos)
            out += std::string("\\") + "tnvfr\"\\"[special];
        else if (byte < ' ' || byte > '~')
            out += format(digit ? "\\%03o" : "\\%o", byte);
        else
            out += bytes[i];
    }
    return out + (cut ? "\"..." : "\"");
}

std::string show_entries(std::span<const char> buffer) {
    int count = 0;
    for (std::size_t at = 0; at < buffer.size(); ++count)
        at += reinterpret_cast<const dirent64*>(buffer.data() + at)->d_reclen;
    return format("/* %d entries */", count);
}

std::string show_list(std::span<const std::string> strings) {
    std::string out = "[";
    for (const std::string& string : strings)
        out += (out.size() > 1 ? ", " : "") + show(string);
    return out + "]";
}

std::string show_count(const char* const* strings) {
    int count = 0;
    while (strings[count] != nullptr)
        ++count;
    return format("/* %d vars */", count);
}

std::string show_address(const void* address) {
    return address == nullptr ? "NULL" : format("%p", address);
}

std::string show_file_mode(mode_t mode) {
    return show(Named{mode & S_IFMT, kFileTypes}) + "|" + show(Mode{mode & ~S_IFMT});
}

std::string show_device(dev_t device) {
    return format("makedev(%#x, %#x)", major(device), minor(device));
}

std::string show(const struct stat& info) {
    std::string out = "{st_mode=" + show_file_mode(info.st_mode);
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
        return out + ", st_rdev=" + show_device(info.st_rdev) + ", ...}";
    return out + format(", st_size=%lld, ...}", static_cast<long long>(info.st_size));
}

std::string show(const struct statfs& info) {
    auto type = static_cast<std::uint64_t>(info.f_type);
    auto known = std::ranges::find(kFileSystems, type, &FlagName::value);
    return "{f_type=" +
           (known != std::end(kFileSystems) ? std::string(known->name)
                                            : format("%#llx", static_cast<long long>(type))) +
           ", ...}";
}

std::string show(const int (&pair)[2]) {
    return format("[%d, %d]", pair[0], pair[1]);
}

std::string show(const sigset_t& set) {
    int members = 0;
    std::string in;
    std::string out;
    for (int number = 1; number < SIGRTMIN; ++number) {
        const char* name = sigabbrev_np(number);
        if (name == nullptr)
            continue;
        bool member = sigismember(&set, number) == 1;
        members += member ? 1 : 0;
        std::string& list = member ? in : out;
        list += (list.empty() ? "" : " ") + std::string(number == SIGIO ? "IO" : name);
    }
    constexpr int kMany = 16; // then those that are not in it are fewer
    return members > kMany ? "~[" + out + "]" : "[" + in + "]";
}

std::string show(std::span<const pollfd> fds) {
    std::string out = "[";
    for (const pollfd& one : fds) {
        auto names = [](short bits) {
            return show(Flags{static_cast<std::uint64_t>(bits), kPolled});
        };
        out += (out.size() > 1 ? ", {fd=" : "{fd=") + std::to_string(one.fd) +
               (one.fd >= 0 ? ", events=" + names(one.events) : "") + // else it is passed over
               (one.revents != 0 ? ", revents=" + names(one.revents) : "") + "}";
    }
    return out + "]";
}

std::string show(const rlimit& limit) {
    auto one = [](rlim_t number) {
        return number == RLIM_INFINITY ? "RLIM64_INFINITY" : std::to_string(number);
    };
    return "{rlim_cur=" + one(limit.rlim_cur) + ", rlim_max=" + one(limit.rlim_max) + "}";
}

std::string show(const winsize& size) {
    return format("{ws_row=%d, ws_col=%d, ...}", size.ws_row, size.ws_col);
}

std::string show(const clone_args& args, bool made) {
    std::string out = "{flags=" + show(Flags{args.flags, names::clone});
    if (args.exit_signal != 0)
        out += ", exit_signal=" + show(Signal{static_cast<int>(args.exit_signal)});
    if ((args.flags & CLONE_INTO_CGROUP) != 0)
        out += ", cgroup=" + std::to_string(args.cgroup);
    if (made && (args.flags & CLONE_PIDFD) != 0) // NOLINTNEXTLINE(performance-no-int-to-ptr)
        out += ", pidfd=[" + std::to_string(*reinterpret_cast<const int*>(args.pidfd)) + "]";
    return out + "}";
}

std::string show_status(int status) {
    if (WIFEXITED(status))
        return format("[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        return "[{WIFSIGNALED(s) && WTERMSIG(s) == " + show(Signal{WTERMSIG(status)}) + "}]";
    if (WIFSTOPPED(status))
        return "[{WIFSTOPPED(s) && WSTOPSIG(s) == " + show(Signal{WSTOPSIG(status)}) + "}]";
    return format("[%d]", status);
}

} // namespace sys
