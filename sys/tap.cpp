// A tap device in another network namespace: somebody has to go there to make it.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

namespace sys {

namespace {

/// How far the visitor of make_tap came, and why not further.
struct Visit {
    const char* call = nullptr;
    int code = 0;
};

// In the parent's memory (vfork), and in the namespaces of the process behind `pidfd` after the
// first call: system calls only.
[[noreturn]] void visit(int pidfd, int namespaces, ifreq request, volatile Visit& result) {
    result.call = "setns(pidfd)";
    if (invoke_bare(
            "setns", [&] { return ::setns(pidfd, namespaces); }, pidfd,
            Flags{static_cast<std::uint64_t>(namespaces), names::clone}) == 0) {
        result.call = "open(\"/dev/net/tun\", O_RDWR)";
        int tap = static_cast<int>(invoke_bare(
            "openat", [] { return ::open("/dev/net/tun", O_RDWR | O_CLOEXEC); }, At{AT_FDCWD},
            "/dev/net/tun", Shown{"O_RDWR|O_CLOEXEC"}));
        if (tap >= 0) {
            result.call = "ioctl(TUNSETIFF, IFF_TAP|IFF_NO_PI)";
            if (invoke_bare(
                    "ioctl", [&] { return ::ioctl(tap, TUNSETIFF, &request); }, tap,
                    Shown{"TUNSETIFF"}, also([&] {
                        return "{ifr_name=" + show(request.ifr_name) +
                               ", ifr_flags=IFF_TAP|IFF_NO_PI}";
                    })) == 0) {
                result.call = "ioctl(TUNSETPERSIST)";
                if (invoke_bare(
                        "ioctl", [&] { return ::ioctl(tap, TUNSETPERSIST, 1); }, tap,
                        Shown{"TUNSETPERSIST"}, 1) == 0)
                    _exit(0);
            }
        }
    }
    result.code = errno;
    _exit(1);
}

} // namespace

Result<void> make_tap(int pidfd, std::uint64_t namespaces, const std::string& name) {
    ifreq request{};
    (void)name.copy(request.ifr_name, IFNAMSIZ - 1); // the kernel refuses a name cut short
    request.ifr_flags = IFF_TAP | IFF_NO_PI;         // as slirp4netns and pasta open it
    volatile Visit result{};
    // Who has entered a user namespace can't come back, so somebody else goes.
    auto visitor = invoke(
        "vfork",
        [&]() -> long {
            pid_t pid = ::vfork(); // NOLINT(bugprone-unsafe-functions)
            if (pid == 0)
                visit(pidfd, static_cast<int>(namespaces), request, result);
            return pid;
        },
        Heard{Shown{"for \"/dev/net/tun\""}, [](long) { return ""; }});
    if (!visitor) {
        visitor.error().call =
            "ioctl(\"/dev/net/tun\", TUNSETIFF, " + show(name) + ", IFF_TAP|IFF_NO_PI)";
        return done(std::move(visitor));
    }
    TRY(waitpid(static_cast<pid_t>(*visitor), 0));
    if (const char* failed = result.call; result.code != 0)
        return detail::failed(failed, result.code);
    return {};
}

} // namespace sys
