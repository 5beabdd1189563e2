// A text that is a number and nothing else.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>

namespace spec {

/// All of `text` is a number of this base that `value` can hold; else `value` is of no use.
template <class T>
bool whole(std::string_view text, T& value, int base = 10) {
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value, base);
    return error == std::errc{} && stop == end;
}

} // namespace spec
