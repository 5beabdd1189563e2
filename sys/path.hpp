// Files and paths: whole-file reads and writes, and walks that can't leave a root.
#pragma once

#include "sys/kernel.hpp"

namespace sys {

/// The whole of a small file, at most `most` bytes (more is an error: nothing is read half).
Result<std::string> read_file(int at, const std::string& path, std::size_t most = 1 << 20);
inline Result<std::string> read_file(const std::string& path, std::size_t most = 1 << 20) {
    return read_file(AT_FDCWD, path, most);
}
/// Likewise of one that a person or an engine has named: it may be a pipe, as of bash's <(…), whose
/// writer is waited for.
Result<std::string> read_given(const std::string& path, std::size_t most = 1 << 20);
/// What is left of an open file, from where it stands, likewise.
Result<std::string> read_all(int fd, std::size_t most = 64 << 20);
/// All of `text`, however many calls that takes.
Result<void> write_all(int fd, std::string_view text);
/// One write(2) into an existing file: what /proc and cgroupfs want.
Result<void> write_file(int at, const std::string& path, std::string_view text);
inline Result<void> write_file(const std::string& path, std::string_view text) {
    return write_file(AT_FDCWD, path, text);
}
/// write_file that first checks that the file is on procfs, so that a mount over /proc can't
/// redirect it (CVE-2019-16884, CVE-2025-52881).
Result<void> write_proc(const std::string& path, std::string_view text);

/// Of proc_pid_stat(5).
struct ProcessStat {
    char state; ///< R, S, D, Z, T, t, X, I
    pid_t parent;
    /// It has let go of everything but its number: as a zombie, or as the first process of a PID
    /// namespace, which stays until the parents of all others in there have waited for them.
    bool ended;
    bool forked;           ///< and has executed nothing since
    bool killed;           ///< SIGKILL has reached it, whether it has acted on that by now or not
    std::uint64_t started; ///< as start_time()
};
Result<ProcessStat> process_stat(pid_t pid);
/// When `pid` was started, in clock ticks since boot (proc_pid_stat(5)): together with the number,
/// it names one process for good.
Result<std::uint64_t> start_time(pid_t pid);

/// Is it there, whatever it is?
bool exists(const std::string& path);

enum class Want { existing, directory, file };

/// Does the program have capabilities of its own (security.capability, capabilities(7))?
bool has_file_capabilities(const std::string& path);

/// Absolute path of `name` on PATH, or in the usual directories when PATH lacks it; "" if nowhere.
/// Engines call us with an empty environment, so PATH alone won't do.
std::string find_program(const std::string& name);

/// O_PATH descriptor of `path` inside `root`. Symlinks are followed as if `root` were "/", so no
/// link leads out, not even one that is swapped while we look (openat2(2), RESOLVE_IN_ROOT).
/// With Want::directory or Want::file what is missing is made, directories as 0755.
Result<Fd> in_root(int root, const std::string& path, Want want);

/// The file that a user names for output, to be written from its start; `flags`: open(2)'s,
/// besides.
Result<Fd> output_file(const std::string& path, int flags = 0);

/// `path` for messages: "DIR/dev/null" for DIR's descriptor and "dev/null".
std::string join(std::string_view directory, std::string_view name);

} // namespace sys
