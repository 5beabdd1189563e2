// net, from inside: what its files share.
//
//   net.cpp         is the child's half: the loopback up
//   net_parent.cpp  decides, and has the way out made
//   net_helper.cpp  starts slirp4netns or pasta, waits until the network is up, ends it
//   net_slirp.cpp   slirp4netns's command line, and ports over its API socket
//   net_pasta.cpp   pasta's command line
//   net_causes.cpp  why there is no network, or not this port
//
// Both programs give the container the same network: 10.0.2.100/24 on tap0, resolver 10.0.2.3, and
// the way out, 10.0.2.2, which is also the host's loopback where that is allowed.
#pragma once

#include "stages/stage.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stages::net {

inline constexpr const char* kTap = "tap0";
inline constexpr const char* kResolver = "10.0.2.3";

/// What `wanted` means where slirp4netns and pasta are at these paths ("": not installed). None is
/// the answer for automatic without either; what was asked for by name is an error instead.
Result<spec::NetMode> decide(const spec::Net& wanted, const std::string& slirp,
                             const std::string& pasta);

/// The resolvers to write into the container's resolv.conf; none: leave the rootfs's alone.
std::vector<std::string> resolvers(const spec::Net& wanted, spec::NetMode mode,
                                   std::string_view host_resolv_conf);

/// Why nobody will answer for names, though there is a way out; "" when somebody will.
std::string no_names(const spec::Net& wanted, spec::NetMode mode,
                     std::string_view host_resolv_conf);

Result<void> start_slirp(Launch& launch);
Result<void> start_pasta(Launch& launch);

/// A helper program while it starts.
struct Helper {
    std::string name; ///< for messages
    Fd ready;         ///< becomes readable when the network is up, ends when the program does
    Fd said;          ///< what it prints
};

/// The write end of Helper::ready is the program's `ready_fd`; `fds` are the rest of its own.
Result<Helper> start(Launch& launch, sys::Strings arguments, int ready_fd,
                     std::vector<std::pair<int, int>> fds);

/// Wait until it is ready. If it ends instead: what it said last, and what `hint` makes of that.
Result<void> wait(Launch& launch, Helper& helper, std::string (*hint)(const std::string& said));

/// Remove the directory of slirp4netns's API socket, when there is one.
void remove_scratch(Ledger& ledger);

/// The line of a helper's output that tells why it gave up.
std::string last_words(std::string_view said);

/// The slirp4netns API's request for one port, and its answer: "" or what went wrong.
std::string publish_request(const spec::Port& port);
std::string publish_answer(const std::string& bytes);

std::string slirp_hint(const std::string& said);
std::string pasta_hint(const std::string& said);

/// /dev/net/tun can't be opened: `code` is why.
std::string no_tun(int code);

/// Why `port` could not be published, found by trying to bind it; nothing when it is free.
std::optional<Error> taken(const spec::Port& port);
/// The socket on `port` in the text of /proc/net/{tcp,udp}[6] (proc_net_tcp.rst).
struct Bound {
    std::uint64_t inode = 0; ///< 0: there is none
    std::uint32_t uid = 0;
};
Bound socket_on(std::string_view table, const spec::Port& port);

} // namespace stages::net
