// Files that callers hand in: JSON documents.
#pragma once

#include "sys/result.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace oci {

/// `text` as JSON, of a depth that can be walked; an error says at which line it isn't, and begins
/// with `name`.
sys::Result<nlohmann::json> parse_json(const std::string& text, const std::string& name);
/// The whole of a file, or with "-" of standard input.
sys::Result<std::string> read_text(const std::string& path);

} // namespace oci
