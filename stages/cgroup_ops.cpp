// Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files".
#include "stages/cgroup_ops.hpp"

#include "stages/cgroup_names.hpp"
#include "stages/cgroup_place.hpp"
#include "stages/cgroup_tree.hpp"
#include "stages/systemd.hpp"
#include "sys/flags.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>

namespace stages::cgroup {

namespace {

Error busy(std::string what, std::string hint) {
    Error error = sys::wrong(std::move(what), std::move(hint)).error();
    error.code = EBUSY;
    return error;
}

/// Signal those of `pids` that are the leaf's. A number that was free for a moment can be
/// somebody else's by now; but one that is in the leaf after its pidfd was opened isn't.
Result<void> signal_each(const std::string& leaf, std::span<const pid_t> pids, int signal) {
    std::vector<std::pair<pid_t, Fd>> opened;
    for (pid_t pid : pids)
        if (auto process = sys::pidfd_open(pid))
            opened.emplace_back(pid, std::move(*process));
    std::vector<pid_t> still = TRY(processes(leaf));
    for (const auto& [pid, process] : opened) {
        if (!std::ranges::binary_search(still, pid))
            continue;
        auto sent = sys::pidfd_send_signal(process.get(), signal);
        if (!sent && sent.error().code != ESRCH) // ended meanwhile
            return sent;
    }
    return {};
}

} // namespace

Result<void> freeze(const std::string& leaf) {
    TRY(sys::write_file(sys::join(leaf, "cgroup.freeze"), "1"));
    if (TRY(wait_for(leaf, "frozen 1")))
        return {};
    TRY(sys::write_file(sys::join(leaf, "cgroup.freeze"), "0"));
    return std::unexpected(busy("a process in " + quoted(leaf) + " doesn't let itself be frozen",
                                "ps -o pid,state,wchan tells what it hangs in (state D)"));
}

Result<void> thaw(const std::string& leaf) {
    return sys::write_file(sys::join(leaf, "cgroup.freeze"), "0");
}

Result<bool> frozen(const std::string& leaf) {
    auto text = sys::read_file(sys::join(leaf, "cgroup.freeze"), 64);
    if (!text && (text.error().code == ENOENT || text.error().code == ENODEV))
        return false;
    return TRY(std::move(text)).starts_with('1');
}

Result<std::vector<pid_t>> processes(const std::string& leaf) {
    std::vector<pid_t> pids;
    Result<void> done;
    innermost_first(leaf, [&](int cgroup, int, const std::string&) {
        auto text = sys::read_file(cgroup, "cgroup.procs", 64 << 20);
        int code = code_of(text);
        // Gone meanwhile; or a threaded one, whose processes are its domain's.
        if (code == ENOENT || code == ENODEV || code == EOPNOTSUPP)
            return;
        if (!text) {
            done = std::unexpected(std::move(text).error());
            return;
        }
        each_pid(*text, [&](pid_t pid) { pids.push_back(pid); });
    });
    TRY(std::move(done));
    std::ranges::sort(pids);
    // One that moved while we looked is seen twice.
    pids.erase(std::ranges::unique(pids).begin(), pids.end());
    return pids;
}

Result<void> kill_all(const std::string& leaf, int signal) {
    if (signal == SIGKILL)
        return kill_processes(leaf);
    if (!sys::exists(leaf))
        return {};
    bool was_frozen = TRY(frozen(leaf));
    if (!was_frozen)
        TRY(freeze(leaf));
    constexpr std::size_t kAtOnce = 256; // descriptors
    auto send = [&]() -> Result<void> {
        std::vector<pid_t> pids = TRY(processes(leaf));
        for (std::span<const pid_t> rest = pids; !rest.empty();
             rest = rest.subspan(std::min(kAtOnce, rest.size())))
            TRY(signal_each(leaf, rest.first(std::min(kAtOnce, rest.size())), signal));
        return {};
    };
    auto sent = send();
    if (!was_frozen)
        TRY(thaw(leaf));
    return sent;
}

Result<void> remove(const std::string& leaf) {
    int code = code_of(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
    // Empty a moment ago doesn't mean that the kernel has let go of the last process by now.
    for (int tries = 0; code == EBUSY && tries < 3; ++tries) {
        auto empty = wait_for(leaf, "populated 0");
        if (empty && !*empty)
            break;
        code = remove_tree(leaf, /*keep=*/false);
    }
    if (code == EBUSY)
        return std::unexpected(busy("processes are in " + quoted(leaf), "kill them first"));
    if (code != 0 && code != ENOENT)
        return std::unexpected(Error{.stage = {},
                                     .call = "unlinkat(" + quoted(leaf) + ", AT_REMOVEDIR)",
                                     .code = code,
                                     .detail = {},
                                     .hint = {}});
    remove_parents(leaf, leaf.size());
    return {};
}

Result<Fd> open_leaf(const std::string& leaf, const std::string& below) {
    namespace names = sys::names;
    Fd top = TRY(sys::openat(AT_FDCWD, leaf, O_PATH | O_DIRECTORY));
    std::size_t start = below.find_first_not_of('/');
    if (start == std::string::npos)
        return top;
    auto found = sys::openat2(top.get(), below.substr(start), O_PATH | O_DIRECTORY,
                              sys::Resolve{names::kResolveBeneath | names::kResolveNoSymlinks |
                                           names::kResolveNoMagiclinks | names::kResolveNoXdev});
    if (!found && found.error().code == EXDEV)
        found.error().detail = quoted(below) + " leads out of the container's cgroup";
    else if (!found && found.error().code == ENOENT)
        found.error().detail = "the container has no cgroup " + quoted(below);
    return found;
}

bool can_enter(const std::string& leaf) {
    auto hierarchy = find_hierarchy();
    if (!hierarchy || hierarchy->layout == Layout::none)
        return false;
    std::string own = hierarchy->directory(hierarchy->own.empty() ? "/" : hierarchy->own);
    return !check_access(common_ancestor(own, leaf));
}

Result<void> attach(const std::string& unit, const std::string& leaf, pid_t pid) {
    std::size_t at = leaf.find("/" + unit);
    if (at == std::string::npos)
        return sys::wrong(quoted(leaf) + " is not in " + quoted(unit));
    std::string below = leaf.substr(at + 1 + unit.size());
    Systemd systemd = TRY(Systemd::connect());
    return systemd.attach_process(unit, below, static_cast<std::uint32_t>(pid));
}

Result<std::string> directory_of(pid_t pid) {
    Hierarchy hierarchy = TRY(find_hierarchy());
    if (hierarchy.layout == Layout::none)
        return std::string();
    std::string cgroup = TRY(cgroup_of(pid));
    return cgroup.empty() ? cgroup : hierarchy.directory(cgroup);
}

} // namespace stages::cgroup
