// Taking the leaf away again, by whoever is left to do it: the parent, or the keeper after it.
//
// Works from the ledger alone, may run twice, and finds nothing surprising in anything being gone.
#include "stages/cgroup_place.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>

namespace stages::cgroup {

namespace {

// A killed process is gone at once unless it hangs in the kernel, on a dead NFS server, say. Then
// an empty cgroup that stays behind is better than a launcher that never ends.
constexpr std::chrono::seconds kPatience{10};

/// A failure that is told apart by its errno, 0 for success.
template <class T>
int code_of(const Result<T>& result) {
    return result ? 0 : result.error().code;
}

/// Every cgroup below `top`, and `top` itself, those further in first. Only one directory is open
/// at a time, because what ran in there may have nested them as deep as it liked.
template <class Visit>
void innermost_first(const std::string& top, Visit visit) {
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

/// For kernels before 5.14, which have no cgroup.kill: frozen processes can't fork away.
void kill_one_by_one(const std::string& leaf) {
    (void)sys::write_file(sys::join(leaf, "cgroup.freeze"), "1"); // 5.2; without it, the next try
    innermost_first(leaf, [](int cgroup, int, const std::string&) {
        auto pids = sys::read_file(cgroup, "cgroup.procs", 64 << 20);
        if (!pids)
            return;
        const char* at = pids->data();
        const char* end = at + pids->size();
        while (at < end) {
            pid_t pid = 0;
            auto parsed = std::from_chars(at, end, pid);
            if (parsed.ec != std::errc{})
                return;
            if (pid > 0)                       // 0: in a pid namespace that we can't see into
                (void)sys::kill(pid, SIGKILL); // gone already is as good
            at = parsed.ptr + 1;
        }
    });
}

/// Wait until the kernel says that the leaf and all below it are empty (cgroup-v2.rst,
/// "(Un)populated Notification").
void wait_until_empty(const std::string& leaf) {
    using std::chrono::milliseconds;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    auto events = sys::openat(AT_FDCWD, sys::join(leaf, "cgroup.events"), O_RDONLY);
    if (!events)
        return;
    for (;;) {
        char text[256];
        auto length = sys::read(events->get(), text);
        if (!length || std::string_view(text, *length).contains("populated 0"))
            return;
        auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd changed{.fd = events->get(), .events = POLLPRI, .revents = 0};
        if (left.count() <= 0 || sys::poll(std::span(&changed, 1), left).value_or(0) == 0 ||
            !sys::lseek_start(events->get()))
            return;
    }
}

/// Is it gone? EBUSY: something is in it.
bool gone(int code) {
    return code == 0 || code == ENOENT;
}

/// Kill and remove whatever is in the leaf; the leaf itself too unless it is to be kept.
int empty(const std::string& leaf, bool keep) {
    if (code_of(sys::write_file(sys::join(leaf, "cgroup.kill"), "1")) == ENOENT)
        kill_one_by_one(leaf);
    wait_until_empty(leaf);
    int code = 0;
    innermost_first(leaf, [&](int, int parent, const std::string& name) {
        if (parent != AT_FDCWD || !keep)
            code = code_of(sys::unlinkat(parent, name, AT_REMOVEDIR));
    });
    return code;
}

/// The directories on the way to `leaf` that --cgroup made, now or for a container before; one that
/// another still uses is busy.
void remove_parents(const std::string& leaf, std::size_t base) {
    std::string parent = leaf;
    for (int code = 0; gone(code);) {
        std::size_t slash = parent.rfind('/');
        parent.erase(slash);
        if (slash <= base && !sys::getxattr(parent, kMade))
            return;
        code = code_of(sys::unlinkat(AT_FDCWD, parent, AT_REMOVEDIR));
    }
}

} // namespace

// In the parent or the keeper: the host's namespaces, the caller's privileges.
void undo(Ledger& ledger) {
    if (ledger.leaf[0] == '\0')
        return;
    std::string leaf = ledger.leaf;
    if (ledger.keep_cgroup) {
        if (ledger.leaf_ours)
            (void)empty(leaf, /*keep=*/true); // what can't be killed is left, as below
    } else {
        int code = code_of(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
        // A leaf that we had noted but not made yet can be another's: it is removed if it is empty,
        // but nothing in it is killed. The second try is for kernels that need two (above).
        for (int tries = 0; code == EBUSY && ledger.leaf_ours && tries < 3; ++tries)
            code = empty(leaf, /*keep=*/false);
        if (gone(code) && ledger.leaf_base < leaf.size())
            remove_parents(leaf, ledger.leaf_base);
    }
    // From here on the name can be another container's.
    ledger.leaf[0] = '\0';
}

} // namespace stages::cgroup
