// Which CPUs a process may run on (sched_setaffinity(2)).
#pragma once

#include "sys/result.hpp"

#include <string>

namespace sys {

/// This process, on `cpus` alone: "0-3,7". Inherited by what it starts.
Result<void> set_affinity(const std::string& cpus);

} // namespace sys
