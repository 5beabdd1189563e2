// How deep a text of JSON is nested, found before anybody walks down there.
#pragma once

#include <cstddef>
#include <string_view>

namespace sys {

/// Where the string that begins at `at`, with its quote, is over; npos: nowhere.
std::size_t after_string(std::string_view text, std::size_t at);

/// Where the first list or object begins that is in more than `deepest` others: who walks through
/// it calls itself for each, and the stack has an end. npos: nowhere.
std::size_t too_deep(std::string_view text, std::size_t deepest);

} // namespace sys
