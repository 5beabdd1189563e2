// Trying one thing by doing it, in a child that is thrown away with all that it made.
//
// Neither a sysctl nor the caller's capabilities tell what a kernel under AppArmor, a seccomp
// filter or another container will allow. So each probe makes the calls that a launch would make,
// most of them by the stage's own code, and says which single thing was refused.
#pragma once

#include "run/keeper.hpp"
#include "stages/cause_table.hpp"
#include "stages/stage.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace teach {

/// What the probes work with.
struct Ground {
    std::string rootfs;   ///< where `parent` would look for one
    bool own_user = true; ///< probes make a user namespace first: as a launch does
};

struct Probe {
    const char* name; ///< for programs: "user-namespace"
    const char* what; ///< for people: "make a user namespace"
    sys::Result<void> (*run)(const Ground&);
};
/// In the order in which they run.
std::span<const Probe> probes();

struct Finding {
    std::string probe;
    bool works = false;
    sys::Error error;            ///< when it does not
    stages::causes::Cause cause; ///< likewise: why, what to do, and what that opens
};

/// Run `work` in a child of ours: what it made ends with it. After half a minute it is ended.
Finding try_in_child(const std::string& name, const std::function<sys::Result<void>()>& work);

/// The same for what has more to tell than whether it works, and beside others.
class Telling {
public:
    static sys::Result<Telling> start(const std::function<std::string()>& work);
    /// Its text, when it has ended.
    sys::Result<std::string> finish();

private:
    pid_t child_ = 0;
    sys::Fd memory_;
};

// --- for probes, in such a child -----------------------------------------------------------------

/// In new namespaces (CLONE_NEW*), and root in there, by a map of the caller's own id alone.
sys::Result<void> become_root_in(const Ground& ground, std::uint64_t namespaces);
/// Nothing that is mounted from here on reaches anybody.
sys::Result<void> keep_mounts_private();

/// A launch of which only single halves are run; the keeper undoes it should we be killed.
class Rehearsal {
public:
    static sys::Result<Rehearsal> make();
    ~Rehearsal();
    Rehearsal(Rehearsal&& other) noexcept = default;
    Rehearsal& operator=(Rehearsal&&) = delete;
    Rehearsal(const Rehearsal&) = delete;
    Rehearsal& operator=(const Rehearsal&) = delete;

    /// A child for it, in new namespaces, mapped as a launch maps it; it waits until this goes.
    sys::Result<void> start_child(const Ground& ground, std::uint64_t namespaces);
    spec::Spec& spec() { return all_->spec; }
    stages::Launch& launch() { return all_->launch; }
    /// Does it go on without something?
    bool has_said_something() const { return all_->said; }

private:
    struct All {
        explicit All(run::Keeper made);
        spec::Spec spec;
        run::Keeper keeper;
        stages::Launch launch;
        sys::Fd hold;
        bool said = false;
    };
    explicit Rehearsal(std::unique_ptr<All> all) : all_(std::move(all)) {}
    std::unique_ptr<All> all_;
};

// --- teach/doctor_cgroup.cpp
// -----------------------------------------------------------------------
sys::Result<void> try_leaf(const Ground& ground);
sys::Result<void> try_memory_limit(const Ground& ground);
sys::Result<void> try_pids_limit(const Ground& ground);
sys::Result<void> try_cpu_limit(const Ground& ground);
sys::Result<void> try_cpuset(const Ground& ground);
sys::Result<void> try_io_limit(const Ground& ground);

} // namespace teach
