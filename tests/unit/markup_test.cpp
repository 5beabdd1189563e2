// What anybody may have written, between tags; lines that fit; recordings.
#include "teach/lines.hpp"
#include "teach/markup.hpp"
#include "teach/recording.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;

const std::string kReplaced = "\xEF\xBF\xBD";

TEST(Message, FitsATerminalAndLeavesACommandInOnePiece) {
    EXPECT_EQ(teach::message("short", 20), "short\n");
    EXPECT_EQ(teach::message("it can't be made: that's it", 20),
              "it can't be made:\n  that's it\n");
    EXPECT_EQ(teach::message("no range: 'usermod -v 1-9 you' gives one", 22),
              "no range:\n  'usermod -v 1-9 you'\n  gives one\n");
    EXPECT_EQ(teach::message("it: 'longer than the whole line', say", 20),
              "it:\n  'longer than the whole line',\n  say\n");
    EXPECT_EQ(teach::message("an 'open quote", 20), "an 'open quote\n");
}

TEST(Markup, EscapesWhatIsMarkup) {
    EXPECT_EQ(teach::xml("<a b=\"c\" d='e'>&amp;"),
              "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;");
    EXPECT_EQ(teach::xml("grün – 漢 😀"), "grün – 漢 😀");
}

TEST(Markup, ReplacesWhatIsNoCharacterOfXml) {
    EXPECT_EQ(teach::xml(std::string_view("a\0b\x1b\n\x7f", 6)),
              "a" + kReplaced + "b" + kReplaced + kReplaced + kReplaced);
    EXPECT_EQ(teach::xml("\xC2\x9B"), kReplaced) << "a control character of two bytes";
    EXPECT_EQ(teach::xml("\xff-\xc3"), kReplaced + "-" + kReplaced) << "no UTF-8, and one cut off";
    EXPECT_EQ(teach::xml("\xC0\xBC"), kReplaced + kReplaced) << "an overlong <";
    EXPECT_EQ(teach::xml("\xED\xA0\x80"), kReplaced + kReplaced + kReplaced) << "a surrogate";
    EXPECT_EQ(teach::xml("\xEF\xBF\xBF"), kReplaced) << "U+FFFF";
    EXPECT_EQ(teach::xml("\xE2\x80\xAE"), kReplaced) << "right to left from here";
}

TEST(Markup, BreaksLinesWhereTheyMay) {
    EXPECT_THAT(teach::broken("one two three", 8, 9), ElementsAre("one two ", "three"));
    EXPECT_THAT(teach::broken("abcdefghij", 4, 9), ElementsAre("abcd", "efgh", "ij"));
    EXPECT_THAT(teach::broken("/usr/share/doc", 11, 9), ElementsAre("/usr/share/", "doc"));
    EXPECT_THAT(teach::broken("  fe80::1:2", 8, 9), ElementsAre("  fe80::", "  1:2"));
    EXPECT_THAT(teach::broken("abcdefghij", 4, 2), ElementsAre("abcd", "efgh…"));
    EXPECT_THAT(teach::broken("", 4, 2), ElementsAre(""));
    EXPECT_THAT(teach::broken("漢漢漢", 4, 9), ElementsAre("漢漢", "漢"));
}

ordered_json snapshot_named(const char* name) {
    return {{"pid", 7}, {"hostname", name}};
}

TEST(Recording, IsAFrameForEachMoment) {
    auto entry = [](const char* stage, const char* half, const char* when, const char* name,
                    ordered_json calls = ordered_json::array()) {
        ordered_json out = {{"stage", nullptr}, {"half", half}, {"when", when}, {"why", "because"}};
        if (*stage != '\0')
            out["stage"] = stage;
        out["snapshot"] = *name == '\0' ? ordered_json(nullptr) : snapshot_named(name);
        out["calls"] = std::move(calls);
        return out;
    };
    ordered_json call = {{"side", "child"}, {"text", "f(1)"}, {"result", 0}, {"shell", "g 1"}};
    auto read = teach::parse_recording(ordered_json::array({
        entry("", "clone", "before", "host"),
        entry("", "clone", "after", "", {"clone3()"}), // no process
        entry("user", "parent", "before", "host"),
        entry("user", "parent", "after", "mapped"),
        entry("cgroup", "parent", "before", "mapped"),
        entry("cgroup", "parent", "after", "mapped"), // nothing was done
        entry("uts", "child", "before", "mapped"),
        entry("uts", "child", "after", "named", ordered_json::array({call})),
        entry("ipc", "child", "before", "named"),
        entry("ipc", "child", "after", "named"), // a stage all the same
        entry("", "re-exec", "before", "other"),
        entry("", "settle", "after", "settled"),
        entry("cgroup", "meanwhile", "before", "filtered"),
    }));
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(read->host->hostname, "host");
    std::vector<std::string> titles;
    for (const teach::Frame& frame : read->frames)
        titles.push_back(frame.title);
    EXPECT_THAT(titles,
                ElementsAre("before the clone", "after user (parent)", "after uts", "after ipc",
                            "before the re-exec", "after streams, limits and directory",
                            "before cgroup (parent, later)"));
    EXPECT_THAT(read->frames[1].calls, ElementsAre("clone3()"));
    EXPECT_THAT(read->frames[2].calls, ElementsAre("child: f(1) = 0   # g 1"));
    EXPECT_EQ(read->frames[2].summary, "because");
}

TEST(Recording, ThatIsNoneIsAnErrorWithThePlace) {
    auto said = [](const ordered_json& json) {
        return teach::parse_recording(json).error().detail;
    };
    EXPECT_EQ(said(ordered_json::object()), "it is no recording");
    EXPECT_EQ(said(ordered_json::array()), "it tells of no process");
    EXPECT_EQ(said(ordered_json::array({1})), "entry 0 is no object");
    EXPECT_EQ(said(ordered_json::array({{{"snapshot", {{"pid", "x"}}}}})),
              "entry 0: its snapshot: pid is no number that fits here");
}

} // namespace
