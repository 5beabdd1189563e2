// How long slirp4netns itself takes until tap0 is up, with the options that gocontainer gives it.
#include "spawn.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

// In place of a container: a process that waits in a user and a network namespace of its own until
// this object is gone.
class Holder {
public:
    Holder() {
        int joined[2];
        if (pipe2(joined, O_CLOEXEC) < 0 || pipe2(release_, O_CLOEXEC) < 0)
            return;
        pid_ = fork();
        if (pid_ == 0) {
            char byte = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 'y' : 'n';
            close(release_[1]);
            (void)!write(joined[1], &byte, 1); // nobody reads it: the next read ends us too
            (void)!read(release_[0], &byte, 1);
            _exit(0);
        }
        close(joined[1]);
        char byte = 'n';
        holds_ = pid_ > 0 && read(joined[0], &byte, 1) == 1 && byte == 'y';
        close(joined[0]);
        map("setgroups", "deny");
        map("uid_map", "0 " + std::to_string(geteuid()) + " 1\n");
        map("gid_map", "0 " + std::to_string(getegid()) + " 1\n");
    }
    ~Holder() {
        for (int end : release_)
            if (end >= 0)
                close(end);
        if (pid_ > 0)
            waitpid(pid_, nullptr, 0);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

    bool holds() const { return holds_; }
    pid_t pid() const { return pid_; }

private:
    void map(const char* name, const std::string& text) const {
        std::string path = "/proc/" + std::to_string(pid_) + "/" + name;
        int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
        (void)!write(file, text.data(), text.size()); // slirp4netns says what a missing map breaks
        close(file);
    }

    pid_t pid_ = -1;
    int release_[2] = {-1, -1};
    bool holds_ = false;
};

// Its first line that isn't chatter.
std::string reason_in(int file) {
    char buffer[1024];
    ssize_t length = pread(file, buffer, sizeof buffer, 0);
    std::istringstream lines(
        std::string(buffer, static_cast<size_t>(std::max<ssize_t>(length, 0))));
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("WARNING") && !line.starts_with("sent") &&
            !line.starts_with("received"))
            return line;
    return "it does not say why";
}

} // namespace

Result<double> slirp_ready(const std::string& slirp4netns) {
    Holder holder;
    if (!holder.holds())
        return std::unexpected("can't make a user and a network namespace");

    const Argv argv = {slirp4netns,
                       "--configure",
                       "--mtu=65520",
                       "--disable-host-loopback",
                       "--enable-sandbox",
                       "--enable-seccomp",
                       "--ready-fd=3",
                       std::to_string(holder.pid()),
                       "tap0"};
    // After the holder, which must not keep open the end that closes when slirp4netns dies.
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return failed("pipe");
    int said = memfd_create("slirp4netns", MFD_CLOEXEC); // not a pipe, which may fill up
    Spawn spawn;
    spawn.give(said, STDOUT_FILENO);
    spawn.give(said, STDERR_FILENO);
    spawn.give(ready[1], 3);

    double start = now_ms();
    auto pid = spawn.start(argv);
    close(ready[1]);
    char byte = 0;
    bool came_up = pid && read(ready[0], &byte, 1) == 1;
    double end = now_ms();

    close(ready[0]);
    if (pid) {
        kill(*pid, SIGTERM);
        waitpid(*pid, nullptr, 0);
    }
    std::string reason = came_up ? "" : reason_in(said);
    close(said);
    if (!came_up)
        return std::unexpected("slirp4netns ended before it was ready: " + reason);
    return end - start;
}

} // namespace bench
