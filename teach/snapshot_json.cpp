// A Snapshot as JSON and back. What it consists of is told once, for both ways: fields().
#include "teach/snapshot.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace teach {

using nlohmann::ordered_json;

namespace {

void fields(auto& visit, auto& ids)
    requires requires { ids.filesystem; }
{
    visit("real", ids.real);
    visit("effective", ids.effective);
    visit("saved", ids.saved);
    visit("filesystem", ids.filesystem);
}
void fields(auto& visit, auto& space)
    requires requires { space.for_children; }
{
    visit("type", space.type);
    visit("inode", space.inode);
    visit("for_children", space.for_children);
    visit("owner", space.owner);
    visit("owner_uid", space.owner_uid);
    visit("above", space.above);
    visit("host", space.host);
    visit("members", space.members);
    visit("first", space.first);
    visit("first_uid", space.first_uid);
    visit("first_user", space.first_user);
    visit("first_name", space.first_name);
    visit("first_command", space.first_command);
}
void fields(auto& visit, auto& range)
    requires requires { range.inside; }
{
    visit("inside", range.inside);
    visit("outside", range.outside);
    visit("count", range.count);
}
void fields(auto& visit, auto& mount)
    requires requires { mount.super_options; }
{
    visit("id", mount.id);
    visit("parent", mount.parent);
    visit("device", mount.device);
    visit("root", mount.root);
    visit("point", mount.point);
    visit("options", mount.options);
    visit("propagation", mount.propagation);
    visit("type", mount.type);
    visit("source", mount.source);
    visit("super_options", mount.super_options);
}
void fields(auto& visit, auto& limit)
    requires requires { limit.text, limit.path; }
{
    visit("name", limit.name);
    visit("text", limit.text);
    visit("path", limit.path);
}
void fields(auto& visit, auto& cgroup)
    requires requires { cgroup.controllers; }
{
    visit("controllers", cgroup.controllers);
    visit("path", cgroup.path);
}
void fields(auto& visit, auto& file)
    requires(
        requires { file.text; } && !requires { file.path; })
{
    visit("name", file.name);
    visit("text", file.text);
}
void fields(auto& visit, auto& sets)
    requires requires { sets.ambient; }
{
    visit("permitted", sets.permitted);
    visit("effective", sets.effective);
    visit("inheritable", sets.inheritable);
    visit("bounding", sets.bounding);
    visit("ambient", sets.ambient);
}
void fields(auto& visit, auto& link)
    requires requires { link.mac; }
{
    visit("name", link.name);
    visit("kind", link.kind);
    visit("up", link.up);
    visit("state", link.state);
    visit("mac", link.mac);
    visit("mtu", link.mtu);
    visit("addresses", link.addresses);
}
void fields(auto& visit, auto& limit)
    requires requires { limit.soft; }
{
    visit("name", limit.name);
    visit("soft", limit.soft);
    visit("hard", limit.hard);
}
void fields(auto& visit, auto& offset)
    requires requires { offset.clock; }
{
    visit("clock", offset.clock);
    visit("seconds", offset.seconds);
    visit("nanoseconds", offset.nanoseconds);
}
void fields(auto& visit, auto& unread)
    requires requires { unread.why; }
{
    visit("what", unread.what);
    visit("why", unread.why);
}
void fields(auto& visit, auto& snapshot)
    requires requires { snapshot.namespaces; }
{
    visit("pid", snapshot.pid);
    visit("parent", snapshot.parent);
    visit("name", snapshot.name);
    visit("command", snapshot.command);
    visit("executable", snapshot.executable);
    visit("state", snapshot.state);
    visit("uid", snapshot.uid);
    visit("gid", snapshot.gid);
    visit("groups", snapshot.groups);
    visit("pids", snapshot.pids);
    visit("namespaces", snapshot.namespaces);
    visit("host", snapshot.host);
    visit("uid_map", snapshot.uid_map);
    visit("gid_map", snapshot.gid_map);
    visit("setgroups", snapshot.setgroups);
    visit("hostname", snapshot.hostname);
    visit("domainname", snapshot.domainname);
    visit("links", snapshot.links);
    visit("time_offsets", snapshot.time_offsets);
    visit("mounts", snapshot.mounts);
    visit("root", snapshot.root);
    visit("cwd", snapshot.cwd);
    visit("cgroups", snapshot.cgroups);
    visit("cgroup_directory", snapshot.cgroup_directory);
    visit("cgroup_files", snapshot.cgroup_files);
    visit("cgroup_above", snapshot.cgroup_above);
    visit("capabilities", snapshot.capabilities);
    visit("seccomp_mode", snapshot.seccomp_mode);
    visit("seccomp_filters", snapshot.seccomp_filters);
    visit("no_new_privs", snapshot.no_new_privs);
    visit("label", snapshot.label);
    visit("limits", snapshot.limits);
    visit("oom_score_adj", snapshot.oom_score_adj);
    visit("unread", snapshot.unread);
}

template <class T>
concept Plain = std::is_integral_v<T> || std::is_same_v<T, std::string>;

/// Puts each field into an object.
struct Writer {
    ordered_json out = ordered_json::object();

    static ordered_json json(const Plain auto& value) { return value; }
    template <class T>
    static ordered_json json(const std::optional<T>& value) {
        return value ? json(*value) : ordered_json(nullptr);
    }
    template <class T>
    static ordered_json json(const std::vector<T>& list) {
        ordered_json all = ordered_json::array();
        for (const T& one : list)
            all.push_back(json(one));
        return all;
    }
    static ordered_json json(const auto& value) {
        Writer inner;
        fields(inner, value);
        return std::move(inner.out);
    }
    void operator()(const char* key, const auto& value) { out[key] = json(value); }
};

/// Takes each field from an object; the first that is wrong is told, with the place.
struct Reader {
    const ordered_json& from;
    std::string path;
    std::string& wrong;

    void complain(const std::string& place, const char* kind) const {
        if (wrong.empty())
            wrong = (place.empty() ? "it" : place) + " is no " + kind;
    }
    template <Plain T>
    void read(const ordered_json& json, const std::string& place, T& into) const {
        if constexpr (std::is_same_v<T, bool>) {
            if (!json.is_boolean())
                return complain(place, "true or false");
            into = json.get<bool>();
        } else if constexpr (std::is_same_v<T, std::string>) {
            if (!json.is_string())
                return complain(place, "string");
            into = json.get_ref<const std::string&>();
        } else {
            bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<std::uint64_t>())
                                                  : json.is_number_integer() &&
                                                        std::in_range<T>(json.get<std::int64_t>());
            if (!fits)
                return complain(place, "number that fits here");
            into = json.get<T>();
        }
    }
    template <class T>
    void read(const ordered_json& json, const std::string& place, std::optional<T>& into) const {
        if (!json.is_null())
            read(json, place, into.emplace());
    }
    template <class T>
    void read(const ordered_json& json, const std::string& place, std::vector<T>& into) const {
        if (!json.is_array())
            return complain(place, "list");
        into.clear();
        for (std::size_t i = 0; i < json.size(); ++i)
            read(json[i], place + "[" + std::to_string(i) + "]", into.emplace_back());
    }
    void read(const ordered_json& json, const std::string& place, auto& into) const {
        if (!json.is_object())
            return complain(place, "object");
        Reader inner{json, place.empty() ? "" : place + ".", wrong};
        fields(inner, into);
    }
    void operator()(const char* key, auto& into) const {
        auto found = from.find(key);
        if (found != from.end())
            read(*found, path + key, into);
    }
};

} // namespace

ordered_json to_json(const Snapshot& snapshot) {
    return Writer::json(snapshot);
}

Result<Snapshot> from_json(const ordered_json& object) {
    Snapshot out;
    std::string wrong;
    Reader{object, "", wrong}.read(object, "", out);
    if (!wrong.empty())
        return sys::wrong(wrong);
    if (out.pid <= 0)
        return sys::wrong("it tells of no process", "'gocontainer inspect PID --json' writes one");
    return out;
}

} // namespace teach
