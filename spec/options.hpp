// How option values are written: text to the parts of a Spec. Pure; errors name the value and say
// what would be right. Shared by every front end that takes flags.
#pragma once

#include "spec/spec.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace spec {

template <class T>
using Parsed = std::expected<T, std::string>;

/// CONTAINER:HOST:COUNT, as in /proc/PID/uid_map.
Parsed<IdMap> parse_map(std::string_view text);
/// SRC:DST[:OPTION,…]: ro rw suid nosuid dev nodev exec noexec bind rbind and a propagation.
/// SRC may be relative; "C:\…" is nobody's path here.
Parsed<Mount> parse_volume(std::string_view text);
/// DST[:OPTION,…]: as above, and tmpfs's own (size=64m, mode=0700, nr_inodes=…).
Parsed<Mount> parse_tmpfs(std::string_view text);
/// "net_admin", "CAP_NET_ADMIN" or "all", to the lower-case names that are meant.
Parsed<std::vector<std::string>> parse_capability(std::string_view text);
/// NAME=SOFT[:HARD]; "unlimited" and -1 are no limit.
Parsed<Rlimit> parse_ulimit(std::string_view text);
/// Whole seconds, negative too.
Parsed<std::int64_t> parse_seconds(std::string_view text);
/// NAME=VALUE, or NAME for the caller's own value.
Parsed<std::string> parse_env(std::string_view text);
/// A host name or container name: letters, digits, "-", "." and "_", not first "-" or ".".
Parsed<std::string> parse_name(std::string_view text);

template <class T>
Parsed<T> parse_number(std::string_view text);
extern template Parsed<std::uint32_t> parse_number(std::string_view);
extern template Parsed<std::uint64_t> parse_number(std::string_view);
extern template Parsed<std::int64_t> parse_number(std::string_view);

/// Every capability name that capabilities(7) lists, in their numbers' order.
std::vector<std::string> all_capabilities();

} // namespace spec
