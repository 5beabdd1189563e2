// Who -u means, in files that an image's author may have written to deceive.
#include "stages/passwd.hpp"

#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

constexpr const char* kPasswd = "root:x:0:0:root:/root:/bin/sh\n"
                                "lena:x:1000:1001:Lena:/home/lena:/bin/sh\n"
                                "1000:x:0:0:a trap:/root:/bin/sh\n" // CVE-2016-3697
                                "lena:x:0:0:second of the name:/root:/bin/sh\n"
                                "short:x:5\n"
                                "signed:x:-1:0::/:\n"
                                "huge:x:4294967296:0::/:\n"
                                "nobody:x:4294967295:0::/:\n"
                                "space:x: 7:0::/:\n"
                                "rel:x:8:8::home:\n"
                                "\n:::::::\n";
constexpr const char* kGroup = "root:x:0:\nlena:x:1001:lena\nvideo:x:44:root,lena\n"
                               "audio:x:29:lenax,xlena\nbad:x:zz:lena\n44:x:0:\nwheel:x:10";

class Identify : public testing::Test {
protected:
    Identify() {
        kernel_.file("/etc/passwd", kPasswd);
        kernel_.file("/etc/group", kGroup);
    }
    stages::Identity who(const std::string& user) {
        auto found = stages::identify(user);
        EXPECT_TRUE(found) << user << ": " << sys::to_line(found.error());
        return found ? *found : stages::Identity{.uid = 99999};
    }
    std::string wrong(const std::string& user) {
        auto found = stages::identify(user);
        EXPECT_FALSE(found) << user << " became " << found->uid;
        return found ? "" : sys::to_line(found.error());
    }
    unit::Recorder kernel_;
};

TEST_F(Identify, FindsNamesAndTheirGroups) {
    auto lena = who("lena");
    EXPECT_EQ(lena.uid, 1000u); // the first of the name
    EXPECT_EQ(lena.gid, 1001u);
    EXPECT_EQ(lena.home, "/home/lena");
    EXPECT_THAT(lena.groups, ElementsAre(44u));
    EXPECT_EQ(who("lena:video").gid, 44u);
    EXPECT_THAT(who("lena:video").groups, IsEmpty());
    EXPECT_EQ(who("lena:5").gid, 5u);
    EXPECT_EQ(who("root:wheel").gid, 10u);
}

TEST_F(Identify, NeverTakesANumberForAName) {
    EXPECT_EQ(who("1000").uid, 1000u);
    EXPECT_EQ(who("1000").home, "/home/lena");
    EXPECT_EQ(who("1000:44").gid, 44u);
    EXPECT_EQ(who("01000").uid, 1000u);
    EXPECT_EQ(who("77").uid, 77u); // stands nowhere
    EXPECT_EQ(who("77").gid, 0u);
    EXPECT_EQ(who("77").home, "/");
}

TEST_F(Identify, RefusesOddNumbers) { // CVE-2026-30892: nothing odd may fall back to 0
    for (const char* user :
         {"4294967295", "4294967296", "99999999999999999999", "0:4294967295", "lena:4294967296"})
        EXPECT_THAT(wrong(user), HasSubstr("ids end at 4294967294")) << user;
    for (const char* user : {"-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", ":5", "lena ", "LENA"})
        EXPECT_THAT(wrong(user), HasSubstr("there is no user")) << user;
    for (const char* user : {"lena:", "1:"})
        EXPECT_THAT(wrong(user), HasSubstr("nothing is after the colon")) << user;
    for (const char* user : {"1:-1", "1: 5", "1:none", "1:bad", "1:2:3"})
        EXPECT_THAT(wrong(user), HasSubstr("there is no group")) << user;
}

TEST_F(Identify, PassesOverLinesThatAreNone) {
    for (const char* user : {"short", "signed", "huge", "nobody", "space"})
        EXPECT_THAT(wrong(user), HasSubstr("there is no user")) << user;
    EXPECT_EQ(who("rel").home, "/"); // not a path
}

TEST_F(Identify, NeedsNoFilesForNumbers) {
    unit::Recorder empty;
    EXPECT_EQ(who("5:6").uid, 5u);
    EXPECT_EQ(who("").uid, 0u);
    EXPECT_EQ(stages::home_of(0), "/");
    EXPECT_THAT(wrong("root"), HasSubstr("/etc/passwd of the root filesystem"));
}

TEST_F(Identify, SurvivesHostileFiles) {
    std::string zeros(5000, '\0');
    std::string colons(1 << 19, ':');
    std::string newlines(1 << 19, '\n');
    std::string large((1 << 20) + 1, 'x');
    for (const std::string& text : {zeros, colons, newlines, large, std::string("root"),
                                    std::string("root:x:0:0:root:/root")}) {
        unit::Recorder kernel;
        kernel.file("/etc/passwd", text);
        kernel.file("/etc/group", text);
        auto found = stages::identify("lena");
        EXPECT_FALSE(found);
        EXPECT_EQ(stages::identify("5:6")->gid, 6u);
    }
    unit::Recorder kernel;
    kernel.file("/etc/passwd", std::string("a\0b:x:5:5::/:\n", 14) + "c:x:6:6::/h\x1b:\n");
    EXPECT_EQ(stages::identify("c")->uid, 6u);
    EXPECT_FALSE(stages::identify("a"));
}

TEST_F(Identify, GivesTheFirstHomeOfAnId) {
    EXPECT_EQ(stages::home_of(1000), "/home/lena");
    EXPECT_EQ(stages::home_of(0), "/root");
    EXPECT_EQ(stages::home_of(8), "/");
    EXPECT_EQ(stages::home_of(4242), "/");
}

} // namespace
