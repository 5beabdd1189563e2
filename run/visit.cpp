// begin() and supervise(), with nothing in between.
#include "run/visit.hpp"

#include "run/begin.hpp"
#include "run/supervise.hpp"
#include "run/watch.hpp"
#include "stages/stages.hpp"

namespace run {

namespace {

/// Nobody watches the visit: it is no part of the launch.
class Unwatched {
public:
    Unwatched() : watcher_(std::exchange(watcher, nullptr)) {}
    ~Unwatched() { watcher = watcher_; }
    Unwatched(const Unwatched&) = delete;
    Unwatched& operator=(const Unwatched&) = delete;

private:
    Watcher* watcher_;
    sys::Unheard unheard_;
};

} // namespace

void join_all(spec::Spec& spec, pid_t pid) {
    for (const stages::Stage& stage : stages::table()) {
        if (stage.ns == nullptr)
            continue;
        spec.stages.add(stage.id);
        spec.joins.push_back({stage.id, "/proc/" + std::to_string(pid) + "/ns/" + stage.ns});
    }
}

Result<int> visit(pid_t pid, spec::Process process) {
    Unwatched unwatched;
    spec::Spec spec;
    spec.quiet = true;
    spec.inside_already = true;
    spec.stages = spec::StageSet(0);
    spec.process = std::move(process);
    join_all(spec, pid);
    stages::Ledger ledger;
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    launch.keep = [] { return Result<void>{}; }; // nothing is made but the process
    launch.say = [](const std::string&) {};
    launch.container = TRY(sys::pidfd_open(pid));
    launch.container_pid = pid;
    BlockedSignals blocked = TRY(block_signals());
    launch.facts.default_signals = true;
    Fd socket = TRY(begin(launch));
    return supervise(spec, launch.child, launch.pidfd, socket, launch.say);
}

} // namespace run
