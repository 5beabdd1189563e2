// Reading /proc/PID by one descriptor, so that all of it is of one process, whoever gets its number
// meanwhile; and visiting its namespaces for what only they tell.
#include "teach/snapshot.hpp"

#include "stages/cgroup_place.hpp"
#include "stages/passwd.hpp"
#include "sys/local.hpp"
#include "sys/namespaces.hpp"
#include "sys/netlink.hpp"
#include "sys/path.hpp"
#include "teach/cgroup_v1.hpp"
#include "teach/proc_text.hpp"

#include <net/if.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>

namespace teach {

using nlohmann::ordered_json;
using sys::Fd;

namespace {

// In the order of the stages that make them.
constexpr const char* kTypes[] = {"user", "cgroup", "net", "uts", "ipc", "time", "mnt", "pid"};
constexpr std::size_t kMost = 8 << 20; ///< of a file: thousands of mounts

std::uint64_t inode_of(int fd) {
    auto info = sys::fstat(fd);
    return info ? info->st_ino : 0;
}

std::uint64_t own_inode(const std::string& type) {
    return parse_namespace(
        sys::readlinkat(AT_FDCWD, "/proc/self/ns/" + type).value_or(std::string()));
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    return text;
}

class Look {
public:
    Look(Fd process, pid_t pid) : process_(std::move(process)) { out_.pid = pid; }
    Result<Snapshot> all();

private:
    void process();
    void namespaces();
    Namespace one_namespace(const std::string& type, std::uint64_t inode);
    void inside();
    void tree();
    void cgroup();
    void cgroup_files();
    void rest();

    /// By their full name in errors, which the descriptor hides.
    template <class T>
    Result<T> named(const char* call, const std::string& name, Result<T> result) const {
        if (!result && !result.error().call.empty())
            result.error().call =
                std::string(call) + "(\"/proc/" + std::to_string(out_.pid) + "/" + name + "\")";
        return result;
    }
    Result<std::string> file(const std::string& name) const {
        return named("read", name, sys::read_file(process_.get(), name, kMost));
    }
    Result<std::string> target(const std::string& name) const {
        return named("readlink", name, sys::readlinkat(process_.get(), name));
    }
    Result<Fd> open(const std::string& name) const {
        return named("open", name, sys::openat(process_.get(), name, O_RDONLY));
    }
    void miss(const std::string& what, Error error);
    /// Hand the text of a file to `parse`.
    void text(const char* name, const char* what, const std::function<void(std::string)>& parse) {
        auto got = file(name);
        if (got)
            parse(std::move(*got));
        else
            miss(what, std::move(got).error());
    }
    void link(const char* name, const char* what, std::string& into) {
        auto got = target(name);
        if (got)
            into = std::move(*got);
        else
            miss(what, std::move(got).error());
    }
    Result<Snapshot> ask_in(const char* type, const std::function<Result<void>(Snapshot&)>& fill);

    Fd process_;
    Snapshot out_;
    bool gone_ = false;
};

void Look::miss(const std::string& what, Error error) {
    if (error.code == ESRCH) {
        gone_ = true;
        return;
    }
    bool zombie = out_.state.starts_with('Z') || out_.state.starts_with('X');
    if (zombie)
        error.detail = "it has ended, and only waits for its parent to hear of it (a zombie)";
    else if (out_.command.empty() && error.code == ENOENT)
        error.detail = "a thread of the kernel has none";
    else if ((error.code == EACCES || error.code == EPERM) && error.detail.empty())
        error.detail = "another user's process, or one with more rights than yours: ask as root";
    out_.unread.push_back({what, sys::to_line(error)});
}

void Look::process() {
    text("status", "status", [&](const std::string& text) { parse_status(text, out_); });
    text("comm", "name", [&](std::string text) { out_.name = trimmed(std::move(text)); });
    text("cmdline", "command line",
         [&](const std::string& text) { out_.command = parse_command(text); });
    link("exe", "executable", out_.executable);
}

Namespace Look::one_namespace(const std::string& type, std::uint64_t inode) {
    Namespace space{.type = type, .inode = inode};
    auto children = target("ns/" + type + "_for_children"); // pid and time have one
    std::uint64_t other = children ? parse_namespace(*children) : 0;
    space.for_children = other == inode ? 0 : other;
    auto fd = open("ns/" + type);
    if (!fd) {
        miss("owner of the " + type + " namespace", std::move(fd).error());
        return space;
    }
    // Who owns it, or is its parent, can be out of sight (ioctl_ns(2), EPERM): then it stays 0.
    auto owner = sys::namespace_owner(fd->get());
    if (owner)
        space.owner = inode_of(owner->get());
    auto uid = type == "user" ? sys::namespace_owner_uid(fd->get())
               : owner        ? sys::namespace_owner_uid(owner->get())
                              : std::unexpected(Error{});
    if (uid)
        space.owner_uid = *uid;
    if (type != "user" && type != "pid")
        return space;
    for (auto above = sys::namespace_parent(fd->get()); above;
         above = sys::namespace_parent(above->get()))
        space.above.push_back(inode_of(above->get()));
    return space;
}

void Look::namespaces() {
    auto host = std::string("/proc/") + std::to_string(host_pid()) + "/ns/";
    out_.host = host_pid() == 1 ? "process 1" : "the caller";
    for (const char* type : kTypes) {
        auto link = target(std::string("ns/") + type);
        if (!link && link.error().code == ENOENT &&
            !sys::exists(std::string("/proc/self/ns/") + type))
            continue; // not in this kernel
        if (!link) {
            miss("namespaces", std::move(link).error());
            return;
        }
        Namespace space = one_namespace(type, parse_namespace(*link));
        space.host = parse_namespace(sys::readlinkat(AT_FDCWD, host + type).value_or(""));
        out_.namespaces.push_back(std::move(space));
    }
}

/// What can only be read inside of a namespace.
Result<Snapshot> Look::ask_in(const char* type,
                              const std::function<Result<void>(Snapshot&)>& fill) {
    const Namespace* space = out_.space(type);
    if (space == nullptr) {
        return sys::wrong(out_.why_unread("namespaces") != nullptr
                              ? "its namespaces can't be read, nor what is in them"
                              : "this kernel has no such namespaces");
    }
    auto answer = [&]() -> Result<std::string> {
        Snapshot found;
        found.pid = 1; // a snapshot of nobody is none
        TRY(fill(found));
        return to_json(found).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    };
    auto said = [&]() -> Result<std::string> {
        if (space->inode == own_inode(type))
            return answer();
        Fd fd = TRY(open(std::string("ns/") + type));
        auto first = sys::in_namespaces(std::array{fd.get()}, answer);
        if (first || first.error().code != EPERM || space->owner == 0 ||
            space->owner == own_inode("user"))
            return first;
        // In its user namespace we may do more: setns(2) gives its maker all capabilities in there.
        Fd owner = TRY(sys::namespace_owner(fd.get()));
        return sys::in_namespaces(std::array{owner.get(), fd.get()}, answer);
    }();
    if (!said && said.error().code == EPERM)
        said.error().detail =
            "only root of the user namespace that owns it may enter it: ask as root";
    auto json = ordered_json::parse(TRY(std::move(said)), nullptr, /*allow_exceptions=*/false);
    return from_json(json);
}

void Look::inside() {
    auto names = ask_in("uts", [](Snapshot& into) -> Result<void> {
        sys::HostNames read = TRY(sys::host_names());
        into.hostname = read.host;
        into.domainname = read.domain == "(none)" ? "" : read.domain;
        return {};
    });
    if (names) {
        out_.hostname = names->hostname;
        out_.domainname = names->domainname;
    } else {
        miss("hostname", std::move(names).error());
    }
    auto links = ask_in("net", [](Snapshot& into) -> Result<void> {
        for (sys::Link& link : TRY(sys::links()))
            into.links.push_back({.name = link.name,
                                  .kind = link.kind,
                                  .mac = link.mac,
                                  .state = link.state,
                                  .up = (link.flags & IFF_UP) != 0,
                                  .mtu = link.mtu,
                                  .addresses = link.addresses});
        return {};
    });
    if (links)
        out_.links = std::move(links->links);
    else
        miss("network links", std::move(links).error());
}

void Look::tree() {
    text("mountinfo", "mounts",
         [&](const std::string& text) { out_.mounts = parse_mountinfo(text); });
    link("root", "root", out_.root);
    link("cwd", "working directory", out_.cwd);
}

void Look::cgroup() {
    text("cgroup", "cgroup", [&](const std::string& text) { out_.cgroups = parse_cgroups(text); });
    add_v1_limits(out_, parse_mountinfo(
                            sys::read_file("/proc/self/mountinfo", kMost).value_or(std::string())));
    auto unified = std::ranges::find(out_.cgroups, std::string(), &Cgroup::controllers);
    auto hierarchy = stages::cgroup::find_hierarchy();
    // A path of "/.." lies outside of what our cgroup namespace shows.
    if (unified == out_.cgroups.end() || !hierarchy || hierarchy->root.empty() ||
        unified->path.starts_with("/.."))
        return;
    out_.cgroup_directory = hierarchy->directory(unified->path);
    cgroup_files();
    for (std::string above = unified->path; above.size() > 1;) {
        above.resize(above.rfind('/'));
        for (const char* name : {"memory.max", "memory.swap.max", "pids.max", "cpu.max"}) {
            std::string path = hierarchy->directory(above.empty() ? "/" : above) + "/" + name;
            std::string limit = trimmed(sys::read_file(path).value_or("max"));
            if (!limit.starts_with("max"))
                out_.cgroup_above.push_back({name, limit, above.empty() ? "/" : above});
        }
    }
}

/// Limits, weights and use: one value each, and what cpu.stat counts.
void Look::cgroup_files() {
    auto directory = sys::openat(AT_FDCWD, out_.cgroup_directory, O_RDONLY | O_DIRECTORY);
    if (!directory)
        return miss("cgroup's files", std::move(directory).error());
    auto entries = sys::entries(directory->get());
    if (!entries)
        return miss("cgroup's files", std::move(entries).error());
    auto wanted = [](const std::string& name) {
        constexpr const char* kEnds[] = {".max",  ".high",    ".low",   ".min",
                                         ".peak", ".current", ".weight"};
        return (name.starts_with("cpuset.cpus") && !name.ends_with(".isolated")) ||
               name.starts_with("cpuset.mems") || name == "cpu.stat" || name == "cgroup.freeze" ||
               name == "cgroup.controllers" || name == "cgroup.type" ||
               std::ranges::any_of(kEnds, [&](const char* end) { return name.ends_with(end); });
    };
    for (const sys::Entry& entry : *entries) {
        auto text = wanted(entry.name) ? sys::read_file(directory->get(), entry.name)
                                       : std::unexpected(Error{});
        if (text) // a few can only be written to, or not by us; the directory tells which there are
            out_.cgroup_files.push_back({entry.name, trimmed(std::move(*text))});
    }
    std::ranges::sort(out_.cgroup_files, {}, &CgroupFile::name);
}

void Look::rest() {
    text("uid_map", "uid map", [&](const std::string& text) { out_.uid_map = parse_id_map(text); });
    text("gid_map", "gid map", [&](const std::string& text) { out_.gid_map = parse_id_map(text); });
    text("setgroups", "setgroups",
         [&](std::string text) { out_.setgroups = trimmed(std::move(text)); });
    auto offsets = file("timens_offsets");
    if (offsets)
        out_.time_offsets = parse_time_offsets(*offsets);
    else if (offsets.error().code != ENOENT) // a kernel without time namespaces
        miss("time offsets", std::move(offsets).error());
    text("limits", "limits", [&](const std::string& text) { out_.limits = parse_limits(text); });
    text("oom_score_adj", "oom score adjustment", [&](const std::string& text) {
        auto fields = parse_number(trimmed(text));
        out_.oom_score_adj = fields.value_or(0);
    });
    auto label = file("attr/current");
    if (label) // without a security module EINVAL: then there is no label
        out_.label = trimmed(std::move(*label));
    else if (label.error().code != EINVAL && label.error().code != ENOENT)
        miss("security label", std::move(label).error());
    while (!out_.label.empty() && out_.label.back() == '\0') // SELinux closes it so
        out_.label.pop_back();
}

Result<Snapshot> Look::all() {
    process();
    namespaces();
    inside();
    tree();
    cgroup();
    rest();
    // Whatever has failed for it, this tells whether it is there.
    if (gone_ || !file("stat"))
        return sys::wrong("process " + std::to_string(out_.pid) + " has ended meanwhile");
    return std::move(out_);
}

} // namespace

const Namespace* Snapshot::space(std::string_view type) const {
    auto found = std::ranges::find(namespaces, type, &Namespace::type);
    return found == namespaces.end() ? nullptr : &*found;
}

const std::string* Snapshot::why_unread(std::string_view what) const {
    auto found = std::ranges::find(unread, what, &Unread::what);
    return found == unread.end() ? nullptr : &found->why;
}

void count_members(Snapshot& snapshot) {
    sys::Unheard unheard;
    auto proc = sys::openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
    auto all = proc ? sys::entries(proc->get()) : std::unexpected(Error{});
    if (!all)
        return;
    for (const sys::Entry& entry : *all) {
        auto pid = parse_number(entry.name);
        if (!pid)
            continue;
        for (Namespace& space : snapshot.namespaces) {
            auto link = sys::readlinkat(proc->get(), entry.name + "/ns/" + space.type);
            if (!link || parse_namespace(*link) != space.inode)
                continue;
            ++space.members;
            if (space.first == 0 || *pid < space.first)
                space.first = *pid;
        }
    }
    for (Namespace& space : snapshot.namespaces) {
        std::string first = std::to_string(space.first);
        space.first_name = trimmed(sys::read_file(proc->get(), first + "/comm").value_or(""));
        auto owner = sys::fstatat(proc->get(), first, 0);
        space.first_uid = owner ? owner->st_uid : 0;
        space.first_user = stages::user_name(space.first_uid).value_or("");
        std::string command = sys::read_file(proc->get(), first + "/cmdline").value_or("");
        std::ranges::replace(command, '\0', ' ');
        space.first_command = trimmed(command);
    }
}

pid_t host_pid() {
    sys::Unheard unheard;
    return sys::readlinkat(AT_FDCWD, "/proc/1/ns/user") ? 1 : sys::getpid();
}

Result<Snapshot> snapshot(pid_t pid) {
    sys::Unheard unheard;
    auto process = sys::openat(AT_FDCWD, "/proc/" + std::to_string(pid), O_PATH | O_DIRECTORY);
    if (!process && process.error().code == ENOENT)
        return sys::wrong("there is no process " + std::to_string(pid));
    return Look(TRY(std::move(process)), pid).all();
}

} // namespace teach
