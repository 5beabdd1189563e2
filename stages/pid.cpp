// pid: a /proc that shows the processes of the new PID namespace, in which we are number 1.
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/rootfs.hpp"
#include "stages/stages.hpp"

namespace stages::pid {

// In the new PID and mount namespaces, the host's tree still around us. It must be now: once
// pivot_root has dropped the host's /proc, the kernel sees no full one that it could compare with
// and refuses a rootless mount of a new one ("mount too revealing", fs/namespace.c).
Result<void> child(Inside& inside) {
    const spec::Spec& spec = inside.spec;
    if (!spec.root.usual_mounts)
        return {}; // it was in the list of mounts, or is not wanted
    if (!spec.stages.has(spec::Stage::mount))
        return {}; // no tree of our own to mount it in; the host's /proc goes on showing the host
    if (spec.proc != spec::ProcMode::none) {
        Fd target = TRY(real_directory(inside, "proc"));
        Fd proc = spec.proc == spec::ProcMode::bind
                      ? TRY(clone_mount(AT_FDCWD, "/proc", AT_RECURSIVE))
                      : TRY(new_filesystem("proc", {}, kQuiet, causes::no_proc));
        if (spec.proc == spec::ProcMode::bind)
            TRY(set_attributes(proc, kQuiet, AT_RECURSIVE));
        TRY(attach(proc, target));
        TRY(mask(inside, "/proc/", proc));
        TRY(make_readonly(inside, "/proc/", proc));
    }
    return mount::mount_below_proc(inside);
}

} // namespace stages::pid
