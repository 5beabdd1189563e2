// The gauntlet's matrix, as it is shown.
#include "teach/lab.hpp"
#include "teach/lab_folder.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <sstream>

using teach::Outcome;
using testing::HasSubstr;
using testing::Not;

namespace {

teach::Gauntlet matrix() {
    teach::Gauntlet out{.weaknesses = {{.name = {}, .without = {}},
                                       {.name = "seccomp", .without = {}},
                                       {.name = "container", .without = {}, .bare = true}},
                        .rows = {}};
    for (const teach::Escape& escape : teach::escapes())
        out.rows.push_back({.escape = &escape,
                            .cells = {{Outcome::safe, "EPERM <&>"},
                                      {Outcome::not_run, "not here"},
                                      {Outcome::risk, "\033[2Jgot it"}}});
    return out;
}

TEST(GauntletShown, AsATable) {
    teach::Gauntlet all = matrix();
    // As many columns as there are stages.
    while (all.weaknesses.size() < 13) {
        all.weaknesses.push_back({.name = "pid", .without = {}});
        for (teach::Row& row : all.rows)
            row.cells.push_back({Outcome::safe, ""});
    }
    std::string text = to_text(all, /*plain=*/true);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(line.size(), 80U) << line;
    EXPECT_THAT(text, HasSubstr("\npivot-no-umount safe -    RISK safe"));
    EXPECT_THAT(text, Not(HasSubstr("with all stages")));
    all.rows[1].cells[0] = {Outcome::risk, "word"};
    EXPECT_THAT(to_text(all, true), HasSubstr("pivot-no-umount, with all stages: RISK: word"));
}

TEST(GauntletShown, AsAPicture) {
    std::string svg = to_svg(matrix());
    EXPECT_THAT(svg, testing::StartsWith("<svg "));
    EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
    for (const char* part :
         {">-seccomp<", ">bare<", ">kill-host<", ">RISK<", "EPERM &lt;&amp;&gt;"})
        EXPECT_THAT(svg, HasSubstr(part));
    EXPECT_EQ(svg.find('\033'), std::string::npos);
}

TEST(LabFolder, SaysWhatToDoWhereNoneCanBeMade) {
    for (int code : {ENOSPC, EROFS}) {
        unit::Recorder kernel;
        kernel.answer("mkdirat(", -code);
        auto made = teach::LabFolder::make();
        ASSERT_FALSE(made);
        EXPECT_THAT(sys::to_line(made.error()), HasSubstr("or name another folder by TMPDIR"));
    }
}

TEST(GauntletShown, AsJson) {
    auto json = nlohmann::json::parse(to_json(matrix()));
    EXPECT_EQ(json["columns"], (std::vector<std::string>{"all", "-seccomp", "bare"}));
    ASSERT_EQ(json["rows"].size(), teach::escapes().size());
    EXPECT_EQ(json["rows"][0]["escape"], "chroot-fd");
    EXPECT_EQ(json["rows"][0]["cells"][1]["outcome"], "not run");
    EXPECT_EQ(json["rows"][0]["cells"][2]["outcome"], "RISK");
}

} // namespace
