// The pictures of `inspect`: well-formed, complete, and harmless whatever a process calls itself.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

namespace {

using nlohmann::json;
using support::Container;
using support::Ended;
using support::Scratch;
using support::Strings;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Ended inspect(Strings words) {
    words.insert(words.begin(), {support::gocontainer(), "inspect"});
    return support::run({.argv = std::move(words), .input_ends = true});
}

/// What xmllint(1) reads from it: letters only, entities resolved.
std::string letters(const std::string& file) {
    Ended parsed = support::run({.argv = {"xmllint", "--xpath", "string(/)", file}});
    EXPECT_EQ(parsed.status, 0) << parsed.err;
    return parsed.out;
}

std::size_t count(const std::string& file, const std::string& xpath) {
    Ended parsed = support::run({.argv = {"xmllint", "--xpath", "count(" + xpath + ")", file}});
    EXPECT_EQ(parsed.status, 0) << parsed.err;
    return std::stoul(parsed.out);
}

/// Nothing that a browser would fetch.
void expect_self_contained(const std::string& file) {
    for (const char* attribute : {"src", "href", "xlink:href", "data", "action", "srcset"}) {
        std::string here = attribute == std::string("href") ? "[not(starts-with(., '#'))]" : "";
        if (std::string(attribute).find(':') == std::string::npos) {
            EXPECT_EQ(count(file, std::string("//@") + attribute + here), 0U) << attribute;
        }
    }
    std::string text = support::slurp(file);
    EXPECT_THAT(text, AllOf(Not(HasSubstr("url(")), Not(HasSubstr("@import"))));
    for (std::size_t at = text.find("://"); at != std::string::npos;
         at = text.find("://", at + 1)) {
        std::string around = text.substr(at - 4, 40);
        EXPECT_TRUE(around.starts_with("http://www.w3.org/")) << around; // names, not addresses
    }
}

TEST(Picture, ShowsNoLessThanLsns) {
    std::string name = support::token();
    Container box({"--hostname", name});
    std::string pid = std::to_string(box.command());
    Scratch folder;
    Ended drawn = inspect({pid, "--svg", folder / "a.svg", "--html=" + folder / "a.html"});
    ASSERT_EQ(drawn.status, 0) << drawn.err;
    EXPECT_EQ(drawn.out, "");
    json listed = json::parse(support::lsns(box.command()))["namespaces"];
    json seen = json::parse(inspect({pid, "--json"}).out);
    for (const char* file : {"a.svg", "a.html"}) {
        std::string text = letters(folder / file);
        EXPECT_THAT(text, HasSubstr(name));
        for (const json& space : listed)
            EXPECT_THAT(text, HasSubstr(space["ns"].dump())) << space["type"];
        for (const json& space : seen["namespaces"])
            EXPECT_THAT(text, HasSubstr(space["host"].dump())) << space["type"];
        EXPECT_THAT(
            text, HasSubstr(std::to_string(support::mountinfo(box.command()).size()) + " mounts"));
        EXPECT_THAT(text, HasSubstr("pid " + pid));
        EXPECT_THAT(text, HasSubstr("127.0.0.1/8"));
        EXPECT_THAT(text, HasSubstr("seccomp: filter"));
        EXPECT_THAT(text, HasSubstr("no_new_privs: yes"));
        for (const json& held : seen["capabilities"]["effective"])
            EXPECT_THAT(text, HasSubstr(held.get<std::string>().substr(4)));
        expect_self_contained(folder / file);
    }
    // Own boxes lie in the user namespace's frame, and arrows lead out of it.
    EXPECT_EQ(count(folder / "a.svg", "//*[@class='user']"), 1U);
    EXPECT_EQ(count(folder / "a.svg", "//*[@class='own']"), 6U);
    EXPECT_EQ(count(folder / "a.svg", "//*[@class='dashed']"), 1U) << "time is the host's";
    std::size_t maps = support::id_map(box.command(), "uid_map").size() +
                       support::id_map(box.command(), "gid_map").size();
    EXPECT_EQ(count(folder / "a.svg", "//*[local-name()='line'][@class='map']"), maps + 3);
    std::size_t held = 0;
    for (const json& set : seen["capabilities"])
        held += set.size();
    EXPECT_EQ(count(folder / "a.svg", "//*[@class='held']"), held);
}

TEST(Picture, LimitsAreBars) {
    json seen = json::parse(inspect({"self", "--json"}).out);
    Scratch folder;
    auto bars = [&](const json& files) {
        seen["cgroup_directory"] = "/sys/fs/cgroup/x";
        seen["cgroup_files"] = files;
        std::string file = folder.file("seen.json", seen.dump());
        EXPECT_EQ(inspect({file, "--svg", folder / "b.svg"}).status, 0);
        return count(folder / "b.svg", "//*[@class='bar']");
    };
    auto file = [](const char* name, const char* text) {
        return json{{"name", name}, {"text", text}};
    };
    EXPECT_EQ(
        bars({file("memory.current", "1048576"), file("memory.max", "4194304"),
              file("pids.current", "3"), file("pids.max", "max"), file("cpu.max", "50000 100000")}),
        2U);
    std::string text = letters(folder / "b.svg");
    EXPECT_THAT(text, AllOf(HasSubstr("memory 1 MiB of 4 MiB"), HasSubstr("processes 3, no limit"),
                            HasSubstr("cpu time at most 50 % of one CPU")));
    EXPECT_EQ(count(folder / "b.svg", "//*[@class='bar'][@width='155']"), 1U) << "a quarter of 620";
    EXPECT_EQ(bars({file("memory.current", "1"), file("memory.max", "0")}), 0U);
}

TEST(Picture, NamesCannotBecomeMarkup) {
    const std::string evil = "</text></pre><script>alert(1)</script><img src=x onerror=y>\"'&\x01";
    json seen = json::parse(inspect({"self", "--json"}).out);
    for (const char* field : {"name", "hostname", "executable", "root", "cwd", "label"})
        seen[field] = evil;
    seen["command"] = {evil, evil};
    seen["links"] = {{{"name", evil}, {"addresses", {evil}}}};
    for (json& mount : seen["mounts"])
        mount["point"] = mount["source"] = mount["type"] = evil;
    seen["unread"] = {{{"what", "limits"}, {"why", evil}}};
    seen["capabilities"]["effective"] = {evil};
    seen["cgroups"] = {{{"controllers", ""}, {"path", evil}}};
    json other = seen;
    other["hostname"] = evil + "2";
    json recording = {{{"stage", evil}, {"when", "before"}, {"snapshot", seen}},
                      {{"stage", evil}, {"when", "after"}, {"snapshot", other}, {"calls", {evil}}}};
    Scratch folder;
    std::string file = folder.file("recording.json", recording.dump());
    Ended drawn =
        inspect({"--recording", file, "--svg", folder / "a.svg", "--html", folder / "a.html"});
    ASSERT_EQ(drawn.status, 0) << drawn.err;
    EXPECT_EQ(count(folder / "a.svg", "//*[local-name()='script' or local-name()='img']"), 0U);
    EXPECT_EQ(count(folder / "a.html", "//*[local-name()='img']"), 0U);
    EXPECT_EQ(count(folder / "a.html", "//*[local-name()='script']"), 1U) << "the page's own";
    EXPECT_THAT(letters(folder / "a.html"), HasSubstr("<script>alert(1)</script>")) << "as letters";
    expect_self_contained(folder / "a.html");
}

TEST(Picture, ARecordingIsAPageWithASlider) {
    json before = json::parse(inspect({"self", "--json"}).out);
    std::string name = support::token();
    json after = before;
    after["hostname"] = name;
    for (json& space : after["namespaces"])
        if (space["type"] == "uts")
            space["inode"] = 1; // one of its own
    after["capabilities"]["bounding"].erase(0);
    json recording = {{{"stage", "uts"}, {"when", "before"}, {"snapshot", before}},
                      {{"stage", "uts"},
                       {"when", "after"},
                       {"snapshot", after},
                       {"calls", {"sethostname(\"" + name + "\")"}}}};
    Scratch folder;
    std::string file = folder.file("recording.json", recording.dump());
    Ended drawn = inspect({"--recording", file, "--html", folder / "a.html"});
    ASSERT_EQ(drawn.status, 0) << drawn.err;
    std::string frame = "//*[@class='frame']";
    EXPECT_EQ(count(folder / "a.html", frame), 2U);
    EXPECT_EQ(count(folder / "a.html", "//*[@type='range'][@max='1'][@value='1']"), 1U);
    // What has changed, and by which call, is told of the second.
    EXPECT_EQ(count(folder / "a.html", frame + "[2]//*[@class='now'][.='" + name + "']"), 1U);
    EXPECT_EQ(count(folder / "a.html",
                    frame + "[2]//*[local-name()='code'][contains(., '" + name + "')]"),
              1U);
    // The picture marks it: a box, and a capability that is struck out.
    EXPECT_EQ(count(folder / "a.html", frame + "[1]//*[contains(@class, 'changed')]"), 0U);
    EXPECT_EQ(count(folder / "a.html", frame + "[2]//*[@class='own changed']"), 1U);
    EXPECT_EQ(count(folder / "a.html", frame + "[2]//*[local-name()='rect'][@class='lost']"), 1U);
    // Without JavaScript, each is behind a link.
    EXPECT_EQ(count(folder / "a.html", "//@href"), 2U);
    Ended wrong = inspect({"--recording", folder.file("x", "{}"), "--html", folder / "b.html"});
    EXPECT_EQ(wrong.status, 125);
    EXPECT_THAT(wrong.err, HasSubstr("it is no recording"));
    EXPECT_FALSE(support::try_slurp(folder / "b.html"));
}

TEST(Picture, OfALaunchThatWasRecorded) {
    std::string name = support::token();
    Scratch folder;
    Ended ended = support::launch({"--hostname", name, "--record", folder / "r.json"}, {"true"});
    ASSERT_EQ(ended.status, 0) << ended.err;
    Ended drawn = inspect({"--recording", folder / "r.json", "--html", folder / "a.html"});
    ASSERT_EQ(drawn.status, 0) << drawn.err;
    std::string after = "//*[@class='frame'][*[local-name()='h2'][.='after uts']]";
    EXPECT_EQ(count(folder / "a.html", after), 1U);
    EXPECT_EQ(count(folder / "a.html", after + "//*[@class='own changed']"), 1U);
    EXPECT_GE(count(folder / "a.html", after + "//*[local-name()='text'][.='" + name + "']"), 1U);
    EXPECT_EQ(
        count(folder / "a.html",
              after + "//*[local-name()='code'][contains(., 'sethostname(\"" + name + "\", ')]"),
        1U);
    // The same in a terminal: what each step has changed, one stage's, and several stages'.
    std::string text = inspect({"--recording", folder / "r.json"}).out;
    EXPECT_THAT(text.substr(text.find("after uts")), HasSubstr(" → " + name + "\n"));
    auto changed = [&](const Strings& stages) {
        Strings words{support::gocontainer(), "diff", "--recording", folder / "r.json"};
        words.insert(words.end(), stages.begin(), stages.end());
        return support::run({.argv = words, .input_ends = true});
    };
    EXPECT_THAT(changed({"uts"}).out, AllOf(StartsWith("~ hostname: "), EndsWith(name + "\n")));
    EXPECT_THAT(changed({"uts", "seccomp"}).out,
                AllOf(HasSubstr("~ seccomp: none → filter"), HasSubstr(" capabilities\n"),
                      HasSubstr("~ hostname: ")));
    EXPECT_THAT(changed({"utz"}).err, HasSubstr("\"utz\" is no step of it: it has clone user "));
    // The host stands beside each, as it was before the child was born.
    char here[256] = {};
    ASSERT_EQ(gethostname(here, sizeof here), 0);
    EXPECT_EQ(
        count(folder / "a.html", after + "//*[local-name()='text'][.='" + std::string(here) + "']"),
        1U);
}

TEST(Picture, OfAnotherUsersProcessSaysWhatIsMissing) {
    if (support::is_root())
        GTEST_SKIP() << "root may read everything";
    Scratch folder;
    ASSERT_EQ(inspect({"2", "--svg", folder / "a.svg"}).status, 0);
    EXPECT_THAT(letters(folder / "a.svg"), AllOf(HasSubstr("not readable: "), HasSubstr("EACCES")));
}

} // namespace
