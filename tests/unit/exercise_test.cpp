// What a learner reads of a test that has failed.
#include "teach/exercise.hpp"

#include <gmock/gmock.h>

namespace {

using teach::compared;
using teach::sentence_of;

TEST(ForALearner, ATestsNameIsASentence) {
    EXPECT_EQ(sentence_of("TheStatusIsTheCommands"), "the status is the command's");
    EXPECT_EQ(sentence_of("EverythingElseIsTheKernelsToAnswer"),
              "everything else is the kernel's to answer");
    EXPECT_EQ(sentence_of("OffSharesTheHostsName"), "switched off, it shares the host's name");
    EXPECT_EQ(sentence_of("ProcessesOutsideCannotBeSignalled"),
              "processes outside can't be signalled");
    EXPECT_EQ(sentence_of("SixtyFourCharactersFit"), "sixty-four characters fit");
    EXPECT_EQ(sentence_of("Clone3IsAnsweredAsByAnOldKernel"),
              "clone3 is answered as by an old kernel");
}

TEST(ForALearner, ExpectedStandsAgainstGot) {
    EXPECT_EQ(
        compared("a.cpp:1\nExpected equality of these values:\n  ended.status\n    Which is: 1\n"
                 "  0\nnewuidmap: not allowed\n"),
        "expected  status 0\ngot       status 1\nmore      newuidmap: not allowed\n");
    EXPECT_EQ(compared("a.cpp:1\nExpected equality of these values:\n  names()\n    Which is: {}\n"
                       "  expected\n    Which is: { \"a\", \"b\" }\n"),
              "expected  \"a\", \"b\"\ngot       nothing\n");
    EXPECT_EQ(compared("a.cpp:1\nExpected: (box.shell) != (launcher), actual: 7 vs 7\n"),
              "expected  anything but 7\ngot       7\n");
    EXPECT_EQ(compared("a.cpp:1\nValue of: names\nExpected: contains at least one element that is "
                       "equal to \"user\"\n  Actual: { \"uts\" }\n"),
              "expected  among others: \"user\"\ngot       \"uts\"\n");
    EXPECT_EQ(
        compared("a.cpp:1\nValue of: x\nExpected: has 2 elements where\nelement #0 is equal to "
                 "\"a\",\nelement #1 is equal to \"b\"\n  Actual: { \"c\" }, whose element #0 "
                 "doesn't match\n"),
        "expected  \"a\",\n          \"b\"\ngot       \"c\"\n");
    EXPECT_EQ(
        compared(
            "a.cpp:1\nValue of: fs::exists(x)\n  Actual: true\nExpected: false\nit is there\n"),
        "it is there\n");
}

TEST(ForALearner, ATextOfLinesIsShownInLines) {
    EXPECT_EQ(compared("a.cpp:1\nExpected equality of these values:\n  out\n    Which is: "
                       "\"one\\n  two\\n\"\n  \"three\\n\"\n"),
              "expected  three\ngot       one\n            two\n");
}

// Behind the twelve columns of the test's indentation, a terminal has 68.
TEST(ForALearner, AWordThatHasNoRoomBehindTheLabelStandsAtTheMargin) {
    auto of = [](const std::string& name) {
        return compared("a.cpp:1\nValue of: x\nExpected: starts with \"" + name +
                        "\"\n  Actual: \"box\"\n");
    };
    const std::string fits(64, 'b');
    EXPECT_EQ(of(fits), "expected  at its start:\n\"" + fits + "\"\ngot       \"box\"\n");
    EXPECT_EQ(compared("a.cpp:1\nExpected equality of these values:\n  a\n    Which is: \"" + fits +
                       fits + "\"\n  \"box\"\n"),
              "expected  \"box\"\ngot\n\"" + fits + "bbb\n" + fits.substr(3) + "\"\n");
}

TEST(ForALearner, AContainerThatDoesNotAnswerIsToldByWhatItSaid) {
    EXPECT_EQ(
        compared("a.cpp:1\nC++ exception with description \"/x/gocontainer parent: no \"k:\" on "
                 "stdout (ended with 125)\n-- stdout:\n-- stderr:\ngocontainer: root: EINVAL\n\" "
                 "thrown in the test body.\n"),
        "expected  a container whose shell answers\ngot       none: it ended with 125\n"
        "it said   gocontainer: root: EINVAL\n");
}

} // namespace
