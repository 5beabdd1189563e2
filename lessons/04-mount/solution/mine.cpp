// Lesson 4: the mount stage, by mount(2). Private first: what is bound later is private from the
// start.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

namespace {

void mount_or_end(const char* source, const std::string& target, const char* type,
                  unsigned long flags, const char* options) {
    if (mount(source, target.c_str(), type, flags, options) == 0)
        return;
    perror(target.c_str());
    exit(125);
}

} // namespace

int main(int, char** argv) {
    const std::string root = getenv("GOCONTAINER_ROOTFS");
    mount_or_end("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    mount_or_end(root.c_str(), root, nullptr, MS_BIND | MS_REC, nullptr);
    mount_or_end("tmpfs", root + "/dev", "tmpfs", MS_NOSUID, "mode=755");
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        const std::string device = std::string("/dev/") + name, file = root + device;
        close(open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
        mount_or_end(device.c_str(), file, nullptr, MS_BIND, nullptr);
    }
    execv(getenv("GOCONTAINER_NEXT"), argv);
    perror("GOCONTAINER_NEXT");
    return 125;
}
