// systemd as the manager of the host's cgroups: asking it for units, org.freedesktop.systemd1(5).
//
//     auto systemd = TRY(Systemd::connect());
//     TRY(systemd.start_transient_unit("x.scope", {{"PIDs", Pids{pid}}, {"Delegate", true}}));
#pragma once

#include "sys/dbus.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stages {

class Systemd {
public:
    /// Is it what this host booted with (sd_booted(3))?
    static bool booted();

    /// The system's manager for the machine's root, else (or when that one isn't to be had) the
    /// user's own.
    static sys::Result<Systemd> connect();

    using Pids = std::vector<std::uint32_t>;
    using Bytes = std::vector<std::uint8_t>;
    using Strings = std::vector<std::string>;
    using Pairs = std::vector<std::pair<std::string, std::uint64_t>>; ///< a(st)
    using Value = std::variant<bool, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t,
                               double, std::string, Pids, Bytes, Strings, Pairs>;
    struct Property {
        std::string name;
        Value value;
    };
    using Properties = std::vector<Property>;
    /// A value in GVariant's text form: "true", "uint64 5", "'text'", "['a', 'b']"; "@t 5" too.
    static sys::Result<Value> parse(const std::string& text);

    /// Returns once the unit's start job is done; a job that ends otherwise is an error.
    sys::Result<void> start_transient_unit(const std::string& unit, const Properties& properties);
    /// For as long as the unit lives.
    sys::Result<void> set_properties(const std::string& unit, const Properties& properties);
    /// Move a process into the unit's cgroup, or into `below` in it, "/sub".
    sys::Result<void> attach_process(const std::string& unit, const std::string& below,
                                     std::uint32_t pid);
    /// Returns once it is stopped; one that is gone is, and one that has failed is forgotten.
    sys::Result<void> stop_unit(const std::string& unit);
    /// A unit that has failed keeps its name until somebody says this.
    sys::Result<void> reset_failed(const std::string& unit);

private:
    Systemd(sys::dbus::Connection connection, sys::dbus::Peer peer)
        : connection_(std::move(connection)), peer_(peer) {}
    sys::Result<void> listen(sys::dbus::Deadline deadline);
    sys::Result<void> await(const std::string& job, const std::string& what,
                            sys::dbus::Deadline deadline);
    sys::dbus::Connection connection_;
    sys::dbus::Peer peer_;
    bool listening_ = false;
};

} // namespace stages
