// net, from outside: a way out of a network namespace without any privilege.
//
// A network namespace starts with nothing but a loopback that is down. slirp4netns or pasta stands
// on the host's side with one end of a tap device, of which the container has the other, and turns
// the packets that come out of it into ordinary connections of its own, and back.
#include "stages/net.hpp"

#include "spec/net_options.hpp"
#include "stages/causes.hpp"
#include "stages/net_devices.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <algorithm>

namespace stages::net {

using spec::NetMode;

namespace {

std::string slirp_package() {
    return causes::install("slirp4netns", "slirp4netns", "slirp4netns");
}
std::string pasta_package() {
    return causes::install("passt", "passt", "passt");
}
std::string install_slirp() {
    return "'" + slirp_package() + "'";
}

bool connected(NetMode mode) {
    return mode == NetMode::slirp || mode == NetMode::pasta;
}

/// slirp4netns shows what comes from this machine's 127.0.0.1 as coming from 10.0.2.2, and sends
/// nothing back to there while that is closed (--disable-host-loopback). A connection of TCP's is
/// open by then; each answer by UDP is a packet of its own.
bool unanswered(const spec::Net& wanted, NetMode mode, const spec::Port& port) {
    return mode == NetMode::slirp && port.udp && !wanted.allow_host_loopback &&
           (port.address.empty() || port.address == "0.0.0.0" || port.address.starts_with("127."));
}

/// What slirp4netns, which speaks IPv4 only, can't do.
Result<void> check_addresses(const spec::Net& wanted, NetMode mode) {
    if (mode != NetMode::slirp)
        return {};
    for (const spec::Port& port : wanted.ports) {
        if (port.address.starts_with("127.") && unanswered(wanted, mode, port))
            return sys::wrong("-p \"" + spec::show(port) +
                                  "\": slirp4netns brings no answer back to 127.0.0.1 by UDP while "
                                  "that is closed to the container",
                              "publish on another address of this machine's, or open it by "
                              "--allow-host-loopback");
        if (spec::is_ipv6(port.address))
            return sys::wrong("slirp4netns can't publish on the IPv6 address \"" + port.address +
                                  "\"",
                              "use --net pasta");
    }
    for (const std::string& server : wanted.dns)
        if (spec::is_ipv6(server))
            return sys::wrong("the resolver \"" + server +
                                  "\" can't be reached through slirp4netns, which gives IPv4 only",
                              "use --net pasta");
    return {};
}

} // namespace

Result<NetMode> decide(const spec::Net& wanted, const std::string& slirp,
                       const std::string& pasta) {
    switch (wanted.mode) {
    case NetMode::slirp:
        if (slirp.empty())
            return causes::wrong(causes::Id::slirp_missing, {slirp_package()});
        return NetMode::slirp;
    case NetMode::pasta:
        if (pasta.empty())
            return causes::wrong(causes::Id::pasta_missing, {pasta_package()});
        return NetMode::pasta;
    case NetMode::automatic:
        if (!slirp.empty())
            return NetMode::slirp;
        if (!pasta.empty())
            return NetMode::pasta;
        if (!wanted.ports.empty() || !wanted.dns.empty() || wanted.allow_host_loopback)
            return sys::wrong(std::string(!wanted.ports.empty() ? "-p"
                                          : !wanted.dns.empty() ? "--dns"
                                                                : "--allow-host-loopback") +
                                  " needs slirp4netns or pasta, and neither is installed",
                              install_slirp());
        return NetMode::none;
    case NetMode::none:
    case NetMode::host:
        break;
    }
    return wanted.mode;
}

std::vector<std::string> resolvers(const spec::Net& wanted, NetMode mode,
                                   std::string_view host_resolv_conf) {
    if (!wanted.dns.empty() || !connected(mode))
        return wanted.dns;
    if (mode == NetMode::pasta) {
        // It forwards 10.0.2.3 to the host's first IPv4 resolver. A host that has only IPv6 ones
        // has IPv6, so the container has it too, and can ask them itself.
        std::vector<std::string> six = spec::nameservers(host_resolv_conf);
        bool four = std::erase_if(six, [](auto& server) { return !spec::is_ipv6(server); }) != 0;
        if (!four && !six.empty())
            return six;
    }
    return {kResolver};
}

std::string no_names(const spec::Net& wanted, NetMode mode, std::string_view host_resolv_conf) {
    if (mode != NetMode::slirp || !wanted.dns.empty())
        return {};
    std::vector<std::string> servers = spec::nameservers(host_resolv_conf);
    if (servers.empty() || !std::ranges::all_of(servers, spec::is_ipv6))
        return {};
    return "nobody answers for names in the container: slirp4netns passes questions on by IPv4, "
           "and all resolvers in /etc/resolv.conf (\"" +
           servers.front() + "\") are IPv6: name one with --dns, or use --net pasta";
}

// In the caller's namespaces: what can't work is said before anything is made.
Result<void> prepare(Launch& launch) {
    const spec::Net& wanted = launch.spec.net;
    bool search = wanted.mode == NetMode::automatic;
    std::string slirp;
    std::string pasta;
    if (search || wanted.mode == NetMode::slirp)
        slirp = sys::find_program("slirp4netns");
    if ((search && slirp.empty()) || wanted.mode == NetMode::pasta)
        pasta = sys::find_program("pasta");
    launch.net = TRY(decide(wanted, slirp, pasta));
    launch.helper = launch.net == NetMode::slirp ? slirp : pasta;
    if (search && launch.net == NetMode::none)
        launch.say("net: the container has loopback only, since neither slirp4netns nor pasta is "
                   "installed: " +
                   install_slirp());
    TRY(check_addresses(wanted, launch.net));
    if (connected(launch.net)) {
        auto tun = hint(sys::openat(AT_FDCWD, "/dev/net/tun", O_RDWR),
                        [](const Error& error) { return no_tun(error.code); });
        // Asked for nothing in particular, a launch goes on with what there is.
        if (!tun &&
            (!search || wanted.ports.size() + wanted.dns.size() != 0 || wanted.allow_host_loopback))
            return std::unexpected(std::move(tun).error());
        if (!tun) {
            launch.net = NetMode::none;
            launch.say("net: the container has loopback only: " + sys::to_line(tun.error()));
        }
    }
    // Who is in the host's network asks the resolvers that the host asks. A bundle brings its own.
    if (launch.net == NetMode::host && wanted.dns.empty() && launch.spec.root.usual_mounts)
        launch.facts.resolv_conf = sys::read_file("/etc/resolv.conf").value_or("");
    if (!connected(launch.net) && wanted.dns.empty())
        return note_devices(launch);
    // Without a host's file, or with none that we may read, there is nothing to keep of it.
    std::string of_host = sys::read_file("/etc/resolv.conf").value_or("");
    if (auto servers = resolvers(wanted, launch.net, of_host); !servers.empty())
        launch.facts.resolv_conf = spec::resolv_conf(of_host, servers);
    if (std::string why = no_names(wanted, launch.net, of_host); !why.empty())
        launch.say("net: " + why);
    for (const spec::Port& port : wanted.ports)
        if (unanswered(wanted, launch.net, port))
            launch.say("net: the port \"" + spec::show(port) +
                       "\" answers on this machine's addresses but 127.0.0.1, which is closed to "
                       "the container: --allow-host-loopback opens it");
    return note_devices(launch);
}

// In the caller's namespaces; the child is blocked, and its user namespace has its maps.
Result<void> parent(Launch& launch) {
    TRY(move_devices(launch));
    if (!connected(launch.net))
        return {};
    TRY(launch.keep());
    // The tap device is ours and persists: closing one that doesn't makes the kernel wait for a
    // grace period of every CPU, 20 ms and more at the end of each container. This one goes with
    // its namespace, which the kernel takes down when nobody waits for it any more.
    std::uint64_t namespaces = CLONE_NEWNET;
    if (launch.spec.stages.has(spec::Stage::user))
        namespaces |= CLONE_NEWUSER;
    TRY(hint(sys::make_tap(launch.pidfd.get(), namespaces, kTap),
             [](const Error& error) { return no_tun(error.code); }));
    return launch.net == NetMode::slirp ? start_slirp(launch) : start_pasta(launch);
}

} // namespace stages::net
