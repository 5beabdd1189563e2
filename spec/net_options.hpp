// What network options mean: -p and --dns as text, and the text of a container's resolv.conf.
//
// Pure functions; an error is one line for the person, with the object in quotes and without the
// name of the option.
#pragma once

#include "spec/spec.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace spec {

/// `[ADDRESS:]HOST:CONTAINER[/tcp|/udp]`, an IPv6 address in brackets. HOST and CONTAINER may be
/// ranges of the same length, as 8000-8010:80-90: one Port each.
std::expected<std::vector<Port>, std::string> parse_port(std::string_view text);

/// An IPv4 or IPv6 address of a resolver, as resolv.conf wants it.
std::expected<std::string, std::string> parse_dns(std::string_view text);

bool is_ipv6(std::string_view address);

/// "127.0.0.1:8080/tcp", for messages: the host's side of it.
std::string show(const Port& port);

/// Two ports that can't both be published, in one line; "" when there are none.
std::string clashing(const std::vector<Port>& ports);

/// The addresses that a resolv.conf names (resolv.conf(5)).
std::vector<std::string> nameservers(std::string_view resolv_conf);

/// A resolv.conf with `servers`, and with the search and options lines of the host's.
std::string resolv_conf(std::string_view of_host, const std::vector<std::string>& servers);

} // namespace spec
