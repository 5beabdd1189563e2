// A host of its own, as far as networks go: a test's body runs in a process with new network and
// mount namespaces (by an ordinary user: in a user namespace too, with the same uid). Its uplink is
// a tap device that leads nowhere, so nothing ever leaves the machine.
#pragma once

#include "tests/support/process.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

namespace host {

using support::Strings;

inline constexpr const char* kAddress = "192.0.2.1"; ///< of the uplink (RFC 5737)

/// Why bodies can't run here, for GTEST_SKIP; "" if they can.
std::string lacks();

/// Run `body` there, with gtest's assertions. In it XDG_RUNTIME_DIR is a new directory, and
/// /etc/resolv.conf says "nameserver 127.0.0.53" and what `more_resolv_conf` adds.
void run(const std::function<void()>& body, const std::string& more_resolv_conf = "");

// --- for bodies ---------------------------------------------------------------------------------

/// `gocontainer parent OPTIONS -- COMMAND`.
support::Command launch(const Strings& options, const Strings& command);

/// A file, removed with the host.
std::string file(const std::string& text, mode_t mode);
/// Bind a file that nobody may execute over `path`: as if the program were not installed.
void hide(const std::string& path);
/// Mount an empty tmpfs over a directory.
void cover(const std::string& directory);
/// Take the uplink down: no default route any more.
void cut_off();
/// Processes that stand in this host's network, but for this one; by name.
Strings processes();
/// What is in $XDG_RUNTIME_DIR.
Strings runtime_files();

/// A socket, bound (and listening, when TCP).
int serve(const std::string& address, std::uint16_t port, bool udp = false);
/// A process that does nothing but hold such a socket: sleep(1).
pid_t holding(const std::string& address, std::uint16_t port);
/// A port that nobody on this host has.
std::uint16_t free_port();
/// Connect, say a line, and read to the end; "" when nothing answers.
std::string fetch(const std::string& address, std::uint16_t port);
/// Accept one connection within `wait` and write `text` to it; false when none came.
bool answer(int listener, const std::string& text,
            std::chrono::milliseconds wait = support::kPatience);
/// Run `body` in a new process, in the network of `pid` unless that is 0.
pid_t in_background(const std::function<void()>& body, pid_t pid = 0);
void end(pid_t pid);

} // namespace host
