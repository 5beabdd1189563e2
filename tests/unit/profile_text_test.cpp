// linux.seccomp, cut out of a document unread.
#include "oci/profile_text.hpp"

#include "oci/files.hpp"
#include "sys/nesting.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using nlohmann::json;

namespace {

struct Case {
    const char* document;
    const char* profile; ///< nullptr: not found
};
const Case kCases[] = {
    {R"({"linux":{"seccomp":{"a":1}}})", R"({"a":1})"},
    {" { \"a\" : [ 1 , \"}\" ] ,\n\t\"linux\" : { \"b\":-1.5e3, \"seccomp\" : {\"c\": [{}]} "
     ",\"d\":null } } \n",
     R"({"c": [{}]})"},
    {R"({"linux":{"seccomp":{"name":"a \" } \\"},"x":1}})", R"({"name":"a \" } \\"})"},
    // Another one of that name is another thing.
    {R"({"annotations":{"linux":{"seccomp":{"z":1}}},"linux":{"x":{"seccomp":{"y":1}},"seccomp":{"a":1}}})",
     R"({"a":1})"},
    {R"({"a":"\"linux\":{\"seccomp\":{}}","linux":{"seccomp":{"b":2}}})", R"({"b":2})"},
    {R"({"annotations":{"linux":{"seccomp":{}}}})", nullptr},
    {R"({"linux":{"a":{"seccomp":{}}}})", nullptr},
    {R"({"linux":{"seccomp":null}})", nullptr},
    {R"({"linux":{"seccomp":[{}]}})", nullptr},
    {R"({"linux":[{"seccomp":{}}]})", nullptr},
    {R"({"seccomp":{}})", nullptr},
    // Which one counts is for a parser to say.
    {R"({"linux":{"seccomp":{"a":1},"seccomp":{"a":2}}})", nullptr},
    {R"({"linux":{"seccomp":{"a":1}},"linux":{"seccomp":{"a":2}}})", nullptr},
    {R"({"linux":{"seccomp":{"a":1},"secc\u006fmp":{"a":2}}})", nullptr},
    {R"({"linux":{"seccomp":{"a":1}},"linu\u0078":{}})", nullptr},
    // And what is no JSON.
    {"", nullptr},
    {"[]", nullptr},
    {R"({"linux")", nullptr},
    {R"({"linux":)", nullptr},
    {R"({"linux":{"seccomp":{"a":1)", nullptr},
    {R"({"linux":{"seccomp":{"a":1}})", nullptr},
    {R"({"linux":{"seccomp":{"a":1}} x})", nullptr},
    {R"({"linux":{"seccomp":{"a":"1}}})", nullptr},
    {R"({"linux" {"seccomp":{}}})", nullptr},
};

TEST(ProfileText, IsFoundOrLeftToTheParser) {
    for (const Case& one : kCases) {
        SCOPED_TRACE(one.document);
        auto found = oci::profile_text(one.document);
        EXPECT_EQ(found.has_value(), one.profile != nullptr);
        if (!found || one.profile == nullptr)
            continue;
        EXPECT_EQ(found->profile, one.profile);
        json whole = json::parse(one.document);
        whole["linux"]["seccomp"] = json::object();
        EXPECT_EQ(json::parse(found->rest), whole);
    }
}

TEST(ProfileText, OfEveryEngineIsWhatAParserFinds) {
    const char* source = getenv("GOCONTAINER_SRC");
    std::filesystem::path folder =
        std::filesystem::path(source != nullptr ? source : ".") / "tests/unit/configs";
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ostringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        json whole = json::parse(text.str());
        bool there = whole.contains("linux") && whole["linux"].contains("seccomp") &&
                     whole["linux"]["seccomp"].is_object();
        SCOPED_TRACE(entry.path());
        for (const std::string& document : {text.str(), whole.dump(), whole.dump(7, '\t')}) {
            auto cut = oci::profile_text(document);
            ASSERT_EQ(cut.has_value(), there);
            if (!cut)
                continue;
            ++found;
            EXPECT_EQ(json::parse(cut->profile), whole["linux"]["seccomp"]);
            json rest = whole;
            rest["linux"]["seccomp"] = json::object();
            EXPECT_EQ(json::parse(cut->rest), rest);
        }
    }
    EXPECT_GE(found, 15);
}

TEST(Json, IsToItsEndJsonAndItsErrorShort) {
    using namespace std::string_literals;
    auto why = [](const std::string& text) {
        auto read = oci::parse_json(text, "file");
        return read ? "" : read.error().detail;
    };
    EXPECT_EQ(why("{}\n"), "");
    EXPECT_EQ(why("{}\0{}"s), "\"file\" is not JSON: NUL at byte 2");
    std::string long_one = why("{\"a\": \"" + std::string(1 << 20, 'a') + "\n\"}");
    EXPECT_TRUE(long_one.starts_with("\"file\" is not JSON: parse error at line 2")) << long_one;
    EXPECT_LT(long_one.size(), 500U);
}

TEST(AfterString, EndsAtTheQuoteThatNoBackslashIsBefore) {
    constexpr auto npos = std::string_view::npos;
    EXPECT_EQ(sys::after_string(R"("")", 0), 2U);
    EXPECT_EQ(sys::after_string(R"("a"b)", 0), 3U);
    EXPECT_EQ(sys::after_string(R"("a\"b"c)", 0), 6U);
    EXPECT_EQ(sys::after_string(R"("a\\"b)", 0), 5U);
    EXPECT_EQ(sys::after_string(R"("\\\"")", 0), 6U);
    EXPECT_EQ(sys::after_string(R"(\"a")", 1), 4U); // what is before it is not its own
    EXPECT_EQ(sys::after_string(R"("a\")", 0), npos);
    EXPECT_EQ(sys::after_string(R"(")", 0), npos);
}

TEST(TooDeep, CountsBracketsOutsideOfStrings) {
    constexpr auto npos = std::string_view::npos;
    EXPECT_EQ(sys::too_deep(R"([[1]])", 2), npos);
    EXPECT_EQ(sys::too_deep(R"([[[1]]])", 2), 2U);
    EXPECT_EQ(sys::too_deep(R"([["[[\"[[", {}], [[]]])", 2), 12U);
    EXPECT_EQ(sys::too_deep(R"(["[[[[)", 1),
              npos); // ends in a string, which is for a parser to say
}

} // namespace
