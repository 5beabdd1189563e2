// update: other limits for a container that is there.
#include "oci/config.hpp"
#include "oci/control.hpp"
#include "oci/files.hpp"
#include "oci/process.hpp"
#include "spec/cgroup_options.hpp"
#include "spec/options.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/resctrl.hpp"

#include <nlohmann/json.hpp>

namespace oci {

using nlohmann::json;

namespace {

enum class Kind : std::uint8_t { number, bytes, text };

/// A single value: where it stands in linux.resources.
struct Place {
    const char* option;
    const char* pointer; ///< RFC 6901
    Kind kind;
};

// clang-format off
constexpr OptionRow kRows[] = {
    {"resources", 'r', "FILE", "linux.resources as JSON; - is standard input"},
    {"blkio-weight", 0, "N", "Share of the disks' time, 10 to 1000"},
    {"cpu-period", 0, "MICROSECONDS", "Of the quota"},
    {"cpu-quota", 0, "MICROSECONDS", "Of each period"},
    {"cpu-burst", 0, "MICROSECONDS", "Beyond the quota, saved up earlier"},
    {"cpu-share", 0, "N", "Share of the processor, 2 to 262144"},
    {"cpu-rt-period", 0, "MICROSECONDS", "cgroup v1 only"},
    {"cpu-rt-runtime", 0, "MICROSECONDS", "cgroup v1 only"},
    {"cpu-idle", 0, "N", "1: run only when nobody else wants to"},
    {"cpuset-cpus", 0, "LIST", "CPUs, as 0-3,7"},
    {"cpuset-mems", 0, "LIST", "Memory nodes, likewise"},
    {"memory", 0, "BYTES", "Limit of memory, as 512m"},
    {"memory-reservation", 0, "BYTES", "Memory that is taken last"},
    {"memory-swap", 0, "BYTES", "Limit of memory and swap together"},
    {"pids-limit", 0, "N", "Most processes; -1 for no limit"},
    {"l3-cache-schema", 0, "LINE", "Intel RDT: its share of the L3 cache, as L3:0=ff"},
    {"mem-bw-schema", 0, "LINE", "Intel RDT: its share of memory bandwidth, as MB:0=50"},
    {"help", 'h', nullptr, "This text"},
};
constexpr Place kPlaces[] = {
    {"blkio-weight", "/blockIO/weight", Kind::number},
    {"cpu-period", "/cpu/period", Kind::number},
    {"cpu-quota", "/cpu/quota", Kind::number},
    {"cpu-burst", "/cpu/burst", Kind::number},
    {"cpu-share", "/cpu/shares", Kind::number},
    {"cpu-rt-period", "/cpu/realtimePeriod", Kind::number},
    {"cpu-rt-runtime", "/cpu/realtimeRuntime", Kind::number},
    {"cpu-idle", "/cpu/idle", Kind::number},
    {"cpuset-cpus", "/cpu/cpus", Kind::text},
    {"cpuset-mems", "/cpu/mems", Kind::text},
    {"memory", "/memory/limit", Kind::bytes},
    {"memory-reservation", "/memory/reservation", Kind::bytes},
    {"memory-swap", "/memory/swap", Kind::bytes},
    {"pids-limit", "/pids/limit", Kind::number},
};
// clang-format on

Result<json> value_of(const Place& place, const std::string& text) {
    if (place.kind == Kind::text)
        return json(text);
    auto number =
        place.kind == Kind::bytes ? spec::parse_size(text) : spec::parse_number<std::int64_t>(text);
    if (!number)
        return sys::wrong(std::string("--") + place.option + " " + number.error());
    return json(*number);
}

/// What the options ask for, in config.json's form: one way to read limits.
Result<json> asked(const Arguments& arguments) {
    json out = json::object();
    if (arguments.given("resources")) {
        std::string path = arguments.value("resources");
        std::string text = TRY(read_text(path));
        out = TRY(parse_json(text, path));
        if (auto right = from_resources(out); !right) // else an option may find no place in it
            return sys::wrong(right.error());
    }
    for (const Place& place : kPlaces)
        if (arguments.given(place.option))
            out[json::json_pointer(place.pointer)] =
                TRY(value_of(place, arguments.value(place.option)));
    return out;
}

/// The lines for its class of resctrl, by options alone: linux.resources has no place for them.
Result<std::vector<std::string>> schemata_of(const Arguments& arguments) {
    std::vector<std::string> out;
    for (auto [option, start] : {std::pair{"l3-cache-schema", "L3"}, {"mem-bw-schema", "MB:"}}) {
        std::string line = arguments.value(option);
        if (line.empty())
            continue;
        if (!line.starts_with(start) || line.contains('\n'))
            return sys::wrong(std::string("--") + option + " \"" + line +
                              "\": a line that begins with " + start);
        out.push_back(std::move(line));
    }
    return out;
}

} // namespace

std::span<const OptionRow> update_rows() {
    return kRows;
}

Result<void> update(const Global& global, const std::string& id, const Arguments& arguments) {
    json document = TRY(asked(arguments));
    auto wanted = from_resources(document);
    if (!wanted)
        return sys::wrong(wanted.error());
    for (const std::string& warning : wanted->warnings)
        global.debug(warning);
    std::vector<std::string> schemata = TRY(schemata_of(arguments));
    Store store = TRY(Store::open(global.root, id));
    TRY(store.lock());
    Now now = TRY(store.now());
    if (now.status == Status::stopped)
        return sys::wrong("container not running");
    Progress progress = TRY(store.look());
    std::string leaf = wanted->empty ? "" : TRY(leaf_of(progress, "update"));
    std::optional<spec::Spec> spec;
    std::vector<std::string> before;
    if (!schemata.empty()) {
        spec = TRY(spec_of(store));
        before = TRY(stages::resctrl::update(*spec, schemata));
    }
    if (wanted->empty)
        return {};
    auto done = stages::cgroup::update(
        leaf, {.resources = wanted->resources, .unit = progress.ledger.unit, .say = global.debug});
    if (!done && spec) // all, or nothing
        (void)stages::resctrl::update(*spec, before);
    return done;
}

} // namespace oci
