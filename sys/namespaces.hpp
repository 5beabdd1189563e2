// Namespaces that are there already, as ioctl_ns(2) and a visit inside tell of them.
#pragma once

#include "sys/kernel.hpp"

#include <array>
#include <functional>
#include <span>
#include <string>

namespace sys {

/// The user namespace that owns the one behind `fd`. EPERM: it is none that we may know of.
Result<Fd> namespace_owner(int fd);
/// The parent of a user or PID namespace. EPERM: there is none, or we may not know of it.
Result<Fd> namespace_parent(int fd);
/// Who made the user namespace behind `fd`, as an id here.
Result<uid_t> namespace_owner_uid(int fd);

struct HostNames {
    std::string host, domain;
};
/// uname(2)'s nodename and domainname: those of our UTS namespace.
Result<HostNames> host_names();

/// The text of a link below /proc/self/ns, "uts:[4026531838]", and 0 behind it.
using NamespaceText = std::array<char, 32>;
/// Read some of those links, while somebody else works in the memory that is ours too: nothing is
/// allocated or reported. What can't be read stays as it is, or empty.
void namespace_texts(std::span<const char* const> names, std::span<NamespaceText> out);

/// What `answer` says in a process of its own that has joined these namespaces, in this order; ours
/// stay as they are. It ends before this returns.
Result<std::string> in_namespaces(std::span<const int> namespaces,
                                  const std::function<Result<std::string>()>& answer);

} // namespace sys
