// The narrator: tells a launch while it happens, from the calls themselves (--explain, --trace).
//
// It hears both sides: its own process through sys::listener, the child through run::watcher. What
// it says of a step (why.hpp) and of a call (shell.hpp) stands beside what was really called, with
// which result, and what the kernel shows of the child before and after (snapshot.hpp).
#pragma once

#include "spec/watching.hpp"
#include "teach/calls.hpp"
#include "teach/diff.hpp"
#include "teach/paint.hpp"
#include "teach/pause.hpp"
#include "teach/shell.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>

namespace teach {

using sys::Fd;
using sys::Result;

class Narrator : public sys::Listener, public run::Watcher {
public:
    using Print = std::function<void(const std::string&)>;

    /// `print`: to the person, on stderr. Opens the files that are to be written.
    static Result<std::unique_ptr<Narrator>> make(const spec::Watching& watching,
                                                  const spec::Spec& spec, Print print);
    ~Narrator() override;
    Narrator(const Narrator&) = delete;
    Narrator& operator=(const Narrator&) = delete;

    Result<void> before(const run::Step& step, pid_t child) override;
    Result<void> after(const run::Step& step, pid_t child) override;
    void called(const run::Called& call) override;
    void gone() override;

    std::optional<long> before(const sys::Call& call) override;
    void after(const sys::Call& call, long result) override;

private:
    struct Side {
        Descriptors descriptors;
        Shell shell;
    };

    Narrator(spec::Watching watching, const spec::Spec& spec, Print print);
    /// Whose call it is: a program's is that of a process which becomes one that we start.
    enum class Maker { parent, child, program };
    Maker side() const;
    void start(pid_t program);
    void told(const run::Called& call);
    void tell(const run::Called& call, Maker maker);
    void show(const run::Called& call, const std::string& text, const std::string& shell);
    void keep(const Fd& file, const char* option, const std::string& text);
    void trace(const std::string& line);
    void announce();
    bool listens() const;
    pid_t seen(pid_t child) const;
    void compare(const run::Step& step, pid_t child);
    void record(const run::Step& step, const char* when, const Snapshot& of);
    Result<void> pause(const run::Step& step, pid_t child);

    spec::Watching watching_;
    const spec::Spec& spec_;
    Print print_;
    Paint paint_;
    std::size_t width_; ///< of what is printed
    Fd trace_, recording_;
    std::optional<sys::Error> unkept_; ///< why not all of them could be written
    nlohmann::ordered_json recorded_ = nlohmann::ordered_json::array();
    nlohmann::ordered_json calls_; ///< of the step that is under way, for the recording
    Pause pause_;
    std::optional<run::Step> step_; ///< that is under way
    bool replaced_ = false;         ///< a program of the learner's stands in for it
    bool announced_ = false;        ///< its heading stands
    pid_t self_;                    ///< as long as it is us: the child is born with a copy of us
    pid_t seen_ = 0;                ///< what seen() has said when the step began
    Side ours_, childs_, programs_;
    bool starting_ = false; ///< between a vfork and its return
    /// What it did, told when the vfork returns: until then, 2 may be the program's own.
    std::vector<run::Called> program_;
    std::optional<Snapshot> before_;     ///< the child, when the step began
    std::optional<run::Called> pending_; ///< an execve that has not come back
    bool talking_ = false;               ///< what the narrator itself calls is no part of the story
};

} // namespace teach
