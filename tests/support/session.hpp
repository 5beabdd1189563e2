// What a Markdown text prints as a session on a terminal, typed into a shell and compared.
//
//   ```console   what follows "$ " (a shell on the host), "/ # " (one in the container) and "> "
//   (the
//                rest of a command) is typed; the lines between must appear. Columns may differ.
//                "…" in a line stands for any text within it; a line "…" for any lines, or none.
//   ```console terminal=2      typed into a second terminal; each is a shell that stays
//   ```console needs=cgroup2   left out where the machine has no such thing: lacks() knows which
//
// Lines of ours ("gocontainer: …", as where slirp4netns is missing) may come besides, unless the
// text prints some.
#pragma once

#include "tests/support/host.hpp"
#include "tests/support/process.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace support {

struct Block {
    std::string kind;                         ///< the first word after ```
    std::map<std::string, std::string> facts; ///< the others: NAME=VALUE
    Strings lines;
    int line = 0; ///< of the ```, in its file
    std::string fact(const std::string& name, const std::string& otherwise = "") const;
};
std::vector<Block> blocks_of(const std::string& path);

/// "" or how the second differs from what the first asks for.
std::string mismatch(const Strings& printed, const Strings& shown);

/// Of what `needs` names (words with commas between): "" or what this machine lacks.
std::string lacks(const std::string& needs);

/// The source, as links, but with a root filesystem of its own: what a text's reader stands in.
class Checkout {
public:
    Checkout();
    const std::string& path() const { return path_; }

private:
    Scratch scratch_;
    std::string path_;
};

struct Played {
    int typed = 0;       ///< commands
    Strings differences; ///< each with its place in the text
    Strings left_out;    ///< blocks that need what the machine lacks, with the reason
};
/// Plays all of the blocks of kind console, in terminals that last to the end. Stops at what
/// differs: what follows would differ too.
Played play(const std::string& name, const std::vector<Block>& blocks, const std::string& cwd);

} // namespace support
