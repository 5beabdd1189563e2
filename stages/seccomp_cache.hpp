// Compiled filters, kept for the next container with the same profile: reading and compiling
// Docker's takes longer than all the rest of a start.
#pragma once

#include "stages/stage.hpp"

#include <optional>
#include <string>

namespace stages::seccomp {

/// A filter.
struct Cached {
    std::string program; ///< bytes of struct sock_filter
    std::uint32_t flags = 0;
    bool may_silence = false; ///< as in Facts
};

/// The filter for `key` in `directory`, if there is one that nobody but us could have written. The
/// file's name is the key's hash; that it is the same key is checked by its text.
std::optional<Cached> cached(const std::string& directory, const std::string& key);
/// Keep it. What goes wrong, as on a file system without O_TMPFILE, costs only the next one's time.
void keep(const std::string& directory, const std::string& key, const Cached& filter);

/// The filter that a build like ours has compiled of linux.seccomp `text`, to the letter, for a
/// container with the capabilities of `spec`: then it need not be read again either.
std::optional<Cached> kept_of(const FilterCache& cache, const spec::Spec& spec,
                              const std::string& text);
/// The filter of the launch is this.
void take(Facts& facts, Cached filter);

} // namespace stages::seccomp
