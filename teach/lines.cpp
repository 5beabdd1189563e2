// Breaking calls and commands where a reader, or a shell, takes them up again.
#include "teach/lines.hpp"

#include "sys/seam.hpp"

#include <algorithm>

namespace teach {

std::string result_text(const run::Called& call) {
    if (!call.result)
        return "";
    if (*call.result < 0)
        return "= -1 " + sys::errno_name(static_cast<int>(-*call.result));
    if (call.name == "mmap")
        return "= " + sys::show(sys::Flags{static_cast<std::uint64_t>(*call.result), {}});
    return "= " + std::to_string(*call.result);
}

std::size_t terminal_width() {
    constexpr std::size_t kNarrowest = 40;
    constexpr std::size_t kWidest = 80;
    auto size = sys::get_winsize(STDERR_FILENO);
    return size && size->ws_col != 0 ? std::clamp<std::size_t>(size->ws_col, kNarrowest, kWidest)
                                     : kWidest;
}

std::size_t terminal_height() {
    auto size = sys::get_winsize(STDERR_FILENO);
    return size ? size->ws_row : 0;
}

namespace {

/// The first word, or words in quotes: 'sysctl -w a=b', and what follows of punctuation.
std::string_view first_piece(std::string_view text) {
    std::string_view word = text.substr(0, text.find(' '));
    if (!word.starts_with('\''))
        return word;
    std::size_t closed = 0;
    do
        closed = text.find('\'', closed + 1);
    while (closed != std::string_view::npos && closed + 1 < text.size() &&
           std::string_view(" ,:;)").find(text[closed + 1]) == std::string_view::npos);
    return closed == std::string_view::npos ? word : text.substr(0, text.find(' ', closed));
}

} // namespace

std::string message(std::string_view line, std::size_t width) {
    constexpr std::size_t kIndent = 2;
    std::string out;
    std::size_t column = 0;
    while (!line.empty()) {
        std::string_view piece = first_piece(line);
        line.remove_prefix(std::min(piece.size() + 1, line.size()));
        if (column > kIndent && column + 1 + columns(piece) > width) {
            out += "\n" + std::string(kIndent, ' ');
            column = kIndent;
        } else if (column > 0) {
            out += ' ';
            ++column;
        }
        out += piece;
        column += columns(piece);
    }
    return out + "\n";
}

std::string message(std::string_view line) {
    sys::Unheard unheard; // how it is said is no part of what is told
    return sys::isatty(STDERR_FILENO) ? message(line, terminal_width()) : std::string(line) + "\n";
}

std::string pasteable(const std::string& command, std::size_t width, const Paint& paint) {
    std::string out = "     $ ";
    std::size_t column = 7;
    std::string line;
    std::string word;
    bool quoted = false;
    auto flush = [&] {
        if (column > 9 && column + columns(word) + 2 > width) {
            while (line.ends_with(' '))
                line.pop_back();
            out += paint.blue(line + " \\") + "\n         ";
            column = 9;
            line.clear();
        }
        line += word;
        column += columns(word);
        word.clear();
    };
    for (char c : command) {
        quoted ^= c == '\'';
        word += c;
        if (c == ' ' && !quoted)
            flush();
    }
    flush();
    return out + paint.blue(line) + "\n";
}

namespace {

/// Of the first blank, comma or bar outside of a string; npos when there is none.
std::size_t end_of_piece(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && std::string_view(" |,").contains(text[i]))
            return i;
    }
    return std::string_view::npos;
}

} // namespace

std::string broken(std::string_view text, std::size_t width) {
    std::string out = "   ";
    std::size_t column = 3;
    while (!text.empty()) {
        std::size_t end = end_of_piece(text);
        if (end != std::string_view::npos && text.substr(end).starts_with(", "))
            ++end;
        std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
        text.remove_prefix(piece.size());
        std::size_t visible = columns(piece) - (piece.ends_with(' ') ? 1 : 0);
        if (column > 7 && column + visible > width) {
            while (out.ends_with(' '))
                out.pop_back();
            out += "\n       ";
            column = 7;
        }
        out += piece;
        column += columns(piece);
    }
    while (out.ends_with(' '))
        out.pop_back();
    return out;
}

} // namespace teach
