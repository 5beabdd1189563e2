// What one would type to have a shell do what a call has done: `mount -t proc proc /proc`.
//
// The mount API of today makes a file system in four calls and a bind in three; the command comes
// with the last, when all is known. Calls that no command makes by itself have none.
#pragma once

#include "teach/calls.hpp"

#include <map>
#include <string>

namespace teach {

class Shell {
public:
    /// The command for a call that has succeeded, or ""; `descriptors` as before the call.
    std::string like(const run::Called& call, const Descriptors& descriptors);

private:
    struct Tree {
        std::string source, type;
        std::vector<std::string> options;
        bool bind = false, recursive = false, created = false;
        std::string place; ///< where it is by now
    };
    std::string mount_command(const Tree& tree) const;
    std::string moved(const std::vector<std::string>& args, const Descriptors& descriptors);
    std::string attributes(const std::vector<std::string>& args, const Descriptors& descriptors);

    std::map<std::string, Tree> trees_; ///< by the descriptor's number, as text
};

/// `text` for a shell: in quotes where it needs them.
std::string shell_quoted(const std::string& text);

} // namespace teach
