// The keeper: a process that does nothing, until its parent is killed; then it undoes.
//
// A launcher that is killed with SIGKILL can remove nothing any more. What it has made stands in
// the Ledger, in memory that both share, written before it was made; the keeper waits for the
// launcher's end and runs the stages' undo on it. It is started before the first entry is
// written, so a launch that makes nothing outside the container costs no keeper.
#pragma once

#include "stages/stage.hpp"

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
    /// The launcher has undone everything itself.
    void dismiss();

private:
    explicit Keeper(stages::Ledger* ledger) : ledger_(ledger) {}
    stages::Ledger* ledger_;
    pid_t pid_ = 0;
};

/// Every stage's undo, backwards.
void undo(stages::Ledger& ledger);

} // namespace run
