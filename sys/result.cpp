// How an Error reads.
#include "sys/result.hpp"

#include <cerrno>
#include <cstring>

namespace sys {

std::unexpected<Error> wrong(std::string detail, std::string hint) {
    return std::unexpected(
        Error{.stage = {}, .call = {}, .detail = std::move(detail), .hint = std::move(hint)});
}

std::string errno_name(int code) {
    const char* name = strerrorname_np(code);
    return name != nullptr ? name : "errno " + std::to_string(code);
}

namespace {

/// As Go's runtime has it, in small letters: Docker's client and CRI-O look for "permission denied"
/// and "no such process" in what a runtime says.
std::string errno_text(int code) {
    const char* text = strerrordesc_np(code); // the kernel has numbers that libc lacks
    std::string out = text != nullptr ? text : "";
    bool word = out.size() > 1 && out[1] >= 'a' && out[1] <= 'z'; // not "RPC …"
    if (word && out.front() >= 'A' && out.front() <= 'Z')
        out.front() = static_cast<char>(out.front() - 'A' + 'a');
    return out;
}

} // namespace

std::string printable(std::string_view text) {
    std::string out(text);
    for (std::size_t i = 0; i < out.size(); ++i) {
        auto byte = static_cast<unsigned char>(out[i]);
        // U+0080 to U+009F are control characters too: C2 and the byte itself in UTF-8.
        bool upper = i + 1 < out.size() && byte == 0xc2 && (out[i + 1] & 0xe0) == 0x80;
        if (byte < ' ' || byte == 0x7f || upper)
            out[i] = '?';
        if (upper)
            out[i + 1] = '?';
    }
    return out;
}

namespace {

/// What to do about errno `code`, whichever stage's call it is of; "": that depends.
std::string usual_fix(const Error& error) {
    bool of_process = error.call.starts_with("fork(") || error.call.starts_with("vfork(") ||
                      error.call.starts_with("clone");
    if (error.code == ENOSYS)
        return "this kernel (or a seccomp filter on this process) does not have this call: "
               "gocontainer needs Linux 5.12 or newer";
    // EINVAL: the number asked for is above the limit (fcntl(2), F_DUPFD).
    if (error.code == EMFILE || (error.code == EINVAL && error.call.contains("F_DUPFD")))
        return "a launch needs about a hundred open files: raise 'ulimit -n'";
    if (error.code == EAGAIN && of_process)
        return "there may be no more processes: see ulimit -u, and pids.max in the cgroup of this "
               "shell and above it";
    if (error.code == EFBIG)
        return "files may not be so large here: raise 'ulimit -f'";
    if (error.code == ENOMEM && error.call.starts_with("mmap("))
        return "there is no memory left for it: raise 'ulimit -v'";
    if (error.code == ENOENT && error.call.starts_with("move_mount(")) // by descriptors, of no name
        return "the directory to be mounted has been removed: cd to another, or make it again";
    if (error.code == ENOENT && error.call.starts_with("getcwd("))
        return "the directory that this was started in is gone: cd to another";
    return {};
}

} // namespace

std::string to_line(const Error& error) {
    std::string line;
    auto add = [&line](const std::string& part) {
        if (part.empty())
            return;
        if (!line.empty())
            line += ": ";
        line += printable(part);
    };
    add(error.stage);
    add(error.call);
    if (error.code != 0) {
        std::string text = errno_text(error.code);
        add(errno_name(error.code) + (text.empty() ? "" : " (" + text + ")"));
    }
    add(error.detail);
    add(error.hint.empty() ? usual_fix(error) : error.hint);
    return line;
}

} // namespace sys
