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
#include "stages/cgroup_leaf.hpp"
#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_names.hpp"
#include "stages/cgroup_unit.hpp"
#include "stages/device_filter.hpp"
#include "stages/stages.hpp"
#include "stages/systemd.hpp"
#include "sys/path.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace stages::cgroup {

Result<void> note(Ledger& ledger, const std::string& leaf, std::size_t base) {
    if (leaf.size() >= sizeof ledger.leaf)
        return sys::wrong("the cgroup's path " + quoted(leaf) + " is too long");
    ledger.leaf_ours = ledger.keep_cgroup = false;
    ledger.leaf_inode = 0;
    ledger.leaf_base = static_cast<std::uint32_t>(base);
    memcpy(ledger.leaf + 1, leaf.data() + 1, leaf.size());
    std::atomic_signal_fence(std::memory_order_release);
    ledger.leaf[0] = leaf[0];
    std::atomic_signal_fence(std::memory_order_release);
    return {};
}

Result<void> take(Launch& launch) {
    launch.ledger->leaf_inode = TRY(sys::fstat(launch.leaf.get())).st_ino;
    launch.ledger->leaf_ours = true;
    return {};
}

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

std::optional<Obstacle> enable_asked(const std::string& directory, const Asked& asked) {
    auto obstacle = enable(directory, asked.limits);
    if (!obstacle && asked.every_controller)
        enable_every(directory);
    return obstacle;
}

namespace {

Error name_in_use(const Launch& launch, const std::string& leaf, Error error) {
    error.detail = "the name " + quoted(launch.spec.name) + " is in use: " + quoted(leaf) +
                   " is there already";
    error.hint = "choose another name, or, if nothing runs in it, rmdir " + leaf;
    return error;
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
    TRY(take(launch));
    auto usable = check_type(launch.leaf.get(), leaf);
    if (!usable) {
        TRY(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
        launch.ledger->leaf[0] = '\0';
    }
    return usable;
}

// --- below us, or as little above us as possible -------------------------------------------------

/// The leaf in the nearest place; false when there is none, and then `obstacles` say why.
Result<bool> make_nearby(Launch& launch, const Hierarchy& hierarchy, const Asked& asked,
                         std::vector<Obstacle>& obstacles) {
    // Without limits nothing is enabled in the directory, so there is nothing to be taken back.
    bool systemd = !asked.limits.empty() && Systemd::booted();
    for (const std::string& directory : candidates(hierarchy)) {
        auto obstacle = check_access(directory);
        if (obstacle && obstacle->error.code == ENOENT)
            continue; // a part of the hierarchy is mounted here, and not ours
        if (!obstacle && systemd && is_managed(hierarchy, directory))
            obstacle = Obstacle{Obstacle::managed, directory, {}, {}};
        if (!obstacle)
            obstacle = enable(directory, asked.limits);
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

// --- in a scope of systemd's ---------------------------------------------------------------------

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

Result<void> make_in_scope(Launch& launch, const Hierarchy& before, const Asked& asked,
                           const std::vector<Obstacle>& obstacles) {
    // The keeper is forked now and stays where we were: the scope doesn't end with it.
    TRY(launch.keep());
    auto scope =
        enter_scope("gocontainer-" + launch.spec.name + ".scope", "container " + launch.spec.name);
    if (!scope) {
        if (scope.error().detail.contains("UnitExists"))
            return sys::wrong("the name " + quoted(launch.spec.name) +
                                  " is in use: " + scope.error().detail,
                              "choose another name");
        return std::unexpected(unenforceable(
            asked.naming, asked.limits, why_no_place(before, obstacles, std::move(scope).error())));
    }
    std::string directory = scope->directory(scope->own);
    // No internal processes: we make way, so that the scope can hand down its controllers.
    std::string launcher = sys::join(directory, "launcher");
    TRY(sys::mkdirat(AT_FDCWD, launcher, 0755));
    TRY(sys::write_file(sys::join(launcher, "cgroup.procs"), "0"));
    if (auto obstacle = enable_asked(directory, asked))
        return std::unexpected(
            unenforceable(asked.naming, asked.limits,
                          why_no_place(*scope, {std::move(*obstacle)}, std::nullopt)));
    return make(launch, sys::join(directory, "container"));
}

// --- all together --------------------------------------------------------------------------------

/// No path was given: below the root for who may write there and wants every controller, since
/// our own cgroup, with us in it, could hand down none; else wherever is nearest. False when there
/// is no place, and nothing was asked that needs one.
Result<bool> make_anywhere(Launch& launch, const Hierarchy& hierarchy, const Asked& asked,
                           std::string& why_not) {
    if (asked.every_controller && !check_access(hierarchy.root) && !Systemd::booted()) {
        TRY(make_named(launch, hierarchy, asked, "/" + launch.spec.name));
        return true;
    }
    std::vector<Obstacle> obstacles;
    if (TRY(make_nearby(launch, hierarchy, asked, obstacles)))
        return true;
    if (asked.limits.empty()) {
        causes::Cause why = why_no_place(hierarchy, obstacles, std::nullopt);
        causes::hear(why);
        why_not = std::move(why.what);
        return false;
    }
    if (!Systemd::booted())
        return std::unexpected(unenforceable(asked.naming, asked.limits,
                                             why_no_place(hierarchy, obstacles, std::nullopt)));
    TRY(make_in_scope(launch, hierarchy, asked, obstacles));
    return true;
}

/// An ordinary user can't filter devices, and a container of theirs can't make any.
bool may_go_unfiltered(spec::Refused refused) {
    return refused == spec::Refused::accepted ||
           (refused == spec::Refused::automatic && rootless());
}

void leave_out_devices(const Launch& launch, const char* why) {
    launch.say(std::string("cgroup: ") + kDevices.in(launch.spec.naming) + ": left out: " + why);
}

/// The host's id of `inside`, which the child's user namespace has mapped by now, be it new or
/// joined; nothing: it has no such id.
Result<std::optional<uid_t>> host_id(const Launch& launch, uid_t inside) {
    std::string path = "/proc/" + std::to_string(launch.child) + "/uid_map";
    std::istringstream lines(TRY(sys::read_file(path, 1 << 16)));
    for (spec::IdMap map; lines >> map.inside >> map.outside >> map.count;)
        if (inside >= map.inside && inside - map.inside < map.count)
            return map.outside + (inside - map.inside);
    return std::nullopt;
}

Result<void> give(const std::string& path, uid_t to) {
    return sys::fchownat(AT_FDCWD, path, to, static_cast<gid_t>(-1)); // the group as it is
}

/// Give a cgroup to `owner` (config-linux.md, "Cgroup ownership").
Result<void> give_away(const std::string& cgroup, uid_t owner) {
    if (TRY(sys::fstatat(AT_FDCWD, cgroup, 0)).st_uid == owner)
        return {};
    TRY(give(cgroup, owner));
    std::string files = TRY(sys::read_file("/sys/kernel/cgroup/delegate"));
    std::string_view rest = files;
    while (!rest.empty()) {
        std::string name(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        auto given = give(sys::join(cgroup, name), owner);
        if (!given && given.error().code != ENOENT) // of a controller that it doesn't have
            return given;
    }
    return {};
}

/// Below the leaf, for the container to manage: the child goes there by itself, once the leaf is
/// its root. That is a move within the leaf, and leaves the leaf without processes.
Result<void> make_payload(const Launch& launch, const std::string& leaf) {
    uid_t root = TRY(host_id(launch, 0)).value_or(0);
    std::string payload = sys::join(leaf, launch.spec.cgroup.payload);
    TRY(sys::mkdirat(AT_FDCWD, payload, 0755));
    TRY(give_away(payload, root));
    TRY(give(sys::join(leaf, "cgroup.procs"), root));
    return give(sys::join(leaf, "cgroup.subtree_control"), root);
}

/// What the leaf is given before there is a process of the container's in it.
Result<void> furnish(Launch& launch) {
    LimitFiles files(launch.leaf, launch.ledger->leaf, launch.spec.naming, launch.say,
                     Remember::nothing);
    const spec::Resources& resources = launch.spec.cgroup.resources;
    TRY(files.write(resources));
    bool may_be_bad = resources.any() || launch.ledger->keep_cgroup; // not asked of most
    return may_be_bad ? files.check_birth(resources) : Result<void>();
}

/// What the container may do in its leaf itself. The child is there: it knows its own ids.
Result<void> hand_over(Launch& launch) {
    const spec::Cgroup& wanted = launch.spec.cgroup;
    if (launch.ledger->leaf[0] == '\0')
        return {};
    if (wanted.delegate) {
        uid_t runs = launch.spec.process.ids ? launch.spec.process.ids->uid : 0;
        if (auto owner = TRY(host_id(launch, runs)))
            TRY(give_away(launch.ledger->leaf, *owner));
    }
    return wanted.payload.empty() ? Result<void>() : make_payload(launch, launch.ledger->leaf);
}

bool has_devices_to_filter(const Launch& launch) {
    return launch.leaf.valid() && !launch.spec.cgroup.resources.devices.empty();
}

} // namespace

// In the parent: the host's namespaces, the caller's privileges.
Result<void> prepare(Launch& launch) {
    const spec::Cgroup& wanted = launch.spec.cgroup;
    Asked asked{launch.spec.naming, limits_of(wanted.resources, launch.spec.naming),
                wanted.every_controller};
    if (wanted.manager == spec::CgroupManager::disabled) {
        if (asked.limits.empty()) {
            // Engines always send some; who wants no cgroup wants none of what one is needed for.
            if (!wanted.resources.devices.empty())
                leave_out_devices(launch, "there is no cgroup to filter devices for");
            return {};
        }
        return std::unexpected(unenforceable(
            asked.naming, asked.limits,
            {.name = {}, .what = "cgroups are switched off", .fix = "leave out the limits"}));
    }
    Hierarchy hierarchy = TRY(find_hierarchy());
    auto go_without = [&](const std::string& why) -> Result<void> {
        if (wanted.refused == spec::Refused::an_error)
            return sys::wrong(why, "--rootless=false takes a cgroup: leave it out, to do without");
        if (!wanted.resources.devices.empty() && !may_go_unfiltered(wanted.refused))
            return sys::wrong(kDevices.in(asked.naming) + std::string(": can't be enforced: ") +
                              why);
        launch.say("cgroup: " + why + ": no limits, the container stays " +
                   (hierarchy.own.empty() ? "where we are" : "in " + quoted(hierarchy.own)));
        return {};
    };
    if (hierarchy.layout == Layout::none) {
        if (!asked.limits.empty() || !wanted.path.empty())
            return std::unexpected(unenforceable(asked.naming, asked.limits, why_no_hierarchy()));
        causes::Cause why = why_no_hierarchy();
        causes::hear(why);
        return go_without(why.what);
    }
    asked.limits = TRY(needed(hierarchy, std::move(asked.limits)));
    TRY(check_root(hierarchy, asked.limits, asked.naming));
    if (wanted.manager == spec::CgroupManager::systemd)
        return check_unit(launch); // the rest is for when there is a child to put into it
    std::string why_not;
    if (!wanted.path.empty()) {
        TRY(make_named(launch, hierarchy, asked, wanted.path));
    } else if (!TRY(make_anywhere(launch, hierarchy, asked, why_not))) {
        return go_without(why_not);
    }
    return furnish(launch);
}

// In the parent, the child blocked: systemd takes processes that are there. The child runs nothing
// of the container's before this is done.
Result<void> parent(Launch& launch) {
    if (launch.spec.cgroup.manager == spec::CgroupManager::systemd) {
        Hierarchy hierarchy = TRY(find_hierarchy());
        TRY(start_unit(launch, hierarchy));
        TRY(furnish(launch));
    }
    launch.facts.awaits = has_devices_to_filter(launch);
    return hand_over(launch);
}

// In the parent, the child at work in its leaf. The kernel checks a filter before it takes it,
// which is a good part of a launch.
Result<void> meanwhile(Launch& launch) {
    const auto& devices = launch.spec.cgroup.resources.devices;
    if (has_devices_to_filter(launch) &&
        !TRY(filter_devices(launch.leaf, devices, launch.spec.naming,
                            may_go_unfiltered(launch.spec.cgroup.refused))))
        leave_out_devices(launch, "only root can filter devices, and only root's containers can "
                                  "make any");
    return {};
}

namespace {

Result<void> unshare() {
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

} // namespace

// In the container, as uid 0 of its user namespace: born in the leaf, which becomes "/" now. The
// host's mounts are still around us.
Result<void> child(Inside& inside) {
    const spec::Cgroup& wanted = inside.spec.cgroup;
    bool moves = !wanted.payload.empty() && wanted.manager != spec::CgroupManager::disabled;
    std::string leaf;
    if (moves) {
        Hierarchy hierarchy = TRY(find_hierarchy());
        leaf = hierarchy.directory(hierarchy.own);
    }
    if (wanted.own_namespace)
        TRY(unshare());
    if (moves) {
        TRY(sys::write_file(sys::join(sys::join(leaf, wanted.payload), "cgroup.procs"), "0"));
        enable_every(leaf);
    }
    return {};
}

} // namespace stages::cgroup
