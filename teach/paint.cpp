// Lines of a width that a terminal has.
#include "teach/paint.hpp"

#include <algorithm>

namespace teach {

std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(std::string text, std::size_t width) {
    if (std::size_t wide = columns(text); wide < width)
        text.append(width - wide, ' ');
    return text;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        if (column > 0 && column + 1 + columns(word) > width) {
            out += '\n';
            column = 0;
        }
        out += column == 0 ? std::string(indent, ' ') : " ";
        column += (column == 0 ? indent : 1) + columns(word);
        out += word;
    }
    return out.empty() ? out : out + '\n';
}

} // namespace teach
