// Elements of SVG.
#include "teach/drawing.hpp"

#include "teach/markup.hpp"

namespace teach {

namespace {

std::string attribute(const char* name, int value) {
    return std::string(" ") + name + "=\"" + std::to_string(value) + "\"";
}

std::string style_of(std::string_view style) {
    return " class=\"" + std::string(style) + "\"";
}

std::string box_of(int x, int y, int width, int height, std::string_view style) {
    return "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
           attribute("height", height) + " rx=\"8\"" + style_of(style) + "/>\n";
}

std::string text_of(int x, int y, std::string_view style, std::string_view letters,
                    const char* anchor) {
    constexpr int kBaseline = 20;
    return "<text" + attribute("x", x) + attribute("y", y + kBaseline) + anchor + style_of(style) +
           ">" + xml(letters) + "</text>\n";
}

} // namespace

void Drawing::text(int x, int y, std::string_view style, std::string_view letters) {
    out_ += text_of(x, y, style, letters, "");
}

void Drawing::text_until(int x, int y, std::string_view style, std::string_view letters) {
    out_ += text_of(x, y, style, letters, " text-anchor=\"end\"");
}

void Drawing::box(int x, int y, int width, int height, std::string_view style) {
    out_ += box_of(x, y, width, height, style);
}

void Drawing::arrow(int from, int to, int y, std::string_view style) {
    constexpr int kHead = 12;
    auto point = [](int x, int at) { return std::to_string(x) + "," + std::to_string(at) + " "; };
    out_ += "<line" + attribute("x1", from) + attribute("y1", y) + attribute("x2", to - kHead) +
            attribute("y2", y) + style_of(style) + "/>\n<polygon points=\"" + point(to, y) +
            point(to - kHead, y - 7) + point(to - kHead, y + 7) + "\"" + style_of(style) + "/>\n";
}

void Drawing::box_behind(std::size_t mark, int x, int y, int width, int height,
                         std::string_view style) {
    out_.insert(mark, box_of(x, y, width, height, style));
}

} // namespace teach
