// The tests' words for a learner.
#include "teach/exercise.hpp"

#include <sstream>
#include <vector>

namespace teach {

std::string sentence_of(const std::string& test) {
    std::string out;
    for (char c : test) {
        bool capital = c >= 'A' && c <= 'Z';
        if (capital && !out.empty())
            out += ' ';
        out += static_cast<char>(capital ? c - 'A' + 'a' : c);
    }
    return out;
}

std::string compared(const std::string& message) {
    std::istringstream text(message);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        if (!line.empty())
            lines.push_back(line);
    auto value = [&](std::size_t at) { // "  expression", "    Which is: value"
        bool named = at + 1 < lines.size() && lines[at + 1].starts_with("    Which is: ");
        return named ? lines[at + 1].substr(14)
                     : lines[at].substr(lines[at].find_first_not_of(' '));
    };
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        // The first is what was found: these tests write EXPECT_EQ(found, expected).
        if (lines[i].starts_with("Expected equality") && i + 2 < lines.size()) {
            std::size_t second = i + 2;
            if (lines[second].starts_with("    Which is: ") && second + 1 < lines.size())
                ++second;
            out += "expected  " + value(second) + "\ngot       " + value(i + 1) + "\n";
            // Behind the two: what the program said, and what differs in long texts.
            std::size_t said = second + 1;
            if (said < lines.size() && lines[said].starts_with("    Which is: "))
                ++said;
            for (std::size_t k = said; k < std::min(said + 5, lines.size()); ++k)
                if (lines[k].starts_with("With diff:"))
                    break;
                else
                    out += (k == said ? "it said   " : "          ") + lines[k] + "\n";
            return out;
        }
        if (lines[i].starts_with("Expected: "))
            out += "expected  " + lines[i].substr(10) + "\n";
        else if (lines[i].starts_with("  Actual: "))
            out += "got       " + lines[i].substr(10) + "\n";
        else if (lines[i].starts_with("Value of: "))
            out += "of        " + lines[i].substr(10) + "\n";
    }
    if (!out.empty())
        return out;
    for (std::size_t i = 1; i < lines.size() && i < 6; ++i) { // the first says where
        constexpr std::string_view kThrown = "C++ exception with description \"";
        out += lines[i].substr(lines[i].starts_with(kThrown) ? kThrown.size() : 0) + "\n";
    }
    return out;
}

} // namespace teach
