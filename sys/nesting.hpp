// What is asked of a text of JSON beside its parser: how deep it is nested, before anybody walks
// down there, and what the parser has against it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sys {

/// Where the string that begins at `at`, with its quote, is over; npos: nowhere.
std::size_t after_string(std::string_view text, std::size_t at);

/// Where the first list or object begins that is in more than `deepest` others: who walks through
/// it calls itself for each, and the stack has an end. npos: nowhere.
std::size_t too_deep(std::string_view text, std::size_t deepest);

/// What nlohmann's exception says: without its "[json.exception.parse_error.101] ", and cut, since
/// it quotes what it was reading, be it a megabyte.
std::string parse_problem(std::string what);

} // namespace sys
