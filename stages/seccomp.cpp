// seccomp: a filter that the kernel asks about every system call (lessons/13-seccomp).
//
//   default   stages/seccomp-default.json; for Docker's 14 capabilities compiled at build time
//   FILE      a profile in Docker's form, compiled in the parent before the clone
//   text      linux.seccomp of a bundle, likewise
//   none      nothing
#include "stages/seccomp_compile.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stages::seccomp {

namespace {

constexpr std::uint64_t kFilter[] = {
#include "seccomp_default.inc"
};
constexpr std::string_view kProfile =
#include "seccomp_default_json.inc"
    ;

using Names = std::vector<std::string>;

/// What the command can do at most: a profile lets through what a capability is for. Without the
/// caps stage that is all of its user namespace's; with no namespace of its own either, what the
/// caller has, so that an ordinary user's `--only seccomp` gets the strictest filter.
Result<Names> capabilities(const spec::Spec& spec) {
    if (spec.stages.has(spec::Stage::caps))
        return spec.capabilities.bounding;
    if (spec.stages.has(spec::Stage::user))
        return sys::all_capabilities();
    return sys::held_capabilities();
}

bool same(Names a, Names b) {
    std::ranges::sort(a);
    std::ranges::sort(b);
    return std::ranges::equal(a, b);
}

Result<void> compile_into(Facts& facts, const std::string& json, Names capabilities) {
    Machine machine{.arch = seccomp_arch_native(),
                    .kernel = kernel_version(TRY(sys::kernel_release())),
                    .capabilities = std::move(capabilities)};
    Profile profile = TRY(parse_profile(json, machine));
    if (!passes(profile, "execve"))
        return sys::wrong("execve never passes, so that no command could start");
    Bpf filter = TRY(compile(profile));
    facts.seccomp_filter.assign(reinterpret_cast<const char*>(filter.data()),
                                filter.size() * sizeof filter[0]);
    facts.seccomp_flags = profile.flags;
    return {};
}

std::string why_refused(const spec::Spec& spec, const Facts& facts, const Error& error) {
    if (error.code == EACCES)
        return "without no_new_privs a filter needs CAP_SYS_ADMIN in the user namespace: leave out "
               "--new-privs, or keep the user stage";
    if (error.code == EINVAL && facts.seccomp_flags != 0)
        return spec.seccomp.mode == spec::SeccompMode::text
                   ? "does this kernel know all of linux.seccomp.flags?"
                   : "does this kernel know all \"flags\" of \"" + spec.seccomp.file + "\"?";
    if (error.code != EINVAL && error.code != ENOSYS && error.code != EPERM)
        return {};
    auto mode = sys::seccomp_mode();
    if (mode && *mode == 2) // SECCOMP_MODE_FILTER
        return "we are under a filter already, which lets nobody add one: start the outer "
               "container without (Docker: --security-opt seccomp=unconfined), or use "
               "--seccomp none here";
    return "this kernel has no filters of system calls (CONFIG_SECCOMP_FILTER): --seccomp none "
           "does without";
}

} // namespace

Result<void> prepare(Launch& launch) {
    const spec::Spec& spec = launch.spec;
    if (spec.seccomp.mode == spec::SeccompMode::none)
        return {};
    Names may = TRY(capabilities(spec));
    if (spec.seccomp.mode == spec::SeccompMode::standard) {
        if (same(may, spec::default_capabilities()))
            return {}; // kFilter
        return compile_into(launch.facts, std::string(kProfile), std::move(may));
    }
    if (spec.seccomp.mode == spec::SeccompMode::text) {
        auto done = compile_into(launch.facts, spec.seccomp.text, std::move(may));
        if (!done)
            done.error().detail = "linux.seccomp: " + done.error().detail;
        return done;
    }
    const std::string& file = spec.seccomp.file;
    std::string json = TRY(hint(sys::read_file(file), [](const Error& error) {
        return std::string(error.code == ENOENT
                               ? "--seccomp takes default, none or a profile in Docker's JSON form"
                               : "");
    }));
    auto done = compile_into(launch.facts, json, std::move(may));
    if (!done)
        done.error().detail = "\"" + file + "\": " + done.error().detail;
    return done;
}

// Standing: in the finished root filesystem, with the capabilities of the caps stage, or still all
// of them when no_new_privs is not wanted. What comes after this must pass the filter: at most
// becoming another user, a terminal, PID 1's fork, and the exec.
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (spec.seccomp.mode == spec::SeccompMode::none)
        return {};
    // A filter could make a setuid program believe that it has dropped what it has not: so either
    // there is nothing to gain by an exec any more, or CAP_SYS_ADMIN answers for it (seccomp(2)).
    if (!spec.stages.has(spec::Stage::caps) && !spec.process.new_privileges)
        TRY(sys::prctl(PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1));
    auto why = [&](const Error& error) { return why_refused(spec, inside.facts, error); };
    const std::string& bytes = inside.facts.seccomp_filter;
    if (bytes.empty())
        return hint(sys::seccomp_set_filter(0, kFilter), why);
    Bpf filter(bytes.size() / sizeof(std::uint64_t));
    memcpy(filter.data(), bytes.data(), filter.size() * sizeof filter[0]);
    return hint(sys::seccomp_set_filter(inside.facts.seccomp_flags, filter), why);
}

} // namespace stages::seccomp
