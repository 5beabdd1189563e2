// The properties are systemd.resource-control(5)'s; which ones, as runc's systemd driver has it.
#include "stages/cgroup_unit.hpp"

#include "stages/cgroup_causes.hpp"
#include "stages/cgroup_leaf.hpp"
#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_names.hpp"
#include "sys/number_list.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <limits>

namespace stages::cgroup {

namespace {

using Properties = Systemd::Properties;

constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kUsualPeriod = 100000; ///< of cpu.max, in microseconds

std::uint64_t or_infinity(std::int64_t value) {
    return value < 0 ? kInfinity : static_cast<std::uint64_t>(value);
}

/// "0-2,9" as a set of bits, the first in the lowest of the first byte. What is no list is refused
/// where the same limit is written into the leaf.
Systemd::Bytes bits_of(const std::string& list) {
    std::vector<bool> members = sys::members_of(list).value_or(std::vector<bool>{});
    Systemd::Bytes bits((members.size() + 7) / 8);
    for (std::size_t bit = 0; bit < members.size(); ++bit)
        if (members[bit])
            bits[bit / 8] = static_cast<std::uint8_t>(bits[bit / 8] | 1U << bit % 8);
    return bits;
}

/// systemd counts processor time in whole percents: rounded up, so that it never holds back more
/// than cpu.max, which has the exact number.
std::uint64_t quota_per_second(std::int64_t quota, std::uint64_t period) {
    constexpr std::uint64_t second = 1000000;
    constexpr std::uint64_t percent = second / 100;
    if (quota < 0)
        return kInfinity;
    auto each = static_cast<std::uint64_t>(static_cast<double>(quota) * second /
                                           static_cast<double>(period));
    return (each + percent - 1) / percent * percent;
}

std::string node_of(const std::string& device) {
    return device.starts_with('/') ? device : "/dev/block/" + device;
}

void add_io(Properties& out, const spec::Resources& wanted) {
    if (wanted.io_weight)
        out.push_back({"IOWeight", *wanted.io_weight});
    Systemd::Pairs weights;
    for (const spec::IoWeight& device : wanted.io_weights)
        weights.emplace_back(node_of(device.device), device.weight);
    if (!weights.empty())
        out.push_back({"IODeviceWeight", std::move(weights)});
    constexpr std::pair<const char*, std::uint64_t spec::IoMax::*> fields[] = {
        {"IOReadBandwidthMax", &spec::IoMax::rbps},
        {"IOWriteBandwidthMax", &spec::IoMax::wbps},
        {"IOReadIOPSMax", &spec::IoMax::riops},
        {"IOWriteIOPSMax", &spec::IoMax::wiops}};
    for (const auto& [name, field] : fields) {
        Systemd::Pairs limits;
        for (const spec::IoMax& limit : wanted.io_max)
            if (limit.*field != 0)
                limits.emplace_back(node_of(limit.device), limit.*field);
        if (!limits.empty())
            out.push_back({name, std::move(limits)});
    }
}

/// One of a name: a list that is set twice would be both.
void put(Properties& out, const char* name, Systemd::Value value) {
    std::erase_if(out, [&](const Systemd::Property& other) { return other.name == name; });
    out.push_back({name, std::move(value)});
}

/// "max", or a number; what is neither is for the kernel to refuse.
std::uint64_t limit_of(std::string_view text) {
    std::uint64_t value = kInfinity;
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

void put_cpu_time(Properties& out, std::int64_t quota, std::uint64_t period) {
    put(out, "CPUQuotaPerSecUSec", quota_per_second(quota, period));
    put(out, "CPUQuotaPeriodUSec", period);
}

/// cpu.max: "5000 100000", "max".
void put_cpu_max(Properties& out, std::string_view text) {
    std::size_t space = text.find(' ');
    std::uint64_t quota = limit_of(text.substr(0, space));
    std::uint64_t period = space == std::string_view::npos ? 0 : limit_of(text.substr(space + 1));
    put_cpu_time(out, quota > INT64_MAX ? -1 : static_cast<std::int64_t>(quota),
                 period == 0 || period == kInfinity ? kUsualPeriod : period);
}

/// cpu.idle, as far as it is asked for.
std::optional<std::int64_t> idle_of(const spec::Resources& wanted) {
    auto idle = wanted.cpu_idle;
    for (const auto& [file, text] : wanted.unified)
        if (file == "cpu.idle")
            idle = text.starts_with('1') ? 1 : 0;
    return idle;
}

/// Bytes as the kernel reads them (memparse(), lib/cmdline.c): "max", or a number with k, m, g, t,
/// p or e. Nothing: what is neither, or is not decimal, which is between `unified` and the kernel.
std::optional<std::uint64_t> bytes_of(std::string_view text) {
    text = text.substr(std::min(text.find_first_not_of(" \t\n"), text.size()));
    text = text.substr(0, text.find_last_not_of(" \t\n") + 1);
    if (text == "max")
        return kInfinity;
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc{} || (value != 0 && text.front() == '0') || unit.size() > 1)
        return std::nullopt;
    if (unit.empty())
        return value;
    std::size_t power = std::string_view("kmgtpe").find(static_cast<char>(unit.front() | 0x20));
    if (power == std::string_view::npos)
        return std::nullopt;
    std::size_t shift = 10 * (power + 1);
    return value > kInfinity >> shift ? kInfinity : value << shift;
}

/// The files of `unified` that systemd writes too.
void add_unified(Properties& out, const spec::Resources& wanted) {
    constexpr std::pair<std::string_view, const char*> names[] = {
        {"memory.min", "MemoryMin"},          {"memory.low", "MemoryLow"},
        {"memory.high", "MemoryHigh"},        {"memory.max", "MemoryMax"},
        {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
        {"cpu.weight", "CPUWeight"}};
    for (const auto& [file, text] : wanted.unified) {
        const auto* name = std::ranges::find(names, std::string_view(file),
                                             &std::pair<std::string_view, const char*>::first);
        if (file == "cpuset.cpus" && !text.empty())
            put(out, "AllowedCPUs", bits_of(text));
        else if (file == "cpuset.mems" && !text.empty())
            put(out, "AllowedMemoryNodes", bits_of(text));
        else if (file == "cpu.max")
            put_cpu_max(out, text);
        else if (name != std::end(names) && file.starts_with("memory.")) {
            if (auto bytes = bytes_of(text))
                put(out, name->second, *bytes);
        } else if (name != std::end(names) && (file != "cpu.weight" || idle_of(wanted) != 1))
            put(out, name->second,
                file == "pids.max" ? std::max<std::uint64_t>(limit_of(text), 1) : limit_of(text));
    }
}

/// The unit's name is put into the ledger before it is made, its first byte last (see note()).
Result<void> note_unit(Ledger& ledger, const std::string& name) {
    if (name.size() >= sizeof ledger.unit)
        return sys::wrong("the unit's name " + quoted(name) + " is too long");
    memcpy(ledger.unit + 1, name.data() + 1, name.size());
    std::atomic_signal_fence(std::memory_order_release);
    ledger.unit[0] = name[0];
    std::atomic_signal_fence(std::memory_order_release);
    return {};
}

bool is_slice(const Unit& unit) {
    return unit.name.ends_with(".slice");
}

/// Where systemd has the slice "a-b.slice": "/a.slice/a-b.slice" (systemd.slice(5)), for a user's
/// below the cgroup of that user's manager.
Result<std::string> cgroup_of_slice(const std::string& name, const Hierarchy& hierarchy) {
    std::string path;
    if (rootless()) {
        std::size_t manager = hierarchy.own.find("/user@");
        std::size_t end =
            manager == std::string::npos ? manager : hierarchy.own.find('/', manager + 1);
        if (manager == std::string::npos)
            return sys::wrong("we are in " + quoted(hierarchy.own) +
                                  ", which does not tell where the user's systemd has its slices",
                              "log in, or name a scope");
        path = hierarchy.own.substr(0, end);
    }
    for (std::size_t dash = name.find('-'); dash != std::string::npos;
         dash = name.find('-', dash + 1))
        path += "/" + name.substr(0, dash) + ".slice";
    return path + "/" + name;
}

/// A slice is told who is above it by its name, and of no processes: it holds none, for systemd.
Properties place_of(const Launch& launch, const Unit& unit) {
    if (is_slice(unit))
        return {{"Wants", Systemd::Strings{unit.slice}}};
    return {{"Slice", unit.slice},
            {"PIDs", Systemd::Pids{static_cast<std::uint32_t>(launch.child)}},
            {"Delegate", true}};
}

Result<Properties> properties_for(const Launch& launch, const Unit& unit) {
    const spec::Cgroup& wanted = launch.spec.cgroup;
    Properties out = {{"Description", "container " + launch.spec.name},
                      {"DefaultDependencies", false},
                      {"MemoryAccounting", true},
                      {"CPUAccounting", true},
                      {"IOAccounting", true},
                      {"TasksAccounting", true}};
    for (Systemd::Property& place : place_of(launch, unit))
        out.push_back(std::move(place));
    bool collected = false;
    for (Systemd::Property& limit : TRY(properties_of(wanted.resources)))
        out.push_back(std::move(limit));
    for (const auto& [name, text] : wanted.properties) {
        auto value = Systemd::parse(text);
        if (!value) {
            value.error().detail = "org.systemd.property." + name + ": " + value.error().detail;
            return std::unexpected(std::move(value).error());
        }
        collected = collected || name == "CollectMode";
        // The last of a name counts with systemd too, but not all of them are read so.
        std::erase_if(out, [&](const Systemd::Property& other) { return other.name == name; });
        out.push_back({name, std::move(*value)});
    }
    if (!collected) // so that it is forgotten with its last process, however that ended
        out.push_back({"CollectMode", std::string("inactive-or-failed")});
    return out;
}

/// The leaf below the unit's own cgroup: the child goes there, so that the unit's can hand down
/// its controllers.
Result<std::string> make_subgroup(const Launch& launch, const Hierarchy& hierarchy,
                                  const std::string& scope) {
    const spec::Cgroup& wanted = launch.spec.cgroup;
    std::string leaf = sys::join(scope, wanted.subgroup);
    TRY(sys::mkdirat(AT_FDCWD, leaf, 0755));
    TRY(sys::write_file(sys::join(leaf, "cgroup.procs"), std::to_string(launch.child)));
    std::vector<Limit> limits =
        TRY(needed(hierarchy, limits_of(wanted.resources, launch.spec.naming)));
    Asked asked{launch.spec.naming, std::move(limits), wanted.every_controller};
    if (auto obstacle = enable_asked(scope, asked))
        return std::unexpected(
            unenforceable(asked.naming, asked.limits,
                          why_no_place(hierarchy, {std::move(*obstacle)}, std::nullopt)));
    return leaf;
}

} // namespace

Result<Unit> parse_unit(const std::string& path, spec::Naming naming) {
    std::size_t first = path.find(':');
    std::size_t second = first == std::string::npos ? first : path.find(':', first + 1);
    auto wrong = [&](const char* what) {
        return sys::wrong(kPath.in(naming) + std::string(" ") + quoted(path) + ": " + what,
                          "with --systemd-cgroup it is SLICE:PREFIX:NAME, as "
                          "system.slice:docker:ID");
    };
    if (second == std::string::npos || path.find(':', second + 1) != std::string::npos)
        return wrong("hasn't three parts");
    Unit unit{.slice = path.substr(0, first), .name = path.substr(second + 1)};
    std::string prefix = path.substr(first + 1, second - first - 1);
    if (unit.slice.empty())
        unit.slice = rootless() ? "user.slice" : "system.slice";
    else if (unit.slice == "-")
        unit.slice = "-.slice";
    if (!unit.slice.ends_with(".slice") || unit.slice.contains('/'))
        return wrong("its first part is not the name of a slice");
    if (unit.name.empty() || unit.name.contains('/') || prefix.contains('/'))
        return wrong("its last part is not a name");
    if (unit.name == "-.slice")
        return wrong("the root slice is nobody's container");
    if (is_slice(unit)) // taken as it is, as runc has it
        return unit;
    unit.name = (prefix.empty() ? "" : prefix + "-") + unit.name + ".scope";
    return unit;
}

Result<Properties> properties_of(const spec::Resources& wanted) {
    Properties out;
    if (wanted.memory)
        out.push_back({"MemoryMax", or_infinity(*wanted.memory)});
    if (wanted.memory_swap && *wanted.memory_swap < 0)
        out.push_back({"MemorySwapMax", kInfinity});
    else if (wanted.memory_swap && wanted.memory && *wanted.memory_swap >= *wanted.memory)
        out.push_back(
            {"MemorySwapMax", static_cast<std::uint64_t>(*wanted.memory_swap - *wanted.memory)});
    if (wanted.memory_reservation)
        out.push_back({"MemoryLow", or_infinity(*wanted.memory_reservation)});
    // Of an idle one tell_idle() says it. When that ends, the kernel gives it the usual weight.
    std::optional<std::int64_t> idle = idle_of(wanted);
    if (idle != 1 && (wanted.cpu_weight || idle))
        out.push_back({"CPUWeight", wanted.cpu_weight.value_or(kUsualWeight)});
    if (wanted.cpu_quota || wanted.cpu_period)
        put_cpu_time(out, wanted.cpu_quota.value_or(-1), wanted.cpu_period.value_or(kUsualPeriod));
    if (!wanted.cpuset.empty())
        out.push_back({"AllowedCPUs", bits_of(wanted.cpuset)});
    if (!wanted.cpuset_mems.empty())
        out.push_back({"AllowedMemoryNodes", bits_of(wanted.cpuset_mems)});
    if (wanted.pids)
        out.push_back({"TasksMax", or_infinity(*wanted.pids == 0 ? 1 : *wanted.pids)});
    add_io(out, wanted);
    add_unified(out, wanted);
    return out;
}

void tell_idle(Systemd& systemd, const std::string& unit, const spec::Resources& wanted) {
    if (idle_of(wanted) == 1)
        (void)systemd.set_properties(unit, {{"CPUWeight", std::uint64_t{0}}});
}

Result<void> check_unit(const Launch& launch) {
    if (!Systemd::booted())
        return sys::wrong(kPath.in(launch.spec.naming) + std::string(" ") +
                              quoted(launch.spec.cgroup.path) +
                              ": systemd is not what this host booted with",
                          "leave out --systemd-cgroup");
    Unit unit = TRY(parse_unit(launch.spec.cgroup.path, launch.spec.naming));
    TRY(properties_for(launch, unit));
    return {};
}

Result<void> start_unit(Launch& launch, const Hierarchy& hierarchy) {
    Unit unit = TRY(parse_unit(launch.spec.cgroup.path, launch.spec.naming));
    Properties properties = TRY(properties_for(launch, unit));
    Systemd systemd = TRY(Systemd::connect());
    TRY(launch.keep());
    auto exists = [](const Result<void>& result) {
        return !result && result.error().detail.contains("UnitExists");
    };
    auto started = systemd.start_transient_unit(unit.name, properties);
    // Nobody has cleared away one that failed; one that runs is not moved by this.
    if (exists(started) && systemd.reset_failed(unit.name))
        started = systemd.start_transient_unit(unit.name, properties);
    if (exists(started))
        return sys::wrong(kPath.in(launch.spec.naming) + std::string(": systemd has a unit ") +
                              quoted(unit.name) + " already: " + started.error().detail,
                          "choose another name, or: systemctl stop " + unit.name);
    TRY(std::move(started));
    TRY(note_unit(*launch.ledger, unit.name)); // ours: before, it could have been another's
    tell_idle(systemd, unit.name, launch.spec.cgroup.resources);
    if (is_slice(unit)) {
        std::string slice = hierarchy.directory(TRY(cgroup_of_slice(unit.name, hierarchy)));
        TRY(sys::write_file(sys::join(slice, "cgroup.procs"), std::to_string(launch.child)));
    }
    std::string own = TRY(cgroup_of(launch.child));
    if (!own.ends_with("/" + unit.name))
        return sys::wrong("systemd started " + quoted(unit.name) + " but left the container in " +
                          quoted(own));
    std::string leaf = hierarchy.directory(own);
    std::size_t slice = leaf.rfind('/');
    if (!launch.spec.cgroup.subgroup.empty())
        leaf = TRY(make_subgroup(launch, hierarchy, leaf));
    TRY(note(*launch.ledger, leaf, slice));
    launch.leaf = TRY(sys::openat(AT_FDCWD, leaf, O_PATH | O_DIRECTORY));
    TRY(take(launch));
    return check_type(launch.leaf.get(), leaf);
}

void stop_unit(Ledger& ledger) {
    if (ledger.unit[0] == '\0')
        return;
    // Its last process is gone, and with it the unit, unless systemd wants to know more of it.
    if (auto systemd = Systemd::connect())
        (void)systemd->stop_unit(ledger.unit);
    ledger.unit[0] = '\0';
}

} // namespace stages::cgroup
