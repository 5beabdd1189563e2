// Parsing and spelling of network options.
#include "spec/net_options.hpp"

#include "spec/quoted.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace spec {

namespace {

bool is_address(int family, std::string_view text) {
    std::array<unsigned char, sizeof(in6_addr)> unused{};
    return inet_pton(family, std::string(text).c_str(), unused.data()) == 1;
}

struct Range {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    int length() const { return last - first + 1; }
};

/// "8080" or "8000-8010"; false for anything else, port 0 too.
bool read_range(std::string_view text, Range& range) {
    auto number = [](std::string_view digits, std::uint16_t& value) {
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return error == std::errc{} && end == digits.data() + digits.size() && value != 0;
    };
    std::size_t dash = text.find('-');
    if (!number(text.substr(0, dash), range.first))
        return false;
    range.last = range.first;
    return dash == std::string_view::npos ||
           (number(text.substr(dash + 1), range.last) && range.first <= range.last);
}

/// Take "ADDRESS:" off the front of `rest`, when there is one.
std::string read_address(std::string_view& rest, std::string& address) {
    if (rest.starts_with('[')) {
        std::size_t close = rest.find("]:");
        if (close == std::string_view::npos)
            return "\"[\": an IPv6 address ends with \"]:\", as in [::1]:8080:80";
        address = rest.substr(1, close - 1);
        rest.remove_prefix(close + 2);
        return is_address(AF_INET6, address) ? "" : quoted(address) + " is not an IPv6 address";
    }
    std::size_t last = rest.rfind(':');
    std::size_t first = last == std::string_view::npos ? last : rest.rfind(':', last - 1);
    if (last == 0 || first == std::string_view::npos)
        return {};
    address = rest.substr(0, first);
    rest.remove_prefix(first + 1);
    if (is_address(AF_INET6, address))
        return quoted(address) + ": an IPv6 address is written in brackets: [" + address + "]";
    return is_address(AF_INET, address) ? "" : quoted(address) + " is not an IPv4 address";
}

} // namespace

std::expected<std::vector<Port>, std::string> parse_port(std::string_view text) {
    std::string_view rest = text;
    Port port;
    if (std::size_t slash = rest.rfind('/'); slash != std::string_view::npos) {
        std::string_view protocol = rest.substr(slash + 1);
        if (protocol != "udp" && protocol != "tcp")
            return std::unexpected(quoted(protocol) + " in " + quoted(text) +
                                   ": a port's protocol is tcp or udp");
        port.udp = protocol == "udp";
        rest = rest.substr(0, slash);
    }
    if (std::string wrong = read_address(rest, port.address); !wrong.empty())
        return std::unexpected(wrong);
    std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos)
        return std::unexpected(
            quoted(text) +
            " does not say which port is whose: [ADDRESS:]HOST:CONTAINER[/udp], as in 8080:80");
    Range host;
    Range container;
    for (auto [part, range] :
         {std::pair{rest.substr(0, colon), &host}, std::pair{rest.substr(colon + 1), &container}})
        if (!read_range(part, *range))
            return std::unexpected(quoted(part) + " in " + quoted(text) +
                                   ": a port is a number from 1 to 65535, or a range as 8000-8010");
    if (host.length() != container.length())
        return std::unexpected(quoted(text) + ": the ranges have " + std::to_string(host.length()) +
                               " and " + std::to_string(container.length()) +
                               " ports: they must have the same number");
    std::vector<Port> ports;
    for (int i = 0; i < host.length(); ++i) {
        port.host = static_cast<std::uint16_t>(host.first + i);
        port.container = static_cast<std::uint16_t>(container.first + i);
        ports.push_back(port);
    }
    return ports;
}

std::expected<std::string, std::string> parse_dns(std::string_view text) {
    if (is_address(AF_INET, text) || is_address(AF_INET6, text))
        return std::string(text);
    return std::unexpected(quoted(text) + " is not an address: a resolver is given by number, "
                                          "as 9.9.9.9 or 2620:fe::fe");
}

bool is_ipv6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

std::string show(const Port& port) {
    std::string address = port.address.empty() ? "0.0.0.0" : port.address;
    if (is_ipv6(address))
        address = "[" + address + "]";
    return address + ":" + std::to_string(port.host) + (port.udp ? "/udp" : "/tcp");
}

std::string clashing(const std::vector<Port>& ports) {
    auto any = [](const Port& port) { return port.address.empty() || port.address == "0.0.0.0"; };
    auto overlap = [&](const Port& one, const Port& two) {
        return one.address == two.address || (any(one) && !is_ipv6(two.address)) ||
               (any(two) && !is_ipv6(one.address));
    };
    // A range may hold all 65535 of them: sorted, only those with the same number need comparing.
    auto number = [](const Port& port) { return std::pair{port.udp, port.host}; };
    std::vector<Port> sorted = ports;
    std::ranges::stable_sort(sorted, {}, number);
    for (auto one = sorted.begin(); one != sorted.end(); ++one)
        for (auto two = one + 1; two != sorted.end() && number(*one) == number(*two); ++two)
            if (overlap(*one, *two))
                return quoted(show(*two)) + " is published twice";
    return {};
}

namespace {

/// Call `each` with the keyword and the whole of every line that has one.
void for_lines(std::string_view text, auto each) {
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
            line.remove_suffix(1);
        std::size_t end = line.find_first_of(" \t");
        if (end != std::string_view::npos)
            each(line.substr(0, end), line.substr(line.find_first_not_of(" \t", end)), line);
    }
}

} // namespace

std::vector<std::string> nameservers(std::string_view resolv_conf) {
    std::vector<std::string> out;
    for_lines(resolv_conf, [&](std::string_view key, std::string_view value, std::string_view) {
        if (key == "nameserver")
            out.emplace_back(value.substr(0, value.find_first_of(" \t")));
    });
    return out;
}

std::string resolv_conf(std::string_view of_host, const std::vector<std::string>& servers) {
    std::string out;
    for_lines(of_host, [&](std::string_view key, std::string_view, std::string_view line) {
        if (key == "search" || key == "domain" || key == "options")
            out += std::string(line) + "\n";
    });
    for (const std::string& server : servers)
        out += "nameserver " + server + "\n";
    return out;
}

} // namespace spec
