// Made of the tables that config.json is read with, so that nothing is promised that isn't read.
#include "oci/features.hpp"

#include "oci/config.hpp"
#include "oci/names.hpp"
#include "spec/options.hpp"

#include <seccomp.h>

namespace oci {

namespace {

json names_of(const auto& table) {
    json out = json::array();
    for (const auto& row : table)
        out.push_back(row.name);
    return out;
}

json hooks() {
    json out = json::array();
    for (const HookList& row : hook_lists())
        out.push_back(row.name);
    return out;
}

json capabilities() {
    json out = json::array();
    for (std::string name : spec::all_capabilities()) {
        for (char& c : name)
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        out.push_back(std::move(name));
    }
    return out;
}

/// Those that the libseccomp in this build can make a filter for.
json architectures() {
    json out = json::array();
    constexpr std::string_view kPrefix = "SCMP_ARCH_";
    for (const auto& row : seccomp_architectures()) {
        std::string lower(row.name.substr(kPrefix.size()));
        for (char& c : lower)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (seccomp_arch_resolve_name(lower.c_str()) != 0)
            out.push_back(row.name);
    }
    return out;
}

json seccomp() {
    json supported = json::array();
    for (const auto& row : seccomp_flags())
        if (row.value)
            supported.push_back(row.name);
    return {{"enabled", true},
            {"actions", names_of(seccomp_actions())},
            {"operators", names_of(seccomp_operators())},
            {"archs", architectures()},
            {"knownFlags", names_of(seccomp_flags())},
            {"supportedFlags", std::move(supported)}};
}

} // namespace

json features(const std::string& version) {
    const json on = {{"enabled", true}};
    std::string libseccomp = std::to_string(SCMP_VER_MAJOR) + "." + std::to_string(SCMP_VER_MINOR) +
                             "." + std::to_string(SCMP_VER_MICRO);
    return {
        {"ociVersionMin", "1.0.0"},
        {"ociVersionMax", kSpecVersionMax},
        {"hooks", hooks()},
        {"mountOptions", names_of(mount_options())},
        {"linux",
         {{"namespaces", names_of(namespace_names())},
          {"capabilities", capabilities()},
          {"cgroup",
           {{"v1", false}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}}},
          {"seccomp", seccomp()},
          {"apparmor", on},
          {"selinux", on},
          {"intelRdt", {{"enabled", true}, {"schemata", true}, {"monitoring", true}}},
          {"memoryPolicy",
           {{"modes", names_of(memory_policy_modes())},
            {"flags", names_of(memory_policy_flags())}}},
          {"mountExtensions", {{"idmap", on}}},
          {"netDevices", on}}},
        {"annotations",
         {{"org.gocontainer.version", version},
          {"io.github.seccomp.libseccomp.version", std::move(libseccomp)}}},
        // What somebody who may write annotations, and nothing else, must not be able to do.
        {"potentiallyUnsafeConfigAnnotations",
         {"org.gocontainer.", "org.systemd.property.", "run.oci."}},
    };
}

} // namespace oci
