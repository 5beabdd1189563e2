// kill, pause, resume, update and events: what is done to a container that is there.
#pragma once

#include "oci/lifecycle.hpp"
#include "oci/options.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oci {

/// "9", "KILL", "SIGKILL", "sigkill", "RTMIN+1"; nothing for what is no signal.
std::optional<int> signal_named(std::string_view text);

/// To the first process, or with `all` (and where there is no PID namespace, for SIGKILL) to all.
Result<void> kill(const Global& global, const std::string& id, int signal, bool all);
Result<void> pause(const Global& global, const std::string& id);
Result<void> resume(const Global& global, const std::string& id);

/// update's options: a file with linux.resources, or single values.
std::span<const OptionRow> update_rows();
/// Change limits: what `arguments` don't name stays.
Result<void> update(const Global& global, const std::string& id, const Arguments& arguments);

/// One line of JSON for each event, to `print`: with `once`, one of statistics; else one at each
/// interval, and one for each process that is killed for want of memory, until the end of the
/// container.
Result<void> events(const Global& global, const std::string& id, bool once,
                    std::chrono::milliseconds interval,
                    const std::function<void(const std::string&)>& print);

} // namespace oci
