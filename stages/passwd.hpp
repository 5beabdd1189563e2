// Who `-u` means: names from the passwd and group files of the root that is in place now.
#pragma once

#include "sys/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stages {

struct Identity {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups; ///< supplementary, from the group file
    std::string home = "/";
};

/// `user` is UID, NAME, UID:GID, NAME:GROUP …; empty stands for uid 0.
///
/// All digits is a number, never a name: an image may have a user called "1000" with uid 0
/// (CVE-2016-3697). Numbers are whole, below 2^32-1, without a sign (CVE-2026-30892).
sys::Result<Identity> identify(const std::string& user);

/// Home directory of `uid` in the passwd file, "/" when it stands in none.
std::string home_of(std::uint32_t uid);
/// The name of `uid`; on the host, before the root is another.
std::optional<std::string> user_name(std::uint32_t uid);

/// A line of subuid(5) or subgid(5): NAME:FIRST:COUNT, the name may be a number.
struct SubordinateRange {
    std::string who;
    std::uint32_t first = 0;
    std::uint32_t count = 0; ///< not 0
};
/// Those of `path`, /etc/subuid or /etc/subgid; lines that are none are left out.
std::vector<SubordinateRange> subordinate_ranges(const char* path);

} // namespace stages
