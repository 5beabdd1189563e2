// pasta: its command line (passt(1)).
//
// Left to itself, pasta gives a container the host's own address and forwards every port that
// either side listens on, loopback too. Here it gets the network that slirp4netns makes, and only
// what was asked for goes through.
#include "spec/net_options.hpp"
#include "stages/causes.hpp"
#include "stages/net.hpp"

namespace stages::net {

namespace {

/// "127.0.0.1/8080:80". Without an address pasta would bind IPv4 and IPv6, and be content with
/// either: a port that is taken would go unnoticed.
std::string forward(const spec::Port& port) {
    return (port.address.empty() ? "0.0.0.0" : port.address) + "/" + std::to_string(port.host) +
           ":" + std::to_string(port.container);
}

void add_ports(sys::Strings& arguments, const std::vector<spec::Port>& ports) {
    for (bool udp : {false, true}) {
        bool any = false;
        for (const spec::Port& port : ports) {
            if (port.udp != udp)
                continue;
            arguments.insert(arguments.end(), {udp ? "-u" : "-t", forward(port)});
            any = true;
        }
        if (!any) // next to a port it would be an error
            arguments.insert(arguments.end(), {udp ? "-u" : "-t", "none"});
    }
}

} // namespace

std::string pasta_hint(const std::string& said) {
    auto has = [&](const char* part) { return said.find(part) != std::string::npos; };
    if (has("External interface not usable"))
        return "pasta needs a host that has a default route, or an address on another network: "
               "--net slirp works without";
    if (has("Overlapping port"))
        return "this pasta publishes a port of the host's on one address only: use --net slirp";
    if (has("unrecognized option") || has("invalid option"))
        return "this pasta is too old: upgrade the package passt, or use --net slirp";
    if (has("user namespace") || has("namespaces"))
        if (std::string why = causes::powerless_root(EPERM); !why.empty())
            return why;
    return "--net slirp or --net none go without it";
}

// pasta could put itself into the background and end its first process when it is ready, but then
// nobody would know the one that stays before it has written its number. In the foreground it is
// our child, and it writes the file of its process id at the same moment: into our pipe, as its
// standard output, since newer ones close every descriptor above the first three.
Result<void> start_pasta(Launch& launch) {
    const spec::Net& wanted = launch.spec.net;
    sys::Strings arguments = {launch.helper, "--foreground", "--quiet", "--pid", "/proc/self/fd/1",
                              "--config-net", "--ns-ifname", kTap, "--address", "10.0.2.100",
                              "--netmask", "24", "--gateway", "10.0.2.2", "--dns-forward",
                              kResolver,
                              // From the container's loopback to the host's.
                              "--tcp-ns", "none", "--udp-ns", "none",
                              // It would watch the container's /proc entry, which it can't read
                              // any more once the container changes its user, and take that for
                              // the end.
                              "--no-netns-quit"};
    if (!wanted.allow_host_loopback)
        arguments.emplace_back("--no-map-gw"); // from 10.0.2.2
    add_ports(arguments, wanted.ports);
    // As root it would become nobody, who may not enter the container's namespaces.
    if (sys::geteuid() == 0)
        arguments.insert(arguments.end(), {"--runas", "0"});
    Fd network;
    std::vector<std::pair<int, int>> fds;
    if (launch.spec.stages.has(spec::Stage::user)) {
        arguments.push_back(std::to_string(launch.child));
    } else {
        // It has given up the capability to open the namespaces of another root's process.
        network = TRY(
            sys::openat(AT_FDCWD, "/proc/" + std::to_string(launch.child) + "/ns/net", O_RDONLY));
        fds.emplace_back(network.get(), STDIN_FILENO);
        arguments.insert(arguments.end(), {"--netns", "/proc/self/fd/0"});
    }
    Helper helper = TRY(start(launch, std::move(arguments), STDOUT_FILENO, std::move(fds)));
    auto up = wait(launch, helper, pasta_hint);
    if (up)
        return {};
    for (const spec::Port& port : wanted.ports)
        if (auto error = taken(port))
            return std::unexpected(std::move(*error));
    return up;
}

} // namespace stages::net
