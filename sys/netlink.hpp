// Network devices through rtnetlink(7): what there is, and moving one to another
// namespace, with its addresses.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sys {

struct Link {
    unsigned index = 0;
    std::string name;
    std::string kind;   ///< "veth", "bridge", "tun" …; empty for hardware and the loopback device
    std::string mac;    ///< "02:42:ac:11:00:02"; empty: it has none
    unsigned flags = 0; ///< IFF_* of netdevice(7)
    unsigned mtu = 0;
    std::string state;                  ///< RFC 2863's, as ip(8) writes it in capitals: "up"
    std::vector<std::string> addresses; ///< "10.0.2.100/24"
};
/// Those of our network namespace, by their index.
Result<std::vector<Link>> links();

Result<unsigned> link_index(const std::string& name);

/// An address as it is kept here: family, prefix length and bytes, as "2 24 0a000001".
using LinkAddress = std::string;
/// Those that are global and no one's lease.
Result<std::vector<LinkAddress>> link_addresses(unsigned index);
Result<void> add_address(unsigned index, const LinkAddress& address);

/// To the network namespace behind `netns`, as `name` there; EEXIST when that is taken.
Result<void> move_link(unsigned index, int netns, const std::string& name);

} // namespace sys
