// One launch, from the parent's side.
#pragma once

#include "spec/spec.hpp"
#include "sys/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace run {

/// Start what `spec` wants, wait for it, undo. The exit status of the command (128+N when signal N
/// ended it), or why there is none. A spec without a name gets one. `say` gets a line for the
/// person now and then. `signal_mask`, bit N-1 for signal N, is what the command finds blocked;
/// left out, what the caller does.
sys::Result<int> launch(spec::Spec spec, std::function<void(const std::string&)> say,
                        std::optional<std::uint64_t> signal_mask = std::nullopt);

} // namespace run
