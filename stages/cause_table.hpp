// The one table of causes: why a machine says no, what to do about it, and what that opens.
//
// A launch ends with a hint, which is one line; `gocontainer doctor` shows all of a row. Who finds
// a cause (stages/causes.cpp, cgroup_causes.cpp, net_causes.cpp, teach/doctor*) looks at the
// machine and names a row here; texts stand nowhere else.
#pragma once

#include "sys/result.hpp"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace stages::causes {

/// The rows. Their names, for programs, are in the table: "apparmor-userns".
enum class Id : unsigned char {
    debian_switch,
    no_namespaces,
    too_many_namespaces,
    too_many_around,
    apparmor_rule,
    apparmor_profile,
    apparmor_docker,
    seccomp_filter,
    seccomp_hides,
    in_chroot,
    maybe_chroot,
    caller_unmapped,
    not_built,
    old_kernel,
    userns_needed,
    wsl1,
    proc_masked,
    proc_foreign,
    proc_missing,
    uidmap_missing,
    uidmap_powerless,
    uidmap_nosuid,
    uidmap_bounded,
    no_new_privs,
    subid_missing,
    subid_elsewhere,
    subid_small,
    rootfs_missing,
    rootfs_no_directory,
    rootfs_of_the_kernel,
    rootfs_without_programs,
    rootfs_closed,
    rootfs_closed_to_owner,
    rootfs_unreadable,
    rootfs_noexec,
    rootfs_on_share,
    rootfs_maybe_on_share,
    rootfs_read_only,
    rootfs_full,
    rootfs_foreign,
    busybox_missing,
    overlay_missing,
    overlay_too_old,
    overlay_on,
    overlay_mounts,
    tun_missing,
    tun_missing_inside,
    tun_no_driver,
    tun_forbidden,
    tun_closed,
    tun_other,
    slirp_missing,
    pasta_missing,
    slirp_bounded,
    ping_closed,
    cgroup_none,
    cgroup_v1,
    cgroup_v1_wsl,
    cgroup_unmounted,
    controller_v1,
    controller_v1_wsl,
    controller_off,
    controller_not_given,
    controller_not_built,
    cgroup_read_only,
    controller_not_handed,
    cgroup_has_processes,
    cgroup_refused,
    cgroup_not_delegated,
    cgroup_managed,
    cgroup_no_place,
};

/// A row with what was found on this machine filled in.
struct Cause {
    std::string name;
    std::string what;    ///< lower case, no full stop
    std::string why;     ///< what shows it, where that is more to say
    std::string fix;     ///< for a line: words, and a command in quotes if it is short
    std::string command; ///< the narrowest fix, to be pasted; may name @program and @user
    std::string opens;   ///< what the command makes possible beside what it is for

    bool operator==(const Cause&) const = default;
    /// "WHAT: WHY: FIX", without what is empty.
    std::string hint() const;
};

/// The row `id`; @1, @2 and so on become `found`.
Cause cause(Id id, const std::vector<std::string>& found = {});

/// Its hint, and whoever listens hears of it.
std::string hint_of(Id id, const std::vector<std::string>& found = {});

/// Likewise an error that says WHAT, with FIX as its hint.
std::unexpected<sys::Error> wrong(Id id, const std::vector<std::string>& found = {});

/// Hears each cause that becomes a hint, from here to the end of its life; there is at most one.
class Ear {
public:
    explicit Ear(std::function<void(const Cause&)> hearing);
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;
    const std::function<void(const Cause&)> hears;
};
/// Tell it, if there is one.
void hear(const Cause& cause);

struct Row {
    Id id;
    const char* name;
    const char* what;
    const char* fix;
    const char* command;
    const char* opens;
};
std::span<const Row> rows();

} // namespace stages::causes
