// A leaf at a place that was named: found there or made, with the directories on the way.
#include "stages/cgroup_causes.hpp"
#include "stages/cgroup_leaf.hpp"
#include "stages/cgroup_names.hpp"
#include "sys/path.hpp"

#include <sys/file.h>

#include <cerrno>

namespace stages::cgroup {

namespace {

/// "a//b/./c/" as {"a", "b", "c"}.
Result<sys::Strings> components(const std::string& name_of_path, const std::string& path) {
    sys::Strings out;
    std::string_view rest = path;
    while (!rest.empty()) {
        std::string name(rest.substr(0, rest.find('/')));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        if (name == "..")
            return sys::wrong(name_of_path + " " + quoted(path) +
                                  ": \"..\" leads out of the hierarchy",
                              "give the path below its root");
        if (!name.empty() && name != ".")
            out.push_back(std::move(name));
    }
    if (out.empty())
        return sys::wrong(name_of_path + " " + quoted(path) + ": the root itself can't be a leaf",
                          "name a cgroup below it, as /class/alice");
    return out;
}

std::unexpected<Error> in_use(const Launch& launch, const std::string& leaf, const char* why,
                              const char* hint = "name one that is empty, or that is not there "
                                                 "yet") {
    return sys::wrong(kPath.in(launch.spec.naming) + std::string(": ") + quoted(leaf) + " " + why,
                      hint);
}

/// Its `delete` ends what is in its leaf: nobody else's processes may be there before that.
void mark(const Launch& launch, const std::string& leaf) {
    if (launch.recorded) // before 5.7 there are no attributes
        (void)sys::setxattr(leaf, kTaken, "1");
}

/// Two launchers at once would both find the leaf empty, at the start of another's container or
/// at its end. The lock is held as long as launch.leaf: until the other has taken the leaf away.
Result<Fd> open_locked(const Launch& launch, const std::string& leaf) {
    Fd directory = TRY(sys::openat(AT_FDCWD, leaf, O_RDONLY | O_DIRECTORY));
    auto locked = sys::flock(directory.get(), LOCK_EX | LOCK_NB);
    if (!locked && locked.error().code == EWOULDBLOCK)
        return in_use(launch, leaf, "is in use by another container");
    TRY(std::move(locked));
    return directory;
}

/// Take a leaf that is there already, if nobody else uses it.
Result<void> adopt(Launch& launch, const std::string& leaf) {
    Fd directory = TRY(open_locked(launch, leaf));
    std::string events = TRY(sys::read_file(directory.get(), "cgroup.events"));
    if (!events.contains("populated 0"))
        return in_use(launch, leaf, "has processes in it");
    if (events.contains("frozen 1")) // the child would never come as far as its first step
        return in_use(launch, leaf, "is frozen");
    for (const sys::Entry& entry : TRY(sys::entries(directory.get())))
        if (entry.type == DT_DIR)
            return in_use(launch, leaf, "has cgroups of its own");
    if (!TRY(sys::read_file(directory.get(), "cgroup.subtree_control")).empty())
        return in_use(launch, leaf, "hands controllers to children, so it can't hold processes");
    TRY(check_type(directory.get(), leaf));
    if (sys::getxattr(leaf, kTaken))
        return in_use(launch, leaf, "is that of another container, which has ended",
                      "delete that one first, or name another cgroup");
    TRY(note(*launch.ledger, leaf, leaf.size()));
    launch.ledger->keep_cgroup = true;
    launch.leaf = std::move(directory);
    mark(launch, leaf);
    return take(launch);
}

/// Walk from the root to the leaf, making what is missing. ENOENT: what we stood on was removed.
Result<void> walk_to_leaf(Launch& launch, const Hierarchy& hierarchy, const sys::Strings& names,
                          const Asked& asked) {
    auto no_place = [&](Obstacle obstacle) {
        if (obstacle.error.code == ENOENT)
            return std::unexpected(std::move(obstacle.error));
        return std::unexpected(
            unenforceable(asked.naming, asked.limits,
                          why_no_place(hierarchy, {std::move(obstacle)}, std::nullopt)));
    };
    std::string leaf = hierarchy.root;
    for (const std::string& name : names)
        leaf = sys::join(leaf, name);
    std::string directory = hierarchy.root;
    for (const std::string& name : names) {
        if (auto obstacle = enable_asked(directory, asked))
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
                return in_use(launch, leaf, "is in use by another container");
            }
            if (code != 0 && code != EEXIST)
                return made;
            // Before 5.7 there are no attributes: then only who has made it can remove it.
            if (code == 0 && !last)
                (void)sys::setxattr(next, kMade, "1");
        }
        directory = std::move(next);
    }
    launch.leaf = TRY(open_locked(launch, leaf));
    mark(launch, leaf);
    TRY(take(launch));
    return check_type(launch.leaf.get(), leaf);
}

} // namespace

Result<void> make_named(Launch& launch, const Hierarchy& hierarchy, const Asked& asked,
                        const std::string& path) {
    // Our own cgroup has processes, us; beside it there may be controllers to be had.
    std::string full = path;
    if (!path.starts_with('/') && hierarchy.own.size() > 1)
        full = sys::join(hierarchy.own.substr(0, hierarchy.own.rfind('/') + 1), path);
    sys::Strings names = TRY(components(kPath.in(asked.naming), full));
    std::string leaf = hierarchy.root;
    for (const std::string& name : names)
        leaf = sys::join(leaf, name);
    // Being cloned into the leaf is a move there from where we are (see check_access).
    std::string ancestor =
        common_ancestor(hierarchy.directory(hierarchy.own.empty() ? "/" : hierarchy.own), leaf);
    if (auto obstacle = check_access(ancestor))
        return std::unexpected(
            unenforceable(asked.naming, asked.limits,
                          why_no_place(hierarchy, {std::move(*obstacle)}, std::nullopt)));
    TRY(launch.keep());
    // Another container that ends removes directories that were made for both, one that we have
    // just found there among them, perhaps. It can't do so for ever.
    for (int tries = 0;; ++tries) {
        auto walked = walk_to_leaf(launch, hierarchy, names, asked);
        if (walked || walked.error().code != ENOENT || tries == 99)
            return walked;
    }
}

} // namespace stages::cgroup
