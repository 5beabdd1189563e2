// systemd as the manager of the host's cgroups: asking it for units, org.freedesktop.systemd1(5).
//
//     auto systemd = TRY(Systemd::connect());
//     TRY(systemd.start_transient_unit("x.scope", {{"PIDs", Pids{pid}}, {"Delegate", true}}));
#pragma once

#include "sys/dbus.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace stages {

class Systemd {
public:
    /// Is it what this host booted with (sd_booted(3))?
    static bool booted();

    /// The system's manager for root, else (or when that one isn't to be had) the user's own.
    static sys::Result<Systemd> connect();

    using Pids = std::vector<std::uint32_t>;
    struct Property {
        std::string name;
        std::variant<bool, std::uint64_t, std::string, Pids> value;
    };
    /// Returns once the unit's start job is done; a job that ends otherwise is an error.
    sys::Result<void> start_transient_unit(const std::string& unit,
                                           const std::vector<Property>& properties);

private:
    Systemd(sys::dbus::Connection connection, sys::dbus::Peer peer)
        : connection_(std::move(connection)), peer_(peer) {}
    sys::dbus::Connection connection_;
    sys::dbus::Peer peer_;
};

} // namespace stages
