// `gocontainer lesson [list|N]`: the lessons in a terminal, step by step.
#pragma once

#include "sys/kernel.hpp"

#include <functional>
#include <string>

namespace teach {

/// Lists the lessons, or walks through one: shows a section, asks for the prediction and has the
/// machine answer it, and waits before each command. Where stdin or stdout is no terminal, all of
/// the text. `show` prints on stdout, at once.
sys::Result<void> lesson(const sys::Strings& args,
                         const std::function<void(const std::string&)>& show);

} // namespace teach
