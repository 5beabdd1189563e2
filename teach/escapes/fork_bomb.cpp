// fork-bomb: so many processes that there is no room for others. This one stops at a hundred, which
// end together as soon as they are counted.
//
// pids.max of the container's cgroup is the limit that holds (--pids).
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> fork_bomb(const Prey&) {
    auto [wait, hold] = TRY(sys::pipe());
    std::vector<pid_t> children;
    std::string stopped;
    while (children.size() < kBomb) {
        auto child = sys::fork();
        if (!child) {
            stopped = sys::to_line(child.error());
            break;
        }
        if (*child == 0) {
            hold.close();
            char never = 0;
            (void)sys::read(wait.get(), std::span(&never, 1)); // until the other end is closed
            sys::exit_now(0);
        }
        children.push_back(*child);
    }
    hold.close();
    for (pid_t child : children)
        (void)sys::waitpid(child, 0);
    std::string count = std::to_string(children.size()) + " processes";
    if (!stopped.empty())
        return sys::wrong("stopped at " + count + ": " + stopped);
    return count + " at once, and nothing stopped it";
}

} // namespace teach
