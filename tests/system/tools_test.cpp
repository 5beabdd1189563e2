// tools/install, with apt's own programs but a machine of the test's: no package is there, and its
// lists were never fetched, as in debian:stable-slim. And tools/docker-shell, where Docker is no
// help.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace support;

class Tools : public testing::Test {
protected:
    Scratch scratch;
    std::string apt = run({.argv = {"sh", "-c", "command -v apt-get"}}).out;
    void SetUp() override {
        if (apt.empty())
            GTEST_SKIP() << "host lacks apt";
        apt.pop_back();
        // A repository with all that the group asks for, and apt's state.
        std::string packages;
        for (const std::string& name :
             lines(run({.argv = {source() + "/tools/install", "--list", "build"}}).out))
            packages += "Package: " + name +
                        "\nVersion: 1\nArchitecture: all\nFilename: none.deb\nSize: 1\n\n";
        scratch.folder("repository");
        scratch.file("repository/Packages", packages);
        scratch.folder("lists/partial");
        scratch.folder("cache/archives/partial");
        scratch.folder("parts");
        // "g++" is a pattern for apt-cache, and this fits.
        scratch.file("status", "Package: gpgv\nStatus: install ok installed\nVersion: 1\n"
                               "Architecture: all\nMaintainer: nobody\nDescription: none\n");
        scratch.file("sources", "deb [trusted=yes] file:" + scratch / "repository" + " ./\n");
        scratch.file("apt.conf", "Dir::State \"" + scratch.path() + "\";\nDir::State::status \"" +
                                     scratch / "status" + "\";\nDir::Cache \"" + scratch / "cache" +
                                     "\";\nDir::Etc::sourcelist \"" + scratch / "sources" +
                                     "\";\nDir::Etc::sourceparts \"" + scratch / "parts" +
                                     "\";\nAPT::Sandbox::User \"\";\n");
        // What would change this machine is only written down.
        scratch.folder("bin");
        scratch.file("bin/sudo", "#!/bin/sh\nexec \"$@\"\n", 0755);
        scratch.file("bin/dpkg-query", "#!/bin/sh\nexit 1\n", 0755);
        scratch.file("bin/apt-get",
                     "#!/bin/sh\ncase $*:$1 in *--simulate*|*:update) exec " + apt +
                         " \"$@\" ;; esac\n" + apt +
                         " --simulate \"$@\" >/dev/null && echo \"$@\" >>" + scratch / "installed" +
                         "\n",
                     0755);
    }
    Ended install() {
        return run({.argv = {source() + "/tools/install", "build"},
                    .env = {"PATH=" + scratch / "bin" + ":" + getenv("PATH"),
                            "APT_CONFIG=" + scratch / "apt.conf"}});
    }
};

TEST_F(Tools, InstallFetchesListsThatWereNeverFetched) {
    Ended ended = install();
    EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
    EXPECT_THAT(try_slurp(scratch / "installed").value_or("nothing"),
                testing::ContainsRegex("install .*g\\+\\+.* make")); // sorted
}

TEST(ToolsDockerShell, SaysWhyDockerIsNoHelp) {
    auto where_docker_says = [](const std::string& words) {
        Scratch scratch;
        scratch.folder("bin");
        scratch.file("bin/docker", "#!/bin/sh\necho '" + words + "' >&2\nexit 1\n", 0755);
        return run({.argv = {source() + "/tools/docker-shell"},
                    .env = {"PATH=" + scratch / "bin" + ":" + getenv("PATH")}});
    };
    Ended refused = where_docker_says("permission denied while trying to connect to the Docker "
                                      "daemon socket at unix:///var/run/docker.sock");
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, testing::HasSubstr("usermod -aG docker"));
    std::string word = token();
    Ended absent = where_docker_says("first\n" + word);
    EXPECT_EQ(absent.status, 1);
    EXPECT_THAT(absent.err,
                testing::EndsWith("'sudo systemctl start docker'; it says: " + word + "\n"));
}

} // namespace
