// The bundles that all runtimes are given.
#pragma once

#include "launch.hpp"

#include <nlohmann/json.hpp>

namespace bench {

/// What `gocontainer spec` writes, or crun where we are left out.
Result<nlohmann::json> spec_config(const Argv& spec, const std::string& folder);

/// What Docker writes for `docker run`, with its seccomp profile, without what is of its daemon:
/// the hook that moves a network device, and zeros that stand for "not set", which crun takes for
/// limits. `folder` gets the files that it binds into /etc.
Result<nlohmann::json> docker_config(const std::string& captured, const std::string& folder);

/// A bundle in `folder`: `config` for `rootfs`, `args` and a cgroup.
Result<void> write_bundle(nlohmann::json config, const std::string& folder,
                          const std::string& rootfs, const Argv& args, const std::string& cgroup);

} // namespace bench
