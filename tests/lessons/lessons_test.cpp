// Every command block of every lesson is typed, as printed, and what it shows compared.
// tests/support/session.hpp says how; ```predict blocks are lessons/README.md's.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace {

using namespace support;
namespace fs = std::filesystem;

Strings lessons() {
    Strings names;
    for (const auto& entry : fs::directory_iterator(source() + "/lessons"))
        if (entry.is_directory())
            names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

std::string readme_of(const std::string& lesson) {
    return source() + "/lessons/" + lesson + "/README.md";
}

/// What an exercise suggests: line by line in bash. All must succeed, or one fail where the block
/// says `fails`; a command that isn't there is wrong anyway.
void try_out(const std::string& name, const Block& block, const std::string& cwd) {
    std::string place = name + ":" + std::to_string(block.line) + ": ";
    int failed = 0;
    for (const std::string& line : block.lines) {
        if (line.empty())
            continue;
        Ended ended = run({.argv = {"bash", "-uo", "pipefail", "-c", line}, .cwd = cwd});
        EXPECT_NE(ended.status, 127) << place << line << "\n" << ended.err;
        failed += ended.status != 0 ? 1 : 0;
        if (!block.facts.contains("fails")) {
            EXPECT_EQ(ended.status, 0) << place << line << "\n" << ended.out << ended.err;
        }
    }
    EXPECT_EQ(failed > 0, block.facts.contains("fails")) << place;
}

class Lesson : public testing::TestWithParam<std::string> {
protected:
    std::vector<Block> blocks = blocks_of(readme_of(GetParam()));
    std::string name = "lessons/" + GetParam() + "/README.md";
    /// In a virtual machine: is there nothing that the host could not do?
    bool done_by_the_host() const {
        return emulated() && std::ranges::none_of(blocks, [](const Block& b) {
                   return b.fact("needs") == "cgroup2";
               });
    }
};

TEST_P(Lesson, GoesAsPrinted) {
    if (done_by_the_host())
        GTEST_SKIP() << "the host can do it all";
    Checkout here;
    Played played = play(name, blocks, here.path());
    for (const std::string& difference : played.differences)
        ADD_FAILURE() << difference;
    EXPECT_GE(played.typed, 5);
    for (const Block& block : blocks)
        if (block.kind == "sh" && !block.facts.contains("by-hand") &&
            lacks(block.fact("needs")).empty())
            try_out(name, block, here.path());
    if (!played.left_out.empty())
        GTEST_SKIP() << testing::PrintToString(played.left_out);
}

TEST_P(Lesson, PredictionsAreAnsweredByTheMachine) {
    if (done_by_the_host())
        GTEST_SKIP() << "the host can do it all";
    Checkout here;
    int asked = 0;
    for (const Block& block : blocks) {
        if (block.kind != "predict")
            continue;
        ++asked;
        std::string command; // the first line that is typed, and its others
        int question = 0;
        for (const std::string& line : block.lines) {
            if (command.empty() && !line.starts_with("$ "))
                ++question;
            else if (command.empty() || line.starts_with("> "))
                command += line.substr(2) + "\n";
            else
                ADD_FAILURE() << name << ":" << block.line << ": answered already: " << line;
        }
        ASSERT_GE(question, 1) << name << ":" << block.line;
        ASSERT_NE(command, "") << name << ":" << block.line;
        if (!lacks(block.fact("needs")).empty())
            continue;
        Ended said = run({.argv = {"bash", "-c", command}, .cwd = here.path()});
        EXPECT_EQ(said.status, 0) << command << "\n" << said.err;
        EXPECT_EQ(mismatch({block.fact("is", "nobody said")}, lines(said.out)), "")
            << name << ":" << block.line << ": " << command;
    }
    EXPECT_GE(asked, 1) << name;
}

TEST_P(Lesson, HasItsParts) {
    std::istringstream text(slurp(readme_of(GetParam())));
    Strings parts;
    bool inside = false;
    int number = 0;
    for (std::string line; std::getline(text, line);) {
        ++number;
        if (line.starts_with("```"))
            inside = !inside;
        else if (!inside && line.starts_with("## "))
            parts.push_back(line.substr(3));
        if (inside) {
            EXPECT_LE(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }), 80)
                << name << ":" << number;
        }
    }
    EXPECT_THAT(parts, testing::ElementsAre("Question", "Prediction", "Try it", "How it works",
                                            "Exercise", "Cleaning up"));
}

INSTANTIATE_TEST_SUITE_P(All, Lesson, testing::ValuesIn(lessons()), [](const auto& lesson) {
    std::string name = lesson.param;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(Lessons, ThereIsOneForEachStage) {
    auto stages = nlohmann::json::parse(run({.argv = {gocontainer(), "stages", "--json"}}).out);
    ASSERT_FALSE(stages.empty());
    for (const auto& stage : stages)
        EXPECT_TRUE(fs::exists(source() + "/" + stage["lesson"].get<std::string>() + "/README.md"))
            << stage;
}

// --- that the comparison can fail ----------------------------------------------------------------

TEST(Session, ComparesEveryWord) {
    EXPECT_EQ(mismatch({"a … c", "d"}, {"a b b c", "d"}), "");
    EXPECT_NE(mismatch({"a … c"}, {"a b d"}), "");
    EXPECT_NE(mismatch({"a … c"}, {"a c"}), "");
    EXPECT_NE(mismatch({"a…"}, {"a"}), "");
    EXPECT_EQ(mismatch({"a", "…"}, {"a", "b", "c"}), "");
    EXPECT_EQ(mismatch({"a", "…"}, {"a"}), "");
    EXPECT_NE(mismatch({"a", "…", "d"}, {"a", "b", "c"}), "");
    EXPECT_NE(mismatch({"a"}, {"a", "b"}), "");
    EXPECT_NE(mismatch({}, {"a"}), "");
    EXPECT_NE(mismatch({"a"}, {}), "");
}

TEST(Session, NoticesAWordThatDiffers) {
    Scratch scratch;
    auto played = [&](const std::string& text) {
        return play("text", blocks_of(scratch.file("text", text)), scratch.path());
    };
    EXPECT_THAT(played("```console\n$ echo a b\na  b\n```\n").differences, testing::IsEmpty());
    EXPECT_THAT(played("```console\n$ echo a b\na c\n```\n").differences, testing::SizeIs(1));
    EXPECT_THAT(played("```console\n$ echo a\n```\n").differences, testing::SizeIs(1));
    EXPECT_THAT(played("```console\n$ true\na\n```\n").differences, testing::SizeIs(1));
    // Terminals of their own, which last; and what goes over lines.
    EXPECT_THAT(played("```console\n$ a=1\n```\n```console terminal=2\n$ echo .$a\n.\n```\n"
                       "```console\n$ cat <<END\n> $a\n> END\n1\n```\n")
                    .differences,
                testing::IsEmpty());
    EXPECT_THAT(played("```console needs=such-a-program\n$ true\na\n```\n").left_out,
                testing::SizeIs(1));
    EXPECT_THAT(played("```sh\nfalse\n```\n").differences, testing::IsEmpty());
}

} // namespace
