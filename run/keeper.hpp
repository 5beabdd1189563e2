// The keeper: a process that does nothing, until its parent is killed; then it undoes.
//
// A launcher that is killed with SIGKILL can remove nothing any more. What it has made stands in
// the Ledger, in memory that both share, written before it was made. The keeper waits for the
// launcher's end, executes /proc/self/exe anew, since the memory of a killed process may be in any
// state, and runs the stages' undo on the Ledger. It is started before the first entry is written,
// so a launch that makes nothing outside the container costs no keeper.
#pragma once

#include "stages/stage.hpp"

#include <string>

namespace run {

class Keeper {
public:
    static sys::Result<Keeper> make();
    ~Keeper();
    Keeper(Keeper&& other) noexcept;
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;
    Keeper& operator=(Keeper&&) = delete;

    stages::Ledger& ledger() { return *ledger_; }
    /// Start the process, once.
    sys::Result<void> start();
    /// 0: not started.
    pid_t pid() const { return pid_; }
    /// The launcher has undone everything itself.
    void dismiss();

private:
    Keeper(sys::Fd file, stages::Ledger* ledger) : file_(std::move(file)), ledger_(ledger) {}
    sys::Fd file_; ///< the memfd that the Ledger lies in
    stages::Ledger* ledger_;
    pid_t pid_ = 0;
};

/// `gocontainer keeper`, with the Ledger as standard output: what the keeper executes. Returns only
/// the line to print when it was called by hand.
std::string keeper_main();

/// Every stage's undo, backwards.
void undo(stages::Ledger& ledger);

} // namespace run
