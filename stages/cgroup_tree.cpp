// Only one directory is open at a time, however deep they are nested.
#include "stages/cgroup_tree.hpp"

#include "stages/cgroup_place.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace stages::cgroup {

void innermost_first(const std::string& top, const Visit& visit) {
    auto open = [](int at, const std::string& name) {
        return sys::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    };
    auto here = open(AT_FDCWD, top);
    struct Level {
        std::string name;
        std::vector<sys::Entry> rest; ///< what is still to be seen in it
    };
    auto enter = [](int fd, std::string name) {
        Level level{std::move(name), sys::entries(fd).value_or(std::vector<sys::Entry>{})};
        std::erase_if(level.rest, [](const sys::Entry& entry) { return entry.type != DT_DIR; });
        return level;
    };
    if (!here)
        return;
    std::vector<Level> path;
    path.push_back(enter(here->get(), top));
    for (;;) {
        Level& level = path.back();
        if (!level.rest.empty()) {
            std::string name = std::move(level.rest.back().name);
            level.rest.pop_back();
            auto below = open(here->get(), name);
            if (!below)
                continue; // gone meanwhile
            here = std::move(below);
            path.push_back(enter(here->get(), std::move(name)));
            continue;
        }
        if (path.size() == 1) {
            visit(here->get(), AT_FDCWD, top);
            return;
        }
        auto above = open(here->get(), "..");
        if (!above)
            return;
        visit(here->get(), above->get(), level.name);
        here = std::move(above);
        path.pop_back();
    }
}

void each_pid(std::string_view text, const std::function<void(pid_t)>& visit) {
    const char* at = text.data();
    const char* end = at + text.size();
    while (at < end) {
        pid_t pid = 0;
        auto parsed = std::from_chars(at, end, pid);
        if (parsed.ec != std::errc{})
            return;
        if (pid > 0)
            visit(pid);
        at = parsed.ptr + 1;
    }
}

Result<bool> wait_for(const std::string& cgroup, std::string_view event) {
    using std::chrono::milliseconds;
    using std::chrono::steady_clock;
    steady_clock::duration left = kPatience;
    Fd events = TRY(sys::openat(AT_FDCWD, sys::join(cgroup, "cgroup.events"), O_RDONLY));
    for (;;) {
        char text[256];
        std::size_t length = TRY(sys::read(events.get(), text));
        if (std::string_view(text, length).contains(event))
            return true;
        if (left.count() <= 0)
            return false;
        // The kernel tells of a second change within 10 ms late, and by then nobody, when somebody
        // else, systemd, has removed the cgroup (cgroup_file_notify in kernel/cgroup/cgroup.c).
        pollfd changed{.fd = events.get(), .events = POLLPRI, .revents = 0};
        milliseconds turn = std::min(std::chrono::ceil<milliseconds>(left), milliseconds(50));
        auto begun = steady_clock::now();
        bool told = TRY(sys::poll(std::span(&changed, 1), turn)) > 0;
        left -= told ? steady_clock::now() - begun : turn;
        TRY(sys::lseek_start(events.get()));
    }
}

namespace {

/// For kernels before 5.14, which have no cgroup.kill: frozen processes can't fork away.
Result<void> kill_one_by_one(const std::string& leaf) {
    (void)sys::write_file(sys::join(leaf, "cgroup.freeze"), "1"); // 5.2; without it, the next try
    Result<void> result;
    innermost_first(leaf, [&result](int cgroup, int, const std::string&) {
        auto pids = sys::read_file(cgroup, "cgroup.procs", 64 << 20);
        if (!pids)
            return;
        each_pid(*pids, [&result](pid_t pid) {
            auto killed = sys::kill(pid, SIGKILL);
            if (!killed && killed.error().code != ESRCH) // gone already is as good
                result = std::move(killed);
        });
    });
    return result;
}

} // namespace

bool is_ours(const Ledger& ledger) {
    if (ledger.leaf_inode == 0)
        return true; // not told from another's: killed before it was there, perhaps
    auto there = sys::fstatat(AT_FDCWD, ledger.leaf, 0);
    return !there || there->st_ino == ledger.leaf_inode;
}

Result<void> kill_processes(const std::string& leaf) {
    auto killed = sys::write_file(sys::join(leaf, "cgroup.kill"), "1");
    return code_of(killed) == ENOENT ? kill_one_by_one(leaf) : killed;
}

int remove_tree(const std::string& leaf, bool keep) {
    int code = ENOENT;
    innermost_first(leaf, [&](int, int parent, const std::string& name) {
        if (parent != AT_FDCWD || !keep)
            code = code_of(sys::unlinkat(parent, name, AT_REMOVEDIR));
    });
    return code;
}

void remove_parents(const std::string& leaf, std::size_t base) {
    std::string parent = leaf;
    for (int code = 0; code == 0 || code == ENOENT;) {
        std::size_t slash = parent.rfind('/');
        parent.erase(slash);
        if (slash <= base && !sys::getxattr(parent, kMade))
            return;
        code = code_of(sys::unlinkat(AT_FDCWD, parent, AT_REMOVEDIR));
    }
}

} // namespace stages::cgroup
