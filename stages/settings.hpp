// What the process is given for itself besides its user and its powers (config.md, "Linux
// Process"): each only where it was asked for.
#pragma once

#include "stages/stage.hpp"

#include <utility>

namespace stages {

/// Kernel parameters of the container's namespaces, and how likely it is to be killed for memory.
/// The host's /proc is still there, and nothing of the container's has been mounted.
Result<void> set_parameters(const Inside& inside);

/// In the parent: as likely to be killed for memory as the child is to be, which inherits it. Its
/// own user namespace gives the child no right to say less than it was born with.
class OomScore {
public:
    static Result<OomScore> of_child(const spec::Spec& spec);
    OomScore() = default;
    OomScore(OomScore&& other) noexcept
        : as_wanted_(other.as_wanted_), before_(std::exchange(other.before_, {})) {}
    OomScore(const OomScore&) = delete;
    OomScore& operator=(const OomScore&) = delete;
    OomScore& operator=(OomScore&&) = delete;
    ~OomScore(); ///< back to what it was; not before the child has memory of its own
    bool as_wanted() const { return as_wanted_; } ///< else it is the child's to set

private:
    bool as_wanted_ = false;
    std::string before_;
};

/// Keyring, scheduling, memory policy, personality, labels for the next exec, and what Landlock is
/// to allow, kept in inside.landlock. In the container's root, still root there.
Result<void> set_process(Inside& inside);

/// Landlock: after the last of ours that it would touch.
Result<void> set_confinement(Inside& inside);

/// A procfs that nothing of an image's or another process's can stand in for: a private one of our
/// pid namespace, else /proc if it is one.
Result<Fd> private_proc(const Inside& inside);

/// The host's, as it was before anything of ours: O_PATH.
Result<Fd> outer_proc();

} // namespace stages
