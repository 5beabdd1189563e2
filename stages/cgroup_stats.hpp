// What a container has used so far, from its leaf's files; and who was killed for memory.
#pragma once

#include "stages/stage.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace stages::cgroup {

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// Of what no controller of the leaf counts, everything is 0.
struct Stats {
    struct Cpu {
        std::uint64_t total = 0, user = 0, kernel = 0; ///< nanoseconds
        std::uint64_t periods = 0, throttled_periods = 0;
        std::uint64_t throttled = 0; ///< nanoseconds
        std::uint64_t bursts = 0;
        std::uint64_t burst = 0; ///< nanoseconds
        bool operator==(const Cpu&) const = default;
    } cpu;
    /// Bytes, or of huge pages bytes likewise.
    struct Use {
        std::uint64_t usage = 0, most = 0, limit = 0;
        std::uint64_t failures = 0; ///< how often the limit was in the way
        bool operator==(const Use&) const = default;
    };
    struct Memory {
        std::uint64_t cache = 0;
        Use memory;
        Use swap; ///< of memory and swap together
        Use kernel;
        Use sockets;
        std::map<std::string, std::uint64_t> raw; ///< memory.stat
        bool operator==(const Memory&) const = default;
    } memory;
    struct Pids {
        std::uint64_t current = 0;
        std::uint64_t limit = 0; ///< 0: none
        bool operator==(const Pids&) const = default;
    } pids;
    struct Io {
        std::uint64_t major = 0, minor = 0;
        std::uint64_t read_bytes = 0, written_bytes = 0, discarded_bytes = 0;
        std::uint64_t reads = 0, writes = 0, discards = 0;
        bool operator==(const Io&) const = default;
    };
    std::vector<Io> io;                 ///< a disk each
    std::map<std::string, Use> hugetlb; ///< by size, "2MB"
    bool operator==(const Stats&) const = default;
};

/// ENOENT when the leaf is gone.
Result<Stats> stats(const std::string& leaf);

/// What a person is told whose container ended by SIGKILL: how many of its processes the kernel has
/// killed for memory. Empty when none, and when the leaf is gone or nobody counts.
std::string killed_for_memory(const std::string& leaf);

/// Tells when the kernel has killed a process of the leaf for memory.
class OomWatch {
public:
    /// ENOENT where the leaf has no memory controller, or is gone.
    static Result<OomWatch> open(const std::string& leaf);
    /// To be polled for POLLPRI: then killed() may have news.
    int fd() const { return events_.get(); }
    /// Was one killed since the last call? ENODEV when the leaf is gone.
    Result<bool> killed();

private:
    OomWatch(Fd events, std::uint64_t kills) : events_(std::move(events)), kills_(kills) {}
    Fd events_;
    std::uint64_t kills_;
};

} // namespace stages::cgroup
