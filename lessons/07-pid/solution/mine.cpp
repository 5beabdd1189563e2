// Lesson 7: the pid stage, by mount(2).
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/mount.h>
#include <unistd.h>

namespace {

constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

void mount_or_end(const char* source, const std::string& target, const char* type,
                  unsigned long flags) {
    if (mount(source, target.c_str(), type, flags, nullptr) == 0)
        return;
    perror(target.c_str());
    exit(125);
}

} // namespace

int main(int, char** argv) {
    const std::string proc = getenv("GOCONTAINER_ROOTFS") + std::string("/proc");
    mount_or_end("proc", proc, "proc", kFlags);
    for (const char* name : {"/kcore", "/keys", "/timer_list"})
        if (access((proc + name).c_str(), F_OK) == 0)
            mount_or_end("/dev/null", proc + name, nullptr, MS_BIND);
    for (const char* name : {"/bus", "/fs", "/irq", "/sys", "/sysrq-trigger"}) {
        const std::string part = proc + name;
        if (access(part.c_str(), F_OK) != 0)
            continue;
        mount_or_end(part.c_str(), part, nullptr, MS_BIND);
        mount_or_end("none", part, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kFlags);
    }
    execv(getenv("GOCONTAINER_NEXT"), argv);
    perror("GOCONTAINER_NEXT");
    return 125;
}
