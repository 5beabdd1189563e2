// Copies of ourselves.
#include "run/binary.hpp"

#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "sys/local.hpp"

namespace run {

using sys::Error;
using sys::Fd;
using sys::Result;

namespace {

Result<Fd> sealed_copy() {
    Fd from = TRY(sys::openat(AT_FDCWD, "/proc/self/exe", O_RDONLY));
    Fd copy = TRY(sys::memfd_create("gocontainer"));
    TRY(sys::copy_file(copy.get(), from.get()));
    TRY(sys::seal(copy.get()));
    return copy;
}

} // namespace

Result<Fd> protected_binary() {
    // The link itself leads into the mount namespace that we were started in, of which nothing can
    // be copied from another; the same path leads to the same file, unless it was moved or covered
    // meanwhile.
    struct stat running = TRY(sys::fstatat(AT_FDCWD, "/proc/self/exe", 0));
    std::string path = TRY(sys::readlinkat(AT_FDCWD, "/proc/self/exe"));
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
