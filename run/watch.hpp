// Who watches a launch: it stands between two steps, and hears every call of both sides.
//
//   parent                                              child
//     │ prepare, parent, meanwhile halves:                │
//     │   before(step) … called(…) … after(step)          │
//     │   ◄────────────────────── before {step, half} ──  │ child halves; it waits
//     │ before(step)                                      │
//     │ proceed ──────────────────────────────────────►   │
//     │   ◄──────────────── called {call, result} … ────  │
//     │   ◄─────────────────────── after {step, half} ──  │ it waits
//     │ after(step)                                       │
//     │ proceed ──────────────────────────────────────►   │
//
// With nobody watching, which is what engines and most people want, none of this is said, and the
// whole costs a null check a step.
#pragma once

#include "run/handshake.hpp"
#include "stages/stage.hpp"

namespace run {

/// Which of a stage's functions (stages/stage.hpp). The last ones are no stage's.
enum class Half : char {
    prepare = 'P',
    parent = 'p',
    enter = 'e',
    child = 'c',
    meanwhile = 'm',
    clone = 'C',   ///< the birth of the child
    re_exec = 'R', ///< it becomes `gocontainer child`
    settle = 'S',  ///< user, groups, limits and directory of the command
    command = 'X', ///< execve
    undo = 'U',    ///< when the command has ended: the stage's again
};

/// A piece of the launch that a reader would take in at once.
struct Step {
    Half half = Half::child;
    const stages::Stage* stage = nullptr; ///< nullptr for those that are no stage's
    bool empty = false;                   ///< the stage has no such half: clone3 has done it all
};

/// A system call that has been made. No result: it does not return when it succeeds.
struct Called {
    pid_t pid = 0; ///< who made it, as it sees itself
    std::string name;
    std::string text; ///< as in C
    std::optional<long> result;
};

class Watcher {
public:
    virtual ~Watcher() = default;
    /// `child`: its number here; 0 as long as there is none, and for itself before its re-exec. It
    /// waits. An error ends the launch.
    virtual Result<void> before(const Step& step, pid_t child) = 0;
    virtual Result<void> after(const Step& step, pid_t child) = 0;
    /// A call of the child's, behind its re-exec. Those of ours, and the child's before it, come
    /// through sys::listener.
    virtual void called(const Called& call) = 0;
    /// The child executes the command, or has ended: it says no more.
    virtual void gone() = 0;
};
inline Watcher* watcher = nullptr;

/// A step of ours, or of the child's before its re-exec. `child` may be set by the step itself.
template <class Function>
Result<void> step(const Step& step, const pid_t& child, Function function) {
    if (watcher == nullptr) [[likely]]
        return function();
    TRY(watcher->before(step, child));
    TRY(function());
    return watcher->after(step, child);
}

/// The child's side, behind its re-exec: tells the parent's watcher over the handshake.
class Teller : public sys::Listener {
public:
    explicit Teller(const Fd& socket) : socket_(socket) {}
    std::optional<long> before(const sys::Call& call) override;
    void after(const sys::Call& call, long result) override;

    Result<void> before(const Step& step) { return say_and_wait(Said::before, step); }
    Result<void> after(const Step& step) { return say_and_wait(Said::after, step); }
    /// Who stands in for the stage makes its own calls, and hands on: ours are about that alone.
    void fall_silent() { silent_ = true; }
    /// Under the filter that comes next, a word more could be our end.
    void fall_silent_after_filter() { silent_after_filter_ = true; }

private:
    Result<void> say_and_wait(Said said, const Step& step);
    void say(const sys::Call& call, std::optional<long> result);

    const Fd& socket_;
    bool talking_ = false; ///< what is said is not itself told of
    bool silent_ = false;
    bool silent_after_filter_ = false;
};

/// What a Teller has said.
Step step_of(const Message& message);
Called called_of(const Message& message);

} // namespace run
