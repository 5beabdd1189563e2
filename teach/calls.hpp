// A system call's text, taken apart again: arguments, and what its descriptors stand for.
#pragma once

#include "run/watch.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace teach {

/// `name(a, "b, c", {d})` as {"a", "\"b, c\"", "{d}"}.
std::vector<std::string> arguments_of(std::string_view text);

/// A C string's characters, of `"a\"b"`; of anything else itself.
std::string unquoted(std::string_view argument);

/// What the descriptors of one process stand for, followed from call to call, as `strace -y` does.
class Descriptors {
public:
    /// After a call that has succeeded.
    void note(const run::Called& call);
    /// "/proc/self/ns/net", "a new tmpfs"; "" for one that is not known.
    std::string what(int fd) const;
    /// A path below a directory's descriptor (AT_FDCWD too).
    std::string path(std::string_view at, std::string_view name) const;
    /// `text` with what each descriptor stands for behind it: `5</rootfs>`.
    std::string annotated(const run::Called& call) const;

private:
    std::map<int, std::string> known_;
};

} // namespace teach
