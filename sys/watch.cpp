// inotify(7), epoll(7).
#include "sys/watch.hpp"

#include "sys/seam.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>

namespace sys {

namespace {

constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                   IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

// f_type as in statfs(2), or in the file systems' own sources.
constexpr struct {
    std::uint32_t type;
    const char* name;
} kSilent[] = {
    {0x01021997, "9p"},   // WSL 2's /mnt/c, many virtual machines
    {0x65735546, "fuse"}, // virtiofs has the same number; Lima's, Docker's shares on a Mac
    {0x6969, "nfs"},      {0xff534d42, "cifs"},   {0xfe534d42, "smb"},   {0x517b, "smb"},
    {0x00c36400, "ceph"}, {0x786f4256, "vboxsf"}, {0x53464846, "wslfs"}, // WSL 1
};

} // namespace

Result<Fd> watch_directory(const std::string& folder) {
    Fd watch = TRY(descriptor(
        invoke("inotify_init1", [] { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); })));
    TRY(invoke(
        "inotify_add_watch",
        [&] { return inotify_add_watch(watch.get(), folder.c_str(), kChanges | IN_ONLYDIR); },
        watch.get(), folder));
    return watch;
}

Result<void> drain_watch(int watch) {
    alignas(inotify_event) char events[4096];
    for (;;) {
        auto got = read(watch, events);
        if (!got && got.error().code == EAGAIN)
            return {};
        if (TRY(std::move(got)) == 0)
            return {};
    }
}

Result<std::string> silent_file_system(const std::string& folder) {
    auto type = static_cast<std::uint32_t>(TRY(statfs(folder)).f_type);
    for (const auto& one : kSilent)
        if (one.type == type)
            return std::string(one.name);
    return std::string();
}

Result<Fd> watch_arrivals(int fd) {
    Fd watch =
        TRY(descriptor(invoke("epoll_create1", [] { return epoll_create1(EPOLL_CLOEXEC); })));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    TRY(invoke(
        "epoll_ctl", [&] { return epoll_ctl(watch.get(), EPOLL_CTL_ADD, fd, &event); }, watch.get(),
        Shown{"EPOLL_CTL_ADD"}, fd, Shown{"EPOLLIN|EPOLLET"}));
    return watch;
}

Result<void> drain_arrivals(int watch) {
    epoll_event event{};
    return done(invoke("epoll_wait", [&] { return epoll_wait(watch, &event, 1, 0); }, watch));
}

} // namespace sys
