// What a step is for, in a sentence or two.
#pragma once

#include "run/watch.hpp"

#include <string>

namespace teach {

/// "uts", "the birth of the child".
std::string title(const run::Step& step);
/// "in the parent", "in the child".
std::string where(run::Half half);
/// What it does, and why.
std::string why(const run::Step& step);

} // namespace teach
