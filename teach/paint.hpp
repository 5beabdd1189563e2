// Colours and boxes, where the reader has them: chosen once for each stream that is printed on.
//
//   Paint paint = Paint::for_stream(STDOUT_FILENO, plain);
//   text += paint.bold("uts") + " " + paint.dim("a host name of its own");
//
// With --plain there are none, nor characters that a screen reader stumbles over. NO_COLOR
// (no-color.org), TERM=dumb and an output that is no terminal turn off the colours alone.
#pragma once

#include "sys/kernel.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace teach {

class Paint {
public:
    static Paint for_stream(int stream, bool plain) {
        const char* no_color = getenv("NO_COLOR");
        const char* term = getenv("TERM");
        bool colour = !plain && sys::isatty(stream) && (no_color == nullptr || *no_color == '\0') &&
                      (term == nullptr || std::string_view(term) != "dumb");
        Paint paint(colour, plain);
        if (auto size = sys::get_winsize(stream); size && size->ws_col > 0)
            paint.width_ = std::clamp<std::size_t>(size->ws_col, 20, paint.width_);
        return paint;
    }

    bool plain() const { return plain_; }
    /// Of the lines: 80 columns, or what a narrower terminal has.
    std::size_t width() const { return width_; }
    std::string bold(std::string_view text) const { return in("1", text); }
    std::string dim(std::string_view text) const { return in("2", text); }
    std::string red(std::string_view text) const { return in("31", text); }
    std::string green(std::string_view text) const { return in("32", text); }
    std::string yellow(std::string_view text) const { return in("33", text); }
    std::string blue(std::string_view text) const { return in("34", text); }
    /// A character of ours, or what stands for it in plain text: `drawn("→", "->")`.
    std::string drawn(std::string_view pretty, std::string_view spoken) const {
        return std::string(plain_ ? spoken : pretty);
    }

private:
    Paint(bool colour, bool plain) : colour_(colour), plain_(plain) {}
    std::string in(std::string_view code, std::string_view text) const {
        if (!colour_)
            return std::string(text);
        return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
    }

    bool colour_;
    bool plain_;
    std::size_t width_ = 80;
};

/// How many columns of a terminal `text` takes: bytes in UTF-8 that continue no character.
std::size_t columns(std::string_view text);
/// `text` with blanks behind it, if it takes less than `width` columns.
std::string padded(std::string text, std::size_t width);
/// `text` in lines of at most `width` columns, each behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

} // namespace teach
