// One spec::Mount after another, as they were asked for: volumes, and the mounts of config.json.
#pragma once

#include "stages/mounting.hpp"

namespace stages::mount {

/// What must be made while the host's mounts are as the caller has them, so that a bind can remain
/// their peer or slave: into inside.trees.
Result<void> make_propagating(Inside& inside);

/// Mount the one with this index below inside.rootfs.
Result<void> mount_one(Inside& inside, std::size_t index);

/// Why a mount point can't be made, and what to do.
std::string no_mount_point(const Inside& inside, const std::string& destination, int code);

/// Of a Spec's mounts, those that the parent makes since only it can.
std::vector<std::uint32_t> parents_part(const spec::Spec& spec);
/// Make them, for the child whose user namespace is `owner`.
Result<std::vector<Fd>> make_for_child(const spec::Spec& spec,
                                       const std::vector<std::uint32_t>& which, const Fd& owner);

} // namespace stages::mount
