// Brackets and quotes.
#include "oci/profile_text.hpp"

#include "sys/nesting.hpp"

namespace oci {

namespace {

constexpr std::size_t kNowhere = std::string_view::npos;
constexpr std::string_view kSpace = " \t\n\r"; // RFC 8259, section 2

/// Where the value that begins at `at` is over.
std::size_t after_value(std::string_view text, std::size_t at) {
    std::size_t depth = 0;
    while (at < text.size()) {
        char c = text[at];
        if (c == '"') {
            at = sys::after_string(text, at);
        } else if (c == '{' || c == '[') {
            ++depth;
            ++at;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at; // a number's or a word's end is that of what it is in
            --depth;
            ++at;
        } else if (depth == 0 && (c == ',' || kSpace.contains(c))) {
            return at;
        } else {
            ++at;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return kNowhere;
}

struct Span {
    std::size_t start, end;
};

/// The value of the one member `key` of the object that begins at `at`.
std::optional<Span> member(std::string_view text, std::size_t at, std::string_view key) {
    auto skip = [&] { return at = text.find_first_not_of(kSpace, at); };
    auto is = [&](char c) { return skip() != kNowhere && text[at] == c; };
    std::optional<Span> found;
    if (!is('{'))
        return std::nullopt;
    do {
        ++at; // the bracket, or a comma
        if (!is('"'))
            return std::nullopt;
        std::size_t end = sys::after_string(text, at);
        if (end == kNowhere)
            return std::nullopt;
        std::string_view name = text.substr(at + 1, end - at - 2);
        at = end;
        if (name.contains('\\') || !is(':'))
            return std::nullopt;
        ++at;
        if (skip() == kNowhere)
            return std::nullopt;
        std::size_t start = at;
        at = after_value(text, start);
        if (at == kNowhere || (name == key && found))
            return std::nullopt;
        if (name == key)
            found = {start, at};
    } while (is(','));
    return is('}') ? found : std::nullopt;
}

} // namespace

std::optional<ProfileText> profile_text(std::string_view document) {
    auto linux = member(document, 0, "linux");
    auto found = linux ? member(document, linux->start, "seccomp") : std::nullopt;
    if (!found || document[found->start] != '{')
        return std::nullopt;
    ProfileText out{.rest = std::string(document.substr(0, found->start)),
                    .profile =
                        std::string(document.substr(found->start, found->end - found->start))};
    out.rest += "{}";
    out.rest += document.substr(found->end);
    return out;
}

} // namespace oci
