// Shapes and letters of a picture, from top to bottom.
#pragma once

#include <string>
#include <string_view>

namespace teach {

class Drawing {
public:
    static constexpr int kWidth = 640;
    static constexpr int kLine = 27;   ///< from one line of letters to the next
    static constexpr int kLetter = 12; ///< the width of a monospaced one of 20

    /// Letters on the line of which `y` is the top.
    void text(int x, int y, std::string_view style, std::string_view letters);
    /// Likewise, ending at `x`.
    void text_until(int x, int y, std::string_view style, std::string_view letters);
    /// `style`: a class of picture_style().
    void box(int x, int y, int width, int height, std::string_view style);
    void arrow(int from, int to, int y, std::string_view style);
    /// What is drawn from here on may get a box behind it, when its height is known.
    std::size_t mark() const { return out_.size(); }
    void box_behind(std::size_t mark, int x, int y, int width, int height, std::string_view style);

    const std::string& shapes() const { return out_; }

private:
    std::string out_;
};

} // namespace teach
