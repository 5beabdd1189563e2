// Brackets outside of strings.
#include "sys/nesting.hpp"

namespace sys {

std::size_t after_string(std::string_view text, std::size_t at) {
    for (std::size_t end = at; (end = text.find('"', end + 1)) != std::string_view::npos;) {
        std::size_t backslashes = 0; // of which every second one is itself behind one
        while (text[end - 1 - backslashes] == '\\')
            ++backslashes;
        if (backslashes % 2 == 0)
            return end + 1;
    }
    return std::string_view::npos;
}

std::size_t too_deep(std::string_view text, std::size_t deepest) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size();) {
        char c = text[i];
        if (c == '"') {
            i = after_string(text, i);
            continue;
        }
        if ((c == '[' || c == '{') && ++depth > deepest)
            return i;
        if ((c == ']' || c == '}') && depth > 0)
            --depth;
        ++i;
    }
    return std::string_view::npos;
}

std::string parse_problem(std::string what) {
    constexpr std::size_t kMost = 400;
    std::size_t end = what.find("] ");
    what.erase(0, end == std::string::npos ? 0 : end + 2);
    if (what.size() > kMost)
        what.replace(kMost, std::string::npos, "…");
    return what;
}

} // namespace sys
