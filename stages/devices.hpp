// What stands in /dev: nodes, links and the console, made by name in a directory that is held.
#pragma once

#include "stages/stage.hpp"

#include <span>

namespace stages {

struct UsualNode {
    const char* name;
    unsigned major, minor;
};
struct DevLink {
    const char* name;
    const char* to;
};
/// What every program may count on (config-linux.md, "Default Devices").
std::span<const UsualNode> usual_nodes();
std::span<const DevLink> usual_links();

/// The host's device at `path`, bound to a new `name` in `dev`: mknod of one needs real root.
Result<void> bind_node(const Fd& dev, const std::string& name, const std::string& path);

/// A terminal of the container's own: the master goes to the parent, the slave is /dev/console.
/// The master comes out of the container's devpts, which is checked to be one.
Result<void> make_console(Inside& inside, const Fd& dev);

/// A bundle's /dev, mounted by now or the image's own directory: the usual nodes and links, what
/// linux.devices wants, the console.
Result<void> fill_dev(Inside& inside);

} // namespace stages
