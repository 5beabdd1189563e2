// A host of its own, as far as networks go: a test's body runs in a process with new network and
// mount namespaces (by an ordinary user: in a user namespace too, with the same uid). Its uplink is
// a tap device that leads nowhere, so nothing ever leaves the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace host {

using Words = std::vector<std::string>;

inline constexpr const char* kAddress = "192.0.2.1"; ///< of the uplink (RFC 5737)

/// Why bodies can't run here, for GTEST_SKIP; "" if they can.
std::string lacks();

/// Run `body` there, with gtest's assertions. In it XDG_RUNTIME_DIR is a new directory, and
/// /etc/resolv.conf says "nameserver 127.0.0.53" and what `more_resolv_conf` adds.
void run(const std::function<void()>& body, const std::string& more_resolv_conf = "");

// --- for bodies ---------------------------------------------------------------------------------

std::string token();
/// A file, removed with the host.
std::string file(const std::string& text, mode_t mode);
/// Bind `text` as a file that nobody may execute over `path`: as if the program were not installed.
void hide(const std::string& path);
/// Mount an empty tmpfs over a directory.
void cover(const std::string& directory);

/// A socket, bound (and listening, when TCP).
int serve(const std::string& address, std::uint16_t port, bool udp = false);
/// A process that does nothing but hold such a socket: sleep(1).
pid_t holding(const std::string& address, std::uint16_t port);
/// A port that is free for both.
std::uint16_t free_port();
/// Connect, say a line, and read to the end; "" when nothing answers.
std::string fetch(const std::string& address, std::uint16_t port);
/// Accept one connection within `wait` and write `text` to it; false when none came.
bool answer(int listener, const std::string& text,
            std::chrono::milliseconds wait = std::chrono::seconds(10));
/// Repeat until it is true, at most 10 seconds.
bool eventually(const std::function<bool()>& condition);

/// Processes that stand in this host's network, but for this one; by name.
Words processes();
Words files(const std::string& directory);
std::string read(const std::string& path); ///< a whole file; "" when there is none

/// One gocontainer.
class Launch {
public:
    /// `gocontainer parent --rootfs … OPTIONS -- COMMAND`
    Launch(Words options, Words command);
    ~Launch();
    Launch(const Launch&) = delete;
    Launch& operator=(const Launch&) = delete;

    pid_t pid() const { return pid_; }
    /// A process in the container, seen from here; 0 while there is none.
    pid_t inside() const;
    /// Wait for its end, at most 20 seconds, and collect what it has written.
    int wait();
    /// The next line of its standard output.
    std::string line();
    void kill(int signal) const;
    const std::string& out() const { return out_; }
    const std::string& err() const { return err_; }

private:
    bool read_some(std::chrono::milliseconds wait);
    pid_t pid_ = -1;
    int out_fd_ = -1;
    int err_fd_ = -1;
    std::size_t taken_ = 0; ///< of out_, by line()
    std::string out_;
    std::string err_;
};

/// Run `body` in a new process in the network of `pid`, with its root's capabilities.
pid_t in_network_of(pid_t pid, const std::function<void()>& body);

} // namespace host
