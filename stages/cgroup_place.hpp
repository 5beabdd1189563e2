// Where a leaf can be: the cgroup v2 hierarchy as it is mounted here, and what stands in the way.
#pragma once

#include "stages/stage.hpp"

#include <optional>
#include <string>
#include <vector>

namespace stages::cgroup {

enum class Layout : std::uint8_t {
    pure,   ///< /sys/fs/cgroup is cgroup v2
    hybrid, ///< v1 hierarchies, and v2 beside them in /sys/fs/cgroup/unified
    none,   ///< v1 only, or nothing
};

struct Hierarchy {
    Layout layout = Layout::none;
    std::string root; ///< where v2 is mounted
    std::string own; ///< our cgroup below it: "/", "/user.slice/…"; empty: not to be seen from here

    /// The directory of a cgroup: "/sys/fs/cgroup/a" for "/a".
    std::string directory(const std::string& cgroup) const;
};
Result<Hierarchy> find_hierarchy();

/// The cgroup of `pid`, as Hierarchy's `own` is ours.
Result<std::string> cgroup_of(pid_t pid);

/// Are we somebody else than the machine's root: an ordinary user, or root of a user namespace?
bool rootless();

/// One limit that was asked for, as who asked calls it, and the controller that enforces it.
struct Limit {
    std::string name;
    std::string controller;
    bool usual = false; ///< the value that every cgroup has anyway
};
std::vector<Limit> limits_of(const spec::Resources& wanted, spec::Naming naming);

/// Those that take a controller: not the usual ones whose controller this machine does not have in
/// v2. containerd asks for 1024 CPU shares, and Docker for no limit of processes, when nobody did.
Result<std::vector<Limit>> needed(const Hierarchy& hierarchy, std::vector<Limit> limits);

/// Is `word` one of those of `text`, as in cgroup.controllers?
bool has_word(std::string_view text, std::string_view word);

/// Why no child of `directory` can be the leaf.
struct Obstacle {
    enum Kind : std::uint8_t {
        read_only,    ///< cgroupfs is mounted so
        not_writable, ///< not ours
        managed,      ///< ours, but systemd's own business: it takes controllers back when it likes
        no_controller, ///< `controller` was not handed down to it
        has_processes, ///< and so can't enable `controller` for children
        refused,       ///< by the kernel, for another reason: `error`
    };
    Kind kind;
    std::string directory;
    std::string controller;
    Error error;
};

/// The obstacle that a failed call in `directory` means.
Obstacle refusal(std::string directory, Error error, std::string controller = {});

/// May the container be cloned into a child of `directory`? That is a move there from where we
/// are, and takes write permission on cgroup.procs of the nearest common ancestor: `directory`
/// itself, when it is ours or one above it.
std::optional<Obstacle> check_access(const std::string& directory);

/// The innermost directory that both are in, or are.
std::string common_ancestor(const std::string& a, const std::string& b);

/// Let `directory`'s children have the controllers that `limits` need.
///
/// They stay enabled: who else relies on them by now can't be known.
std::optional<Obstacle> enable(const std::string& directory, const std::vector<Limit>& limits);

/// Let them have whatever else there is to be had, too: nobody has asked for it yet.
void enable_every(const std::string& directory);

/// Marks a directory that --cgroup made on the way to its leaf (an extended attribute). Containers
/// share these, so whichever of them goes last removes it; nobody removes what a person has made.
inline constexpr const char* kMade = "user.gocontainer.made";

/// Marks the leaf of a container that is recorded: it stays that one's until its `delete`.
inline constexpr const char* kTaken = "user.gocontainer.taken";

/// Our own cgroup, its parent, … up to the root, as directories.
std::vector<std::string> candidates(const Hierarchy& hierarchy);

/// Under systemd: not within a unit that can have been delegated to us.
bool is_managed(const Hierarchy& hierarchy, const std::string& directory);

} // namespace stages::cgroup
