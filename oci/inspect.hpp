// state, list and ps: what there is, without changing it.
#pragma once

#include "oci/lifecycle.hpp"

#include <string>
#include <vector>

namespace oci {

/// runtime.md, "State", as one JSON object, with rootfs, created and owner beside it.
Result<std::string> state(const Global& global, const std::string& id);

/// A number for that of a process; 0 for one that has ended, or is another user's.
ino_t pid_namespace(pid_t pid);

/// Who is in the PID namespace of `first`, if that is its number 1, and no namespace that was
/// there. As in a cgroup, without those that only wait to be waited for.
Result<std::vector<pid_t>> companions(pid_t first);

enum class Format : std::uint8_t { as_table, as_json };

Result<std::string> list(const Global& global, Format format, bool quiet);

/// JSON: the host's pids of all its processes. Table: `ps`'s columns of those, for `options` of
/// ps(1) ("-ef" when empty).
Result<std::string> ps(const Global& global, const std::string& id, Format format,
                       const std::vector<std::string>& options);

} // namespace oci
