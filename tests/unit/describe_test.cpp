// Snapshots in words: the parts that texts and pictures share.
#include "teach/describe.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Describe, BytesAsPeopleSayThem) {
    EXPECT_EQ(teach::human_bytes("0"), "0 bytes");
    EXPECT_EQ(teach::human_bytes("1023"), "1023 bytes");
    EXPECT_EQ(teach::human_bytes("1536"), "1.5 KiB");
    EXPECT_EQ(teach::human_bytes("67108864"), "64 MiB");
    EXPECT_EQ(teach::human_bytes("2097151"), "1.9 MiB") << "rounded down: never above a limit";
    EXPECT_EQ(teach::human_bytes("18446744073709551615"), "18446744073709551615");
    EXPECT_EQ(teach::human_bytes("max"), "max");
    EXPECT_EQ(teach::human_bytes(""), "");
}

TEST(Describe, LimitsOfCpuTime) {
    EXPECT_EQ(teach::describe_cpu_max("50000 100000"), "50 % of one CPU");
    EXPECT_EQ(teach::describe_cpu_max("300000 100000"), "300 % of one CPU");
    EXPECT_EQ(teach::describe_cpu_max("max 100000"), "");
    EXPECT_EQ(teach::describe_cpu_max("1 0"), "");
    EXPECT_EQ(teach::describe(teach::CgroupLimit{"memory.max", "1073741824", "/a"}),
              "memory at most 1 GiB for all of /a");
    EXPECT_EQ(teach::describe(teach::CgroupLimit{"pids.max", "5", "/"}),
              "processes at most 5 for all of /");
}

TEST(Describe, RangesOfIds) {
    EXPECT_EQ(teach::describe(teach::IdRange{0, 1000, 1}, "here"), "0 is 1000 here");
    EXPECT_EQ(teach::describe(teach::IdRange{1, 100000, 65535}, "here"),
              "1-65535 are 100000-165534 here");
    EXPECT_EQ(teach::describe(teach::IdRange{0, 0, 4294967295}, "here"),
              "0-4294967294 are 0-4294967294 here");
}

teach::Mount mount(std::uint32_t id, std::uint32_t parent, const char* point) {
    teach::Mount out;
    out.id = id;
    out.parent = parent;
    out.point = point;
    return out;
}

std::vector<std::string> tree(const std::vector<teach::Mount>& mounts) {
    teach::Snapshot of;
    of.mounts = mounts;
    std::vector<std::string> out;
    for (const auto& [one, depth] : teach::mount_tree(of))
        out.push_back(std::to_string(depth) + one->point);
    return out;
}

TEST(Describe, MountsAsATree) {
    EXPECT_THAT(tree({mount(5, 2, "/proc/sys"), mount(2, 1, "/proc"), mount(1, 99, "/"),
                      mount(4, 1, "/dev"), mount(3, 4, "/dev/pts"), mount(6, 4, "/dev/pts")}),
                ElementsAre("0/", "1/dev", "2/dev/pts", "2/dev/pts", "1/proc", "2/proc/sys"));
    // What no kernel says, a file can: two that are each other's parents are no tree.
    EXPECT_THAT(tree({mount(1, 1, "/"), mount(2, 3, "/a"), mount(3, 2, "/b")}), ElementsAre("0/"));
    EXPECT_THAT(tree({mount(1, 1, "/"), mount(1, 1, "/")}), ElementsAre("0/", "0/"));
    std::vector<teach::Mount> deep;
    for (std::uint32_t id = 1; id <= 50'000; ++id)
        deep.push_back(mount(id, id - 1, "/x"));
    EXPECT_EQ(tree(deep).back(), "49999/x");
}

TEST(Describe, OneLineAMemberOfANamespaceFitsATerminal) {
    teach::Snapshot of;
    of.pid = 4194303;
    of.namespaces = {{.type = "cgroup",
                      .inode = 4026531835,
                      .owner = 4026531837,
                      .owner_uid = {},
                      .above = {},
                      .host = 4026531835,
                      .members = 99999,
                      .first = 4194303,
                      .first_uid = 165535,
                      .first_user = "",
                      .first_name = "fifteen-letters",
                      .first_command = "/fifteen-letters and more than one line"}};
    std::string text = teach::describe(of, teach::Paint::for_stream(-1, /*plain=*/true));
    std::size_t at = text.find("  cgroup");
    std::string line = text.substr(at, text.find('\n', at) - at);
    EXPECT_THAT(line, HasSubstr("165535   /fifteen-")); // the rest is in the picture
    EXPECT_THAT(line, Not(HasSubstr("line")));
    EXPECT_LE(line.size(), 80U);
}

TEST(Describe, APathTakesAsManyLinesAsItNeeds) {
    std::string part(30, 'p'), path;
    for (int i = 0; i < 5; ++i)
        path += "/" + part + std::to_string(i);
    EXPECT_EQ(teach::breakable("of " + path + "  so", 65),
              "of /" + part + "0/" + part + "1/ " + part + "2/" + part + "3/ " + part + "4  so");
    EXPECT_EQ(teach::breakable("abcdefgh\u00e9\u00e9", 3), "abc def gh\u00e9 \u00e9"); // no slash
    EXPECT_EQ(teach::breakable("/abcdef", 3), "/ab cde f");
    // A hostile recording's: in pieces, and before anybody loses patience.
    EXPECT_EQ(teach::breakable(std::string(10'000'000, 'x'), 9'999'999).size(), 10'000'001U);
    EXPECT_EQ(teach::breakable(std::string(3'000'000, 'x'), 1).size(), 5'999'999U);
    teach::Snapshot of;
    of.cwd = path;
    of.mounts = {mount(1, 9, "")}; // only a file says so
    EXPECT_THAT(teach::describe(of, teach::Paint::for_stream(-1, /*plain=*/true)),
                HasSubstr("1 mount, as a tree"));
    of.mounts = {mount(1, 9, path.c_str())};
    of.mounts.front().source = path;
    const auto plain = teach::Paint::for_stream(-1, /*plain=*/true);
    for (const std::string& text : {teach::describe(of, plain),
                                    teach::describe({{.what = "root", .before = "", .after = path},
                                                     {.what = "cwd", .before = "/", .after = path}},
                                                    plain)}) {
        std::string joined;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            EXPECT_LE(teach::columns(line), 80U) << line;
            joined += line.substr(std::min(line.find_first_not_of(' '), line.size()));
        }
        EXPECT_THAT(joined, HasSubstr(path)); // and nothing of it is lost
    }
}

} // namespace
