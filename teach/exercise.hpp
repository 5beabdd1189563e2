// What is graded: a lesson's stage, and which of the tests of tests/stage/ it has to pass.
#pragma once

#include <span>
#include <string>

namespace teach {

struct Exercise {
    unsigned lesson;
    const char* stage;
    const char* tests;    ///< a filter of GoogleTest's
    bool shell;           ///< can be written as a program that stands in
    const char* hints[3]; ///< each tells more than the one before it
};
std::span<const Exercise> exercises();
const Exercise* exercise_of(unsigned lesson);

/// "TheNameIsSeenInside" as "the name is seen inside".
std::string sentence_of(const std::string& test);
/// GoogleTest's message of a failed expectation as what was expected and what came, a line each.
std::string compared(const std::string& message);

} // namespace teach
