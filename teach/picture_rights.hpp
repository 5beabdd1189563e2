// The lower half of a picture: what the process may use, and what it may do.
#pragma once

#include "teach/drawing.hpp"
#include "teach/snapshot.hpp"

namespace teach {

// Each draws from `y` on, and says where it ends. What is not as in `before` is marked, unless that
// is nullptr.
int draw_cgroup(Drawing& draw, const Snapshot& of, int y);
int draw_capabilities(Drawing& draw, const Snapshot& of, const Snapshot* before, int y);
int draw_restrictions(Drawing& draw, const Snapshot& of, const Snapshot* before, int y);

} // namespace teach
