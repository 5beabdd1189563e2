// A bundle and the options of create or run, as the Spec that they make together.
#pragma once

#include "oci/config.hpp"
#include "oci/lifecycle.hpp"
#include "stages/seccomp_cache.hpp"

#include <optional>
#include <string>
#include <vector>

namespace oci {

Result<std::string> absolute(const std::string& path);

/// A bundle, read and understood.
struct Loaded {
    Config config;
    std::string bundle;                            ///< absolute
    std::string text;                              ///< of config.json
    std::optional<stages::seccomp::Cached> filter; ///< of linux.seccomp, which was not read then
};

/// Where the filters of containers in `global`'s root are kept.
stages::FilterCache filter_cache(const Global& global);

/// `detached`: nobody of ours stays with it.
Result<Loaded> load(const Global& global, const CreateOptions& options, const std::string& bundle,
                    const std::string& id, bool detached);

/// The descriptors that --preserve-fds and socket activation (sd_listen_fds(3)) hand down: how many
/// from 3 on, all of them open. Adds what the container must know of it to `env`.
Result<unsigned> preserved_fds(unsigned asked, std::vector<std::string>& env);
/// Without what tells of those descriptors: the first process has them, and nobody else.
void withdraw_activation(std::vector<std::string>& env);

} // namespace oci
