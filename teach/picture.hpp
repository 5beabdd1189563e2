// One picture of a process in its namespaces, beside the host's: SVG that needs nothing else.
//
//     the process's          the host's
//   ┌ user ─────────────┐   ┌──────────┐
//   │ uid 0 ──────────────► │ uid 1000 │     an id map is an arrow
//   │ ┌ uts ──────────┐ │   │          │     what the user namespace owns lies in it
//   │ │ box           │ │   │ vm       │
//   │ └───────────────┘ │   │          │
//   └───────────────────┘   │          │
//     time ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄► │          │     what is shared reaches over
//
// and below, its cgroup with its limits as bars, its capabilities as a grid, its restrictions.
// It is drawn 640 units wide in letters of at least 20, to be read on a phone.
#pragma once

#include "teach/snapshot.hpp"

#include <string>

namespace teach {

/// The element <svg>, without a style: for a page that has picture_style(). `host`: what is known
/// of the host, or nullptr. What is not as in `before`, if that is given, is marked.
std::string picture(const Snapshot& of, const Snapshot* host, const Snapshot* before = nullptr);
/// Rules for light and dark.
std::string picture_style();
/// A file of its own.
std::string picture_file(const Snapshot& of, const Snapshot* host);

} // namespace teach
