// Asked again, one namespace at a time, of children that end at once.
#include "run/refused.hpp"

#include "stages/causes.hpp"
#include "stages/stages.hpp"

#include <sched.h>

#include <cerrno>

namespace run {

using stages::Stage;
using sys::Error;

int try_clone(std::uint64_t namespaces) {
    clone_args args{};
    args.flags = namespaces;
    args.exit_signal = SIGCHLD;
    auto pid = sys::clone3(args, [](void*) { sys::exit_now(0); }, nullptr);
    if (!pid)
        return pid.error().code;
    (void)sys::waitpid(*pid, 0); // our child, not waited for yet
    return 0;
}

namespace {

/// The first stage whose namespace is refused; nullptr: each of them alone is granted.
const Stage* refused_stage(const spec::Spec& spec, int code) {
    std::uint64_t flags = stages::clone_flags(spec);
    // The others are made inside it, by its root.
    std::uint64_t user = flags & CLONE_NEWUSER;
    for (const Stage& stage : stages::table())
        if ((flags & stage.clone_flag) != 0 && try_clone(user | stage.clone_flag) == code)
            return &stage;
    return nullptr;
}

} // namespace

Error refused_clone(const stages::Launch& launch, Error error) {
    namespace causes = stages::causes;
    // They are about the call, not about what it was asked for.
    bool of_call = error.code == ENOSYS || error.code == EAGAIN;
    const Stage* stage = of_call ? nullptr : refused_stage(launch.spec, error.code);
    bool user = launch.spec.stages.has(spec::Stage::user);
    if (stage != nullptr) {
        error.stage = name_of(stage->id);
        error.hint = !user && error.code == EPERM ? causes::hint_of(causes::Id::userns_needed)
                                                  : causes::no_namespace(stage->ns, error.code);
    } else if (error.code == EAGAIN) {
        error.stage = "clone";
    } else if (error.code != ENOSYS && launch.leaf.valid()) {
        error.stage = "cgroup";
        std::string leaf = launch.ledger->leaf; // not noted down for exec, which makes none
        error.detail = "the kernel puts no process into " +
                       (leaf.empty() ? "the container's cgroup" : "\"" + leaf + "\"");
    } else {
        error.stage = user ? "user" : "clone";
        error.hint = causes::no_namespace("user", error.code);
    }
    return error;
}

} // namespace run
