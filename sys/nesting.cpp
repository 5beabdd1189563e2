// Brackets outside of strings.
#include "sys/nesting.hpp"

namespace sys {

std::size_t too_deep(std::string_view text, std::size_t deepest) {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (quoted && c == '\\')
            ++i; // whatever it is, it ends no string
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > deepest)
            return i;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            --depth;
    }
    return std::string_view::npos;
}

} // namespace sys
