// hooks, and the annotations that mean something here (oci/config.hpp lists them).
#include "oci/config_parts.hpp"
#include "oci/files.hpp"
#include "oci/names.hpp"

#include <algorithm>
#include <charconv>

namespace oci {

namespace {

void read_hook(Node at, spec::Hook& hook) {
    if (at["path"].required().into(hook.path) && !hook.path.starts_with('/'))
        at["path"].fail("\"" + hook.path + "\": must be absolute");
    at["args"].into(hook.args);
    at["env"].into(hook.env);
    if (std::int32_t timeout = 0; at["timeout"].into(timeout, 1))
        hook.timeout = timeout;
}

// --- org.systemd.property.* ---------------------------------------------------------------------

/// systemd's files say TimeoutStopSec, its D-Bus properties TimeoutStopUSec: so "uint64 5" becomes
/// "uint64 5000000", as runc has it.
bool to_microseconds(std::string& value) {
    std::string_view number = value;
    for (std::string_view type :
         {"byte ", "int16 ", "uint16 ", "int32 ", "uint32 ", "int64 ", "uint64 ", "double "})
        if (number.starts_with(type))
            number.remove_prefix(type.size());
    double seconds = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
    constexpr double kMost = 1e13; // beyond all clocks, and a uint64 of microseconds holds it
    if (error != std::errc{} || end != number.data() + number.size() || !(seconds >= 0) ||
        seconds > kMost)
        return false;
    value = "uint64 " + std::to_string(static_cast<std::uint64_t>(seconds * 1e6));
    return true;
}

void read_property(Node at, std::string name, std::string value, spec::Cgroup& cgroup) {
    bool letters = name.size() >= 3 && std::ranges::all_of(name, [](char c) {
                       return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                   });
    if (!letters)
        return at.fail("\"" + name + "\" is not the name of a property");
    if (name.size() > 3 && name.ends_with("Sec") && name[name.size() - 4] >= 'a' &&
        name[name.size() - 4] <= 'z') {
        if (!to_microseconds(value))
            return at.fail("\"" + value + "\" is not a number of seconds");
        name.replace(name.size() - 3, 3, "USec");
    }
    cgroup.properties.emplace_back(std::move(name), std::move(value));
}

// --- org.gocontainer.landlock -------------------------------------------------------------------

std::uint64_t read_accesses(Node list) {
    std::uint64_t all = 0;
    list.items([&](Node at) {
        std::uint64_t one = 0;
        at.choose(landlock_accesses(), "a right of landlock(7)", one);
        all |= one;
    });
    return all;
}

void read_landlock_object(Node at, spec::Landlock& out) {
    if (!at.object())
        return at.fail("is not an object");
    out.handled = read_accesses(at["handled"].required());
    if (out.handled == 0)
        at["handled"].fail("names no right, so nothing would be restricted");
    at["rules"].items([&](Node item) {
        spec::LandlockRule& rule = out.rules.emplace_back();
        if (item["paths"].required().into(rule.paths) && rule.paths.empty())
            item["paths"].fail("is empty");
        for (const std::string& path : rule.paths)
            if (!path.starts_with('/'))
                item["paths"].fail("\"" + path + "\": must be absolute");
        rule.access = read_accesses(item["access"].required());
        if (rule.access == 0 || (rule.access & ~out.handled) != 0)
            item["access"].fail("must be some of what is handled");
    });
}

void read_landlock(Node at, const std::string& text, spec::Process& process) {
    auto parsed = parse_json(text, "org.gocontainer.landlock");
    if (!parsed)
        return at.fail(parsed.error().detail);
    Document inner(*parsed);
    read_landlock_object(inner.root(), process.landlock.emplace());
    if (!inner.wrong().empty())
        at.fail(inner.wrong());
}

bool is_file_name(std::string_view name) {
    return name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

void read_subgroup(Node at, const std::string& value, std::string& out) {
    if (!is_file_name(value))
        return at.fail("\"" + value + "\" is not the name of a cgroup");
    out = value;
}

} // namespace

void read_hooks(Node hooks, spec::Hooks& out) {
    if (!hooks.object())
        return;
    for (const HookList& known : hook_lists())
        hooks[known.name].items([&](Node at) { read_hook(at, (out.*known.list).emplace_back()); });
}

void read_annotations(Node annotations, Reading& reading) {
    static constexpr std::string_view kProperty = "org.systemd.property.";
    static constexpr Named<int> kContexts[] = {
        {"context", 0}, {"fscontext", 0}, {"defcontext", 0}, {"rootcontext", 0}};
    spec::Spec& spec = reading.spec;
    annotations.members([&](const std::string& key, Node at) {
        std::string value;
        if (!at.into(value))
            return;
        int unused = 0;
        if (key == "run.oci.keep_original_groups") {
            if (spec.process.ids)
                spec.process.ids->keep_groups = value == "1" || value == "true";
        } else if (key == "run.oci.hooks.stdout") {
            spec.hooks.stdout_file = value;
        } else if (key == "run.oci.hooks.stderr") {
            spec.hooks.stderr_file = value;
        } else if (key == "run.oci.mount_context_type") {
            if (at.choose(kContexts, "a type of context", unused))
                spec.root.mount_label_type = value;
        } else if (key == "run.oci.systemd.subgroup") {
            if (reading.caller.systemd_cgroup)
                read_subgroup(at, value, spec.cgroup.subgroup);
        } else if (key == "run.oci.delegate-cgroup") {
            read_subgroup(at, value, spec.cgroup.payload);
        } else if (key == "run.oci.handler") { // crun's: a virtual machine, WebAssembly
            if (!value.empty())
                at.fail("\"" + value + "\": this runtime has no handlers, only processes");
        } else if (key == "org.gocontainer.landlock") {
            read_landlock(at, value, spec.process);
        } else if (key.starts_with(kProperty) && reading.caller.systemd_cgroup) {
            read_property(at, key.substr(kProperty.size()), value, spec.cgroup);
        }
        reading.config.annotations.emplace(key, std::move(value));
    });
}

} // namespace oci
