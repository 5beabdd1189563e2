// From one datagram socket to another, line by line.
#include "oci/readiness.hpp"

#include "stages/stages.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <linux/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace oci {

namespace {

constexpr const char* kDirectory = "notify"; ///< in the state directory
constexpr const char* kSocket = "notify.sock";
constexpr const char* kPlace = "/run/notify"; ///< where runc has it
constexpr std::string_view kVariable = "NOTIFY_SOCKET=";
/// Of a start that takes its time; later it would hold up the end of the service, and the host's.
constexpr std::string_view kLonger = "EXTEND_TIMEOUT_USEC=";

std::string variable() {
    return std::string(kVariable) + kPlace + "/" + kSocket;
}

/// What says how the service is, and no more.
bool harmless(std::string_view line) {
    return line == "READY=1" || line == "RELOADING=1" || line == "STOPPING=1" ||
           line.starts_with("STATUS=");
}

/// systemd looks up who has sent something when it reads it: a sender that has ended by then is of
/// no unit. It closes the descriptor behind it (sd_notify_barrier(3)).
Result<void> wait_until_read(const Fd& manager) {
    constexpr std::chrono::seconds kManagersPatience{5}; // as systemd-notify(1)
    auto [ours, theirs] = TRY(sys::pipe());
    TRY(sys::send(manager.get(), "BARRIER=1", theirs.get()));
    theirs.close();
    pollfd closed{.fd = ours.get(), .events = 0, .revents = 0};
    TRY(sys::poll(std::span(&closed, 1), kManagersPatience));
    return {};
}

} // namespace

std::string manager_address() {
    const char* address = getenv("NOTIFY_SOCKET");
    return address != nullptr ? address : "";
}

Result<void> offer_manager(const Store& store, spec::Spec& spec, const Say& say) {
    std::vector<std::string>& env = spec.process.env;
    bool theirs =
        std::ranges::any_of(env, [](const std::string& one) { return one.starts_with(kVariable); });
    if (manager_address().empty() || theirs)
        return {};
    if (!spec.stages.has(spec::Stage::mount) || stages::joined(spec, spec::Stage::mount)) {
        say("warning: NOTIFY_SOCKET: systemd will not hear when the container is ready: the socket "
            "goes into a mount namespace of its own: list one in linux.namespaces, or use "
            "Type=exec in the unit");
        return {};
    }
    std::string source = TRY(store.make_directory(kDirectory));
    spec.root.mounts.push_back(
        {.type = "bind",
         .source = std::move(source),
         .destination = kPlace,
         .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
         .recursive = false});
    env.push_back(variable());
    return {};
}

void withdraw_manager(std::vector<std::string>& env) {
    std::erase(env, variable());
}

Result<Readiness> Readiness::listen(const Store& store, Say say) {
    std::string address = manager_address();
    if (address.empty())
        return Readiness();
    auto directory = store.open_directory(kDirectory);
    if (!directory && directory.error().code == ENOENT)
        return Readiness(); // it was made without
    Fd there = TRY(std::move(directory));
    Readiness out;
    out.say_ = std::move(say);
    auto manager = sys::connect_to_manager(address);
    if (!manager) {
        manager.error().stage = "NOTIFY_SOCKET";
        manager.error().hint = "it names a socket of the service manager that has started us; "
                               "without one, unset it";
        return std::unexpected(std::move(manager).error());
    }
    out.manager_ = std::move(*manager);
    (void)sys::unlinkat(there.get(), kSocket); // of a `start` that has failed
    out.socket_ = TRY(sys::receive_in(there.get(), kSocket));
    return out;
}

Result<void> Readiness::take(pid_t main) {
    std::array<char, 4096> buffer;
    std::size_t size = TRY(sys::read(socket_.get(), buffer)); // which takes no descriptors
    std::string_view said(buffer.data(), size);
    std::string out;
    while (!said.empty()) {
        std::string_view line = said.substr(0, said.find('\n'));
        said.remove_prefix(std::min(line.size() + 1, said.size()));
        if (!harmless(line) && (ready_ || !line.starts_with(kLonger)))
            continue;
        ready_ = ready_ || line == "READY=1";
        out.append(line).append("\n");
        if (line == "READY=1")
            out.append("MAINPID=" + std::to_string(main) + "\n");
    }
    return out.empty() ? Result<void>{} : sys::send(manager_.get(), out);
}

Result<void> Readiness::take_until_ready(const Fd& process, pid_t main) {
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = process.get(), .events = POLLIN, .revents = 0}};
        TRY(sys::poll(fds));
        if (fds[0].revents != 0) {
            TRY(take(main));
            if (ready_)
                return wait_until_read(manager_);
        }
        if (fds[1].revents != 0)
            return {};
    }
}

void Readiness::warn(const Result<void>& done) const {
    if (!done)
        say_("warning: " + sys::to_line(done.error()));
}

} // namespace oci
