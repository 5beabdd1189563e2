#include "tests/unit/fuzz.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace unit {

namespace {

constexpr unsigned kSlow = 60; ///< seconds of a processor that a trial may take, sanitizers and all

/// Values in JSON's form that a property seldom has.
const std::vector<std::string>& strange_values() {
    static const std::vector<std::string> all{"null",
                                              "true",
                                              "0",
                                              "-1",
                                              "-0.0",
                                              "0.5",
                                              "1e999",
                                              "-1e308",
                                              "1e-400",
                                              "2147483648",
                                              "4294967295",
                                              "4294967296",
                                              "-9223372036854775808",
                                              "9223372036854775807",
                                              "18446744073709551615",
                                              "18446744073709551616",
                                              "99999999999999999999999999999",
                                              R"("")",
                                              R"("x")",
                                              R"("\u0000")",
                                              R"("a\u0000b")",
                                              R"("\ud800")",
                                              R"("\uD83D\uDE00")",
                                              R"("%s%n/../..")",
                                              R"("-1")",
                                              R"("/")",
                                              R"("..")",
                                              R"("a\nb")",
                                              "\"\xff\xfe\"",
                                              "\"\xed\xa0\x80\"",
                                              "\"" + std::string(100'000, 'A') + "\"",
                                              "[]",
                                              "{}",
                                              "[null]",
                                              R"({"": null})",
                                              R"([{"path": "/"}])",
                                              R"({"type": "x", "type": 5})",
                                              "[1, \"a\", {}]",
                                              nested('[', 90, ']'),
                                              nested('[', 200'000, ']'),
                                              "[" + nested('[', 200'000, ' '),
                                              R"({"a":)" + nested('[', 95, ']') + "}",
                                              "nul",
                                              "'x'",
                                              "NaN",
                                              "\xef\xbb\xbf",
                                              "/**/",
                                              ""};
    return all;
}

void each_value(json& at, std::vector<json*>& out) {
    out.push_back(&at);
    if (at.is_structured())
        for (json& item : at)
            each_value(item, out);
}
json* any_value(json& document, Chance& chance) {
    std::vector<json*> all;
    each_value(document, all);
    return chance.one_of(all);
}

/// Other values in other places, and properties that are twice, unknown, or gone.
std::string damage_values(json document, Chance& chance) {
    constexpr const char* kMark = "@@@";
    std::size_t count = 1 + chance.below(3);
    for (std::size_t i = 0; i < count; ++i) {
        json& at = *any_value(document, chance);
        switch (chance.below(5)) {
        case 0: // somebody else's
            at = json(*any_value(document, chance));
            break;
        case 1:
            if (at.is_structured() && !at.empty())
                at.erase(std::next(at.begin(), static_cast<long>(chance.below(at.size()))));
            break;
        case 2:
            if (at.is_object())
                at["x-" + std::to_string(chance.below(9))] = kMark;
            else if (at.is_array() && !at.empty())
                at.push_back(json(chance.one_of(at)));
            break;
        default:
            at = kMark;
        }
    }
    std::string text = document.dump();
    std::string mark = std::string("\"") + kMark + "\"";
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;)
        text.replace(at, mark.size(), chance.one_of(strange_values()));
    return text;
}

} // namespace

std::string nested(char open, std::size_t depth, char close) {
    return std::string(depth, open) + std::string(depth, close);
}

std::string try_alone(const std::function<void()>& trial) {
    int ends[2];
    if (pipe(ends) != 0)
        return "no pipe";
    pid_t pid = fork();
    if (pid == 0) {
        const rlimit computing{kSlow, kSlow + 1}; // SIGXCPU
        setrlimit(RLIMIT_CPU, &computing);
        alarm(10 * kSlow); // the machine has others to serve
        std::string said;
        try {
            trial();
        } catch (const Wrong& wrong) {
            said = wrong.what;
        } catch (const std::exception& escaped) {
            said = std::string("an exception escapes: ") + escaped.what();
        }
        _exit(write(ends[1], said.data(), std::min<std::size_t>(said.size(), 4000)) < 0 ||
              !said.empty());
    }
    close(ends[1]);
    std::string said(4096, '\0');
    said.resize(static_cast<std::size_t>(std::max<ssize_t>(read(ends[0], said.data(), 4096), 0)));
    close(ends[0]);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return "no process";
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU))
        return "it hangs";
    if (WIFSIGNALED(status))
        return "it crashes: signal " + std::to_string(WTERMSIG(status));
    return said.empty() && WEXITSTATUS(status) != 0 ? "it ends, as by a sanitizer" : said;
}

void often(const std::function<void(Chance&)>& trial) {
    const char* given = getenv("GOCONTAINER_SEED");
    unsigned first =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : 1U; // tests/fuzz gives others
    for (unsigned seed : {first, first + 1}) {
        std::string wrong = try_alone([&] {
            Chance chance(seed);
            trial(chance);
        });
        ASSERT_EQ(wrong, "") << "GOCONTAINER_SEED=" << seed;
    }
}

std::string damage_bytes(std::string text, Chance& chance) {
    constexpr std::string_view kBytes("\0\xff\x80\xc3{}[]\",:\\-e9\n", 17);
    std::size_t count = 1 + chance.below(4);
    for (std::size_t i = 0; i < count && !text.empty(); ++i) {
        std::size_t at = chance.below(text.size());
        switch (chance.below(5)) {
        case 0:
            text[at] = chance.one_of(kBytes);
            break;
        case 1:
            text[at] =
                static_cast<char>(static_cast<unsigned char>(text[at]) ^ (1U << chance.below(8)));
            break;
        case 2:
            text.insert(at, 1, chance.one_of(kBytes));
            break;
        case 3:
            text.erase(at, 1 + chance.below(8));
            break;
        default: // some of it again, somewhere else
            text.insert(at, text.substr(chance.below(text.size()), chance.below(40)));
        }
    }
    return text;
}

std::string damaged(const json& document, Chance& chance) {
    return chance.below(3) == 0 ? damage_bytes(document.dump(), chance)
                                : damage_values(document, chance);
}

} // namespace unit
