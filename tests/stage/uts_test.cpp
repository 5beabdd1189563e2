// The uts stage: the host name and the NIS domain name.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <sys/utsname.h>
#include <unistd.h>

using namespace support;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// "hostname domainname" of the namespace that a process is in, by the kernel's own answer.
std::string names_of(pid_t pid) {
    return in_namespaces(pid, {"user", "uts"}, [] {
        utsname names{};
        uname(&names);
        return std::string(names.nodename) + " " + names.domainname;
    });
}

class Uts : public testing::Test {
    void TearDown() override { EXPECT_EQ(names_of(getpid()), before_) << "the host was renamed"; }
    std::string before_ = names_of(getpid());
};

} // namespace

TEST_F(Uts, NamesAreThoseAskedFor) {
    std::string host = token();
    std::string domain = token();
    Container box({"--hostname", host, "--domainname", domain});
    EXPECT_FALSE(shares(box.first(), "uts"));
    EXPECT_EQ(names_of(box.first()), host + " " + domain);
    EXPECT_EQ(box.ask("hostname").out, host + "\n");
    EXPECT_EQ(environment(box.first()).at("HOSTNAME"), host);
}

TEST_F(Uts, TheNameOfTheContainerIsItsHostName) {
    std::string name = token();
    Container box({"--name", name});
    EXPECT_THAT(names_of(box.first()), testing::StartsWith(name + " "));
    EXPECT_EQ(environment(box.first()).at("HOSTNAME"), name);
}

TEST_F(Uts, WithoutANameEachContainerGetsOneOfItsOwn) {
    Container one;
    Container two;
    std::string first = names_of(one.first());
    EXPECT_NE(first, names_of(getpid()));
    EXPECT_NE(first, names_of(two.first()));
    EXPECT_EQ(first.find(environment(one.first()).at("HOSTNAME")), 0U);
}

TEST_F(Uts, AContainerThatRenamesItselfRenamesNobodyElse) {
    std::string later = token();
    Container box({"--cap-add", "sys_admin", "--seccomp", "none"});
    EXPECT_EQ(box.ask("hostname " + later).status, 0);
    EXPECT_THAT(names_of(box.first()), HasSubstr(later));
}

TEST_F(Uts, OffSharesTheHostsName) {
    Container box({"--no-uts", "--cap-add", "sys_admin", "--seccomp", "none"});
    EXPECT_TRUE(shares(box.first(), "uts"));
    EXPECT_FALSE(environment(box.first()).contains("HOSTNAME"));
    EXPECT_EQ(names_of(box.first()), names_of(getpid()));
    if (!is_root()) { // whose user namespace does not own it
        EXPECT_NE(box.ask("hostname " + token()).status, 0);
    }
}

TEST_F(Uts, AloneWithTheUserStage) {
    std::string host = token();
    Container box({"--only", "user,uts", "--hostname", host});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "uts"));
    EXPECT_THAT(names_of(box.first()), testing::StartsWith(host + " "));
}

TEST_F(Uts, ANameWithoutTheStageIsRefused) {
    Ended ended = launch({"--no-uts", "--hostname", "x"}, {"true"});
    EXPECT_EQ(ended.status, 125);
    EXPECT_THAT(ended.err, HasSubstr("--hostname"));
}

TEST_F(Uts, SixtyFourCharactersFit) {
    std::string longest = "a" + std::string(62, 'b') + "c";
    Container box({"--hostname", longest});
    EXPECT_THAT(names_of(box.first()), testing::StartsWith(longest + " "));
}
