// Starting what a learner has written.
#include "tests/exercise/mine.hpp"

#include <sched.h>
#include <unistd.h>

#include <stdexcept>

namespace exercise {

std::string mine() {
    const char* path = getenv("GOCONTAINER_MINE");
    if (path == nullptr)
        throw std::runtime_error("these tests are run by 'gocontainer lab check'");
    return path;
}

Strings mine(const Strings& arguments) {
    return joined({mine()}, arguments);
}

Strings joined(Strings first, const Strings& rest) {
    first.insert(first.end(), rest.begin(), rest.end());
    return first;
}

std::unique_ptr<Process> idle_in(int namespaces) {
    auto process = std::make_unique<Process>(Command{.argv = {"cat"}, .before_exec = [namespaces] {
                                                         if (unshare(namespaces) != 0)
                                                             _exit(99);
                                                     }});
    process->type("ready\n");
    try {
        process->until("ready");
    } catch (const std::runtime_error&) {
        return nullptr;
    }
    return process;
}

pid_t running(pid_t pid, const Strings& command) {
    std::vector<pid_t> all = descendants_of(pid);
    all.insert(all.begin(), pid);
    for (pid_t one : all) {
        std::string wanted;
        for (const std::string& word : command)
            wanted += word + '\0';
        if (try_slurp("/proc/" + std::to_string(one) + "/cmdline") == wanted)
            return one;
    }
    return -1;
}

} // namespace exercise
