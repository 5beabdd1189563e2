// The state directory of one container: ROOT/ID.
//
//   state.json   what `state` says and never changes; written whole, by rename
//   config.json  the bundle's, as it was at create
//   exec         a Spec for further processes of the container
//   filter       its compiled seccomp filter, when it has one
//   progress     what there is to undo, in memory that create maps: true at every instant, even
//                when create is killed
//   slate        what the child writes on, where its filter may let it say nothing
//   notify/      the container's /run/notify, when somebody waits until it is ready
//                (oci/readiness.hpp)
//   gate         a socket, at which the container's first process waits for start
//
// A lock on the directory makes commands that change the container take turns. `state`, `list`,
// `ps` and `kill` take none.
#pragma once

#include "stages/stage.hpp"
#include "sys/kernel.hpp"

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

using sys::Error;
using sys::Fd;
using sys::Result;

enum class Status : std::uint8_t { creating, created, running, paused, stopped };
std::string_view name_of(Status status);

/// state.json.
struct State {
    std::string version; ///< ociVersion of the config
    std::string id;
    std::string bundle;
    std::string rootfs;
    std::string created;      ///< RFC 3339
    bool shares_pids = false; ///< has no PID namespace of its own: its end isn't all its processes'
    bool has_poststart = false; ///< start must look into config.json
    bool has_poststop = false;  ///< delete must look into config.json
    bool no_process = false;    ///< there is nothing to start
    bool systemd = false;       ///< its cgroup is a unit of systemd's
    std::map<std::string, std::string> annotations;
};

/// The mapped file `progress`. Plain bytes only.
struct Progress {
    stages::Ledger ledger;                 ///< first: run::tend_network finds it there
    std::uint64_t size = sizeof(Progress); ///< of the version that wrote it
    bool created = false;                  ///< create has come to its end
    bool ending = false;                   ///< it was sent a signal that ends most programs
    bool hooks_at_start = false;           ///< `start` has hooks to wait for
    bool hooking = false;                  ///< hooks may be running, and who waits has the lock
    char unpacked[4096] = {};              ///< the bundle that was made for it of an image
};

/// What is known of a container now.
struct Now {
    Status status = Status::stopped;
    pid_t pid = 0; ///< 0 when stopped
};

class Store {
public:
    /// Make ROOT/ID, locked. An ID that is taken is an error, and so is a bad one.
    static Result<Store> create(const std::string& root, const std::string& id);
    /// ROOT/ID that is there: "container does not exist" otherwise.
    static Result<Store> open(const std::string& root, const std::string& id);
    /// The IDs below ROOT, sorted.
    static Result<std::vector<std::string>> list(const std::string& root);

    const std::string& id() const { return id_; }
    int directory() const { return directory_.get(); }
    /// Until the end of this Store, or of the command. Waits for others that have it, but not for
    /// hooks, which may take for ever, or be what has called us: that is an error.
    Result<void> lock();
    /// The same, and for hooks, too.
    Result<void> wait_for_lock();
    /// Does somebody have the lock who waits for hooks?
    bool hooks_run() const;
    void unlock();

    Result<std::string> read(const std::string& name) const;
    Result<void> write(const std::string& name, std::string_view text) const;
    Result<void> write_state(const State& state) const;
    /// Nothing: create was killed before it could write one.
    Result<std::optional<State>> state() const;
    /// Mapped for as long as we live; made when it is missing.
    Result<Progress*> progress() const;
    /// The file that it is mapped from.
    Result<Fd> progress_file() const;
    /// Note that a signal was sent which ends most. A container that is gone needs no note; who has
    /// no lock may not make the file while `delete` removes it.
    Result<void> set_ending() const;
    /// A copy, for who only looks.
    Result<Progress> look() const;
    Result<Now> now(const Progress& progress) const;
    Result<Now> now() const;

    /// The listening end of the gate, to be handed to the child.
    Result<Fd> make_gate() const;
    /// Memory that the child shares (run/slate.hpp), by a new file, or of the one that is there:
    /// invalid when there is none.
    Result<Fd> make_slate() const;
    Result<Fd> slate() const;
    /// ECONNREFUSED or ENOENT: nobody waits there any more.
    Result<Fd> through_gate() const;
    void remove_gate() const;

    /// One in it, for everybody who comes to it; its path.
    Result<std::string> make_directory(const std::string& name) const;
    Result<Fd> open_directory(const std::string& name) const;

    /// Remove the directory with all that is in it.
    Result<void> remove();

private:
    Store(Fd directory, std::string path, std::string id)
        : directory_(std::move(directory)), path_(std::move(path)), id_(std::move(id)) {}
    Result<void> check_locked();
    Result<Progress*> map_progress(const Fd& file) const;
    std::unexpected<Error> damaged_progress() const;
    bool somebody_waits_at_gate() const;
    bool somebody_has_lock() const;

    Fd directory_;
    std::string path_;
    std::string id_;
    bool locked_ = false; ///< by us
};

/// A pidfd of the first process; invalid when that is gone, or not to be seen from here.
Fd first_process(const stages::Ledger& ledger);

/// The container's cgroup; one that has none of its own is an error of `what`.
Result<std::string> leaf_of(const Progress& progress, const char* what);

/// Where state is kept when --root doesn't say: /run/gocontainer for root, else
/// $XDG_RUNTIME_DIR/gocontainer or /tmp/gocontainer-UID.
std::string default_root(bool in_user_namespace);

/// `state`'s JSON without status and pid, one line: what hooks get too.
std::string to_json(const State& state);

} // namespace oci
