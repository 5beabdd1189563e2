// From Markdown to a terminal.
#include "teach/markdown.hpp"

#include <algorithm>
#include <cctype>
#include <ranges>
#include <utility>

namespace teach {

namespace {

constexpr std::size_t kMargin = 2;

enum class Style : unsigned char { plain, bold, code };
struct Letter {
    char byte;
    Style style;
};
using Letters = std::vector<Letter>;

/// The text without its marks, each byte with its style. A mark that nothing closes is a letter.
Letters inline_marks(std::string_view text) {
    Letters out;
    auto add = [&](std::string_view part, Style style) {
        for (char c : part)
            out.push_back({c, style});
    };
    for (std::size_t i = 0; i < text.size();) {
        std::string_view rest = text.substr(i);
        auto between = [&](std::string_view mark) {
            if (!rest.starts_with(mark) || rest.size() <= mark.size() || rest[mark.size()] == ' ')
                return std::string_view{};
            std::size_t end = rest.find(mark, mark.size());
            return end == std::string_view::npos ? std::string_view{}
                                                 : rest.substr(mark.size(), end - mark.size());
        };
        if (auto code = between("`"); !code.empty()) {
            add(code, Style::code);
            i += code.size() + 2;
        } else if (auto bold = between("**"); !bold.empty()) {
            for (Letter letter : inline_marks(bold))
                out.push_back({letter.byte, Style::bold});
            i += bold.size() + 4;
        } else if (auto stressed = between("*"); !stressed.empty()) {
            add(stressed, Style::bold);
            i += stressed.size() + 2;
        } else if (std::size_t close = rest.find("](");
                   rest.front() == '[' && close != std::string_view::npos) {
            add(rest.substr(1, close - 1), Style::plain);
            i += std::min(rest.find(')', close), rest.size() - 1) + 1;
        } else {
            add(rest.substr(0, 1), Style::plain);
            ++i;
        }
    }
    return out;
}

std::string painted(std::span<const Letter> letters, const Paint& paint) {
    std::string out;
    for (std::size_t i = 0; i < letters.size();) {
        std::string run;
        Style style = letters[i].style;
        for (; i < letters.size() && letters[i].style == style; ++i)
            run += letters[i].byte;
        out +=
            style == Style::bold ? paint.bold(run) : (style == Style::code ? paint.blue(run) : run);
    }
    return out;
}

std::size_t columns(std::span<const Letter> letters) {
    std::string bytes;
    for (const Letter& letter : letters)
        bytes += letter.byte;
    return teach::columns(bytes);
}

/// Paragraph `text`: its first line behind `first`, the others behind as many blanks.
std::string paragraph(const std::string& text, const std::string& first, const Paint& paint) {
    Letters letters = inline_marks(text);
    std::string out = first;
    std::size_t column = first.size();
    bool at_start = true;
    for (std::size_t i = 0; i < letters.size();) {
        std::size_t end = i;
        while (end < letters.size() && letters[end].byte != ' ')
            ++end;
        std::span<const Letter> word(letters.data() + i, end - i);
        i = end + 1;
        if (word.empty())
            continue;
        if (!at_start && column + 1 + columns(word) + kMargin > paint.width()) {
            out += "\n" + std::string(first.size(), ' ');
            column = first.size();
            at_start = true;
        }
        out += (at_start ? "" : " ") + painted(word, paint);
        column += (at_start ? 0 : 1) + columns(word);
        at_start = false;
    }
    return out + "\n";
}

/// "- " or "12. " at its start, or "".
std::string item_mark(const std::string& line) {
    if (line.starts_with("- "))
        return "- ";
    std::size_t digits = 0;
    while (digits < line.size() && isdigit(static_cast<unsigned char>(line[digits])) != 0)
        ++digits;
    return digits > 0 && line.substr(digits, 2) == ". " ? line.substr(0, digits + 2) : "";
}

} // namespace

std::string rendered_prose(const sys::Strings& lines, const Paint& paint) {
    std::string out;
    std::string text;
    std::string mark;
    auto flush = [&] {
        if (!text.empty())
            out += paragraph(text, mark, paint);
        text.clear();
        mark.clear();
    };
    for (const std::string& line : lines) {
        if (line.empty()) {
            flush();
            out += "\n";
        } else if (line.starts_with("|")) {
            flush();
            out += "  " + painted(inline_marks(line), paint) + "\n";
        } else if (line.starts_with("    ") && text.empty()) {
            out += line + "\n";
        } else if (std::string item = item_mark(line);
                   !item.empty() && (text.empty() || !mark.empty())) { // no line of a paragraph
            flush();
            mark = item;
            text = line.substr(item.size());
        } else {
            std::size_t start = line.find_first_not_of(' ');
            text += (text.empty() ? "" : " ") + line.substr(start);
        }
    }
    flush();
    return paint.plain() ? in_ascii(out) : out;
}

std::string rendered_block(const sys::Strings& lines, const Paint& paint) {
    std::string out;
    bool wide = std::ranges::any_of(lines, [&](const std::string& line) {
        return teach::columns(line) + kMargin > paint.width();
    });
    for (const std::string& line : lines) {
        bool typed = line.starts_with("$ ") || line.starts_with("/ # ");
        out += line.empty() ? "\n" : (wide ? "" : "  ") + (typed ? paint.bold(line) : line) + "\n";
    }
    return paint.plain() ? in_ascii(out) : out;
}

std::string in_ascii(const std::string& text) {
    static constexpr std::pair<std::string_view, std::string_view> kSpoken[] = {
        {"─", "-"}, {"│", "|"}, {"┌", "+"}, {"┐", "+"}, {"└", "+"}, {"┘", "+"},
        {"├", "+"}, {"┤", "+"}, {"┬", "+"}, {"┴", "+"}, {"┼", "+"}, {"►", ">"},
        {"◄", "<"}, {"▲", "^"}, {"▼", "v"}, {"→", ">"}, {"←", "<"}, {"…", "..."},
    };
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto* found = std::ranges::find_if(kSpoken, [&](const auto& pair) {
            return std::string_view(text).substr(i).starts_with(pair.first);
        });
        if (found == std::end(kSpoken)) {
            out += text[i++];
        } else {
            out += found->second;
            i += found->first.size();
        }
    }
    return out;
}

} // namespace teach
