// A file of Markdown as HTML, by cmark-gfm: GitHub's own parser, so that a page looks here as it
// does there, anchors of headings included.
//
// Ours are the blocks: a console's prompts, what is typed, what is shown; a prediction whose answer
// is folded away; a label where a block is for the second terminal, or for some machines only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace site {

struct Heading {
    int level = 0;
    std::string id;
    std::string text;
};
struct Html {
    std::string body;
    std::vector<Heading> headings;
};

/// Where links lead on the site.
struct Links {
    /// A link's target, as the file has it; throws when there is no such thing.
    std::function<std::string(const std::string&)> target;
    /// What an inline code may name: a file's page, or "".
    std::function<std::string(const std::string&)> named;
};

Html to_html(const std::string& markdown, const Links& links);

/// With &, <, > and quotes written as HTML wants them.
std::string escaped(std::string_view text);

} // namespace site
