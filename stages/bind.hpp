// A bind mount, up to where it only has to be put somewhere.
#pragma once

#include "stages/mounting.hpp"

namespace stages {

/// What `wanted` says beside where and what: attributes, ids, propagation. `owner` is the user
/// namespace whose map an idmapped mount without one of its own takes; invalid: our own.
Result<void> finish_mount(const Fd& tree, const spec::Mount& wanted, const Fd& owner);

/// A copy of `wanted.source`, finished. Of a link that is not to be followed: the link, O_PATH.
Result<Fd> make_bind(const spec::Mount& wanted, const Fd& owner);

/// A user namespace that has these maps and nobody in it.
Result<Fd> namespace_with(const std::vector<spec::IdMap>& uids,
                          const std::vector<spec::IdMap>& gids);

} // namespace stages
