#include "tests/unit/real.hpp"

#include "run/parent.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <linux/mount.h>

namespace unit {

Ran run(const spec::Spec& spec) {
    int ends[2];
    if (pipe(ends) != 0)
        return {};
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        auto say = [](const std::string& line) { (void)!write(1, line.data(), line.size()); };
        auto status = run::launch(spec, say);
        if (!status)
            say(sys::to_line(status.error()) + "\n");
        _exit(status.value_or(status ? 0 : 125));
    }
    close(ends[1]);
    Ran ran;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
        ran.out.append(buffer, static_cast<std::size_t>(got));
    close(ends[0]);
    int status = 0;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
        ran.status = WEXITSTATUS(status);
    return ran;
}

spec::Spec bundle(const std::string& script) {
    const char* rootfs = getenv("GOCONTAINER_ROOTFS");
    spec::Spec spec;
    spec.name = "unit";
    spec.naming = spec::Naming::properties;
    spec.stages = spec::StageSet();
    for (spec::Stage stage : {spec::Stage::ipc, spec::Stage::mount, spec::Stage::pid,
                              spec::Stage::uts, spec::Stage::root})
        spec.stages.add(stage);
    spec.uts.hostname = "unit";
    spec.net.mode = spec::NetMode::host;
    spec.root.path = rootfs != nullptr ? rootfs : "rootfs";
    spec.root.usual_mounts = false;
    spec.root.mounts = {{.type = "proc", .source = "proc", .destination = "/proc"},
                        {.type = "tmpfs",
                         .source = "tmpfs",
                         .destination = "/dev",
                         .attributes = MOUNT_ATTR_NOSUID,
                         .options = {"mode=755", "size=64k"}}};
    spec.process.args = {"/bin/sh", "-c", script};
    spec.process.ids.emplace();
    return spec;
}

} // namespace unit
