// The tests' words for a learner: what GoogleTest says, in English and without C++.
#include "teach/exercise.hpp"

#include "teach/paint.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

namespace teach {

namespace {

struct Wording {
    std::string_view of, instead;
};

void replace_all(std::string& text, const Wording& words) {
    for (std::size_t at = 0; (at = text.find(words.of, at)) != std::string::npos;
         at += words.instead.size())
        text.replace(at, words.of.size(), words.instead);
}

/// What a name in C++ can't spell. The blanks are those between words.
constexpr Wording kSpelling[] = {
    {" cannot ", " can't "},
    {" the commands ", " the command's "},
    {" the callers ", " the caller's "},
    {" the hosts ", " the host's "},
    {" the kernels ", " the kernel's "},
    {" the containers ", " the container's "},
    {" its containers ", " its container's "},
    {" dockers ", " Docker's "},
    {" sixty four ", " sixty-four "},
    {" a proc ", " a /proc "},
    {" proc ", " /proc "},
    {" sys ", " /sys "},
    {" dev ", " /dev "},
    {" off ", " switched off, it "},
    {" alone with ", " it works alone with "},
    {" add and drop ", " capabilities can be added and dropped "},
    {" new is the default ", " a /proc of its own is the default "},
    {" none has ", " with --net none it has "},
    {" pivot leaves ", " pivot_root leaves "},
};

/// What matchers say of themselves.
constexpr Wording kMatchers[] = {
    {"contains at least one element that is equal to ", "among others: "},
    {"has 1 element that is equal to ", "nothing but "},
    {"has substring ", "in it: "},
    {"is equal to ", ""},
    {"starts with ", "at its start: "},
    {"ends with ", "at its end: "},
};

using Lines = std::vector<std::string>;

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

/// A value as GoogleTest prints it: a list without its braces, a text of lines in lines.
std::string spoken(std::string_view value) {
    value = trimmed(value);
    if (value == "{}" || value == "\"\"")
        return "nothing";
    if (std::size_t why = value.find("}, whose "); why != std::string_view::npos)
        value = value.substr(0, why + 1); // which of them does not match is to be seen
    if (value.starts_with("{ ") && value.ends_with(" }"))
        value = value.substr(2, value.size() - 4);
    std::string out(value);
    for (const Wording& words : kMatchers)
        replace_all(out, words);
    bool text = out.starts_with('"') && out.ends_with('"') && out.size() > 1;
    if (text && out.contains("\\n")) {
        out = out.substr(1, out.size() - 2);
        replace_all(out, {"\\n", "\n"});
        replace_all(out, {"\\t", "  "});
        replace_all(out, {"\\\"", "\""});
        while (out.ends_with('\n'))
            out.pop_back();
    }
    return out;
}

/// "expected  …", and what does not fit a line below its beginning. What has no room there in one
/// piece (a host name of 64 characters) stands at the margin, where it does.
std::string labelled(std::string_view label, std::string_view value) {
    const std::size_t indent = label.empty() ? 0 : 10;
    constexpr std::size_t kColumns = 68; // behind the test's own indentation
    std::string out;
    std::istringstream text{std::string(value)};
    for (std::string line; std::getline(text, line);) {
        // Lines of a program's keep their blanks.
        std::istringstream lines(columns(line) + indent <= kColumns
                                     ? std::string(indent, ' ') + line
                                     : wrapped(line, indent, kColumns));
        for (std::string one; std::getline(lines, one);) {
            if (columns(one) <= kColumns) {
                out += one + "\n";
                continue;
            }
            if (out.empty())
                out = std::string(label.size(), ' ') + "\n";
            for (one.erase(0, indent); columns(one) > kColumns; one.erase(0, kColumns))
                out += one.substr(0, kColumns) + "\n";
            out += one + "\n";
        }
    }
    out.replace(0, label.size(), label);
    return out;
}

/// From `at` on: what a test adds in its own words, or what the program has said.
std::string details(const Lines& lines, std::size_t at) {
    constexpr std::size_t kMost = 5;
    std::string text;
    for (std::size_t i = at; i < std::min(at + kMost, lines.size()); ++i) {
        if (lines[i].starts_with("With diff:"))
            break;
        text += spoken(lines[i]) + "\n";
    }
    return text.empty() ? "" : labelled("more", text);
}

/// EXPECT_EQ(found, expected): the expression and, below it, its value.
std::string of_equality(const Lines& lines, std::size_t first) {
    auto named = [&](std::size_t at) {
        return at + 1 < lines.size() && lines[at + 1].starts_with("    Which is: ");
    };
    auto value = [&](std::size_t at) { return named(at) ? lines[at + 1].substr(14) : lines[at]; };
    std::size_t second = first + (named(first) ? 2 : 1);
    if (second >= lines.size())
        return "";
    std::string_view what = trimmed(lines[first]).ends_with("status") ? "status " : "";
    return labelled("expected", std::string(what) + spoken(value(second))) +
           labelled("got", std::string(what) + spoken(value(first))) +
           details(lines, second + (named(second) ? 2 : 1));
}

/// EXPECT_NE: "Expected: (a) != (b), actual: x vs y".
std::string of_difference(const Lines& lines, std::size_t at) {
    std::string_view values = lines[at];
    values = values.substr(values.find(", actual: ") + 10);
    std::string_view found = values.substr(0, values.find(" vs "));
    return labelled("expected", "anything but " + spoken(values.substr(values.rfind(" vs ") + 4))) +
           labelled("got", spoken(found)) + details(lines, at + 1);
}

/// EXPECT_THAT and EXPECT_TRUE: "Value of:", "Expected:" and "  Actual:", in either order, and what
/// a matcher says of its elements in lines of their own.
std::string of_value(const Lines& lines, std::size_t at) {
    std::string expression(trimmed(std::string_view(lines[at]).substr(10)));
    std::string expected, actual;
    std::size_t next = at + 1;
    while (next < lines.size() && (expected.empty() || actual.empty())) {
        std::string_view line = lines[next++];
        if (line.starts_with("Expected: ")) {
            expected = line.substr(10);
            for (; actual.empty() && next < lines.size() && !lines[next].starts_with("  Actual: ");
                 ++next)
                expected += "\n" + lines[next];
        } else if (line.starts_with("  Actual: ")) {
            actual = line.substr(10);
        }
    }
    // A yes or no: the test says in its own words what is missing, or we name what it has asked.
    if (actual.starts_with("false") || actual.starts_with("true")) {
        std::string why = details(lines, next);
        return why.empty() ? labelled("expected", (expected == "true" ? "" : "not ") + expression)
                           : labelled("", trimmed(std::string_view(why).substr(10)));
    }
    Lines wanted;
    std::istringstream text(expected);
    for (std::string line; std::getline(text, line);)
        if (!line.ends_with("elements where"))
            wanted.push_back(
                spoken(line.starts_with("element #") ? line.substr(line.find(' ', 9) + 1) : line));
    std::string all;
    for (const std::string& line : wanted)
        all += (all.empty() ? "" : "\n") + line;
    return labelled("expected", all) + labelled("got", spoken(actual)) + details(lines, next);
}

/// A container that did not answer: "COMMAND: no "TOKEN" on stdout (ended with 125)", what it has
/// said, and where it stands.
std::string of_silence(const Lines& lines, std::size_t at) {
    const std::string& line = lines[at];
    std::string out = labelled("expected", "a container whose shell answers");
    out += labelled("got", "none: it " + line.substr(line.rfind('(') + 1,
                                                     line.rfind(')') - line.rfind('(') - 1));
    replace_all(out, {"it still running", "it is still running, and waits"});
    std::string said;
    bool stderr_follows = false;
    for (const std::string& one : Lines(lines.begin() + static_cast<long>(at) + 1, lines.end())) {
        bool note = one.contains("root of the container is root of ");
        if (stderr_follows && !note && !one.starts_with("\" thrown"))
            said += one + "\n";
        stderr_follows |= one.starts_with("-- stderr:");
    }
    return out + (said.empty() ? "" : labelled("it said", said));
}

} // namespace

std::string sentence_of(const std::string& test) {
    std::string out = " ";
    for (char c : test) {
        bool capital = c >= 'A' && c <= 'Z';
        if (capital && out.size() > 1)
            out += ' ';
        out += static_cast<char>(capital ? c - 'A' + 'a' : c);
    }
    out += ' ';
    for (const Wording& words : kSpelling)
        replace_all(out, words);
    return std::string(trimmed(out));
}

std::string compared(const std::string& message) {
    std::istringstream text(message);
    Lines lines;
    for (std::string line; std::getline(text, line);)
        if (!line.empty())
            lines.push_back(line);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].starts_with("Expected equality") && i + 2 < lines.size())
            return of_equality(lines, i + 1);
        if (lines[i].starts_with("Expected: (") && lines[i].contains(" != "))
            return of_difference(lines, i);
        if (lines[i].starts_with("Value of: "))
            return of_value(lines, i);
        if (lines[i].contains(": no \"") && lines[i].contains("\" on stdout ("))
            return of_silence(lines, i);
    }
    std::string out;
    for (std::size_t i = 1; i < lines.size() && i < 6; ++i) { // the first says where
        constexpr std::string_view kThrown = "C++ exception with description \"";
        if (!lines[i].starts_with("\" thrown"))
            out += lines[i].substr(lines[i].starts_with(kThrown) ? kThrown.size() : 0) + "\n";
    }
    return out.empty() ? out : labelled("", out);
}

} // namespace teach
