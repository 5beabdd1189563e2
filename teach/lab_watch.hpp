// `gocontainer lab watch N`: `lab check N`, again at each change, until ^C.
#pragma once

#include "teach/candidate.hpp"
#include "teach/doctor.hpp"

#include <functional>
#include <string>

namespace teach {

/// What is watched, and how.
struct Watched {
    std::string folder;
    std::string only;  ///< one file in it; "": what find_candidate() looks at
    bool poll = false; ///< look by itself, even where the kernel would tell
    bool plain = false;
};
/// `check` prints what it finds, and runs in a child, which may be ended in the midst of it;
/// `first` is for the first time. Ends by a signal: its status is 0 for ^C, 128+N for others.
sys::Result<Answer> watch(const Watched& watched,
                          const std::function<void(const std::string&)>& show,
                          const std::function<void(bool first)>& check);

} // namespace teach
