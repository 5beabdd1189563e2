// Walks cmark's tree, and puts HTML of ours in the place of what it would not do by itself.
#include "site/markdown.hpp"

#include "teach/lesson_text.hpp"
#include "teach/markup.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

namespace site {

namespace {

using Node = cmark_node*;

std::string text_or_none(const char* text) {
    return text == nullptr ? "" : text;
}

/// The whole tree in reading order, so that it can be changed while one goes through it.
std::vector<Node> nodes_of(Node root) {
    std::vector<Node> all;
    std::unique_ptr<cmark_iter, void (*)(cmark_iter*)> walk(cmark_iter_new(root), cmark_iter_free);
    for (cmark_event_type event = CMARK_EVENT_NONE;
         (event = cmark_iter_next(walk.get())) != CMARK_EVENT_DONE;)
        if (event == CMARK_EVENT_ENTER)
            all.push_back(cmark_iter_get_node(walk.get()));
    return all;
}

Node html(cmark_node_type type, const std::string& text) {
    Node node = cmark_node_new(type);
    cmark_node_set_literal(node, text.c_str());
    return node;
}

std::string plain_text(Node of) {
    std::string out;
    for (Node node : nodes_of(of))
        if (cmark_node_get_type(node) == CMARK_NODE_TEXT ||
            cmark_node_get_type(node) == CMARK_NODE_CODE)
            out += text_or_none(cmark_node_get_literal(node));
    return out;
}

/// As GitHub makes a heading's anchor: letters and digits in lower case, blanks as dashes.
std::string slug(const std::string& text, std::map<std::string, int>& taken) {
    std::string out;
    for (char letter : text) {
        auto byte = static_cast<unsigned char>(letter);
        if (std::isalnum(byte) != 0 || letter == '-' || letter == '_' || byte >= 0x80)
            out += static_cast<char>(std::tolower(byte));
        else if (letter == ' ')
            out += '-';
    }
    int before = taken[out]++;
    return before == 0 ? out : out + "-" + std::to_string(before);
}

std::string needs_in_words(const std::string& needs) {
    static const std::map<std::string, std::string> kKnown{
        {"user", "an ordinary user, not root"},
        {"subids", "a range in /etc/subuid"},
        {"cgroup2", "a cgroup v2 that may set limits"},
        {"no-cgroup2", "a machine that can't set limits"},
        {"tun", "/dev/net/tun"}};
    std::string out;
    std::istringstream words(needs);
    for (std::string one; std::getline(words, one, ',');) {
        auto known = kKnown.find(one);
        out += (out.empty() ? "needs " : " and ") + (known == kKnown.end() ? one : known->second);
    }
    return out;
}

std::string session(const teach::Piece& piece) {
    std::string out = "<pre tabindex=\"0\"><code>";
    for (const teach::Typed& typed : teach::typed_in(piece)) {
        std::string prompt = typed.prompt;
        for (const std::string& line : typed.lines) {
            out += "<span class=\"prompt\">" + escaped(prompt) + "</span><span class=\"typed\">" +
                   escaped(line) + "</span>\n";
            prompt = "> ";
        }
        for (const std::string& line : typed.shown)
            out += escaped(line) + "\n";
    }
    return out + "</code></pre>\n";
}

/// The question is to be answered before the machine answers it.
std::string prediction(teach::Piece piece, const Links& links) {
    std::string question;
    while (!piece.lines.empty() && !piece.lines.front().starts_with("$ ")) {
        question += piece.lines.front() + "\n";
        piece.lines.erase(piece.lines.begin());
    }
    piece.lines.push_back(piece.fact("is"));
    return "<div class=\"predict\">" + to_html(question, links).body +
           "<details><summary>Write down your answer; then let the machine say it</summary>\n" +
           session(piece) + "</details></div>\n";
}

std::string block(const std::string& info, const std::string& literal, const Links& links) {
    std::size_t blank = std::min(info.find(' '), info.size());
    teach::Piece piece{info.substr(0, blank), info.substr(blank), {}};
    std::istringstream lines(literal);
    for (std::string line; std::getline(lines, line);)
        piece.lines.push_back(line);
    if (piece.kind == "predict")
        return prediction(piece, links);
    bool second = piece.fact("terminal") == "2";
    std::string label = second ? "in the second terminal" : "";
    if (std::string needs = needs_in_words(piece.fact("needs")); !needs.empty())
        label += (label.empty() ? "" : "; ") + needs;
    return std::string(second ? "<div class=\"block second\">" : "<div class=\"block\">") +
           (label.empty() ? "" : "<p class=\"label\">" + escaped(label) + "</p>\n") +
           (piece.kind == "console"
                ? session(piece)
                : "<pre tabindex=\"0\"><code>" + escaped(literal) + "</code></pre>\n") +
           "</div>\n";
}

void link_code(Node node, const Links& links) {
    std::string target = links.named(text_or_none(cmark_node_get_literal(node)));
    if (target.empty() || cmark_node_get_type(cmark_node_parent(node)) == CMARK_NODE_LINK)
        return;
    Node link = cmark_node_new(CMARK_NODE_LINK);
    cmark_node_set_url(link, target.c_str());
    cmark_node_insert_before(node, link);
    cmark_node_append_child(link, node); // takes it from where it was
}

void replace(Node node, const std::string& by) {
    Node ours = html(CMARK_NODE_HTML_BLOCK, by);
    cmark_node_replace(node, ours);
    cmark_node_free(node);
}

cmark_parser* parser_with_tables() {
    cmark_gfm_core_extensions_ensure_registered();
    cmark_parser* parser = cmark_parser_new(CMARK_OPT_UNSAFE | CMARK_OPT_VALIDATE_UTF8);
    for (const char* name : {"table", "autolink", "strikethrough"})
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(name));
    return parser;
}

Node parsed(cmark_parser* parser, const std::string& markdown) {
    cmark_parser_feed(parser, markdown.data(), markdown.size());
    return cmark_parser_finish(parser);
}

struct Document {
    cmark_parser* parser; ///< whose extensions render the tree
    Node root;

    explicit Document(const std::string& markdown)
        : parser(parser_with_tables()), root(parsed(parser, markdown)) {}
    ~Document() {
        cmark_node_free(root);
        cmark_parser_free(parser);
    }
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    std::string rendered() const {
        std::unique_ptr<char, void (*)(void*)> text(
            cmark_render_html(root, CMARK_OPT_UNSAFE, cmark_parser_get_syntax_extensions(parser)),
            free);
        return text.get();
    }
};

} // namespace

// A page has line ends and tabs, of which a label in a picture has none.
std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::size_t end = std::min(text.find_first_of("\n\t"), text.size());
        out += teach::xml(text.substr(0, end));
        if (end < text.size())
            out += text[end++];
        text.remove_prefix(end);
    }
    return out;
}

Html to_html(const std::string& markdown, const Links& links) {
    Html out;
    Document document(markdown);
    std::map<std::string, int> taken;
    for (Node node : nodes_of(document.root)) {
        cmark_node_type type = cmark_node_get_type(node);
        if (type == CMARK_NODE_HEADING) {
            std::string text = plain_text(node);
            out.headings.push_back({cmark_node_get_heading_level(node), slug(text, taken), text});
            cmark_node_prepend_child(
                node, html(CMARK_NODE_HTML_INLINE,
                           "<span id=\"" + escaped(out.headings.back().id) + "\"></span>"));
        } else if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE) {
            std::string target = links.target(text_or_none(cmark_node_get_url(node)));
            cmark_node_set_url(node, target.c_str());
        } else if (type == CMARK_NODE_CODE) {
            link_code(node, links);
        } else if (type == CMARK_NODE_CODE_BLOCK) {
            replace(node, block(text_or_none(cmark_node_get_fence_info(node)),
                                text_or_none(cmark_node_get_literal(node)), links));
        } else if (std::string_view(cmark_node_get_type_string(node)) == "table") {
            cmark_node_insert_before(
                node, html(CMARK_NODE_HTML_BLOCK, "<div class=\"scroll\" tabindex=\"0\">\n"));
            cmark_node_insert_after(node, html(CMARK_NODE_HTML_BLOCK, "</div>\n"));
        }
    }
    out.body = document.rendered();
    return out;
}

} // namespace site
