// Spec to JSON and back. Fields that are at their default are left out: a typical launch is a few
// hundred bytes, and the child parses them on its way to every container.
#include "spec/json.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <type_traits>

namespace spec {

using nlohmann::json;

namespace {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

// One visitor for both directions keeps reading and writing from drifting apart.
struct Writer {
    json& out;
    template <class T>
    void operator()(const char* key, const T& value, const T& usual = T{}) {
        if (value == usual)
            return;
        if constexpr (is_optional<T>::value)
            out[key] = *value;
        else if constexpr (std::is_enum_v<T>)
            out[key] = static_cast<unsigned>(value);
        else
            out[key] = value;
    }
    template <class T, class Fields>
    void list(const char* key, const std::vector<T>& values, Fields fields) {
        for (const T& value : values) {
            json item = json::object();
            Writer writer{item};
            fields(writer, value);
            out[key].push_back(std::move(item));
        }
    }
};

struct Reader {
    const json& in;
    template <class T>
    void operator()(const char* key, T& value, const T& = T{}) {
        auto found = in.find(key);
        if (found == in.end())
            return;
        if constexpr (is_optional<T>::value)
            value = found->get<typename T::value_type>();
        else if constexpr (std::is_enum_v<T>)
            value = static_cast<T>(found->get<unsigned>());
        else
            value = found->get<T>();
    }
    template <class T, class Fields>
    void list(const char* key, std::vector<T>& values, Fields fields) {
        auto found = in.find(key);
        if (found == in.end())
            return;
        for (const json& item : *found) {
            Reader reader{item};
            fields(reader, values.emplace_back());
        }
    }
};

void fields(auto& field, auto& map)
    requires std::is_same_v<std::remove_cvref_t<decltype(map)>, IdMap>
{
    field("inside", map.inside);
    field("outside", map.outside);
    field("count", map.count, std::uint32_t{1});
}

void map_fields(auto& field, auto& spec) {
    auto each = [](auto& f, auto& map) { fields(f, map); };
    field("mapping", spec.user.mapping);
    field.list("uids", spec.user.uids, each);
    field.list("gids", spec.user.gids, each);
}

void cgroup_fields(auto& field, auto& cgroup) {
    auto& r = cgroup.resources;
    field("cgroup", cgroup.path);
    field("memory", r.memory);
    field("memorySwap", r.memory_swap);
    field("cpuQuota", r.cpu_quota);
    field("cpuPeriod", r.cpu_period, std::uint64_t{100000});
    field("cpuWeight", r.cpu_weight);
    field("cpuset", r.cpuset);
    field("pids", r.pids);
    field("ioWeight", r.io_weight);
    field.list("ioMax", r.io_max, [](auto& f, auto& io) {
        f("device", io.device);
        f("rbps", io.rbps);
        f("wbps", io.wbps);
        f("riops", io.riops);
        f("wiops", io.wiops);
    });
}

void net_fields(auto& field, auto& net) {
    field("net", net.mode);
    field.list("ports", net.ports, [](auto& f, auto& port) {
        f("address", port.address);
        f("host", port.host);
        f("container", port.container);
        f("udp", port.udp);
    });
    field("dns", net.dns);
    field("allowHostLoopback", net.allow_host_loopback);
}

void root_fields(auto& field, auto& root) {
    field("rootfs", root.path);
    field("rootMode", root.mode);
    field("readOnly", root.read_only);
    field("overlay", root.overlay);
    field("upper", root.upper);
    field.list("mounts", root.mounts, [](auto& f, auto& mount) {
        f("type", mount.type);
        f("source", mount.source);
        f("destination", mount.destination);
        f("attributes", mount.attributes);
        f("recursive", mount.recursive, true);
        f("propagation", mount.propagation);
        f("options", mount.options);
    });
    field("masked", root.masked);
    field("readonly", root.readonly);
}

void process_fields(auto& field, auto& process) {
    field("args", process.args);
    field("env", process.env);
    field("cwd", process.cwd);
    field("user", process.user);
    field("terminal", process.terminal);
    field("newPrivileges", process.new_privileges);
    field.list("rlimits", process.rlimits, [](auto& f, auto& limit) {
        f("resource", limit.resource);
        f("name", limit.name);
        f("soft", limit.soft);
        f("hard", limit.hard);
    });
}

void all_fields(auto& field, auto& spec) {
    field("name", spec.name);
    field("quiet", spec.quiet);
    map_fields(field, spec);
    cgroup_fields(field, spec.cgroup);
    net_fields(field, spec.net);
    field("hostname", spec.uts.hostname);
    field("domainname", spec.uts.domainname);
    field("boottime", spec.time.boottime);
    field("monotonic", spec.time.monotonic);
    root_fields(field, spec.root);
    field("proc", spec.proc);
    field("capabilities", spec.capabilities.bounding);
    field("seccomp", spec.seccomp.mode);
    field("seccompFile", spec.seccomp.file);
    process_fields(field, spec.process);
}

} // namespace

void to_json(json& out, const IdMap& map) {
    out = json::object();
    Writer writer{out};
    fields(writer, map);
}

void from_json(const json& in, IdMap& map) {
    Reader reader{in};
    fields(reader, map);
}

void to_json(json& out, const Spec& spec) {
    out = json::object();
    out["stages"] = spec.stages.bits();
    Writer writer{out};
    all_fields(writer, spec);
}

void from_json(const json& in, Spec& spec) {
    spec.stages = StageSet(in.at("stages").get<std::uint32_t>());
    Reader reader{in};
    spec.root.path.clear(); // its default is not the empty one
    all_fields(reader, spec);
}

} // namespace spec
