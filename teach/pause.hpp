// The prompt between two stages (--pause): the child waits, and a person looks around.
#pragma once

#include "run/watch.hpp"
#include "teach/paint.hpp"
#include "teach/snapshot.hpp"

#include <functional>
#include <string>

namespace teach {

class Pause {
public:
    using Print = std::function<void(const std::string&)>;

    Pause(Paint paint, Print print) : paint_(paint), print_(std::move(print)) {}

    enum class Answer { go_on, explain, quit };
    /// Ask until the answer is one that concerns the launch. `explain`: go on, and say what is done
    /// from here. At the end of input, and by a signal that ends programs: quit.
    Result<Answer> ask(const run::Step& step, pid_t child);

private:
    struct Command {
        const char* name;
        const char* help;
        std::optional<Answer> (Pause::*run)(const run::Step&, pid_t);
    };
    static std::span<const Command> commands();

    std::optional<Answer> look(const run::Step&, pid_t child);
    std::optional<Answer> differ(const run::Step&, pid_t child);
    std::optional<Answer> compare_with_host(const run::Step&, pid_t child);
    std::optional<Answer> explain(const run::Step& step, pid_t);
    std::optional<Answer> shell(const run::Step& step, pid_t child);
    std::optional<Answer> go_on(const run::Step&, pid_t);
    std::optional<Answer> quit(const run::Step&, pid_t);
    std::optional<Answer> help(const run::Step&, pid_t);

    void ask_again();
    /// The line that is typed at the prompt; nothing: quit. Stops by ^Z, and asks anew behind it.
    Result<std::optional<std::string>> read_line();
    void complain(const sys::Error& error);

    Paint paint_;
    Print print_;
    std::optional<Snapshot> last_; ///< at the stop before this one
    std::string part_;             ///< that is to be looked at; empty: all
};

} // namespace teach
