// Facts: what this host answered, found by the parent before the clone.
//
// The Spec says what is wanted, Facts say what that means here. Both go to the child.
#pragma once

#include "spec/spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace stages {

struct Facts {
    std::vector<spec::IdMap> uids; ///< the maps that are written; empty without the user stage
    std::vector<spec::IdMap> gids;
    /// setgroups is off in the new user namespace. For the child before its re-exec only.
    bool groups_denied = false;
    std::string resolv_conf;    ///< text; empty: leave the rootfs's own
    std::string seccomp_filter; ///< bytes of struct sock_filter; empty: the compiled-in default
    std::uint32_t seccomp_flags = 0; ///< SECCOMP_FILTER_FLAG_*
    /// Under the filter the child may be unable to say that it has failed. For the parent only.
    bool may_silence = false;
    bool sent_rootfs = false; ///< the parent sends a copy of the rootfs's mount
    /// It sends these of spec.root.mounts as well: indices.
    std::vector<std::uint32_t> sent_mounts;
    /// Of each of spec.net_devices, what it is to have again (sys/netlink.hpp).
    std::vector<std::vector<std::string>> device_addresses;
    /// The child is born with the oom_score_adj that is wanted: a /proc of its own to set it by,
    /// and to put away again, would wait for every processor.
    bool scored = false;
    bool slated = false; ///< the parent sends a slate (run/slate.hpp)
    /// The parent has something to do that the child's last stages must not come before.
    bool awaits = false;
    /// What the child does on its way besides its stages (run/gate.hpp).
    bool meets = false;            ///< when all is mounted, tells the parent and waits for its word
    bool gated = false;            ///< waits at the gate before the last stages
    bool orphan = false;           ///< lives on when its parent ends
    bool born_late = false;        ///< the command is another process (run/newcomer.hpp)
    std::string state;             ///< for its hooks: the state's JSON, without status and pid
    std::uint64_t signal_mask = 0; ///< the caller's blocked signals, bit N-1 for signal N
    bool watched = false;          ///< the child tells of each step and call (run/watch.hpp)
    /// The caller's terminal belongs to another job now, and so do its modes.
    bool background = false;
    /// What the caller ignores is no business of the container's. Before the re-exec, too.
    bool default_signals = false;
};

/// Is container id `id` mapped?
bool maps(const std::vector<spec::IdMap>& map, std::uint32_t id);

} // namespace stages
