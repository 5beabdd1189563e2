// What parent and child say to each other, and what a broken other side can say.
#include "run/handshake.hpp"

#include "run/slate.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <filesystem>

using run::Said;
using testing::HasSubstr;

namespace {

class Handshake : public testing::Test {
protected:
    Handshake() {
        auto [one, two] = sys::socketpair(SOCK_SEQPACKET).value();
        ours_ = std::move(one);
        theirs_ = std::move(two);
    }
    run::Message heard() {
        auto message = run::hear(ours_);
        EXPECT_TRUE(message) << sys::to_line(message.error());
        return message ? std::move(*message) : run::Message{};
    }
    sys::Error told(const std::string& bytes) {
        EXPECT_TRUE(sys::send(theirs_.get(), bytes));
        return run::error_of(heard());
    }
    sys::Fd ours_;
    sys::Fd theirs_;
};

// The padding of the first has room for it (unix(7)).
TEST_F(Handshake, OfTwoDescriptorsTheSecondDoesNotStayOpen) {
    std::array<int, 2> sent{0, 0};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof sent)> control{};
    char byte = 'x';
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    *CMSG_FIRSTHDR(&message) = {
        .cmsg_len = CMSG_LEN(sizeof sent), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    std::memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), sent.data(), sizeof sent);
    auto open = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    auto before = open();
    ASSERT_EQ(sendmsg(theirs_.get(), &message, 0), 1);
    {
        auto got = sys::receive(ours_.get(), 1);
        ASSERT_TRUE(got);
        EXPECT_TRUE(got->fd.valid());
    }
    EXPECT_EQ(open(), before);
}

TEST_F(Handshake, BringsGoNoteAndConsole) {
    ASSERT_TRUE(run::say_go(theirs_));
    EXPECT_EQ(heard().said, Said::go);
    ASSERT_TRUE(run::say_note(theirs_, "a line"));
    run::Message note = heard();
    EXPECT_EQ(note.said, Said::note);
    EXPECT_EQ(note.text, "a line");
    sys::Fd memfd = sys::memfd_create("master").value();
    ASSERT_TRUE(run::say_console(theirs_, memfd));
    run::Message console = heard();
    EXPECT_EQ(console.said, Said::console);
    ASSERT_TRUE(console.fd.valid());
    EXPECT_NE(console.fd.get(), memfd.get());
    EXPECT_EQ(fcntl(console.fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Handshake, BringsAnErrorWhole) {
    sys::Error error{.stage = "mount",
                     .call = "x(\"caf\xe9\")", // not UTF-8
                     .code = EPERM,
                     .detail = "d\n",
                     .hint = "h\x01",
                     .status = 127};
    ASSERT_TRUE(run::say_failed(theirs_, error));
    run::Message message = heard();
    EXPECT_EQ(message.said, Said::failed);
    sys::Error back = run::error_of(message);
    EXPECT_EQ(back.stage, "mount");
    EXPECT_EQ(back.call, "x(\"caf\xef\xbf\xbd\")"); // for people: U+FFFD will do
    EXPECT_EQ(back.code, EPERM);
    EXPECT_EQ(back.detail, "d\n");
    EXPECT_EQ(back.hint, "h\x01");
    EXPECT_EQ(back.status, 127);
}

TEST_F(Handshake, BringsAHugeErrorShortened) {
    for (const char* worst : {"x", "\x01", "\xff", "\""}) {
        std::string huge;
        while (huge.size() < 200000)
            huge += worst;
        ASSERT_TRUE(run::say_failed(
            theirs_, {.stage = "root", .call = huge, .code = 5, .detail = huge, .hint = huge}));
        sys::Error back = run::error_of(heard());
        EXPECT_EQ(back.stage, "root");
        EXPECT_EQ(back.code, 5);
        EXPECT_GE(back.detail.size(), 1000u);
    }
    ASSERT_TRUE(run::say_note(theirs_, std::string(1 << 20, 'n')));
    EXPECT_GT(heard().text.size(), 1000u);
}

TEST_F(Handshake, EndsWhenTheOtherSideIsClosed) {
    ASSERT_TRUE(run::say_note(theirs_, "last"));
    EXPECT_FALSE(sys::at_end(ours_.get()).value());
    theirs_.close();
    EXPECT_FALSE(sys::at_end(ours_.get()).value()); // there is still something to hear
    EXPECT_EQ(heard().said, Said::note);
    EXPECT_TRUE(sys::at_end(ours_.get()).value());
    EXPECT_EQ(heard().said, Said::end);
    EXPECT_EQ(heard().said, Said::end);
}

TEST_F(Handshake, EndsWhenTheOtherSideIsKilledWithOurGoUnread) {
    ASSERT_TRUE(run::say_go(ours_));
    theirs_.close();
    EXPECT_EQ(heard().said, Said::end);
}

TEST_F(Handshake, BringsWhatWasSaidByOneWhoDidNotReadAll) {
    ASSERT_TRUE(run::say_go(ours_));
    ASSERT_TRUE(run::say_failed(theirs_, {.stage = "mount", .call = {}, .detail = "why"}));
    theirs_.close();
    EXPECT_EQ(run::error_of(heard()).detail, "why");
    EXPECT_EQ(heard().said, Said::end);
}

TEST_F(Handshake, SurvivesGarbage) {
    for (const std::string& bytes :
         {std::string("F"), std::string("F{"), std::string("F[]"), std::string("Fnull"),
          std::string("F{}"), std::string("F\xff\xfe"), std::string("F\"x\""), std::string("F5"),
          std::string(R"(F{"stage":5,"call":"","errno":0,"detail":"","hint":"","status":1})"),
          std::string(R"(F{"stage":"","call":"","errno":"x","detail":"","hint":"","status":1})"),
          std::string(R"(F{"stage":"","call":[],"errno":0,"detail":"","hint":"","status":1})"),
          std::string(R"(F{"stage":"","call":"","errno":0,"detail":"","hint":"","status":nul)"),
          "F" + std::string(5000, '['), std::string("F\0\0", 3)}) {
        sys::Error error = told(bytes);
        EXPECT_EQ(error.detail, "the child failed and could not say why") << bytes;
        EXPECT_EQ(error.status, 125);
    }
    for (const char* bytes : {"Z", "x\xff", "\x7f"}) {
        ASSERT_TRUE(sys::send(theirs_.get(), bytes));
        EXPECT_EQ(heard().text, std::string(bytes + 1));
    }
}

// --- the slate -----------------------------------------------------------------------------------

TEST(Slate, BringsAnErrorAcross) {
    run::Slate ours = run::Slate::make().value();
    run::Slate theirs = run::Slate::open(ours.file()).value();
    EXPECT_FALSE(ours.read().has_value());
    theirs.write({.stage = "init",
                  .call = "fork()",
                  .code = EPERM,
                  .detail = std::string(9000, 'd'),
                  .hint = "h",
                  .status = 126});
    auto error = ours.read();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->stage, "init");
    EXPECT_EQ(error->call, "fork()");
    EXPECT_EQ(error->code, EPERM);
    EXPECT_EQ(error->detail, std::string(2047, 'd'));
    EXPECT_EQ(error->hint, "h");
    EXPECT_EQ(error->status, 126);
}

TEST(Slate, IsNotThereForMost) {
    run::Slate none;
    none.write({.stage = "x", .call = {}});
    none.set_filtered(true);
    EXPECT_FALSE(none.there());
    EXPECT_FALSE(none.read().has_value());
    EXPECT_FALSE(none.filtered());
}

} // namespace
