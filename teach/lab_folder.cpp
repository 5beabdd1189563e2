// Folders that outlive nobody.
#include "teach/lab_folder.hpp"

#include "stages/stage.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

constexpr std::string_view kPrefix = "gocontainer-lab-";

std::string parent_folder() {
    const char* temporary = getenv("TMPDIR");
    return temporary != nullptr && temporary[0] == '/' ? temporary : "/tmp";
}

Result<Fd> open_folder(int at, const std::string& name) {
    return sys::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/// `name` has our prefix: remove it if it is this user's, and nobody holds it.
Result<void> clear(const Fd& parent, const std::string& name) {
    Fd folder = TRY(open_folder(parent.get(), name));
    if (TRY(sys::fstat(folder.get())).st_uid != sys::geteuid())
        return {};
    TRY(sys::flock(folder.get(), LOCK_EX | LOCK_NB)); // EWOULDBLOCK: somebody is at work in it
    return sys::remove_tree(parent.get(), name);
}

} // namespace

void clear_lab_folders() {
    auto parent = sys::openat(AT_FDCWD, parent_folder(), O_RDONLY | O_DIRECTORY);
    if (!parent)
        return; // who makes one says what is wrong with it
    auto all = sys::entries(parent->get());
    if (!all)
        return;
    for (const sys::Entry& entry : *all)
        if (entry.name.starts_with(kPrefix))
            (void)clear(*parent, entry.name); // in use, another's, or a later lab's to remove
}

std::string elsewhere(const sys::Error&) {
    return "a lab works in \"" + parent_folder() +
           "\": make room there, or name another folder by TMPDIR";
}

Result<LabFolder> LabFolder::make() {
    clear_lab_folders();
    for (;;) {
        LabFolder made;
        std::string path =
            sys::join(parent_folder(), std::string(kPrefix) + TRY(sys::random_hex(8)));
        TRY(stages::hint(sys::mkdirat(AT_FDCWD, path, 0755), elsewhere));
        made.path_ = path;
        // Before we hold it, somebody who clears up may take it for a left one: then anew.
        auto opened = open_folder(AT_FDCWD, path);
        if (!opened && opened.error().code == ENOENT)
            continue;
        made.lock_ = TRY(std::move(opened));
        TRY(sys::flock(made.lock_.get(), LOCK_EX));
        if (TRY(sys::fstat(made.lock_.get())).st_nlink == 0)
            continue;
        TRY(sys::fchmod(made.lock_.get(), 0755)); // whatever the umask
        return made;
    }
}

LabFolder::LabFolder(LabFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::move(other.lock_)) {}

LabFolder::~LabFolder() {
    (void)remove(); // the next lab tries again
}

Result<void> LabFolder::remove() {
    const std::string path = std::exchange(path_, "");
    return path.empty() ? Result<void>{} : sys::remove_tree(AT_FDCWD, path);
}

} // namespace teach
