// Files of the state directory.
#include "oci/store.hpp"

#include "run/child.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/stage.hpp"
#include "sys/local.hpp"
#include "sys/mounts.hpp"
#include "sys/path.hpp"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

namespace oci {

namespace {

constexpr const char* kProgress = "progress";
constexpr const char* kNewProgress = ".progress"; ///< not whole yet
constexpr const char* kGate = "gate";
constexpr const char* kSlate = "slate";

/// The characters that runc allows, and no name of a directory that is always there.
bool valid_id(const std::string& id) {
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";
    return !id.empty() && id.size() <= 255 && id != "." && id != ".." &&
           id.find_first_not_of(allowed) == std::string::npos;
}

Result<void> check_id(const std::string& id) {
    if (!valid_id(id))
        return sys::wrong("invalid container ID format: \"" + id + "\"",
                          "letters, digits and \"_+.-\", at most 255");
    return {};
}

std::string last_resort() {
    return "/tmp/gocontainer-" + std::to_string(sys::geteuid());
}

/// In /tmp anybody may have been there first, and what stands in a state directory is whom we kill
/// and what we remove.
Result<void> check_owner(const std::string& root) {
    if (root != last_resort())
        return {};
    auto folder = sys::openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!folder && folder.error().code == ENOENT)
        return {};
    Fd open = TRY(std::move(folder));
    struct stat info = TRY(sys::fstat(open.get()));
    if (info.st_uid != sys::geteuid() || (info.st_mode & 022) != 0)
        return sys::wrong("\"" + root + "\", where state would be kept, belongs to uid " +
                              std::to_string(info.st_uid) + ", or others may write in it",
                          "set XDG_RUNTIME_DIR to a folder of your own, or use --root");
    return {};
}

/// The folder of XDG_RUNTIME_DIR where su and sudo have left that of who called them.
std::string closed_root(const std::string& root, const sys::Error& error) {
    const char* runtime = getenv("XDG_RUNTIME_DIR");
    if (error.code != EACCES || runtime == nullptr || root != std::string(runtime) + "/gocontainer")
        return {};
    return std::string("XDG_RUNTIME_DIR is \"") + runtime + "\", which uid " +
           std::to_string(sys::geteuid()) +
           " may not use, as after su or sudo: unset it, or use --root";
}

/// Why there is nothing to be written into the state directory `path`, where that is known.
std::string no_room(const std::string& path, const sys::Error& error) {
    if (error.code != ENOSPC && error.code != EDQUOT)
        return {};
    return "the file system of \"" + path.substr(0, path.rfind('/')) +
           "\" is full: make room there, or keep containers elsewhere, by --root";
}

/// A container's folder has its progress before anything else, and after. What has other things
/// only is somebody's who is to lose nothing by a --root, or an ID, that was meant otherwise.
bool is_containers(const Fd& folder) {
    for (const char* name : {kProgress, kNewProgress})
        if (sys::fstatat(folder.get(), name, AT_SYMLINK_NOFOLLOW))
            return true;
    auto others = sys::entries(folder.get());
    return !others || others->empty(); // an error: removed meanwhile
}

/// A flag that is neither true nor false, or a text without an end, is nothing to go by: whom we
/// kill and what we remove stands there.
bool whole(const Progress& progress) {
    auto flag = [](const bool& value) {
        unsigned char byte = 0;
        memcpy(&byte, &value, sizeof byte);
        return byte <= 1;
    };
    const stages::Ledger& ledger = progress.ledger;
    for (std::span<const char> text :
         {std::span<const char>(ledger.leaf), std::span<const char>(ledger.unit),
          std::span<const char>(ledger.resctrl), std::span<const char>(ledger.monitor),
          std::span<const char>(ledger.scratch), std::span<const char>(ledger.work),
          std::span<const char>(progress.unpacked)})
        if (text.back() != '\0')
            return false;
    return flag(ledger.keep_cgroup) && flag(ledger.leaf_ours) && flag(progress.created) &&
           flag(progress.ending) && flag(progress.hooks_at_start) && flag(progress.hooking);
}

} // namespace

std::string_view name_of(Status status) {
    constexpr std::string_view names[] = {"creating", "created", "running", "paused", "stopped"};
    return names[static_cast<std::size_t>(status)];
}

Result<std::string> leaf_of(const Progress& progress, const char* what) {
    if (progress.ledger.leaf[0] == '\0')
        return sys::wrong(std::string(what) + ": the container has no cgroup of its own",
                          "run it where the caller may make cgroups");
    return std::string(progress.ledger.leaf);
}

Fd first_process(const stages::Ledger& ledger) {
    auto process = sys::pidfd_open(ledger.child);
    // The number may be another's by now; the descriptor is one process's for good.
    auto stat = sys::process_stat(ledger.child);
    if (!process || !stat || (ledger.child_started != 0 && stat->started != ledger.child_started))
        return Fd();
    return std::move(*process);
}

std::string default_root(bool in_user_namespace) {
    if (sys::geteuid() == 0 && !in_user_namespace)
        return "/run/gocontainer";
    const char* runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != nullptr && *runtime == '/')
        return std::string(runtime) + "/gocontainer";
    return last_resort();
}

Result<Store> Store::create(const std::string& root, const std::string& id) {
    TRY(check_id(id));
    TRY(stages::hint(sys::make_path(root), [&](auto& error) { return closed_root(root, error); }));
    TRY(check_owner(root));
    std::string path = sys::join(root, id);
    auto made = sys::mkdirat(AT_FDCWD, path, 0711);
    if (!made && made.error().code == EEXIST) {
        auto there = open(root, id);
        return sys::wrong("container with given ID already exists: \"" + id + "\"",
                          there ? "" : there.error().hint);
    }
    TRY(std::move(made));
    auto store = [&]() -> Result<Store> {
        Fd directory = TRY(sys::openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        Store fresh(std::move(directory), path, id);
        TRY(fresh.lock());
        return fresh;
    }();
    if (!store && store.error().code != 0)                 // else it was somebody else's to remove
        (void)sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR); // the first error counts
    return store;
}

Result<Store> Store::open(const std::string& root, const std::string& id) {
    TRY(check_id(id));
    TRY(check_owner(root));
    std::string path = sys::join(root, id);
    auto directory = sys::openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) {
        if (directory.error().code == ENOENT)
            return sys::wrong("container does not exist: \"" + id + "\"");
        return std::unexpected(stages::hint(std::move(directory), [&](auto& error) {
                                   return closed_root(root, error);
                               }).error());
    }
    if (!is_containers(*directory))
        return sys::wrong("container does not exist: \"" + id + "\"",
                          "what is in \"" + path + "\" is no container's: see --root");
    return Store(std::move(*directory), std::move(path), id);
}

Result<std::vector<std::string>> Store::list(const std::string& root) {
    std::vector<std::string> ids;
    TRY(check_owner(root));
    auto directory = sys::openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    if (!directory && directory.error().code == ENOENT)
        return ids; // nobody has made a container yet
    Fd open = TRY(
        stages::hint(std::move(directory), [&](auto& error) { return closed_root(root, error); }));
    for (sys::Entry& entry : TRY(sys::entries(open.get())))
        if (entry.type == DT_DIR && valid_id(entry.name))
            ids.push_back(std::move(entry.name));
    std::ranges::sort(ids);
    return ids;
}

Result<void> Store::lock() {
    if (sys::flock(directory_.get(), LOCK_EX | LOCK_NB))
        return check_locked();
    if (hooks_run())
        return sys::wrong("hooks of the container are running, which have to end first",
                          "'delete --force' ends them, and the container");
    return wait_for_lock();
}

bool Store::hooks_run() const {
    auto progress = look();
    return progress && progress->hooking && somebody_has_lock();
}

Result<void> Store::wait_for_lock() {
    TRY(sys::flock(directory_.get(), LOCK_EX));
    return check_locked();
}

Result<void> Store::check_locked() {
    locked_ = true;
    // Who had it may have been `delete`.
    if (TRY(sys::fstat(directory_.get())).st_nlink == 0)
        return sys::wrong("container does not exist: \"" + id_ + "\"");
    return {};
}

void Store::unlock() {
    (void)sys::flock(directory_.get(), LOCK_UN); // an open file: can't fail
    locked_ = false;
}

bool Store::somebody_has_lock() const {
    if (locked_)
        return false;
    // Of a descriptor of its own, so that nothing is taken from nobody.
    auto again = sys::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY);
    return again && !sys::flock(again->get(), LOCK_SH | LOCK_NB);
}

Result<std::string> Store::read(const std::string& name) const {
    return sys::read_file(directory_.get(), name, std::size_t{64} << 20);
}

Result<void> Store::write(const std::string& name, std::string_view text) const {
    return stages::hint(sys::replace_file(directory_.get(), name, text, 0600),
                        [&](auto& error) { return no_room(path_, error); });
}

Result<Progress*> Store::progress() const {
    auto file = progress_file();
    bool made = !file && file.error().code == ENOENT;
    if (made) {
        // Appears whole: a file of the right size, whose zeros mean that there is nothing to undo.
        file = sys::openat(directory_.get(), kNewProgress, O_CREAT | O_TRUNC | O_NOFOLLOW | O_RDWR,
                           0600);
        if (file) // in full: where there is no room for it, its map would end us (SIGBUS)
            TRY(stages::hint(sys::write_all(file->get(), std::string(sizeof(Progress), '\0')),
                             [&](auto& error) { return no_room(path_, error); }));
    }
    Fd opened = TRY(std::move(file));
    auto* memory = TRY(map_progress(opened));
    if (made) {
        memory->size = sizeof(Progress);
        TRY(sys::rename_in(directory_.get(), kNewProgress, kProgress));
    }
    return memory;
}

Result<Progress*> Store::map_progress(const Fd& file) const {
    if (TRY(sys::fstat(file.get())).st_size != sizeof(Progress))
        return sys::wrong("\"" + sys::join(path_, kProgress) +
                              "\" was written by another version of gocontainer",
                          "use that one to delete the container");
    auto* memory = static_cast<Progress*>(TRY(sys::map_file(file.get(), sizeof(Progress))));
    if (!whole(*memory))
        return damaged_progress();
    return memory;
}

std::unexpected<Error> Store::damaged_progress() const {
    return sys::wrong("\"" + sys::join(path_, kProgress) + "\" is damaged",
                      "end what runs of the container, and remove \"" + path_ + "\" by hand");
}

Result<Fd> Store::progress_file() const {
    return sys::openat(directory_.get(), kProgress, O_RDWR | O_NOFOLLOW);
}

Result<Progress> Store::look() const {
    Progress out;
    auto file = sys::openat(directory_.get(), kProgress, O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().code == ENOENT)
        return out; // not far enough to have made anything
    Fd open = TRY(std::move(file));
    std::size_t got =
        TRY(sys::read(open.get(), std::span(reinterpret_cast<char*>(&out), sizeof out)));
    if (got != sizeof out || out.size != sizeof out)
        return sys::wrong("\"" + sys::join(path_, kProgress) +
                              "\" was written by another version of gocontainer",
                          "use that one to delete the container");
    if (!whole(out))
        return damaged_progress();
    return out;
}

// A socket of another type is refused before it could be taken for a visitor (unix(7), EPROTOTYPE).
bool Store::somebody_waits_at_gate() const {
    return sys::listens_in(directory_.get(), kGate);
}

Result<Now> Store::now(const Progress& progress) const {
    const stages::Ledger& ledger = progress.ledger;
    Now out;
    if (ledger.child <= 0) {
        // Not born yet, or `create` was killed before that: then nobody has the lock any more.
        if (!progress.created && somebody_has_lock())
            out.status = Status::creating;
        return out;
    }
    auto stat = sys::process_stat(ledger.child);
    if (!stat && stat.error().code != ENOENT && stat.error().code != ESRCH)
        return std::unexpected(std::move(stat).error());
    if (!stat || stat->ended ||
        (ledger.child_started != 0 && stat->started != ledger.child_started))
        return out;
    out.pid = ledger.child;
    // `run` is told of its command's start a moment later than others may see that it runs.
    if (!progress.created && (stat->forked || !run::is_command(out.pid).value_or(false)))
        out.status = Status::creating;
    else if (progress.created && somebody_waits_at_gate())
        out.status = Status::created;
    else
        out.status = Status::running;
    if (out.status != Status::creating && ledger.leaf[0] != '\0' &&
        stages::cgroup::frozen(ledger.leaf).value_or(false))
        out.status = Status::paused;
    return out;
}

Result<Now> Store::now() const {
    Progress progress = TRY(look());
    return now(progress);
}

Result<Fd> Store::make_slate() const {
    return sys::openat(directory_.get(), kSlate, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0600);
}

Result<Fd> Store::slate() const {
    auto file = sys::openat(directory_.get(), kSlate, O_RDWR | O_NOFOLLOW);
    if (!file && file.error().code == ENOENT)
        return Fd();
    return file;
}

Result<Fd> Store::make_gate() const {
    return sys::listen_in(directory_.get(), kGate);
}

Result<Fd> Store::through_gate() const {
    return sys::connect_in(directory_.get(), kGate);
}

Result<std::string> Store::make_directory(const std::string& name) const {
    TRY(sys::make_directory(directory_.get(), name, 0755));
    return sys::join(path_, name);
}

Result<Fd> Store::open_directory(const std::string& name) const {
    return sys::openat(directory_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

void Store::remove_gate() const {
    (void)sys::unlinkat(directory_.get(), kGate); // gone, or nobody listens at it: both are right
}

Result<void> Store::set_ending() const {
    auto file = progress_file();
    if (!file && file.error().code == ENOENT)
        return {};
    Fd opened = TRY(std::move(file));
    Progress* progress = TRY(map_progress(opened));
    progress->ending = true;
    return {};
}

Result<void> Store::remove() {
    bool progress = false; // the last to go: is_containers()
    for (const sys::Entry& entry : TRY(sys::entries(directory_.get())))
        if (entry.name == kProgress)
            progress = true;
        else
            TRY(entry.type == DT_DIR ? sys::remove_tree(directory_.get(), entry.name)
                                     : sys::unlinkat(directory_.get(), entry.name));
    if (progress)
        TRY(sys::unlinkat(directory_.get(), kProgress));
    auto removed = sys::unlinkat(AT_FDCWD, path_, AT_REMOVEDIR);
    if (!removed && removed.error().code != ENOENT)
        return removed;
    return {};
}

} // namespace oci
