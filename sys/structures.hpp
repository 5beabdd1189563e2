// What a call is given or fills in, spelled as strace does: for who listens (sys/seam.hpp).
#pragma once

#include "sys/kernel.hpp"

#include <linux/filter.h>

#include <span>
#include <string>
#include <string_view>

namespace sys {

/// The flags of open(2), O_RDONLY too.
std::string show_open(int flags);
/// A C string of any bytes; what is longer than `most` is cut, and "..." follows.
std::string show_bytes(std::string_view bytes, std::size_t most = 32);
/// What getdents64(2) gave: how many entries.
std::string show_entries(std::span<const char> buffer);
std::string show_list(std::span<const std::string> strings);
/// How many strings an array of them has, as a comment.
std::string show_count(const char* const* strings);
/// "0x7f0000000000", NULL
std::string show_address(const void* address);
/// `S_IFREG|0644`, and `makedev(0x1, 0x3)`.
std::string show_file_mode(mode_t mode);
std::string show_device(dev_t device);
std::string show(const struct stat& info);
std::string show(const struct statfs& info);
std::string show(const int (&pair)[2]);
std::string show(const sigset_t& set);
std::string show(std::span<const pollfd> fds);
std::string show(const rlimit& limit);
std::string show(const winsize& size);
/// clone3(2)'s, with the descriptor of the process once there is one.
std::string show(const clone_args& args, bool made);
/// A status of waitpid(2).
std::string show_status(int status);

} // namespace sys
