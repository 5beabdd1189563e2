// Local sockets and files that live in a directory of ours, reached by its descriptor: the state
// directory of a container, and sockets that a caller listens on.
#pragma once

#include "sys/kernel.hpp"

#include <span>
#include <string>

namespace sys {

/// A listening SOCK_SEQPACKET socket `name` in `directory`, mode 0600. No path is too long for it.
Result<Fd> listen_in(int directory, const std::string& name);
/// Connected to a listener of listen_in(). ECONNREFUSED: nobody listens any more.
Result<Fd> connect_in(int directory, const std::string& name);
Result<Fd> accept(int fd);
/// A SOCK_DGRAM socket `name` in `directory`, to which everybody may write who comes to it.
Result<Fd> receive_in(int directory, const std::string& name);
/// Connected to the SOCK_DGRAM socket that NOTIFY_SOCKET names: a path, or "@" and an abstract
/// name (sd_notify(3)).
Result<Fd> connect_to_manager(const std::string& address);
/// Is there still a listener of listen_in()? It is not disturbed by the question.
bool listens_in(int directory, const std::string& name);
/// Connected to a SOCK_STREAM listener at `path`.
Result<Fd> connect_stream(const std::string& path);

/// mkdir -p: what is made is for its owner alone.
Result<void> make_path(const std::string& path);
/// rm -rf: `path` with all that is in it. One that isn't there is fine. By descriptor, never
/// through a link, however deep and whatever somebody may put there meanwhile.
Result<void> remove_tree(int at, const std::string& path);
/// rename within a directory.
Result<void> rename_in(int directory, const std::string& from, const std::string& to);
/// Write a new file `name` whole: by a temporary file and rename, so that nobody ever sees a part
/// of it, and no link at `name` is followed.
Result<void> replace_file(int directory, const std::string& name, std::string_view text,
                          mode_t mode);
/// Write a file `name` whole where none is (EEXIST): it has no name before (open(2), O_TMPFILE), so
/// that whoever is killed meanwhile leaves nothing. EOPNOTSUPP where the file system can't.
Result<void> new_file(int directory, const std::string& name, std::string_view text, mode_t mode);
/// The path of an open file, from /proc/self/fd.
Result<std::string> path_of(int fd);
/// Bytes from one file to another within the kernel, from its start to its end.
Result<void> copy_file(int to, int from);
/// Make a file `size` bytes long, and map it, shared.
Result<void*> map_file(int fd, std::size_t size);

/// Which namespace type a descriptor is of: CLONE_NEW* (ioctl_ns(2)); an error for anything else.
Result<std::uint64_t> namespace_type(int fd);

} // namespace sys
