// `gocontainer lab`: no escape gets out of a container with all stages on, and each gets out of
// something that this host can run, else it would prove nothing. The host is as it was.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace support;
using testing::AllOf;
using testing::HasSubstr;

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

class Gauntlet : public testing::Test {
protected:
    void SetUp() override { host_ = Host::look(); }
    void TearDown() override {
        EXPECT_EQ(strays(), "");
        EXPECT_EQ(differs_from(host_), "");
        EXPECT_TRUE(fs::is_empty(scratch_.path()));
    }
    /// In a folder of its own, where everything must be gone afterwards.
    Ended lab(Strings words) {
        words.insert(words.begin(), {gocontainer(), "lab"});
        return run({.argv = words, .env = {"TMPDIR=" + scratch_.path()}});
    }
    static std::string outcome(const Json& row, const std::string& left_out) {
        for (const Json& cell : row.at("cells"))
            if (cell.at("left_out") == left_out)
                return cell.at("outcome");
        return "none";
    }

    const std::string& temporary() const { return scratch_.path(); }

private:
    Scratch scratch_;
    Host host_;
};

/// Can `parent` limit the number of processes here?
bool limits_processes() {
    return launch({"-q", "--pids", "32"}, {"true"}).status == 0;
}

} // namespace

TEST_F(Gauntlet, NothingGetsOutOfAllStages) {
    int tried = 0;
    for (const std::string& line : lines(lab({"escape", "--list"}).out)) {
        std::string name = line.substr(0, line.find(' '));
        if (name == "Each")
            continue;
        ++tried;
        Ended ended = lab({"escape", name});
        bool can_run = name != "fork-bomb" || limits_processes();
        EXPECT_THAT(ended.out, HasSubstr(can_run ? "\nSAFE\n" : "\nnot run\n"));
        EXPECT_EQ(ended.status, can_run ? 0 : 125) << ended.out;
    }
    EXPECT_EQ(tried, 15);
}

TEST_F(Gauntlet, NothingGetsOutAndEverythingCould) {
    if (getenv("GOCONTAINER_VM") != nullptr)
        GTEST_SKIP() << "host lacks the speed for two hundred containers: it is emulated";
    Scratch out;
    Ended ended = lab({"gauntlet", "--json", "--svg", out / "g.svg"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.err, "");
    Json said = Json::parse(ended.out, nullptr, false);
    ASSERT_TRUE(said.is_object()) << ended.out;
    EXPECT_EQ(said.at("rows").size(), 15U);
    for (const Json& row : said.at("rows")) {
        std::string name = row.at("escape");
        bool can_run = name != "fork-bomb" || limits_processes();
        EXPECT_EQ(outcome(row, "all"), can_run ? "SAFE" : "not run") << row.dump(1);
        bool risky = std::ranges::any_of(
            row.at("cells"), [](const Json& cell) { return cell.at("outcome") == "RISK"; });
        EXPECT_EQ(risky, is_root() || !row.at("needs_root")) << row.dump(1);
    }
    EXPECT_THAT(slurp(out / "g.svg"), AllOf(testing::StartsWith("<svg "), HasSubstr(">RISK<")));
    auto row = [&](const char* name) {
        for (const Json& one : said.at("rows"))
            if (one.at("escape") == name)
                return one;
        return Json();
    };
    // Each by the one stage that stops it.
    EXPECT_EQ(outcome(row("kill-host"), "-pid"), "RISK");
    EXPECT_EQ(outcome(row("abstract-socket"), "-net"), "RISK");
    EXPECT_EQ(outcome(row("chroot-fd"), "chroot"), "RISK");
    EXPECT_EQ(outcome(row("pivot-no-umount"), "chroot"), "RISK"); // there, without the umount
    EXPECT_EQ(outcome(row("host-proc"), "-root"), "RISK");
    EXPECT_EQ(outcome(row("fork-bomb"), "-cgroup"), "RISK");
    EXPECT_EQ(outcome(row("mknod"), "-user"), is_root() ? "RISK" : "not run");
}

TEST_F(Gauntlet, TriesOneEscapeAndShowsTheEvidence) {
    Ended safe = lab({"escape", "kill-host"});
    EXPECT_EQ(safe.status, 0) << safe.err;
    EXPECT_THAT(safe.out, AllOf(HasSubstr("\nSAFE\n"), HasSubstr("ESRCH"),
                                HasSubstr("teach/escapes/kill_host.cpp")));
    Ended risk = lab({"escape", "kill-host", "--without", "pid"});
    EXPECT_EQ(risk.status, 1);
    EXPECT_THAT(risk.out, AllOf(HasSubstr("\nRISK\n"), HasSubstr("went through")));
    EXPECT_EQ(lab({"escape", "ptrace-host", "--without", "container"}).status, 1);
    Ended pivot = lab({"escape", "pivot-no-umount", "--without", "umount"});
    EXPECT_EQ(pivot.status, 1) << pivot.out;
    EXPECT_THAT(pivot.out, HasSubstr("without the umount of its old root"));
    Ended read = lab({"escape", "chroot-fd", "--without", "root"});
    EXPECT_THAT(read.out, AllOf(HasSubstr("container without the root stage\n"),
                                HasSubstr("it has read a secret of the host's: lab")));
    // What went out is no escape, as long as it has not arrived.
    Ended sent = lab({"escape", "raw-socket"});
    EXPECT_THAT(sent.out, AllOf(HasSubstr("\nSAFE\n"), HasSubstr("nothing of it has come")));
    for (const Ended* shown : {&safe, &risk, &pivot, &read, &sent})
        for (const std::string& line : lines(shown->out))
            EXPECT_LE(line.size(), 80U) << line;
    Ended list = lab({"escape", "--list"});
    for (const std::string& line : lines(list.out))
        EXPECT_LE(line.size(), 80U) << line;
    EXPECT_EQ(lines(list.out).size(), 16U);
    for (const std::string& line : lines(list.out)) {
        std::string name = line.substr(0, line.find(' '));
        std::ranges::replace(name, '-', '_');
        EXPECT_TRUE(name == "Each" || fs::exists(source() + "/teach/escapes/" + name + ".cpp"))
            << name;
    }
    EXPECT_EQ(lab({"escape", "nothing"}).status, 125);
    Ended nothing = lab({"escape", "mknod", "--without", "nothing"});
    EXPECT_EQ(nothing.status, 125);
    EXPECT_THAT(nothing.err, HasSubstr("--without container"));
    EXPECT_EQ(lab({"nothing"}).status, 125);
    EXPECT_EQ(run({.argv = {gocontainer(), "escape", "kill-host"}}).status, 125);
}

/// Lines of more than 80 columns.
Strings too_wide(const std::string& text) {
    Strings out;
    for (const std::string& line : lines(text))
        if (std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }) > 80)
            out.push_back(line);
    return out;
}

TEST(Classroom, EightyColumnsAreEnough) {
    Scratch home;
    auto wide = [&](const Strings& words) {
        Ended ended =
            run({.argv = words,
                 .env = {"XDG_STATE_HOME=" + home.path() + std::string(20, '/'), "HOME"}});
        EXPECT_EQ(ended.err, "");
        return too_wide(ended.out);
    };
    for (const Strings& words : std::vector<Strings>{
             {"--help"}, {"stages"}, {"lesson"}, {"lab"}, {"lab", "report"}, {"doctor"}}) {
        Strings all{gocontainer()};
        all.insert(all.end(), words.begin(), words.end());
        EXPECT_THAT(wide(all), testing::IsEmpty()) << words.back();
    }
}

TEST(Classroom, HelpIsHelpEverywhereAndWhatIsUnknownIsNamed) {
    std::vector<Strings> commands = {{"stages"}, {"inspect"}, {"diff"}, {"doctor"}, {"lesson"}};
    for (const char* one :
         {"start", "check", "watch", "hint", "solution", "report", "escape", "gauntlet"})
        commands.push_back({"lab", one});
    auto ours = [](const Strings& command, const Strings& words) {
        Strings all{gocontainer()};
        all.insert(all.end(), command.begin(), command.end());
        all.insert(all.end(), words.begin(), words.end());
        return run({.argv = all});
    };
    const std::string unknown = "--" + token();
    for (const Strings& command : commands) {
        SCOPED_TRACE(command.back());
        for (const Strings& words : {Strings{"--help"}, Strings{"-h"}, Strings{"3", "--help"}}) {
            Ended help = ours(command, words);
            EXPECT_EQ(help.status, 0) << help.err;
            EXPECT_THAT(help.out, testing::StartsWith("Usage: gocontainer " + command.front()));
            EXPECT_EQ(help.err, "");
            EXPECT_THAT(too_wide(help.out), testing::IsEmpty());
        }
        Ended wrong = ours(command, {"3", unknown});
        EXPECT_EQ(wrong.status, 125);
        EXPECT_EQ(wrong.out, "");
        bool first = command.back() == "stages" || command.back() == "doctor" ||
                     command.back() == "escape" || command.back() == "gauntlet";
        EXPECT_THAT(wrong.err, HasSubstr(first ? "\"3\"" : unknown));
    }
}

TEST_F(Gauntlet, PutsEverythingAwayWhenItIsEnded) {
    Process gauntlet(
        {.argv = {gocontainer(), "lab", "gauntlet"}, .env = {"TMPDIR=" + temporary()}});
    EXPECT_TRUE(eventually([&] { return !fs::is_empty(temporary()); }));
    gauntlet.kill(SIGTERM);
    EXPECT_EQ(gauntlet.wait().signal, SIGTERM);
}
