// What the child's two halves share: the command line between them, and how each of them fails.
#pragma once

#include "run/handshake.hpp"
#include "run/slate.hpp"
#include "stages/stage.hpp"

namespace run {

/// The re-exec's first arguments.
inline constexpr const char* kSelf = "/proc/self/exe";
inline constexpr const char* kChild = "child";
/// The first descriptor that it keeps: behind the standard streams.
inline constexpr int kFirst = 3;

Error at(const stages::Stage& stage, Error error);
[[noreturn]] void fail(const Fd& socket, const Error& error, Slate&& slate = {});

} // namespace run
