// Why there is no network, or not this port: looked up on this machine, for an Error's hint.
#include "spec/net_options.hpp"
#include "stages/cause_table.hpp"
#include "stages/net.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace stages::net {

std::string no_tun(int code) {
    using causes::Id;
    switch (code) {
    case ENOENT:
        return causes::hint_of(sys::exists("/.dockerenv") || sys::exists("/run/.containerenv")
                                   ? Id::tun_missing_inside
                                   : Id::tun_missing);
    case ENXIO:
    case ENODEV:
        return causes::hint_of(Id::tun_no_driver);
    case EPERM:
        return causes::hint_of(Id::tun_forbidden);
    case EACCES:
        return causes::hint_of(Id::tun_closed);
    default:
        return causes::hint_of(Id::tun_other);
    }
}

Bound socket_on(std::string_view table, const spec::Port& port) {
    // "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 UID 0 INODE …"; 0A is TCP_LISTEN.
    while (!table.empty()) {
        std::string_view line = table.substr(0, table.find('\n'));
        table.remove_prefix(std::min(line.size() + 1, table.size()));
        std::vector<std::string_view> fields;
        for (std::size_t at = line.find_first_not_of(' ');
             at != std::string_view::npos && fields.size() < 10;) {
            std::size_t end = std::min(line.find(' ', at), line.size());
            fields.push_back(line.substr(at, end - at));
            at = line.find_first_not_of(' ', end);
        }
        if (fields.size() < 10 || (!port.udp && fields[3] != "0A"))
            continue;
        std::size_t colon = fields[1].rfind(':');
        unsigned number = 0;
        Bound found;
        if (colon == std::string_view::npos)
            continue;
        auto read = [](std::string_view text, auto& value, int base) {
            return std::from_chars(text.data(), text.data() + text.size(), value, base).ec ==
                   std::errc{};
        };
        if (read(fields[1].substr(colon + 1), number, 16) && number == port.host &&
            read(fields[7], found.uid, 10) && read(fields[9], found.inode, 10) && found.inode != 0)
            return found;
    }
    return {};
}

namespace {

/// What is in a directory: nothing in another user's, or in one that is gone in the meantime.
sys::Strings names_in(const std::string& directory) {
    sys::Strings names;
    auto fd = sys::openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
    if (!fd)
        return names;
    if (auto entries = sys::entries(fd->get()))
        for (sys::Entry& entry : *entries)
            names.push_back(std::move(entry.name));
    return names;
}

/// `"python3" (pid 7)`, when we may see whose socket it is: passt lets its own user look no more
/// than another's does.
std::string owner_of(const Bound& socket) {
    std::string link = "socket:[" + std::to_string(socket.inode) + "]";
    for (const std::string& pid : names_in("/proc")) {
        if (pid.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::string fds = "/proc/" + pid + "/fd";
        for (const std::string& fd : names_in(fds)) {
            if (sys::readlinkat(AT_FDCWD, sys::join(fds, fd)).value_or("") != link)
                continue;
            std::string name = sys::read_file("/proc/" + pid + "/comm", 64).value_or("?\n");
            return "\"" + name.substr(0, name.find('\n')) + "\" (pid " + pid + ")";
        }
    }
    return socket.uid == sys::geteuid()
               ? "a process of yours that lets nobody look into it, as pasta"
               : "a process of uid " + std::to_string(socket.uid);
}

std::string holder(const spec::Port& port) {
    for (const char* family : {"", "6"}) {
        std::string table = std::string("/proc/self/net/") + (port.udp ? "udp" : "tcp") + family;
        auto text = sys::read_file(table, std::size_t{1} << 24);
        if (Bound found = text ? socket_on(*text, port) : Bound{}; found.inode != 0)
            return owner_of(found);
    }
    return "another process";
}

Error because(const Error& bind, std::string detail, std::string hint) {
    return Error{.stage = {},
                 .call = bind.call,
                 .code = bind.code,
                 .detail = std::move(detail),
                 .hint = std::move(hint)};
}

} // namespace

std::optional<Error> taken(const spec::Port& port) {
    std::string address = port.address.empty() ? "0.0.0.0" : port.address;
    auto socket = sys::socket(spec::is_ipv6(address) ? AF_INET6 : AF_INET,
                              port.udp ? SOCK_DGRAM : SOCK_STREAM);
    if (!socket)
        return std::nullopt; // then this tells nothing about the port
    auto bound = sys::bind_inet(socket->get(), address, port.host);
    if (bound)
        return std::nullopt;
    const Error& error = bound.error();
    std::string shown = "\"" + spec::show(port) + "\"";
    if (error.code == EADDRINUSE)
        return because(error, "the port " + shown + " is in use by " + holder(port),
                       "end that, or publish on another port of the host's");
    if (error.code == EADDRNOTAVAIL)
        return because(error, "\"" + address + "\" is not an address of this host",
                       "see 'ip address', or leave it out to publish on all of them");
    if (error.code == EACCES) {
        std::string first =
            sys::read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", 64).value_or("1024\n");
        return because(error,
                       "ports below " + first.substr(0, first.find('\n')) +
                           " are root's (net.ipv4.ip_unprivileged_port_start)",
                       "publish on a higher one, or 'sudo sysctl "
                       "net.ipv4.ip_unprivileged_port_start=" +
                           std::to_string(port.host) + "'");
    }
    return because(error, "the port " + shown + " can't be published", "");
}

} // namespace stages::net
