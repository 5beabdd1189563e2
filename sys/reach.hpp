// Calls by which a process reaches for others: what the lab's escapes try (teach/escapes/), and
// what it lays out for them to find.
#pragma once

#include "sys/kernel.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sys {

/// A listening SOCK_STREAM socket at an abstract name (unix(7)); and connecting to one.
Result<Fd> listen_abstract(const std::string& name);
Result<void> connect_abstract(int fd, const std::string& name);
/// Has somebody connected to a listener? It waits for nobody.
Result<bool> has_visitor(int fd);

/// A UDP socket on a free port of 127.0.0.1, and that port.
Result<std::pair<Fd, std::uint16_t>> udp_on_loopback();
struct Datagram {
    std::string bytes;
    std::uint16_t port = 0; ///< of its sender
};
/// The next that has come; empty when none has.
Result<Datagram> next_datagram(int fd);
/// Send to 127.0.0.1; over a raw socket (raw(7)) `bytes` begin with the protocol's own header.
Result<void> send_to_loopback(int fd, std::string_view bytes);

/// PTRACE_SEIZE (ptrace(2)): it is not stopped, and let go when we end.
Result<void> ptrace_seize(pid_t pid);
/// process_vm_readv(2): `size` bytes of another process's memory.
Result<std::string> read_memory(pid_t pid, std::uint64_t address, std::size_t size);

} // namespace sys
