// `features`: what this build can do, for engines that ask before they try (features.md of the
// runtime specification). It says nothing of the machine.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace oci {

/// `version` is our own, "0.3.0".
nlohmann::json features(const std::string& version);

} // namespace oci
