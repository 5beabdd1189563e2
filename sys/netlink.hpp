// Network devices through rtnetlink(7): moving one to another namespace, with its addresses.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sys {

Result<unsigned> link_index(const std::string& name);

/// An address as it is kept here: family, prefix length and bytes, as "2 24 0a000001".
using LinkAddress = std::string;
/// Those that are global and no one's lease.
Result<std::vector<LinkAddress>> link_addresses(unsigned index);
Result<void> add_address(unsigned index, const LinkAddress& address);

/// To the network namespace behind `netns`, as `name` there; EEXIST when that is taken.
Result<void> move_link(unsigned index, int netns, const std::string& name);

} // namespace sys
