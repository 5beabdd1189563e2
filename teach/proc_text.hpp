// The texts of /proc/PID, taken apart (proc(5)). No system calls; what is malformed is left out.
#pragma once

#include "teach/snapshot.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace teach {

void each_line(std::string_view text, const std::function<void(std::string_view)>& visit);
/// Split at blanks.
std::vector<std::string_view> words(std::string_view line);

/// A whole number, with nothing else.
std::optional<std::int32_t> parse_number(std::string_view text);

/// mountinfo. Its escapes (\040 for a blank) are undone.
std::vector<Mount> parse_mountinfo(std::string_view text);
/// uid_map, gid_map.
std::vector<IdRange> parse_id_map(std::string_view text);
/// cgroup.
std::vector<Cgroup> parse_cgroups(std::string_view text);
/// limits.
std::vector<Limit> parse_limits(std::string_view text);
/// timens_offsets.
std::vector<TimeOffset> parse_time_offsets(std::string_view text);
/// cmdline: arguments, each closed by a zero.
Strings parse_command(std::string_view text);
/// status: what a Snapshot has of it.
void parse_status(std::string_view text, Snapshot& into);
/// "4026531836" of "mnt:[4026531836]"; 0 for anything else.
std::uint64_t parse_namespace(std::string_view link);

} // namespace teach
