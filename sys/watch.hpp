// Being told that something has changed in a directory: inotify(7), and where it tells nothing; or
// that something has come which we don't read: epoll(7).
#pragma once

#include "sys/kernel.hpp"

#include <string>

namespace sys {

/// Readable when something in `folder` was written, made, renamed, removed, or changed its mode; or
/// when the folder itself is gone. ENOSPC, EMFILE: there are as many as this user may have.
Result<Fd> watch_directory(const std::string& folder);
/// Take what has been told so far; what it was, the directory says better.
Result<void> drain_watch(int watch);
/// The file system that `folder` is on, if inotify hears nothing there of what is changed from
/// another side (by the host of a virtual machine, or on a server): "9p", "fuse"; else "".
Result<std::string> silent_file_system(const std::string& folder);

/// Readable once for each time that something comes to `fd`, be it read or not (EPOLLET).
Result<Fd> watch_arrivals(int fd);
/// Take what it has told.
Result<void> drain_arrivals(int watch);

} // namespace sys
