// The values of --memory, --cpus, --cpu-weight, --cpuset, --pids, --io-weight and --io-max.
//
// Pure: text in, a value in cgroup v2's units out, or a text that names what was given and says
// what would be right. What this host can enforce, the cgroup stage finds out.
#pragma once

#include "spec/spec.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace spec {

template <class T>
using Parsed = std::expected<T, std::string>;

/// Bytes: "100M", "1.5g", "64kib" (powers of 1024); -1 for "-1" and "max".
Parsed<std::int64_t> parse_size(std::string_view text);

/// Microseconds of CPU time in each period of 100 ms: 10000 for "0.1"; -1 for "-1" and "max".
Parsed<std::int64_t> parse_cpus(std::string_view text);

/// 1 to 10000, of --cpu-weight and --io-weight.
Parsed<std::uint64_t> parse_weight(std::string_view text);

/// Checks the form "0-3,7" (cpuset(7), "List format") and gives it back.
Parsed<std::string> parse_cpuset(std::string_view text);

/// 1 to the kernel's PID_MAX_LIMIT; -1 for "-1" and "max".
Parsed<std::int64_t> parse_pids(std::string_view text);

/// "DEV:rbps=1M,wiops=10", DEV a path or MAJ:MIN.
Parsed<IoMax> parse_io_max(std::string_view text);

} // namespace spec
