// Turns, and a room that every runtime accepts.
#include "room.hpp"

#include "spawn.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench {

namespace {

Result<Sample> run_once(const Variant& variant) {
    switch (variant.kind) {
    case Kind::launch:
        return launch(variant.argv);
    case Kind::lifecycle: {
        std::vector<Argv> commands{variant.argv};
        commands.insert(commands.end(), variant.then.begin(), variant.then.end());
        return lifecycle(commands);
    }
    case Kind::slirp_ready:
        break;
    }
    auto ready = slirp_ready(variant.argv[0]);
    if (!ready)
        return std::unexpected(ready.error());
    return Sample{.wall_ms = *ready};
}

#ifdef SYS_setrlimit
constexpr unsigned old_call = SYS_setrlimit;
#else
constexpr unsigned old_call = ~0U;
#endif

/// crun 1.8 wants to raise RLIMIT_MEMLOCK before it loads a device filter, though the kernel has
/// charged that to the cgroup since 5.11, and fails where it may not (no CAP_SYS_RESOURCE). So the
/// call is answered without being made; for all that we start, since a filter costs each of their
/// calls a little.
Result<void> pretend_memlock() {
    constexpr auto field = [](size_t offset) { return static_cast<unsigned>(offset); };
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, nr))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, old_call, 5, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, args[2]))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0), // only asked for: no new limit
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, args[1]))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_MEMLOCK, 2, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field(offsetof(seccomp_data, args[0]))),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_MEMLOCK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{.len = std::size(code), .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return failed("a seccomp filter for RLIMIT_MEMLOCK");
    return {};
}

} // namespace

Result<void> drop_what_fails(Report& report) {
    for (auto variant = report.variants.begin(); variant != report.variants.end();) {
        auto sample = run_once(*variant);
        if (!sample && (variant->name == "floor" || variant->name == "gocontainer"))
            return std::unexpected(sample.error());
        if (!sample) {
            report.notes.push_back("without " + variant->name + ": " + sample.error());
            variant = report.variants.erase(variant);
        } else {
            ++variant;
        }
    }
    return {};
}

Result<void> measure(Report& report, size_t warm_up, size_t rounds) {
    report.rounds = rounds;
    size_t count = report.variants.size();
    bool shows_progress = isatty(STDERR_FILENO) != 0;
    for (size_t round = 0; round < warm_up + rounds; round++) {
        for (size_t n = 0; n < count; n++) {
            size_t turn = (round + n) % count;
            auto& variant = report.variants[round % 2 == 0 ? turn : count - 1 - turn];
            auto sample = run_once(variant);
            if (!sample)
                return std::unexpected(sample.error());
            if (round >= warm_up)
                variant.samples.push_back(*sample);
        }
        if (shows_progress)
            fprintf(stderr, "\r%zu/%zu ", round + 1, warm_up + rounds);
    }
    if (shows_progress)
        fprintf(stderr, "\r%20s\r", "");
    return {};
}

Result<void> enter_room(const std::string& folder, std::vector<std::string>& notes) {
    if (unshare(CLONE_NEWNS) < 0)
        return failed("unshare(CLONE_NEWNS)");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        return failed("make mounts private");
    if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) < 0)
        return failed("mount cgroup2 on /sys/fs/cgroup");
    if (mount("tmpfs", folder.c_str(), "tmpfs", 0, "mode=700") < 0)
        return failed("mount a tmpfs on " + folder);
    const rlimit all{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
        return {};
    notes.emplace_back("RLIMIT_MEMLOCK can't be raised here, and crun refuses to filter devices "
                       "without: a seccomp filter around all of them says that it was");
    return pretend_memlock();
}

} // namespace bench
