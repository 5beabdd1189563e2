// The birth of a container: from its state directory to a process that runs, or waits at the gate.
#pragma once

#include "oci/lifecycle.hpp"
#include "oci/loading.hpp"
#include "oci/readiness.hpp"
#include "run/slate.hpp"

namespace oci {

/// One launch of a container.
class Birth {
public:
    Birth(const Global& global, const CreateOptions& options, Store store, Loaded loaded,
          Progress& progress);
    Birth(const Birth&) = delete; // the launch refers to our own config
    Birth& operator=(const Birth&) = delete;
    ~Birth() = default;

    /// `gated`: until the child waits at the gate. Else until it has become the command.
    Result<void> go(bool gated, bool orphan);
    /// As if nothing had ever been tried.
    void fail();
    /// Somebody else may have done it already: then there is nothing to lock, and nothing to undo.
    void destroy();
    /// The exit status of the command.
    Result<int> supervise();
    /// Until the command says that it is, where somebody wants to know.
    void await_ready();
    stages::Facts& facts() { return launch_.facts; }

private:
    Result<void> keep();
    Result<void> run_runtime_hooks();
    Result<void> converse();
    Result<void> poststart();
    Result<void> unexpected_end();

    const Global& global_;
    const CreateOptions& options_;
    Store store_;
    Config config_;
    std::string bundle_;
    std::string text_; ///< of config.json
    Progress& progress_;
    stages::Launch launch_;
    State known_;
    std::string state_; ///< for hooks
    Fd socket_;
    Fd console_;
    run::Slate slate_;
    Readiness readiness_;
    pid_t keeper_ = 0; ///< of the network's helper; 0: none
};

/// Everything before the launch: the bundle read, unpacked first if it is an image, and a state
/// directory made. `starts`: no gate, so that there must be a command.
Result<Birth> prepare(const Global& global, const CreateOptions& options, const std::string& id,
                      bool detached, bool starts, std::uint64_t signal_mask);

/// runtime.md, "Start": an error when `process` was not set.
inline auto nothing_to_start() {
    return sys::wrong("config.json: process: is missing, so there is nothing to start");
}

/// All of them, whatever one of them says: the container is gone (runtime.md, "Lifecycle", 13).
/// `state`: what they are given, as JSON.
void run_poststop(const Global& global, const spec::Hooks& hooks, const State& state);

} // namespace oci
