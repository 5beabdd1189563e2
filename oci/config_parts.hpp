// The parts of config.json, each read by a file of its own. What they find wrong, the document
// keeps.
#pragma once

#include "oci/config.hpp"
#include "oci/document.hpp"
#include "spec/path.hpp"

namespace oci {

/// A bundle on its way to becoming a Config.
struct Reading {
    const Bundle& bundle;
    const Caller& caller;
    Config& config;
    spec::Spec& spec; ///< of `config`

    /// Does the container have it, as one of its own or joined?
    bool has(spec::Stage stage) const { return spec.stages.has(stage); }
    bool joins(spec::Stage stage) const;
};

using spec::clean; // ".." is taken literally
/// Has it a part ".."?
bool goes_up(std::string_view path);
/// `path`, or what it is below `base` when it is relative.
std::string below(const std::string& base, const std::string& path);

// config_process.cpp
void read_process(Node at, spec::Spec& spec, const Caller& caller);
void read_affinity(Node affinity, Affinity& out);
/// "0-3,7" (cpuset(7), "List format"), checked.
void read_list(Node list, std::string& out);

// config_mounts.cpp: mounts[], after the namespaces and id maps.
void read_mounts(Node mounts, Reading& reading);
/// A list of mappings; ranges that overlap, are empty or too many are an error.
void read_id_maps(Node list, std::vector<spec::IdMap>& out);

// config_resources.cpp
void read_resources(Node at, spec::Resources& out);
/// What runc allows on top, when there is a filter at all: nodes that every container has.
void allow_usual_devices(const std::vector<spec::Device>& own, std::vector<spec::DeviceRule>& out);

// config_seccomp.cpp: checked, and as the text that the seccomp stage reads.
void read_seccomp(Node at, Reading& reading);

// config_kernel.cpp: what a container changes of its kernel interface.
void read_sysctl(Node sysctl, Reading& reading);
void read_devices(Node devices, std::vector<spec::Device>& out);
void read_net_devices(Node devices, Reading& reading);
void read_intel_rdt(Node at, spec::Spec& spec);
void read_memory_policy(Node at, spec::Spec& spec);
void read_personality(Node at, spec::Spec& spec);
void read_time_offsets(Node offsets, Reading& reading);

// config_annotations.cpp
void read_hooks(Node hooks, spec::Hooks& out);
void read_annotations(Node annotations, Reading& reading);

} // namespace oci
