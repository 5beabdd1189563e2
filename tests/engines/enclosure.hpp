// Where engines run: apart from the machine, as far as who runs the tests can have that.
//
// Root's are in a mount and a network namespace of the suite's own, with a /run and whatever else
// engines can't be told to keep elsewhere; nothing of it outlives the suite. An ordinary user's
// Podman makes namespaces by itself.
#pragma once

#include "tests/support/host.hpp"
#include "tests/support/process.hpp"

#include <memory>
#include <optional>

namespace engines {

using namespace support;

class Enclosure {
public:
    Enclosure();
    ~Enclosure();
    Enclosure(const Enclosure&) = delete;
    Enclosure& operator=(const Enclosure&) = delete;

    const Scratch& folder() const { return folder_; }
    /// The program, in there.
    Command inside(Strings argv, Strings env = {}) const;
    /// The busybox root filesystem, as an archive.
    const std::string& layer() const { return layer_; }
    /// Whoever runs with `folder()` in his command line, or a container's command in it.
    std::string left() const;

private:
    Scratch folder_;
    std::string layer_;
    std::unique_ptr<Process> holder_;
};

/// "" or the reason: a program that is not installed.
std::string missing(const Strings& programs);
/// Of the PATH that inside() has; "" when it is not there.
std::string find_program(const std::string& name);

/// Does this machine have `controller` in a cgroup v2 that is not v1's beside?
bool has_controller(const std::string& controller);
/// Where the container network plugins are.
std::optional<std::string> network_plugins();
/// Are cgroups systemd's to make, for root's engines?
bool systemd_runs();
/// May we give a process more open files than we may have ourselves? Engines expect that of root.
bool may_raise_limits();

} // namespace engines
