// A filter that lets one birth pass, whatever it says of clone otherwise.
//
// The last that `exec` does before its command, where members of the container may trace, is a
// birth (run/newcomer.hpp), with the filter in force already: who is born would else be theirs
// without one. What a profile says of clone is for the command. So the birth goes by a word, in
// arguments that the kernel takes no notice of, which nobody else knows; and it is of one kind, so
// that who learned the word by tracing the newcomer could fork it, and nothing else.
#pragma once

#include "sys/kernel.hpp"

#include <string>

namespace stages::seccomp {

/// Put in front of `filter`, the bytes of a program: sys::fork_sibling(word) passes.
void let_pass(std::string& filter, const sys::CloneWord& word);
/// The word of a filter that let_pass() was called on.
sys::CloneWord word_of(const std::string& filter);

} // namespace stages::seccomp
