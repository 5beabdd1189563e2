// Root to whom /etc/subuid gives ids: its containers run as one of those, so that their processes
// and files are not root's, as the lessons say and the exercises take them to be.
#pragma once

#include "sys/result.hpp"

namespace teach {

/// Are we such a root?
bool root_has_range();
/// From here on, for us and what we start, we are not: a mount namespace of our own has an empty
/// /etc/subuid.
sys::Result<void> hide_root_range();

} // namespace teach
