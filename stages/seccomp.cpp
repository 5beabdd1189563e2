// seccomp: a filter that the kernel asks about every system call (lessons/13-seccomp).
//
//   default   stages/seccomp-default.json; for Docker's 14 capabilities compiled at build time
//   FILE      a profile in Docker's form, compiled in the parent before the clone
//   none      nothing
#include "stages/seccomp_cache.hpp"
#include "stages/seccomp_compile.hpp"
#include "stages/stages.hpp"
#include "sys/capability.hpp"
#include "sys/path.hpp"

#include <linux/seccomp.h>
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

Result<void> compile_into(Facts& facts, const std::string& json, Names capabilities,
                          const std::string& release, bool listened) {
    Machine machine{.arch = seccomp_arch_native(),
                    .kernel = kernel_version(release),
                    .capabilities = std::move(capabilities),
                    .listened = listened};
    Profile profile = TRY(parse_profile(json, machine));
    if (!pass(profile, {"execve"}))
        return sys::wrong("execve never passes, so that no command could start",
                          R"(allow it: {"names": ["execve"], "action": "SCMP_ACT_ALLOW"})");
    Bpf filter = TRY(compile(profile));
    facts.seccomp_filter.assign(reinterpret_cast<const char*>(filter.data()),
                                filter.size() * sizeof filter[0]);
    facts.seccomp_flags = profile.flags;
    // What comes between the filter and the exec, and what it takes to say that it failed.
    facts.may_silence =
        !pass(profile, {"setsid", "close_range", "close", "read", "write", "recvfrom", "ioctl",
                        "prctl", "capget", "capset", "setgroups", "setresgid", "setresuid",
                        "geteuid", "openat", "faccessat2", "sendmsg", "brk", "mmap"});
    if (!profile.notifies) {
        constexpr std::uint32_t kWaitKillable = 1U << 5; // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        facts.seccomp_flags &= ~kWaitKillable; // of who waits for an answer, and nobody does
    } else {
        // We send the listener to the parent under the filter; nobody could answer for us yet.
        for (const char* call : {"sendmsg", "execve"})
            if (notified(profile, call))
                return sys::wrong(std::string(call) +
                                  " can't be SCMP_ACT_NOTIFY: it is called before anybody listens");
        // One thread is all threads; and the kernel takes only one of the two flags.
        facts.seccomp_flags &= ~std::uint32_t{SECCOMP_FILTER_FLAG_TSYNC};
        facts.seccomp_flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    }
    return {};
}

/// What the program compiled of `text` depends on, text for text.
std::string key_of(const FilterCache& cache, const std::string& release, const std::string& text,
                   Names may) {
    std::ranges::sort(may);
    std::string key = cache.build + "\n" + release + "\n" + text + "\n";
    for (const std::string& name : may)
        key += name + " ";
    return key;
}

/// linux.seccomp of a bundle: compiled, or found in the cache.
Result<void> compile_text(Launch& launch, Names may) {
    const spec::Seccomp& wanted = launch.spec.seccomp;
    Facts& facts = launch.facts;
    const FilterCache& cache = launch.filter_cache;
    std::string release = TRY(sys::kernel_release());
    std::string key = key_of(cache, release, wanted.text, may);
    if (!cache.directory.empty())
        if (auto found = cached(cache.directory, key)) {
            take(facts, std::move(*found));
            return {};
        }
    auto done =
        compile_into(facts, wanted.text, std::move(may), release, !wanted.listener_path.empty());
    if (!done)
        done.error().detail = "linux.seccomp: " + done.error().detail;
    else if (!cache.directory.empty())
        keep(cache.directory, key, {facts.seccomp_filter, facts.seccomp_flags, facts.may_silence});
    return done;
}

/// What is wrong with a --seccomp FILE that can't be read.
std::string why_unreadable(const std::string& file, int code) {
    constexpr const char* kForms =
        "--seccomp takes default, none or a profile in Docker's JSON form";
    if (code == EISDIR)
        return "\"" + file + "\" is a directory: " + kForms;
    if (code == EACCES)
        return "uid " + std::to_string(sys::geteuid()) + " may not read \"" + file +
               "\": 'chmod +r' it, or use a copy of your own";
    return code == ENOENT || code == ENOTDIR ? "there is no \"" + file + "\": " + kForms : "";
}

/// --seccomp FILE, compiled.
Result<void> compile_file(Launch& launch, Names may) {
    const std::string& file = launch.spec.seccomp.file;
    std::string json = TRY(hint(sys::read_given(file), [&](const Error& error) {
        return why_unreadable(file, error.code);
    }));
    auto done = compile_into(launch.facts, json, std::move(may), TRY(sys::kernel_release()),
                             /*listened=*/false);
    launch.facts.may_silence = true; // a person tries things out, and wants to know
    if (!done)
        done.error().detail = "--seccomp \"" + file + "\": " + done.error().detail;
    return hint(std::move(done), [](const Error&) {
        return R"(one that is right: {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": )"
               R"([{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]})";
    });
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

void take(Facts& facts, Cached filter) {
    facts.seccomp_filter = std::move(filter.program);
    facts.seccomp_flags = filter.flags;
    facts.may_silence = filter.may_silence;
}

std::optional<Cached> kept_of(const FilterCache& cache, const spec::Spec& spec,
                              const std::string& text) {
    auto may = capabilities(spec);
    auto release = sys::kernel_release();
    if (!may || !release)
        return std::nullopt;
    return cached(cache.directory, key_of(cache, *release, text, std::move(*may)));
}

Result<void> prepare(Launch& launch) {
    const spec::Spec& spec = launch.spec;
    if (spec.seccomp.mode == spec::SeccompMode::none || !launch.facts.seccomp_filter.empty())
        return {}; // exec brings the container's own
    Names may = TRY(capabilities(spec));
    if (spec.seccomp.mode == spec::SeccompMode::standard) {
        if (same(may, spec::default_capabilities()))
            return {}; // kFilter
        return compile_into(launch.facts, std::string(kProfile), std::move(may),
                            TRY(sys::kernel_release()), /*listened=*/false);
    }
    if (spec.seccomp.mode == spec::SeccompMode::text)
        return compile_text(launch, std::move(may));
    return compile_file(launch, std::move(may));
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
    if (bytes.empty()) {
        TRY(hint(sys::seccomp_set_filter(0, kFilter), why));
        return {};
    }
    Bpf filter(bytes.size() / sizeof(std::uint64_t));
    memcpy(filter.data(), bytes.data(), filter.size() * sizeof filter[0]);
    inside.listener = TRY(hint(sys::seccomp_set_filter(inside.facts.seccomp_flags, filter), why));
    return {};
}

} // namespace stages::seccomp
