// Lesson 0: the namespaces that process argv[1] does not share with us, by the links in
// /proc/PID/ns. Two links with the same text are the same namespace.
#include <cstdio>
#include <string>

#include <unistd.h>

namespace {

/// "uts:[4026531838]", or "".
std::string namespace_of(const std::string& pid, const std::string& name) {
    char text[64];
    ssize_t size = readlink(("/proc/" + pid + "/ns/" + name).c_str(), text, sizeof text);
    return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
        const std::string ours = namespace_of("self", name);
        if (ours.empty())
            continue; // an older kernel
        const std::string theirs = namespace_of(argv[1], name);
        if (theirs.empty()) {
            perror(argv[1]);
            return 1;
        }
        if (theirs != ours)
            puts(name);
    }
    return 0;
}
