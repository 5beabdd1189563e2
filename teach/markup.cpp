// One character at a time, strictly.
#include "teach/markup.hpp"

#include <cstdint>

namespace teach {

namespace {

constexpr char32_t kBad = 0xFFFD;

/// The next character of UTF-8; kBad for a byte that belongs to none.
char32_t take(std::string_view& text) {
    auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    unsigned first = byte(0);
    std::size_t size = first < 0x80       ? 1
                       : first >> 5 == 6  ? 2
                       : first >> 4 == 14 ? 3
                       : first >> 3 == 30 ? 4
                                          : 0;
    char32_t out = size <= 1 ? first : first & (0xFFU >> (size + 1));
    bool good = size != 0 && size <= text.size();
    for (std::size_t i = 1; i < size && good; ++i) {
        good = byte(i) >> 6 == 2;
        out = out << 6 | (byte(i) & 0x3FU);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && out >= kLeast[size] && out <= 0x10FFFF && (out < 0xD800 || out > 0xDFFF);
    text.remove_prefix(good ? size : 1);
    return good ? out : kBad;
}

bool shown(char32_t c) {
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    bool turns = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
                 c == 0x200F || c == 0x061C;
    return !control && !turns && (c & 0xFFFE) != 0xFFFE && c != 0x2028 && c != 0x2029;
}

/// A CJK character is as wide as two others.
std::size_t width_of(char32_t c) {
    return c >= 0x1100 && (c <= 0x115F || (c >= 0x2E80 && c <= 0xFF60) || c >= 0x1F300) ? 2 : 1;
}

} // namespace

std::string xml(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::string_view before = text;
        char32_t c = take(text);
        if (!shown(c) || c == kBad)
            out += "\xEF\xBF\xBD";
        else if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else
            out += before.substr(0, before.size() - text.size());
    }
    return out;
}

std::vector<std::string> broken(std::string_view text, std::size_t width, std::size_t most) {
    std::vector<std::string> out;
    std::string line;
    // What follows is indented like the start.
    std::string indent(std::min(text.find_first_not_of(' '), text.size()), ' ');
    if (indent.size() >= width / 2)
        indent.clear();
    std::size_t used = 0; // columns of `line`
    std::size_t fits = 0; // bytes of it after which it may be broken
    while (!text.empty()) {
        std::string_view before = text;
        char32_t c = take(text);
        std::string_view bytes = before.substr(0, before.size() - text.size());
        if (used + width_of(c) > width) {
            std::size_t cut = fits > 0 ? fits : line.size();
            std::string rest = c == ' ' && fits == 0 ? "" : line.substr(cut);
            line.resize(cut);
            if (out.size() + 1 == most) {
                out.push_back(line + "…");
                return out;
            }
            out.push_back(std::move(line));
            line = indent + rest;
            std::string_view counted = line;
            for (used = 0; !counted.empty();)
                used += width_of(take(counted));
            fits = 0;
        }
        if (line == indent && c == ' ' && !out.empty())
            continue;
        line += bytes;
        used += width_of(c);
        if (c == ' ' || c == '/' || c == ',' || c == ':' || c == ';')
            fits = line.size();
    }
    if (!line.empty() || out.empty())
        out.push_back(std::move(line));
    return out;
}

} // namespace teach
