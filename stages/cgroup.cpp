// cgroup: a leaf of its own in the cgroup v2 hierarchy, with limits; cgroups(7).
//
// The parent finds a place, makes the leaf, writes the limits, and clone3 makes the child in it
// (CLONE_INTO_CGROUP), so that nothing of the container ever runs outside of them. The child then
// unshares its cgroup namespace, and the leaf is its "/".
//
//     /sys/fs/cgroup/…/OURS                  we are here, or in a child of it
//     /sys/fs/cgroup/…/OURS/gocontainer-NAME the leaf
//
// A cgroup with processes in it can't hand controllers to children, so with limits OURS is rarely
// our own cgroup. Under systemd nothing but a delegated unit may be written to, so it is asked for
// a scope to be put into (https://systemd.io/CGROUP_DELEGATION):
//
//     …/gocontainer-NAME.scope               delegated; we ask to be moved into it, then make
//     …/gocontainer-NAME.scope/launcher      this for ourselves
//     …/gocontainer-NAME.scope/container     and the leaf
#include "stages/causes.hpp"
#include "stages/cgroup_causes.hpp"
#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_place.hpp"
#include "stages/stages.hpp"
#include "stages/systemd.hpp"
#include "sys/path.hpp"

#include <sys/file.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace stages::cgroup {

namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

/// Put the leaf's name into the ledger, its first byte last: who reads after a kill at any moment
/// sees all of it or none.
Result<void> note(Ledger& ledger, const std::string& leaf, std::size_t base) {
    if (leaf.size() >= sizeof ledger.leaf)
        return sys::wrong("the cgroup's path " + quoted(leaf) + " is too long");
    ledger.leaf_ours = ledger.keep_cgroup = false;
    ledger.leaf_base = static_cast<std::uint32_t>(base);
    memcpy(ledger.leaf + 1, leaf.data() + 1, leaf.size());
    std::atomic_signal_fence(std::memory_order_release);
    ledger.leaf[0] = leaf[0];
    std::atomic_signal_fence(std::memory_order_release);
    return {};
}

Error name_in_use(const Launch& launch, const std::string& leaf, Error error) {
    error.detail = "the name " + quoted(launch.spec.name) + " is in use: " + quoted(leaf) +
                   " is there already";
    error.hint = "choose another --name, or, if nothing runs in it, rmdir " + leaf;
    return error;
}

/// Can a process live in it? Not below a cgroup that has both processes and controllers for
/// children (see enable()), which is somebody else's doing then.
Result<void> check_type(int leaf, const std::string& path) {
    std::string type = TRY(sys::read_file(leaf, "cgroup.type"));
    if (type == "domain\n" || type == "domain threaded\n")
        return {};
    type.pop_back();
    Error error =
        sys::wrong(quoted(path) + " is of type " + quoted(type) + ", so it can't hold processes",
                   "move the processes of " + quoted(path.substr(0, path.rfind('/'))) +
                       " to a child of it")
            .error();
    error.code = EBUSY;
    return std::unexpected(std::move(error));
}

/// Make the leaf, which must be new, in a directory that is there.
Result<void> make(Launch& launch, const std::string& leaf) {
    TRY(note(*launch.ledger, leaf, leaf.size())); // none of its directories is for us to remove
    auto made = sys::mkdirat(AT_FDCWD, leaf, 0755);
    if (!made) {
        launch.ledger->leaf[0] = '\0';
        if (made.error().code == EEXIST)
            return std::unexpected(name_in_use(launch, leaf, std::move(made).error()));
        return made;
    }
    launch.ledger->leaf_ours = true;
    launch.leaf = TRY(sys::openat(AT_FDCWD, leaf, O_PATH | O_DIRECTORY));
    auto usable = check_type(launch.leaf.get(), leaf);
    if (!usable) {
        TRY(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
        launch.ledger->leaf[0] = '\0';
    }
    return usable;
}

// --- below us, or as little above us as possible -------------------------------------------------

/// The leaf in the nearest place; false when there is none, and then `obstacles` say why.
Result<bool> make_nearby(Launch& launch, const Hierarchy& hierarchy,
                         const std::vector<Limit>& limits, std::vector<Obstacle>& obstacles) {
    // Without limits nothing is enabled in the directory, so there is nothing to be taken back.
    bool systemd = !limits.empty() && Systemd::booted();
    for (const std::string& directory : candidates(hierarchy)) {
        auto obstacle = check_access(directory);
        if (!obstacle && systemd && is_managed(hierarchy, directory))
            obstacle = Obstacle{Obstacle::managed, directory, {}, {}};
        if (!obstacle)
            obstacle = enable(directory, limits);
        if (!obstacle) {
            TRY(launch.keep());
            auto made = make(launch, sys::join(directory, "gocontainer-" + launch.spec.name));
            if (made)
                return true;
            if (made.error().code == EEXIST || launch.ledger->leaf[0] != '\0')
                return std::unexpected(std::move(made).error());
            obstacle = refusal(directory, std::move(made).error());
        }
        obstacles.push_back(std::move(*obstacle));
    }
    return false;
}

// --- in a scope of systemd's
// -----------------------------------------------------------------------

Result<Hierarchy> enter_scope(const std::string& unit, const std::string& description) {
    Systemd systemd = TRY(Systemd::connect());
    // The scope goes away by itself with the last process in it, so the ledger need not know it.
    TRY(systemd.start_transient_unit(
        unit, {{"Description", description},
               {"PIDs", Systemd::Pids{static_cast<std::uint32_t>(sys::getpid())}},
               {"Delegate", true},
               {"CollectMode", std::string("inactive-or-failed")}}));
    Hierarchy hierarchy = TRY(find_hierarchy());
    if (!hierarchy.own.ends_with("/" + unit))
        return sys::wrong("systemd started " + quoted(unit) + " but left us in " +
                          quoted(hierarchy.own));
    return hierarchy;
}

Result<void> make_in_scope(Launch& launch, const Hierarchy& before,
                           const std::vector<Limit>& limits,
                           const std::vector<Obstacle>& obstacles) {
    // The keeper is forked now and stays where we were: the scope doesn't end with it.
    TRY(launch.keep());
    auto scope =
        enter_scope("gocontainer-" + launch.spec.name + ".scope", "container " + launch.spec.name);
    if (!scope) {
        if (scope.error().detail.contains("UnitExists"))
            return sys::wrong("the name " + quoted(launch.spec.name) +
                                  " is in use: " + scope.error().detail,
                              "choose another --name");
        return std::unexpected(
            unenforceable(limits, why_no_place(before, obstacles, std::move(scope).error())));
    }
    std::string directory = scope->directory(scope->own);
    // No internal processes: we make way, so that the scope can hand down its controllers.
    std::string launcher = sys::join(directory, "launcher");
    TRY(sys::mkdirat(AT_FDCWD, launcher, 0755));
    TRY(sys::write_file(sys::join(launcher, "cgroup.procs"), "0"));
    if (auto obstacle = enable(directory, limits))
        return std::unexpected(
            unenforceable(limits, why_no_place(*scope, {std::move(*obstacle)}, std::nullopt)));
    return make(launch, sys::join(directory, "container"));
}

// --- where --cgroup says
// ---------------------------------------------------------------------------

/// "a//b/./c/" as {"a", "b", "c"}.
Result<sys::Strings> components(const std::string& path) {
    sys::Strings out;
    std::string_view rest = path;
    while (!rest.empty()) {
        std::string name(rest.substr(0, rest.find('/')));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        if (name == "..")
            return sys::wrong("--cgroup " + quoted(path) + ": \"..\" leads out of the hierarchy",
                              "give the path below its root");
        if (!name.empty() && name != ".")
            out.push_back(std::move(name));
    }
    if (out.empty())
        return sys::wrong("--cgroup " + quoted(path) + ": the root itself can't be a leaf",
                          "name a cgroup below it, as --cgroup class/alice");
    return out;
}

std::unexpected<Error> in_use(const std::string& leaf, const char* why) {
    return sys::wrong("--cgroup: " + quoted(leaf) + " " + why,
                      "name one that is empty, or that is not there yet");
}

/// Two launchers at once would both find the leaf empty. The lock is held as long as launch.leaf;
/// after that there is a process in it.
Result<Fd> open_locked(const std::string& leaf) {
    Fd directory = TRY(sys::openat(AT_FDCWD, leaf, O_RDONLY | O_DIRECTORY));
    auto locked = sys::flock(directory.get(), LOCK_EX | LOCK_NB);
    if (!locked && locked.error().code == EWOULDBLOCK)
        return in_use(leaf, "is in use by another container");
    TRY(std::move(locked));
    return directory;
}

/// Take a leaf that is there already, if nobody else uses it.
Result<void> adopt(Launch& launch, const std::string& leaf) {
    Fd directory = TRY(open_locked(leaf));
    if (!TRY(sys::read_file(directory.get(), "cgroup.events")).contains("populated 0"))
        return in_use(leaf, "has processes in it");
    for (const sys::Entry& entry : TRY(sys::entries(directory.get())))
        if (entry.type == DT_DIR)
            return in_use(leaf, "has cgroups of its own");
    if (!TRY(sys::read_file(directory.get(), "cgroup.subtree_control")).empty())
        return in_use(leaf, "hands controllers to children, so it can't hold processes");
    TRY(check_type(directory.get(), leaf));
    TRY(note(*launch.ledger, leaf, leaf.size()));
    launch.ledger->keep_cgroup = true;
    launch.ledger->leaf_ours = true;
    launch.leaf = std::move(directory);
    return {};
}

/// The common ancestor of two directories below `root`.
std::string common_ancestor(const std::string& a, const std::string& b) {
    std::size_t end = 0;
    for (std::size_t i = 0; i <= a.size() && i <= b.size(); ++i) {
        bool a_ends = i == a.size() || a[i] == '/';
        bool b_ends = i == b.size() || b[i] == '/';
        if (a_ends && b_ends)
            end = i;
        if (i == a.size() || i == b.size() || a[i] != b[i])
            break;
    }
    return a.substr(0, end);
}

/// Walk from the root to the leaf, making what is missing. ENOENT: what we stood on was removed.
Result<void> walk_to_leaf(Launch& launch, const Hierarchy& hierarchy, const sys::Strings& names,
                          const std::vector<Limit>& limits) {
    auto no_place = [&](Obstacle obstacle) {
        if (obstacle.error.code == ENOENT)
            return std::unexpected(std::move(obstacle.error));
        return std::unexpected(
            unenforceable(limits, why_no_place(hierarchy, {std::move(obstacle)}, std::nullopt)));
    };
    std::string leaf = hierarchy.root;
    for (const std::string& name : names)
        leaf = sys::join(leaf, name);
    std::string directory = hierarchy.root;
    for (const std::string& name : names) {
        if (auto obstacle = enable(directory, limits))
            return no_place(std::move(*obstacle));
        std::string next = sys::join(directory, name);
        bool last = next.size() == leaf.size();
        if (sys::exists(next)) {
            if (last)
                return adopt(launch, next);
        } else {
            // Only the first that is missing says where ours begin, also when we walk again.
            if (launch.ledger->leaf[0] == '\0')
                TRY(note(*launch.ledger, leaf, directory.size()));
            auto made = sys::mkdirat(AT_FDCWD, next, 0755);
            int code = made ? 0 : made.error().code;
            if (code == EACCES || code == EROFS)
                return no_place(refusal(directory, std::move(made).error()));
            // Somebody else was faster: good for a directory on the way, but the leaf is theirs.
            if (code == EEXIST && last) {
                launch.ledger->leaf[0] = '\0';
                return in_use(leaf, "is in use by another container");
            }
            if (code != 0 && code != EEXIST)
                return made;
            // Before 5.7 there are no attributes: then only who has made it can remove it.
            if (code == 0 && !last)
                (void)sys::setxattr(next, kMade, "1");
        }
        directory = std::move(next);
    }
    launch.leaf = TRY(open_locked(leaf));
    launch.ledger->leaf_ours = true;
    return check_type(launch.leaf.get(), leaf);
}

Result<void> make_named(Launch& launch, const Hierarchy& hierarchy,
                        const std::vector<Limit>& limits) {
    sys::Strings names = TRY(components(launch.spec.cgroup.path));
    std::string leaf = hierarchy.root;
    for (const std::string& name : names)
        leaf = sys::join(leaf, name);
    // Being cloned into the leaf is a move there from where we are (see check_access).
    std::string ancestor =
        common_ancestor(hierarchy.directory(hierarchy.own.empty() ? "/" : hierarchy.own), leaf);
    if (auto obstacle = check_access(ancestor))
        return std::unexpected(
            unenforceable(limits, why_no_place(hierarchy, {std::move(*obstacle)}, std::nullopt)));
    TRY(launch.keep());
    // Another container that ends removes directories that were made for both, one that we have
    // just found there among them, perhaps. It can't do so for ever.
    for (int tries = 0;; ++tries) {
        auto walked = walk_to_leaf(launch, hierarchy, names, limits);
        if (walked || walked.error().code != ENOENT || tries == 99)
            return walked;
    }
}

/// The limits that the hierarchy's root has no controller for: nothing below can have it either.
Result<void> check_root(const Hierarchy& hierarchy, const std::vector<Limit>& limits) {
    if (limits.empty())
        return {};
    std::string file = sys::join(hierarchy.root, "cgroup.controllers");
    std::string controllers = TRY(sys::read_file(file));
    for (const Limit& limit : limits) {
        if (has_word(controllers, limit.controller))
            continue;
        std::vector<Limit> same = limits;
        std::erase_if(same, [&](const Limit& other) {
            return std::string_view(other.controller) != limit.controller;
        });
        return std::unexpected(unenforceable(same, why_no_controller(hierarchy, limit.controller)));
    }
    return {};
}

} // namespace

// In the parent: the host's namespaces, the caller's privileges.
Result<void> prepare(Launch& launch) {
    const spec::Cgroup& wanted = launch.spec.cgroup;
    std::vector<Limit> limits = limits_of(wanted.resources);
    Hierarchy hierarchy = TRY(find_hierarchy());
    bool asked = !limits.empty() || !wanted.path.empty();
    auto go_without = [&](const Cause& cause) {
        launch.say("cgroup: " + cause.what + ": no limits, the container stays " +
                   (hierarchy.own.empty() ? "where we are" : "in " + quoted(hierarchy.own)));
    };
    if (hierarchy.layout == Layout::none) {
        if (asked)
            return std::unexpected(unenforceable(limits, why_no_hierarchy()));
        go_without(why_no_hierarchy());
        return {};
    }
    TRY(check_root(hierarchy, limits));
    if (!wanted.path.empty()) {
        TRY(make_named(launch, hierarchy, limits));
    } else {
        std::vector<Obstacle> obstacles;
        if (!TRY(make_nearby(launch, hierarchy, limits, obstacles))) {
            if (!asked) {
                go_without(why_no_place(hierarchy, obstacles, std::nullopt));
                return {};
            }
            if (!Systemd::booted())
                return std::unexpected(
                    unenforceable(limits, why_no_place(hierarchy, obstacles, std::nullopt)));
            TRY(make_in_scope(launch, hierarchy, limits, obstacles));
        }
    }
    return write_limits(launch);
}

// In the container, as uid 0 of its user namespace: born in the leaf, which becomes "/" now.
Result<void> child(Inside&) {
    return hint(sys::unshare(CLONE_NEWCGROUP), [](const Error& error) -> std::string {
        if (error.code == EINVAL)
            return "boot a kernel with CONFIG_CGROUPS, or use --no-cgroup";
        if (error.code == ENOSPC)
            return "raise user.max_cgroup_namespaces (sysctl), or use --no-cgroup";
        std::string why = causes::powerless_root(error.code);
        return why.empty() ? "it takes CAP_SYS_ADMIN: keep the user stage, or use --no-cgroup"
                           : why;
    });
}

} // namespace stages::cgroup
