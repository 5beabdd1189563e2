// What the command says to systemd (sd_notify(3)), where NOTIFY_SOCKET is set: by a unit with
// Type=notify, for one.
//
//   command                  STATE/notify/notify.sock        run or start              systemd
//     │ READY=1, STATUS=… ───►  /run/notify in there  ───►     │ READY=1, STATUS=…, ─────► │
//                                                              │ MAINPID=…                 │
//
// The host's socket is not in the container's tree, and systemd would take no word from a process
// that is none of the unit's. Of what is said in there, only what can't be turned against the host
// is passed on: no MAINPID of theirs, no descriptors.
//
// `create` gives the container the directory, `start` or `run` makes the socket and listens. As
// with runc, who doesn't stay with the container waits until it is ready, or has ended.
#pragma once

#include "oci/store.hpp"
#include "spec/spec.hpp"

#include <functional>
#include <string>

namespace oci {

/// One line for the person.
using Say = std::function<void(const std::string&)>;

/// NOTIFY_SOCKET of the caller; empty: there is none.
std::string manager_address();

/// The directory for the socket, as a mount and a variable more in `spec`. Nothing is done where
/// config.json sets NOTIFY_SOCKET, since then somebody else listens. Where the container makes no
/// mounts, nothing can be, and `say` hears it.
Result<void> offer_manager(const Store& store, spec::Spec& spec, const Say& say);
/// Without that variable: it is for the first process alone.
void withdraw_manager(std::vector<std::string>& env);

class Readiness {
public:
    Readiness() = default; ///< nobody asks
    /// Of a container that was offered one, when somebody asks. Once it runs, that the manager
    /// can't be told is no reason to end it: `say` hears it.
    static Result<Readiness> listen(const Store& store, Say say);

    bool asked() const { return socket_.valid(); }
    const Fd& socket() const { return socket_; }
    /// One message, which is there. `main`: the unit's main process, once it is ready.
    void pass_on(pid_t main) { warn(take(main)); }
    /// Until it is ready, or has ended. `process`: its pidfd.
    void wait(const Fd& process, pid_t main) { warn(take_until_ready(process, main)); }

private:
    Result<void> take(pid_t main);
    Result<void> take_until_ready(const Fd& process, pid_t main);
    void warn(const Result<void>& done) const;

    Fd socket_;  ///< the container's
    Fd manager_; ///< the caller's
    Say say_;
    bool ready_ = false;
};

} // namespace oci
