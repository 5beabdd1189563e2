// Ways out of a container, each one function in one file of this folder. They run inside, as the
// container's command, and reach for what the lab has laid out on the host: a file with a random
// word in it, a process, sockets. Nothing else is touched.
//
// An escape answers with what it has got, or with the error that stopped it. Whether that is an
// escape is the lab's to judge, outside (teach/lab_attempt.cpp).
#pragma once

#include "sys/kernel.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace teach {

/// What there is to be reached, by the host's names and numbers.
struct Prey {
    std::string folder;        ///< a directory, with the file "secret" in it
    pid_t process = 0;         ///< its name (/proc/PID/comm) is the word
    std::uint64_t address = 0; ///< where it keeps the word
    std::string socket;        ///< an abstract name that somebody listens at
    std::uint16_t port = 0;    ///< of UDP, on 127.0.0.1
    std::string secret() const { return folder + "/secret"; }
};

/// What shows the lab that an escape has worked.
enum class Proof : std::uint8_t {
    word,       ///< it has told the random word, which was not told to it
    killed,     ///< the process has ended, by the signal that it was sent
    connection, ///< somebody has connected to the socket
    datagram,   ///< a datagram has come from port 1, which takes a raw socket
    mount,      ///< the host has a new mount in the folder
    claim,      ///< the escape's own: it has made what it should not be able to make
};

struct Escape {
    const char* name;
    const char* summary; ///< what it tries
    const char* stops;   ///< what keeps it from that
    Proof proof;
    bool needs_root; ///< there is a risk only where the machine's root starts the container
    sys::Result<std::string> (*run)(const Prey&);
};
std::span<const Escape> escapes();
const Escape* escape_named(const std::string& name);

sys::Result<std::string> chroot_fd(const Prey& prey);
sys::Result<std::string> pivot_no_umount(const Prey& prey);
sys::Result<std::string> leaked_fd(const Prey& prey);
sys::Result<std::string> host_proc(const Prey& prey);
sys::Result<std::string> ptrace_host(const Prey& prey);
sys::Result<std::string> kill_host(const Prey& prey);
sys::Result<std::string> signal_across(const Prey& prey);
sys::Result<std::string> shared_mounts(const Prey& prey);
sys::Result<std::string> fork_bomb(const Prey& prey);
sys::Result<std::string> raw_socket(const Prey& prey);
sys::Result<std::string> make_node(const Prey& prey);
sys::Result<std::string> abstract_socket(const Prey& prey);
sys::Result<std::string> set_groups(const Prey& prey);
sys::Result<std::string> release_agent(const Prey& prey);
sys::Result<std::string> proc_self_exe(const Prey& prey);

inline constexpr int kBomb = 100;                 ///< processes that fork_bomb makes, and no more
inline constexpr gid_t kGroup = 54321;            ///< that the file "members" is for
inline constexpr const char* kNode = "/lab-node"; ///< below "/" of the container

} // namespace teach
