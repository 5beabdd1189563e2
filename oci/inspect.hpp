// state, list and ps: what there is, without changing it.
#pragma once

#include "oci/lifecycle.hpp"
#include "oci/store.hpp"

#include <string>
#include <vector>

namespace oci {

/// runtime.md, "State", as one JSON object, with rootfs, created and owner beside it.
Result<std::string> state(const Global& global, const std::string& id);

/// A number for that of a process; 0 for one that has ended, or is another user's.
ino_t pid_namespace(pid_t pid);

/// All its processes: of its cgroup, or without one, of a PID namespace of its own.
Result<std::vector<pid_t>> processes(const Store& store);

enum class Format : std::uint8_t { as_table, as_json };

Result<std::string> list(const Global& global, Format format, bool quiet);

/// JSON: the host's pids of all its processes. Table: `ps`'s columns of those, for `options` of
/// ps(1) ("-ef" when empty).
Result<std::string> ps(const Global& global, const std::string& id, Format format,
                       const std::vector<std::string>& options);

} // namespace oci
