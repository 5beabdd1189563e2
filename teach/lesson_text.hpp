// The lessons as files: where they are, and what one is made of.
#pragma once

#include "sys/kernel.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace teach {

/// A block of code (`kind` is the first word after ```), or what stands between two of them.
struct Piece {
    std::string kind;  ///< "" for prose
    std::string facts; ///< the other words: "terminal=2 needs=cgroup2"
    sys::Strings lines;
    /// The value of NAME=VALUE.
    std::string fact(std::string_view name) const;
};
struct Section {
    std::string heading; ///< "" for what comes before the first
    std::vector<Piece> pieces;
};
struct Lesson {
    unsigned number = 0;
    std::string folder; ///< "03-uts"
    std::string title;  ///< "A name of its own"
    std::string stage;  ///< "uts, ipc", or "none"
    std::vector<Section> sections;
};

/// Where the lessons are: $GOCONTAINER_LESSONS, beside the binary's real path, or in its prefix's
/// share/gocontainer/lessons.
sys::Result<std::string> lessons_folder();
/// All of them, by number.
sys::Result<std::vector<Lesson>> load_lessons(const std::string& folder);
/// One README.md, in Markdown.
Lesson parse_lesson(const std::string& folder, std::string_view text);

/// What is typed and what is shown then, in a piece of kind console.
struct Typed {
    std::string prompt; ///< "$ " or "/ # "
    sys::Strings lines; ///< more than one: the others after "> "
    sys::Strings shown;
};
std::vector<Typed> typed_in(const Piece& piece);

} // namespace teach
