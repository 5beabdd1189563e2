// The stage table: the one place that knows the order.
//
// Each kind of half runs in this order, undo backwards. Why so:
//
//   user     first: every other namespace is owned by it, and its maps give the child its id 0
//   cgroup   the child is born in its leaf, and unshares once it is there: the leaf becomes "/"
//   net      the helper needs the mapped user namespace; /sys (mount) needs the network's
//   mount    before pid: /proc is mounted on the new root
//   pid      before root: once the old /proc is gone, the kernel refuses a rootless new one
//   root     before caps: pivot_root needs CAP_SYS_ADMIN
//   caps     before seccomp, which no_new_privs allows without any capability
//   seccomp  last, so that no stage of ours needs to be let through the filter
//   init     forks, so that the command gets all of the above and PID 1 stays behind
#include "stages/stages.hpp"

#include <sched.h>

#include <algorithm>

namespace stages {

namespace {

// clang-format off
constexpr Stage kTable[] = {
    {.id = spec::Stage::user, .summary = "a user namespace: be root inside without being root outside",
     .lesson = "02-user", .on_by_default = true, .clone_flag = CLONE_NEWUSER, .unshares = false, .ns = "user", .only_makes = true, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = user::prepare, .parent = user::parent, .enter = user::enter, .child = nullptr, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::cgroup, .summary = "a cgroup v2 leaf with limits, and a namespace that hides the rest",
     .lesson = "11-cgroup", .on_by_default = true, .clone_flag = CLONE_NEWCGROUP, .unshares = true, .ns = "cgroup", .only_makes = false, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = cgroup::prepare, .parent = cgroup::parent, .enter = nullptr, .child = cgroup::child, .meanwhile = cgroup::meanwhile, .undo = cgroup::undo},
    {.id = spec::Stage::net, .summary = "a network of its own, with a way out through slirp4netns or pasta",
     .lesson = "09-net", .on_by_default = true, .clone_flag = CLONE_NEWNET, .unshares = false, .ns = "net", .only_makes = true, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = net::prepare, .parent = net::parent, .enter = nullptr, .child = net::child, .meanwhile = nullptr, .undo = net::undo},
    {.id = spec::Stage::uts, .summary = "a host name of its own",
     .lesson = "03-uts", .on_by_default = true, .clone_flag = CLONE_NEWUTS, .unshares = false, .ns = "uts", .only_makes = false, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = uts::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::ipc, .summary = "System V and POSIX message queues of its own",
     .lesson = "03-uts", .on_by_default = true, .clone_flag = CLONE_NEWIPC, .unshares = false, .ns = "ipc", .only_makes = false, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = nullptr, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::time, .summary = "clocks that started at another time",
     .lesson = "07-pid", .on_by_default = false, .clone_flag = CLONE_NEWTIME, .unshares = true, .ns = "time", .only_makes = true, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = time::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::mount, .summary = "a root filesystem, /dev, /sys, volumes; nothing reaches the host",
     .lesson = "04-mount", .on_by_default = true, .clone_flag = CLONE_NEWNS, .unshares = false, .ns = "mnt", .only_makes = false, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = mount::prepare, .parent = mount::parent, .enter = nullptr, .child = mount::child, .meanwhile = nullptr, .undo = mount::undo},
    {.id = spec::Stage::pid, .summary = "process numbers that start at 1, and a /proc that shows them",
     .lesson = "07-pid", .on_by_default = true, .clone_flag = CLONE_NEWPID, .unshares = false, .ns = "pid", .only_makes = false, .leaves_host = false, .restricts = false, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = pid::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::root, .summary = "the root filesystem becomes /, and the old one is gone",
     .lesson = "06-pivot-root", .on_by_default = true, .clone_flag = 0, .unshares = false, .ns = nullptr, .only_makes = false, .leaves_host = true, .restricts = false, .filters = false,
     .prepare = root::prepare, .parent = nullptr, .enter = nullptr, .child = root::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::caps, .summary = "14 of root's 41 capabilities, and no way to more",
     .lesson = "12-capabilities", .on_by_default = true, .clone_flag = 0, .unshares = false, .ns = nullptr, .only_makes = false, .leaves_host = false, .restricts = true, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = caps::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::seccomp, .summary = "a filter of system calls",
     .lesson = "13-seccomp", .on_by_default = true, .clone_flag = 0, .unshares = false, .ns = nullptr, .only_makes = false, .leaves_host = false, .restricts = true, .filters = true,
     .prepare = seccomp::prepare, .parent = nullptr, .enter = nullptr, .child = seccomp::child, .meanwhile = nullptr, .undo = nullptr},
    {.id = spec::Stage::init, .summary = "a PID 1 that reaps orphans and forwards signals",
     .lesson = "08-init", .on_by_default = false, .clone_flag = 0, .unshares = false, .ns = nullptr, .only_makes = false, .leaves_host = false, .restricts = true, .filters = false,
     .prepare = nullptr, .parent = nullptr, .enter = nullptr, .child = init::child, .meanwhile = nullptr, .undo = nullptr},
};
// clang-format on

} // namespace

std::span<const Stage> table() {
    return kTable;
}

bool joined(const spec::Spec& spec, spec::Stage stage) {
    return std::ranges::find(spec.joins, stage, &spec::Join::stage) != spec.joins.end();
}

std::uint64_t clone_flags(const spec::Spec& spec) {
    std::uint64_t flags = 0;
    for (const Stage& stage : kTable)
        if (spec.stages.has(stage.id) && !stage.unshares && !joined(spec, stage.id))
            flags |= stage.clone_flag;
    if (spec.net.mode == spec::NetMode::host)
        flags &= ~static_cast<std::uint64_t>(CLONE_NEWNET);
    return flags;
}

std::vector<const Stage*> wanted(const spec::Spec& spec) {
    std::vector<const Stage*> out;
    // Into a network that is there, devices may still go.
    auto nothing_to_do = [&](const Stage& stage) {
        return stage.only_makes && joined(spec, stage.id) &&
               (stage.id != spec::Stage::net || spec.net_devices.empty());
    };
    for (const Stage& stage : kTable)
        if (spec.stages.has(stage.id) && !nothing_to_do(stage) &&
            (stage.restricts || !spec.inside_already))
            out.push_back(&stage);
    // Without no_new_privs the filter needs CAP_SYS_ADMIN, so it must go before the capabilities.
    if (spec.process.new_privileges) {
        auto caps = std::ranges::find(out, spec::Stage::caps, &Stage::id);
        if (caps != out.end() && caps + 1 != out.end() && (*(caps + 1))->id == spec::Stage::seccomp)
            std::iter_swap(caps, caps + 1);
    }
    return out;
}

} // namespace stages
