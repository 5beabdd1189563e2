// The keeper: a process that does nothing, until its parent is killed; then it undoes.
//
// A launcher that is killed with SIGKILL can remove nothing any more. What it has made stands in
// the Ledger, in memory that both share, written before it was made. The keeper waits for the
// launcher's end, executes /proc/self/exe anew, since the memory of a killed process may be in any
// state, and runs the stages' undo on the Ledger. It is started, and the memory shared, before the
// first thing is made, so a launch that makes nothing outside the container costs no keeper.
//
// A container of the runtime has its Ledger in its state directory, where `delete` finds it. The
// one thing that must not wait for that is who serves its network (tend_network).
#pragma once

#include "stages/stage.hpp"

#include <string>
#include <vector>

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
    /// The launcher has undone everything itself. The destructor waits for its end.
    void dismiss();

private:
    explicit Keeper(stages::Ledger* ledger) : ledger_(ledger) {}
    stages::Ledger* ledger_; ///< pages of its own: start() shares them
    pid_t pid_ = 0;
    bool dismissed_ = false;
};

/// A keeper for a Ledger at the beginning of a file, and for one thing in it: when `container`, a
/// pidfd, has ended, it ends the program that its network was served by. For as long as that lives,
/// it outlives us. Its pid.
sys::Result<pid_t> tend_network(const sys::Fd& container, const sys::Fd& file);
/// End what the two have started, when there is no more use for it.
void dismiss(pid_t keeper);

/// `gocontainer keeper [STAGE]`, with the Ledger as standard output: what the keeper executes, to
/// undo that stage or all. Returns only the line to print when it was called by hand.
std::string keeper_main(const std::vector<std::string>& args);

/// Every stage's undo, backwards.
void undo(stages::Ledger& ledger);

} // namespace run
