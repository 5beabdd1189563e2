// A page of HTML that needs nothing else: one picture, or a picture for each moment of a recording
// with a slider over them, what changed, and everything in words.
//
// Without JavaScript it shows the last one, and the others behind links.
#pragma once

#include "teach/recording.hpp"

#include <string>

namespace teach {

std::string page(const Recording& recording);

} // namespace teach
