// Numbers with units, checked against the ranges of Documentation/admin-guide/cgroup-v2.rst.
#include "spec/cgroup_options.hpp"

#include "spec/number.hpp"
#include "spec/quoted.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace spec {

namespace {

constexpr std::int64_t kPeriod = 100000;                // µs, the kernel's default
constexpr std::int64_t kShortestQuota = 1000;           // µs; the kernel's min_cfs_quota_period
constexpr std::int64_t kLongestQuota = (1LL << 44) - 1; // µs; the kernel's MAX_BW
constexpr std::int64_t kMostPids = 4194304;             // the kernel's PID_MAX_LIMIT on 64 bits

bool unlimited(std::string_view text) {
    return text == "-1" || text == "max";
}

/// Digits with at most one point: what from_chars takes for a double is more ("1e3", "inf", "-1").
bool decimal(std::string_view text, double& value) {
    if (text.find_first_not_of("0123456789.") != std::string_view::npos)
        return false;
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    return error == std::errc{} && stop == end;
}

/// The power of two that a unit stands for: "", k, kb, kib, … up to p; -1 for no unit.
int shift_of(std::string_view unit) {
    std::string lower;
    for (char c : unit)
        lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    if (lower.empty() || lower == "b")
        return 0;
    std::size_t power = std::string_view("kmgtp").find(lower.front());
    std::string_view rest = std::string_view(lower).substr(1);
    if (power == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib"))
        return -1;
    return 10 * (static_cast<int>(power) + 1);
}

Parsed<std::int64_t> bytes(std::string_view text, std::string_view or_else = "") {
    std::size_t digits = text.find_first_not_of("0123456789.");
    std::string_view number = text.substr(0, digits);
    std::string_view unit = digits == std::string_view::npos ? "" : text.substr(digits);
    int shift = shift_of(unit);
    std::uint64_t exact = 0;
    double value = 0;
    constexpr auto most = static_cast<double>(std::numeric_limits<std::int64_t>::max());
    if (shift < 0 || !decimal(number, value) || std::ldexp(value, shift) >= most)
        return std::unexpected(quoted(text) +
                               " is not a size below 8 EiB: use a number with k, "
                               "m, g or t (powers of 1024), as 100M" +
                               std::string(or_else));
    // A double holds 53 bits; whole numbers need not lose the others.
    if (whole(number, exact))
        return static_cast<std::int64_t>(exact << shift);
    return static_cast<std::int64_t>(std::ldexp(value, shift));
}

} // namespace

Parsed<std::int64_t> parse_size(std::string_view text) {
    if (unlimited(text))
        return -1;
    Parsed<std::int64_t> size = bytes(text, ", or -1 for no limit");
    if (size && *size == 0)
        return std::unexpected(quoted(text) + " leaves nothing at all: use -1 for no limit");
    return size;
}

Parsed<std::int64_t> parse_cpus(std::string_view text) {
    if (unlimited(text))
        return -1;
    double cpus = 0;
    if (!decimal(text, cpus))
        return std::unexpected(quoted(text) + " is not a number of CPUs: use a decimal number, as "
                                              "0.5 or 2, or -1 for no limit");
    double quota = std::round(cpus * static_cast<double>(kPeriod));
    if (quota < static_cast<double>(kShortestQuota))
        return std::unexpected(quoted(text) + " is too little: the kernel hands out no less than "
                                              "0.01 of a CPU");
    if (quota > static_cast<double>(kLongestQuota))
        return std::unexpected(quoted(text) + " is more than the kernel can count: use -1 for no "
                                              "limit");
    return static_cast<std::int64_t>(quota);
}

Parsed<std::uint64_t> parse_weight(std::string_view text) {
    std::uint64_t weight = 0;
    if (!whole(text, weight) || weight < 1 || weight > 10000)
        return std::unexpected(quoted(text) + " is not a weight: use 1 to 10000 (everyone else "
                                              "has 100)");
    return weight;
}

Parsed<std::string> parse_cpuset(std::string_view text) {
    auto wrong = [&](const std::string& why) {
        return std::unexpected(quoted(text) + why + ": use numbers and ranges, as 0-3,7");
    };
    std::string_view rest = text;
    for (;;) {
        std::size_t comma = rest.find(',');
        std::string_view item = rest.substr(0, comma);
        std::size_t dash = item.find('-');
        std::uint16_t first = 0; // the kernel's NR_CPUS is at most 8192
        std::uint16_t last = 0;
        if (!whole(item.substr(0, dash), first))
            return wrong(" is not a list of CPUs");
        if (dash != std::string_view::npos && !whole(item.substr(dash + 1), last))
            return wrong(" is not a list of CPUs");
        if (dash != std::string_view::npos && last < first)
            return wrong(" has a range that runs backwards");
        if (comma == std::string_view::npos)
            return std::string(text);
        rest.remove_prefix(comma + 1);
    }
}

Parsed<std::int64_t> parse_pids(std::string_view text) {
    if (unlimited(text))
        return -1;
    std::int64_t pids = 0;
    if (!whole(text, pids) || pids < 1 || pids > kMostPids)
        return std::unexpected(quoted(text) + " is not a number of processes: use 1 to " +
                               std::to_string(kMostPids) + ", or -1 for no limit");
    return pids;
}

Parsed<IoMax> parse_io_max(std::string_view text) {
    constexpr std::string_view form = ": use DEV:KEY=N[,KEY=N…], as /dev/sda:rbps=1M,wiops=100";
    auto wrong = [&](const std::string& why) { return std::unexpected(quoted(text) + why); };
    // DEV may hold a colon itself (8:0), so it ends at the last one before the first value.
    std::size_t equals = text.find('=');
    std::size_t colon = text.substr(0, equals).rfind(':');
    if (equals == std::string_view::npos || colon == std::string_view::npos || colon == 0)
        return wrong(" is not a device and its limits" + std::string(form));
    IoMax limit;
    limit.device = text.substr(0, colon);
    unsigned major = 0;
    unsigned minor = 0;
    std::size_t inner = limit.device.find(':');
    bool number = inner != std::string::npos &&
                  whole(std::string_view(limit.device).substr(0, inner), major) &&
                  whole(std::string_view(limit.device).substr(inner + 1), minor);
    if (!number && !limit.device.starts_with('/'))
        return wrong(": " + quoted(limit.device) +
                     " is not a device: use its path, as /dev/sda, or MAJ:MIN");
    struct Key {
        std::string_view name;
        std::uint64_t IoMax::* field;
    };
    constexpr Key keys[] = {{"rbps", &IoMax::rbps},
                            {"wbps", &IoMax::wbps},
                            {"riops", &IoMax::riops},
                            {"wiops", &IoMax::wiops}};
    std::string_view rest = text.substr(colon + 1);
    for (;;) {
        std::size_t comma = rest.find(',');
        std::string_view item = rest.substr(0, comma);
        std::size_t at = item.find('=');
        if (at == std::string_view::npos)
            return wrong(": " + quoted(item) + " has no value" + std::string(form));
        const Key* key = nullptr;
        for (const Key& known : keys)
            if (known.name == item.substr(0, at))
                key = &known;
        if (key == nullptr)
            return wrong(": " + quoted(item.substr(0, at)) +
                         " is unknown: use rbps, wbps, riops or wiops");
        if (limit.*key->field != 0)
            return wrong(": " + quoted(key->name) + " is there twice");
        Parsed<std::int64_t> value = bytes(item.substr(at + 1));
        if (!value)
            return wrong(": " + value.error());
        if (*value == 0)
            return wrong(": " + quoted(item) + " would stop the device: leave it out instead");
        limit.*key->field = static_cast<std::uint64_t>(*value);
        if (comma == std::string_view::npos)
            return limit;
        rest.remove_prefix(comma + 1);
    }
}

} // namespace spec
