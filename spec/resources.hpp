// Resources: what a container may use, in cgroup v2's units and terms.
//
// Documentation/admin-guide/cgroup-v2.rst says what each file means. Optional means "not asked
// for".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spec {

/// A rate of IoMax: lift what limit there is.
inline constexpr std::uint64_t kNoRate = UINT64_MAX;

/// One device's io.max line: zero means not asked for.
struct IoMax {
    std::string device; ///< a path, or MAJ:MIN
    std::uint64_t rbps = 0, wbps = 0, riops = 0, wiops = 0;
    /// Does it only lift limits?
    bool lifts() const {
        auto limits = [](std::uint64_t rate) { return rate != 0 && rate != kNoRate; };
        return !limits(rbps) && !limits(wbps) && !limits(riops) && !limits(wiops);
    }
    bool operator==(const IoMax&) const = default;
};

/// One device's line of io.weight (io.bfq.weight where that is what there is).
struct IoWeight {
    std::string device;           ///< MAJ:MIN
    std::uint64_t weight = 0;     ///< 1 to 10000
    std::uint64_t bfq_weight = 0; ///< 1 to 1000, for io.bfq.weight; 0: `weight`
    bool operator==(const IoWeight&) const = default;
};

/// hugetlb.SIZE.max and hugetlb.SIZE.rsvd.max.
struct HugetlbLimit {
    std::string page_size;   ///< "2MB"
    std::uint64_t limit = 0; ///< bytes
    bool operator==(const HugetlbLimit&) const = default;
};

/// A line of rdma.max.
struct RdmaLimit {
    std::string device;
    std::optional<std::uint32_t> handles; ///< hca_handle
    std::optional<std::uint32_t> objects; ///< hca_object
    bool operator==(const RdmaLimit&) const = default;
};

/// A rule of the device filter (config-linux.md, "Allowed Device list"); the last that matches
/// wins.
struct DeviceRule {
    bool allow = false;
    char type = 'a';                   ///< a, b or c
    std::optional<std::int64_t> major; ///< unset: any
    std::optional<std::int64_t> minor;
    std::string access = "rwm";
    bool operator==(const DeviceRule&) const = default;
};

struct Resources {
    std::optional<std::int64_t> memory;             ///< bytes, -1 for no limit
    std::optional<std::int64_t> memory_swap;        ///< bytes of memory and swap; -1 for no limit
    std::optional<std::int64_t> memory_reservation; ///< memory.low, bytes; -1 for all
    bool check_before_update = false;               ///< refuse a memory limit below what is in use
    std::optional<std::int64_t> cpu_quota;          ///< microseconds a period; -1 for no limit
    std::optional<std::uint64_t> cpu_period;        ///< microseconds
    std::optional<std::uint64_t> cpu_burst;         ///< microseconds
    std::optional<std::int64_t> cpu_idle;           ///< 0 or 1
    std::optional<std::uint64_t> cpu_weight;        ///< 1 to 10000
    std::string cpuset;                             ///< "0-3,7"
    std::string cpuset_mems;                        ///< likewise
    std::optional<std::int64_t> pids;               ///< -1 for no limit
    std::optional<std::uint64_t> io_weight;         ///< 1 to 10000
    std::optional<std::uint64_t> io_bfq_weight;     ///< 1 to 1000, for bfq; unset: io_weight
    std::vector<IoWeight> io_weights;
    std::vector<IoMax> io_max;
    std::vector<HugetlbLimit> hugetlb;
    std::vector<RdmaLimit> rdma;
    std::vector<std::pair<std::string, std::string>> unified; ///< file and what to write
    /// Not a limit: who may use which device. Empty: all, as without a filter.
    std::vector<DeviceRule> devices;
    /// Is there a limit that takes a controller?
    bool any() const {
        Resources limits = *this;
        limits.devices.clear();
        limits.check_before_update = false;
        return limits != Resources{};
    }
    bool operator==(const Resources&) const = default;
};

} // namespace spec
