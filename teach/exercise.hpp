// What is graded: each lesson's exercise, and which tests it has to pass.
//
// Most exercises are a stage: a program that stands in for it (run/replace.hpp), or C++ that is
// linked in its place. The others are programs of their own, which the tests start as they are.
#pragma once

#include <span>
#include <string>

namespace teach {

struct Exercise {
    unsigned lesson;
    const char* what;     ///< for a learner: "the uts stage"
    const char* stage;    ///< that it stands in for; nullptr: it is a program of its own
    const char* suite;    ///< below build/tests/
    const char* tests;    ///< of the program: a filter of GoogleTest's
    const char* linked;   ///< likewise of C++ that is linked in; nullptr: that is not asked for
    const char* hints[3]; ///< each tells more than the one before it
};
/// By lesson, one for each.
std::span<const Exercise> exercises();
const Exercise* exercise_of(unsigned lesson);

/// "TheNameIsSeenInside" as "the name is seen inside".
std::string sentence_of(const std::string& test);
/// GoogleTest's message of a failed expectation as what was expected and what came, a line each.
std::string compared(const std::string& message);

} // namespace teach
