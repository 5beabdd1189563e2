// Hooks: programs that config.json names for points of a container's life (config.md,
// "POSIX-platform Hooks").
#pragma once

#include "spec/spec.hpp"
#include "sys/kernel.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace run {

/// `state` (a JSON object without status and pid) with both; pid 0 is left out.
std::string with_status(const std::string& state, std::string_view status, pid_t pid);

/// Start each in its order, with `state` as its standard input, exactly its own environment and no
/// descriptor but its streams, and wait for it. The first that fails, or takes longer than its
/// timeout, is the error, with what it has printed. `kind` names them: "createRuntime".
/// `all` says where they write to, when they are not to be heard only if they fail. They start in
/// `directory`: the bundle, as with runc and crun, whoever calls us from wherever; in ours where it
/// is empty. `first` is a pidfd of the container's first process, where that is to outlive them:
/// when it ends, a hook is killed, since what it is for is gone.
sys::Result<void> run_hooks(const spec::Hooks& all, const std::vector<spec::Hook>& hooks,
                            std::string_view kind, const std::string& state,
                            const std::string& directory, int first = -1);

} // namespace run
