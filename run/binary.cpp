// Copies of ourselves.
#include "run/binary.hpp"

#include "run/reexec.hpp"
#include "run/supervise.hpp"
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <sys/prctl.h>
#include <sys/statvfs.h>

namespace run {

using sys::Error;
using sys::Fd;
using sys::Result;

namespace {

Result<Fd> sealed_copy() {
    Fd from = TRY(sys::openat(AT_FDCWD, kSelf, O_RDONLY));
    Fd copy = TRY(sys::memfd_create("gocontainer"));
    TRY(sys::copy_file(copy.get(), from.get()));
    TRY(sys::seal(copy.get()));
    return copy;
}

bool is_protected(const Fd& executed) {
    auto on = sys::fstatfs(executed.get());
    return (on && (on->f_flags & ST_RDONLY) != 0) || sys::is_sealed(executed.get());
}

/// The words of /proc/self/cmdline or environ: each ends with a null byte.
Result<sys::Strings> words_of(const std::string& path) {
    constexpr std::size_t most = std::size_t{16} << 20; // execve(2): a quarter of the stack's limit
    std::string text = TRY(sys::read_file(path, most));
    sys::Strings words;
    for (std::size_t at = 0, end = 0; (end = text.find('\0', at)) != std::string::npos;
         at = end + 1)
        words.push_back(text.substr(at, end - at));
    return words;
}

} // namespace

Result<void> protect_ourselves(std::optional<std::uint64_t> signal_mask) {
    if (is_protected(TRY(sys::openat(AT_FDCWD, kSelf, O_RDONLY)))) {
        // By a descriptor one gets its number for a name (execveat(2)): for people who run ps.
        (void)sys::prctl(PR_SET_NAME, "PR_SET_NAME",
                         reinterpret_cast<unsigned long>("gocontainer"));
        return {};
    }
    sys::Strings arguments = TRY(words_of("/proc/self/cmdline"));
    sys::Strings environment = TRY(words_of("/proc/self/environ"));
    Fd binary = TRY(protected_binary());
    if (signal_mask)
        TRY(restore_signals(*signal_mask));
    return std::unexpected(sys::execveat(binary.get(), arguments, environment));
}

Result<Fd> our_protected_binary() {
    Fd executed = TRY(sys::openat(AT_FDCWD, kSelf, O_RDONLY));
    return is_protected(executed) ? std::move(executed) : protected_binary();
}

Result<Fd> protected_binary() {
    // The link itself leads into the mount namespace that we were started in, of which nothing can
    // be copied from another; the same path leads to the same file, unless it was moved or covered
    // meanwhile.
    struct stat running = TRY(sys::fstatat(AT_FDCWD, kSelf, 0));
    std::string path = TRY(sys::readlinkat(AT_FDCWD, kSelf));
    auto binary = stages::clone_mount(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (!binary)
        return sealed_copy();
    struct stat found = TRY(sys::fstat(binary->get()));
    if (found.st_dev != running.st_dev || found.st_ino != running.st_ino)
        return sealed_copy();
    auto sealed =
        stages::hint(stages::set_attributes(*binary, MOUNT_ATTR_RDONLY),
                     [](const Error& error) { return stages::causes::powerless_root(error.code); });
    if (!sealed) {
        sealed.error().stage = "mount";
        return std::unexpected(std::move(sealed).error());
    }
    return binary;
}

} // namespace run
