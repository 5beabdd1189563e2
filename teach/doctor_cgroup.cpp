// Whether there is a place for a leaf cgroup, and which limits it can have: by making one, where
// and as a launch would, and removing it.
#include "stages/cgroup_place.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"
#include "teach/doctor_probe.hpp"

#include <map>
#include <sstream>

namespace teach {

using sys::Result;

namespace {

/// The controllers that each cgroup from ours up hands down; a launch may hand down more, and what
/// nobody used before is taken back.
class Controllers {
public:
    Controllers() {
        auto hierarchy = stages::cgroup::find_hierarchy();
        if (!hierarchy || hierarchy->layout == stages::cgroup::Layout::none)
            return;
        for (const std::string& directory : stages::cgroup::candidates(*hierarchy))
            if (auto text = sys::read_file(file_of(directory)))
                before_[directory] = *text;
    }
    ~Controllers() {
        for (const auto& [directory, before] : before_) {
            std::istringstream now(sys::read_file(file_of(directory)).value_or(""));
            for (std::string name; now >> name;)
                if (!stages::cgroup::has_word(before, name))
                    // Busy, if somebody has come to rely on it meanwhile: then it stays.
                    (void)sys::write_file(file_of(directory), "-" + name);
        }
    }
    Controllers(const Controllers&) = delete;
    Controllers& operator=(const Controllers&) = delete;
    Controllers(Controllers&&) = delete;
    Controllers& operator=(Controllers&&) = delete;

private:
    static std::string file_of(const std::string& directory) {
        return sys::join(directory, "cgroup.subtree_control");
    }
    std::map<std::string, std::string> before_;
};

Result<void> make_leaf(const std::function<void(spec::Resources&)>& limit) {
    Controllers controllers;
    Rehearsal rehearsal = TRY(Rehearsal::make());
    limit(rehearsal.spec().cgroup.resources);
    TRY(stages::cgroup::prepare(rehearsal.launch()));
    if (rehearsal.launch().leaf.valid())
        return {};
    return sys::wrong("the container stays in the cgroup that we are in");
}

} // namespace

// Under systemd nobody asks it for a place without having a limit to set.
Result<void> try_leaf(const Ground& ground) {
    if (try_pids_limit(ground))
        return {};
    return make_leaf([](spec::Resources&) {});
}

Result<void> try_memory_limit(const Ground& ground) {
    (void)ground;
    return make_leaf([](spec::Resources& limits) { limits.memory = std::int64_t{64} << 20; });
}

Result<void> try_pids_limit(const Ground& ground) {
    (void)ground;
    return make_leaf([](spec::Resources& limits) { limits.pids = 20; });
}

Result<void> try_cpu_limit(const Ground& ground) {
    (void)ground;
    return make_leaf([](spec::Resources& limits) { limits.cpu_quota = 50'000; });
}

Result<void> try_cpuset(const Ground& ground) {
    (void)ground;
    return make_leaf([](spec::Resources& limits) { limits.cpuset = "0"; });
}

Result<void> try_io_limit(const Ground& ground) {
    (void)ground;
    return make_leaf([](spec::Resources& limits) { limits.io_weight = 100; });
}

} // namespace teach
