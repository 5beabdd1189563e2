// linux.resources: config-linux.md, "Control groups", in cgroup v2's units.
//
// The specification speaks of cgroup v1: what has a counterpart in v2 is converted as runc and
// crun do it, zero is "not asked for" where v1 couldn't have meant it, and what v2 doesn't have is
// an error when it is asked for.
#include "oci/config_parts.hpp"

#include <algorithm>
#include <cmath>

namespace oci {

namespace {

constexpr const char* kNotInV2 = "cgroup v2 has nothing like it";

/// A limit of which 0 is none at all, and -1 no limit.
void read_limit(Node at, std::optional<std::int64_t>& out) {
    if (std::int64_t value = 0; at.into(value, -1) && value != 0)
        out = value;
}

void refuse_unless_zero(Node at) {
    if (std::int64_t value = 0; at.into(value) && value != 0)
        at.fail(kNotInV2);
}

void read_memory(Node at, spec::Resources& out) {
    if (!at.object())
        return;
    read_limit(at["limit"], out.memory);
    read_limit(at["reservation"], out.memory_reservation);
    read_limit(at["swap"], out.memory_swap);
    // As runc: without a limit of memory, v1 had none of swap either.
    if (out.memory == -1 && !out.memory_swap)
        out.memory_swap = -1;
    if (out.memory && out.memory_swap.value_or(-1) >= 0 &&
        (*out.memory < 0 || *out.memory_swap < *out.memory))
        at["swap"].fail("is the sum of memory and swap, so it can't be less than the limit");
    at["checkBeforeUpdate"].into(out.check_before_update);
    for (const char* key : {"kernel", "kernelTCP"})
        if (std::int64_t value = 0; at[key].into(value) && value > 0)
            at[key].warn("is ignored: no kernel has this limit any more");
    if (std::uint64_t value = 0; at["swappiness"].into(value, 0U, 100U))
        at["swappiness"].fail(kNotInV2);
    if (bool off = false; at["disableOOMKiller"].into(off) && off)
        at["disableOOMKiller"].fail(kNotInV2);
    bool unused = false;
    at["useHierarchy"].into(unused); // always so
}

/// 2…262144 to 1…10000, so that 1024 becomes 100 (runc and crun since 2025).
std::uint64_t weight_of(std::uint64_t shares) {
    if (shares <= 2)
        return 1;
    if (shares >= 262144)
        return 10000;
    double log = std::log2(static_cast<double>(shares));
    double exponent = (log * log + 125 * log) / 612.0 - 7.0 / 34.0;
    return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent)));
}

void read_cpu(Node at, spec::Resources& out) {
    if (!at.object())
        return;
    if (std::uint64_t shares = 0; at["shares"].into(shares) && shares != 0)
        out.cpu_weight = weight_of(shares);
    read_limit(at["quota"], out.cpu_quota);
    if (out.cpu_quota && *out.cpu_quota > 0 && *out.cpu_quota < 1000)
        at["quota"].fail("must be at least 1000 microseconds");
    if (std::uint64_t period = 0; at["period"].into(period) && period != 0) {
        if (period < 1000 || period > 1000000)
            at["period"].fail("must be from 1000 to 1000000 microseconds");
        out.cpu_period = period;
    }
    at["burst"].into(out.cpu_burst);
    at["idle"].into(out.cpu_idle, std::int64_t{0}, std::int64_t{1});
    read_list(at["cpus"], out.cpuset);
    read_list(at["mems"], out.cpuset_mems);
    if (std::uint64_t period = 0; at["realtimePeriod"].into(period) && period != 0)
        at["realtimePeriod"].fail(kNotInV2);
    refuse_unless_zero(at["realtimeRuntime"]);
}

std::string device_of(Node at) {
    std::int64_t major = 0;
    std::int64_t minor = 0;
    at["major"].required().into(major, std::int64_t{0});
    at["minor"].required().into(minor, std::int64_t{0});
    return std::to_string(major) + ":" + std::to_string(minor);
}

/// 10…1000 to 1…10000; 0 is none.
std::uint64_t io_weight_of(Node at, std::uint16_t& weight) {
    if (!at.into(weight) || weight == 0)
        return 0;
    if (weight < 10 || weight > 1000)
        at.fail(std::to_string(weight) + ": must be from 10 to 1000");
    return 1 + (std::uint64_t{std::max<std::uint16_t>(weight, 10)} - 10) * 9999 / 990;
}

void read_throttle(Node list, std::uint64_t spec::IoMax::* which, spec::Resources& out) {
    list.items([&](Node at) {
        std::string device = device_of(at);
        std::uint64_t rate = 0;
        if (!at["rate"].into(rate))
            return;
        auto line = std::ranges::find(out.io_max, device, &spec::IoMax::device);
        if (line == out.io_max.end())
            line = out.io_max.insert(line, spec::IoMax{.device = device});
        *line.*which = rate == 0 ? spec::kNoRate : rate; // v1's way of lifting it
    });
}

void read_block_io(Node at, spec::Resources& out) {
    if (!at.object())
        return;
    std::uint16_t weight = 0;
    if (std::uint64_t converted = io_weight_of(at["weight"], weight); converted != 0) {
        out.io_weight = converted;
        out.io_bfq_weight = weight;
    }
    refuse_unless_zero(at["leafWeight"]);
    at["weightDevice"].items([&](Node device) {
        spec::IoWeight line{.device = device_of(device)};
        std::uint16_t own = 0;
        line.weight = io_weight_of(device["weight"], own);
        line.bfq_weight = own;
        refuse_unless_zero(device["leafWeight"]);
        if (line.weight != 0)
            out.io_weights.push_back(std::move(line));
    });
    read_throttle(at["throttleReadBpsDevice"], &spec::IoMax::rbps, out);
    read_throttle(at["throttleWriteBpsDevice"], &spec::IoMax::wbps, out);
    read_throttle(at["throttleReadIOPSDevice"], &spec::IoMax::riops, out);
    read_throttle(at["throttleWriteIOPSDevice"], &spec::IoMax::wiops, out);
}

/// "2MB": a number that is not 0, and a unit.
bool is_page_size(std::string_view text) {
    std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view unit = text.substr(digits);
    return digits > 0 && text.front() != '0' && (unit == "KB" || unit == "MB" || unit == "GB");
}

void read_hugetlb(Node list, spec::Resources& out) {
    list.items([&](Node at) {
        spec::HugetlbLimit& limit = out.hugetlb.emplace_back();
        if (at["pageSize"].required().into(limit.page_size) && !is_page_size(limit.page_size))
            at["pageSize"].fail("\"" + limit.page_size + "\" is not a size as 2MB");
        at["limit"].required().into(limit.limit);
    });
}

void read_devices_allowed(Node list, spec::Resources& out) {
    list.items([&](Node at) {
        spec::DeviceRule& rule = out.devices.emplace_back();
        at["allow"].required().into(rule.allow);
        if (std::string type; at["type"].into(type) && !type.empty()) {
            if (type != "a" && type != "b" && type != "c")
                at["type"].fail("\"" + type + "\" is not a, b or c");
            rule.type = type.front();
        }
        // -1 is any, too: Docker's way of writing it.
        for (auto [key, number] :
             {std::pair{"major", &rule.major}, std::pair{"minor", &rule.minor}})
            if (std::int64_t value = 0;
                at[key].into(value, std::int64_t{-1}, std::int64_t{UINT32_MAX}) && value >= 0)
                *number = value;
        if (at["access"].required().into(rule.access) &&
            (rule.access.empty() || rule.access.find_first_not_of("rwm") != std::string::npos))
            at["access"].fail("\"" + rule.access + "\" is not made of r, w and m");
    });
}

void read_network(Node at) {
    if (!at.object())
        return;
    if (std::uint32_t id = 0; at["classID"].into(id) && id != 0)
        at["classID"].fail(kNotInV2);
    at["priorities"].items([](Node priority) { priority.fail(kNotInV2); });
}

} // namespace

void allow_usual_devices(const std::vector<spec::Device>& own, std::vector<spec::DeviceRule>& out) {
    // runc's AllowedDevices, in its order. mknod of anything is allowed: a node that can't be
    // opened harms nobody.
    static constexpr struct {
        const char* path;
        char type;
        std::int64_t major, minor; ///< -1: any
        const char* access;
    } kUsual[] = {
        {"", 'c', -1, -1, "m"},          {"", 'b', -1, -1, "m"},
        {"/dev/null", 'c', 1, 3, "rwm"}, {"/dev/random", 'c', 1, 8, "rwm"},
        {"/dev/full", 'c', 1, 7, "rwm"}, {"/dev/tty", 'c', 5, 0, "rwm"},
        {"/dev/zero", 'c', 1, 5, "rwm"}, {"/dev/urandom", 'c', 1, 9, "rwm"},
        {"", 'c', 136, -1, "rwm"}, // /dev/pts/*
        {"", 'c', 5, 2, "rwm"},    // /dev/ptmx
        {"", 'c', 10, 200, "rwm"}, // /dev/net/tun
    };
    for (const auto& [path, type, major, minor, access] : kUsual) {
        // A node of the bundle's own in its place speaks for itself.
        if (*path != '\0' && std::ranges::find(own, path, &spec::Device::path) != own.end())
            continue;
        spec::DeviceRule rule{.allow = true, .type = type, .access = access};
        if (major >= 0)
            rule.major = major;
        if (minor >= 0)
            rule.minor = minor;
        out.push_back(std::move(rule));
    }
}

void read_resources(Node at, spec::Resources& out) {
    if (!at.object())
        return;
    read_memory(at["memory"], out);
    read_cpu(at["cpu"], out);
    // 0 is a limit, under which systemd has no word for nobody at all (runc, youki: 1).
    if (std::int64_t limit = 0;
        at["pids"].object() && at["pids"]["limit"].into(limit, std::int64_t{-1}))
        out.pids = limit == 0 ? 1 : limit;
    read_block_io(at["blockIO"], out);
    read_hugetlb(at["hugepageLimits"], out);
    at["rdma"].members([&](const std::string& device, Node limit) {
        spec::RdmaLimit& line = out.rdma.emplace_back(spec::RdmaLimit{.device = device});
        limit["hcaHandles"].into(line.handles);
        limit["hcaObjects"].into(line.objects);
    });
    at["unified"].members([&](const std::string& file, Node value) {
        std::string text;
        if (file.empty() || file.find_first_of(std::string_view("/\0", 2)) != std::string::npos ||
            file.starts_with('.'))
            value.fail("is not the name of a cgroup's file");
        if (value.into(text))
            out.unified.emplace_back(file, text);
    });
    read_devices_allowed(at["devices"], out);
    read_network(at["network"]);
}

} // namespace oci
