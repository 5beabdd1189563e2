// What a test needs of the machine: tokens, folders of its own, and a look at everything that a
// container must leave as it was.
#pragma once

#include "tests/support/process.hpp"

#include <set>
#include <string>
#include <vector>

namespace support {

/// Sixteen characters that nobody can guess, beginning with a letter.
std::string token();

/// Is this the emulated machine of tests/vm? It is ten times slower, and here for what the host
/// can't do: what the host has tried many times is tried less often.
bool emulated();

/// A folder of the test's own, mode 755, removed at the end with all that is in it, whoever owns
/// it.
class Scratch {
public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    /// Make a directory in it, with its parents, and say where.
    std::string folder(const std::string& name) const;
    /// Make a file in it and say where.
    std::string file(const std::string& name, const std::string& text, mode_t mode = 0644) const;
    /// A copy of the root filesystem that the test may spoil.
    std::string rootfs(const std::string& name = "rootfs") const;

private:
    std::string path_;
};

/// Names, sizes and modes of everything below a folder: equal listings mean nothing changed.
std::set<std::string> listing(const std::string& folder);

/// What containers could leave behind on the machine. On a machine that others use meanwhile, only
/// what they do not change.
struct Host {
    std::string hostname, domainname;
    std::set<std::string> mounts;  ///< points, with what is there
    std::set<std::string> cgroups; ///< directories below our own cgroup
    std::set<std::string> files;   ///< of TMPDIR, XDG_RUNTIME_DIR and /run, by name
    long keys = 0;                 ///< that the kernel keeps for us
    static Host look();
};
/// Waits until the machine is as it was, for a while; "" or what differs.
std::string differs_from(const Host& before, Duration patience = kPatience);

/// Processes of ours that should have ended: children that are left, those of dead launchers
/// among them. Waits until there are none, for a while.
/// `known` may stay: a suite's own server.
std::string strays(Duration patience = kPatience, const std::vector<pid_t>& known = {});

bool is_root();

/// For a Command's before_exec. Root's tests of what befalls ordinary users run as one.
void become_ordinary();
/// Who that is, or the caller.
unsigned ordinary();
/// For a Command's before_exec: `call` fails with this errno from now on.
void deny(const char* call, int code);
/// A program of this machine's, by its path; "" when there is none.
std::string program(const std::string& name);

/// For a Command's before_exec: a mount namespace that the test may change, in which everything is
/// private, or shared as under systemd. An ordinary user needs a user namespace for it, in which
/// he keeps his own id and no other exists: launch with `--map single`.
void enter_own_mounts(bool shared = false);
void mount_in(const std::string& source, const std::string& target, const std::string& type,
              unsigned long flags = 0, const std::string& data = "");

/// Does the caller have ranges in /etc/subuid and /etc/subgid, and newuidmap to use them?
struct Subordinate {
    unsigned first = 0, count = 0;
};
/// count 0: there is none. `file`: /etc/subuid or /etc/subgid.
Subordinate subordinate(const std::string& file);

} // namespace support
