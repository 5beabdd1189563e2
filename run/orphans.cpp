// Adopting, finding and ending what the command has left.
#include "run/orphans.hpp"

#include "sys/path.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <chrono>
#include <sstream>
#include <vector>

namespace run {

using sys::Result;

namespace {

// One that hangs in the kernel, on a dead NFS server, say, must not keep the launcher.
constexpr std::chrono::seconds kPatience{10};

std::vector<pid_t> orphans(const std::set<pid_t>& ours) {
    std::vector<pid_t> found;
    // Of this thread, and there is no other (proc_pid_children(5)).
    std::istringstream children(sys::read_file("/proc/thread-self/children", 1 << 22).value_or(""));
    for (pid_t pid = 0; children >> pid;)
        if (!ours.contains(pid))
            found.push_back(pid);
    return found;
}

} // namespace

Result<void> adopt_orphans() {
    return sys::prctl(PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER", 1);
}

void reap_orphans(const std::set<pid_t>& ours) {
    for (pid_t pid : orphans(ours))
        (void)sys::waitpid(pid, WNOHANG); // our child: can't fail
}

void end_orphans(const std::set<pid_t>& ours) {
    using std::chrono::milliseconds;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    // Each that ends leaves us its own children: again, until there are none.
    for (auto left = orphans(ours); !left.empty(); left = orphans(ours)) {
        for (pid_t pid : left)
            (void)sys::kill(pid, SIGKILL); // our child, not waited for: it is there
        for (pid_t pid : left) {
            auto ended = sys::pidfd_open(pid);
            pollfd end{.fd = ended ? ended->get() : -1, .events = POLLIN, .revents = 0};
            auto rest =
                std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
            if (rest.count() <= 0 || sys::poll(std::span(&end, 1), rest).value_or(0) == 0)
                return;
            (void)sys::waitpid(pid, WNOHANG);
        }
    }
}

} // namespace run
