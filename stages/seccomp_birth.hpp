// A filter that lets one birth pass, whatever it says of clone otherwise, and what makes the one
// who is born the leader of a terminal's session.
//
// The last that `exec` does before its command, where members of the container may trace, is a
// birth (run/newcomer.hpp), with the filter in force already: who is born would else be theirs
// without one. What a profile says of clone, setsid and TIOCSCTTY is for the command. So these go
// by a word, in arguments that the kernel takes no notice of, which nobody else knows; and the
// birth is of one kind, so that who learned the word by tracing the newcomer could fork it, or have
// it lead a session, and nothing else.
#pragma once

#include "sys/kernel.hpp"

#include <string>

namespace stages::seccomp {

/// Put in front of `filter`, the bytes of a program: sys::fork_sibling(word), sys::setsid(word) and
/// sys::make_controlling_terminal(…, word) pass.
void let_pass(std::string& filter, const sys::Word& word);
/// The word of a filter that let_pass() was called on.
sys::Word word_of(const std::string& filter);

} // namespace stages::seccomp
