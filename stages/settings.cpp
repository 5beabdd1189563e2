// Writes to procfs go through a handle that is proven to be one, by names that are followed through
// no mount and no link out of it (CVE-2019-16884, CVE-2025-52881).
#include "stages/settings.hpp"

#include "stages/cgroup_place.hpp"
#include "stages/mounting.hpp"
#include "stages/stages.hpp"
#include "sys/affinity.hpp"
#include "sys/flags.hpp"
#include "sys/number_list.hpp"
#include "sys/path.hpp"
#include "sys/process.hpp"

#include <linux/landlock.h>
#include <linux/magic.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

namespace stages {

namespace {

constexpr sys::Resolve kWithin{sys::names::kResolveBeneath | sys::names::kResolveNoXdev |
                               sys::names::kResolveNoMagiclinks};

Result<void> write_within(const Fd& proc, const std::string& path, std::string_view text) {
    Fd file = TRY(sys::openat2(proc.get(), path, O_WRONLY, kWithin));
    auto written = sys::write(file.get(), text);
    if (!written) {
        Error error = std::move(written).error();
        error.call = "write(\"/proc/" + path + "\", " + sys::show(std::string(text)) + ")";
        return std::unexpected(std::move(error));
    }
    return {};
}

/// "0-3,7" to bits, 64 in a word.
Result<std::vector<std::uint64_t>> bits_of(const std::string& list) {
    std::vector<bool> members = TRY(sys::members_of(list));
    std::vector<std::uint64_t> bits((members.size() + 63) / 64);
    for (std::size_t number = 0; number < members.size(); ++number)
        if (members[number])
            bits[number / 64] |= std::uint64_t{1} << (number % 64);
    return bits;
}

Result<void> join_keyring(const spec::Process& process) {
    if (process.keyring.empty())
        return {};
    auto joined = sys::join_session_keyring(process.keyring);
    if (!joined && joined.error().code == EACCES) // somebody else's of that name
        joined = sys::join_session_keyring("");
    // A kernel without keys has none to read, and one is not worth a container to anybody.
    if (!joined && (joined.error().code == ENOSYS || joined.error().code == EDQUOT))
        return {};
    return joined;
}

std::string more_than_its_share(const Error& error) {
    return error.code == EPERM ? "only who has CAP_SYS_NICE on this machine may ask for more than "
                                 "its share"
                               : "";
}

Result<void> set_scheduling(const spec::Process& process) {
    if (process.scheduler) {
        const spec::Scheduler& wanted = *process.scheduler;
        auto set = hint(sys::sched_setattr({.policy = wanted.policy,
                                            .flags = wanted.flags,
                                            .nice = wanted.nice,
                                            .priority = static_cast<std::uint32_t>(wanted.priority),
                                            .runtime = wanted.runtime,
                                            .deadline = wanted.deadline,
                                            .period = wanted.period}),
                        more_than_its_share);
        TRY(asked_by("process.scheduler", std::move(set)));
    }
    if (process.io_priority)
        TRY(asked_by("process.ioPriority", hint(sys::ioprio_set(process.io_priority->klass << 13 |
                                                                process.io_priority->priority),
                                                more_than_its_share)));
    if (process.memory_policy) {
        const spec::MemoryPolicy& wanted = *process.memory_policy;
        auto nodes = TRY(bits_of(wanted.nodes));
        TRY(asked_by("linux.memoryPolicy",
                     sys::set_mempolicy(wanted.mode | static_cast<int>(wanted.flags), nodes)));
    }
    if (!process.affinity.empty())
        TRY(sys::set_affinity(process.affinity));
    return process.personality ? sys::personality(*process.personality) : Result<void>{};
}

/// A ruleset of what the process may still do: none of it is in force yet.
Result<Fd> make_ruleset(const spec::Landlock& wanted) {
    auto none = [](const Error& error) {
        return error.code == ENOSYS || error.code == EOPNOTSUPP
                   ? std::string("this kernel has no Landlock, or it is not among those of lsm= on "
                                 "its command line")
                   : std::string();
    };
    int version = TRY(hint(sys::landlock_version(), none));
    // What each version of the interface has added (landlock(7), "VERSIONS").
    std::uint64_t known = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    for (auto [since, bit] : {std::pair{2, 13}, {3, 14}, {5, 15}}) // refer, truncate, ioctl_dev
        if (version >= since)
            known |= std::uint64_t{1} << bit;
    if ((wanted.handled & ~known) != 0)
        return sys::wrong("this kernel's Landlock is too old for what is to be handled (version " +
                          std::to_string(version) + ")");
    Fd ruleset = TRY(sys::landlock_create_ruleset(wanted.handled));
    constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                       LANDLOCK_ACCESS_FS_READ_FILE | std::uint64_t{1} << 14 |
                                       std::uint64_t{1} << 15;
    for (const spec::LandlockRule& rule : wanted.rules)
        for (const std::string& path : rule.paths) {
            auto opened = sys::openat(AT_FDCWD, path, O_PATH);
            if (!opened)
                opened.error().detail = "org.gocontainer.landlock: \"" + path +
                                        "\" of its rules can't be opened in the container";
            Fd place = TRY(std::move(opened));
            bool directory = S_ISDIR(TRY(sys::fstat(place.get())).st_mode);
            std::uint64_t access = rule.access & (directory ? ~std::uint64_t{0} : kOfFiles);
            TRY(sys::landlock_add_path(ruleset.get(), access & wanted.handled, place.get()));
        }
    return ruleset;
}

Result<void> write_label(const Fd& proc, const char* module, const std::string& text,
                         const char* what) {
    std::string own = std::string("thread-self/attr/") + module + "exec";
    auto written = write_within(proc, own, text);
    // Kernels before 5.8 have one file for whichever module is on.
    if (!written && written.error().code == ENOENT && *module != '\0')
        written = write_within(proc, "thread-self/attr/exec", text);
    // In backquotes: by that Podman tells that it was a label (libpod, getOCIRuntimeError).
    if (!written)
        written.error().detail = "can't write to `/proc/" + own + "`";
    return hint(std::move(written), [&](const Error& error) -> std::string {
        if (error.code == EINVAL || error.code == ENOENT)
            return std::string(what) + " is not on, or does not know this label";
        return {};
    });
}

/// An SELinux without a policy takes every label, and heeds none. What it shows as ours is then
/// "kernel", and "user:role:type:level" once it has one.
Result<void> need_selinux(const Fd& proc) {
    auto own = sys::read_file(proc.get(), "thread-self/attr/current", 4096);
    if (own && own->contains(':'))
        return {};
    return sys::wrong("`/proc/thread-self/attr/exec`: SELinux is not on, or has no policy",
                      "leave the label out");
}

} // namespace

Result<Fd> outer_proc() {
    Fd proc = TRY(sys::openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW));
    constexpr ino_t kRoot = 1; // the kernel's PROC_ROOT_INO
    if (TRY(sys::fstatfs(proc.get())).f_type != PROC_SUPER_MAGIC ||
        TRY(sys::fstat(proc.get())).st_ino != kRoot)
        return sys::wrong("\"/proc\" is not procfs", "something is mounted over /proc");
    return proc;
}

Result<Fd> private_proc(const Inside& inside) {
    if (inside.proc.valid())
        return sys::openat(inside.proc.get(), ".", O_PATH | O_DIRECTORY);
    auto own = new_filesystem("proc", {"subset=pid"}, kQuiet);
    // Of a pid namespace that belongs to an outer user namespace there is none to be had.
    return own ? std::move(own) : outer_proc();
}

namespace {

Result<void> write_oom_score(const Fd& proc, const std::string& score) {
    return asked_by("process.oomScoreAdj", hint(write_within(proc, "self/oom_score_adj", score),
                                                [](const Error& error) -> std::string {
                                                    return error.code == EACCES
                                                               ? "lowering it needs "
                                                                 "CAP_SYS_RESOURCE on this machine"
                                                               : "";
                                                }));
}

Result<void> set_oom_score(const Fd& proc, int score) {
    auto set = write_oom_score(proc, std::to_string(score));
    // Lowering it takes a power that no user namespace gives: there, it stays as it is.
    bool refused = !set && (set.error().code == EACCES || set.error().code == EPERM);
    return refused && cgroup::rootless() ? Result<void>{} : set;
}

} // namespace

// The kernel sets it for every process of the memory that it is said of, and the child shares ours
// until its exec: hence before the clone, and taken back after that exec.
Result<OomScore> OomScore::of_child(const spec::Spec& spec) {
    OomScore out;
    if (!spec.process.oom_score_adj)
        return out;
    std::string wanted = std::to_string(*spec.process.oom_score_adj);
    std::string before = TRY(sys::read_file("/proc/self/oom_score_adj", 64));
    bool elsewhere = spec.inside_already || spec.stages.has(spec::Stage::user);
    out.as_wanted_ = before == wanted + "\n" || (elsewhere && !cgroup::rootless());
    if (!out.as_wanted_ || before == wanted + "\n")
        return out;
    Fd proc = TRY(outer_proc());
    TRY(write_oom_score(proc, wanted));
    out.before_ = std::move(before);
    return out;
}

OomScore::~OomScore() {
    if (before_.empty())
        return;
    if (auto proc = outer_proc())
        (void)write_within(*proc, "self/oom_score_adj", before_); // nothing is left to be done
}

Result<void> set_parameters(const Inside& inside) {
    const spec::Spec& spec = inside.spec;
    bool sysctl = !spec.sysctl.empty() && !spec.inside_already; // else they were set long ago
    bool score = spec.process.oom_score_adj && !inside.facts.scored;
    if (!sysctl && !score)
        return {};
    Fd proc = TRY(spec.inside_already ? private_proc(inside) : outer_proc());
    if (sysctl)
        for (const auto& [name, value] : spec.sysctl)
            TRY(asked_by("linux.sysctl",
                         hint(write_within(proc, "sys/" + name, value), [](const Error& error) {
                             return std::string(
                                 error.code == ENOENT ? "this kernel has no such parameter" : "");
                         })));
    return score ? set_oom_score(proc, *spec.process.oom_score_adj) : Result<void>{};
}

namespace {

/// Before the gate, so that `create` fails for a label that this host does not know. A
/// startContainer hook is an exec, and so has it too, as with runc.
Result<void> label_next_exec(const Inside& inside) {
    const spec::Process& process = inside.spec.process;
    if (process.apparmor.empty() && process.selinux.empty())
        return {};
    Fd proc = TRY(private_proc(inside));
    if (!process.apparmor.empty())
        TRY(write_label(proc, "apparmor/", "exec " + process.apparmor, "AppArmor"));
    if (process.selinux.empty())
        return {};
    TRY(need_selinux(proc));
    return write_label(proc, "", process.selinux, "SELinux");
}

} // namespace

Result<void> set_process(Inside& inside) {
    const spec::Process& process = inside.spec.process;
    TRY(join_keyring(process));
    TRY(set_scheduling(process));
    if (process.landlock)
        inside.landlock = TRY(make_ruleset(*process.landlock));
    return label_next_exec(inside);
}

Result<void> set_confinement(Inside& inside) {
    if (inside.landlock.valid())
        TRY(sys::landlock_restrict_self(inside.landlock.get()));
    inside.landlock.close();
    return {};
}

} // namespace stages
