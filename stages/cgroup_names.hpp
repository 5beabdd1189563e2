// What each limit is called, by who writes options and by who writes config.json.
#pragma once

#include "spec/quoted.hpp"
#include "spec/spec.hpp"

#include <string>

namespace stages::cgroup {

using spec::quoted;

struct Name {
    const char* option;
    const char* property;
    const char* in(spec::Naming naming) const {
        return naming == spec::Naming::options ? option : property;
    }
};

inline constexpr Name kPath{"--cgroup", "linux.cgroupsPath"};
inline constexpr Name kMemory{"--memory", "linux.resources.memory.limit"};
inline constexpr Name kMemorySwap{"--memory-swap", "linux.resources.memory.swap"};
inline constexpr Name kReservation{"--memory-reservation", "linux.resources.memory.reservation"};
inline constexpr Name kCpuQuota{"--cpus", "linux.resources.cpu.quota"};
inline constexpr Name kCpuPeriod{"--cpu-period", "linux.resources.cpu.period"};
inline constexpr Name kCpuBurst{"--cpu-burst", "linux.resources.cpu.burst"};
inline constexpr Name kCpuIdle{"--cpu-idle", "linux.resources.cpu.idle"};
inline constexpr Name kCpuWeight{"--cpu-weight", "linux.resources.cpu.shares"};
inline constexpr Name kCpuset{"--cpuset", "linux.resources.cpu.cpus"};
inline constexpr Name kCpusetMems{"--cpuset-mems", "linux.resources.cpu.mems"};
inline constexpr Name kPids{"--pids", "linux.resources.pids.limit"};
inline constexpr Name kIoWeight{"--io-weight", "linux.resources.blockIO.weight"};
inline constexpr Name kIoWeights{"--io-weight-device", "linux.resources.blockIO.weightDevice"};
inline constexpr Name kIoMax{"--io-max", "linux.resources.blockIO.throttle"};
inline constexpr Name kHugetlb{"--hugetlb", "linux.resources.hugepageLimits"};
inline constexpr Name kRdma{"--rdma", "linux.resources.rdma"};
inline constexpr Name kUnified{"--unified", "linux.resources.unified"};
inline constexpr Name kDevices{"--device-cgroup-rule", "linux.resources.devices"};

} // namespace stages::cgroup
