// The exercises that stand alone: each skeleton, as it is, falls short of what its solution does.
// Those that stand in for a stage are `gocontainer lab check`'s.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace {

using namespace support;
using testing::HasSubstr;

class Exercise : public testing::Test {
protected:
    Scratch scratch;
    static std::string file(const std::string& name) { return source() + "/lessons/" + name; }
    /// By a compiler; false when there is none.
    static bool build(const std::string& compiler, const Strings& options) {
        if (!lacks(compiler).empty())
            return false;
        Strings argv{compiler};
        argv.insert(argv.end(), options.begin(), options.end());
        Ended built = run({.argv = argv});
        EXPECT_EQ(built.status, 0) << built.err;
        return true;
    }
};

TEST_F(Exercise, TheSmallestLauncher) {
    auto status_of = [&](const std::string& which) {
        return run({.argv = {"sh", file("01-process/" + which + "/mine.sh"), "sh", "-c",
                             "test $$ = 1 && exit 3"}})
            .status;
    };
    EXPECT_EQ(status_of("skeleton"), 1);
    EXPECT_EQ(status_of("solution"), 3);
}

TEST_F(Exercise, TheEscape) {
    const std::string secret = token();
    std::string tree = scratch.rootfs();
    scratch.file(secret, "");
    for (const char* which : {"skeleton", "solution"}) {
        if (!build("gcc", {"-static", "-Wall", "-Werror", "-o", tree + "/escape",
                           file(std::string("05-chroot/") + which + "/escape.c")}))
            GTEST_SKIP() << "no gcc";
        bool solved = which == std::string("solution");
        Strings chroot{"unshare", "-Ur", "chroot", tree, "/escape"};
        Ended host = run({.argv = {"ls", "-A", "/"}});
        Ended shown = run({.argv = chroot});
        EXPECT_EQ(shown.status, 0) << which << shown.err;
        // The host's root has what no rootfs of ours has.
        EXPECT_EQ(lines(shown.out).size() >= lines(host.out).size() + 2 &&
                      shown.out.find("\nescape\n") == std::string::npos,
                  solved)
            << shown.out;
        Ended held = run({.argv = {gocontainer(), "parent", "-q", "--net", "none", "--rootfs", tree,
                                   "/escape"}});
        EXPECT_THAT("\n" + held.out, HasSubstr("\nescape\n")) << which;
    }
}

TEST_F(Exercise, TheInit) {
    std::string tree = scratch.rootfs();
    auto init = [&](const std::string& which) {
        std::filesystem::copy_file(file("08-init/" + which + "/init.sh"), tree + "/init.sh",
                                   std::filesystem::copy_options::overwrite_existing);
        // The command asks its init to end it, and has something to say to that.
        return run({.argv = {gocontainer(), "parent", "-q", "--net", "none", "--rootfs", tree, "sh",
                             "/init.sh", "sh", "-c",
                             "trap 'exit 7' TERM; kill -TERM 1; "
                             "i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done; exit 4"}})
            .status;
    };
    EXPECT_EQ(init("skeleton"), 4);
    EXPECT_EQ(init("solution"), 7);
}

TEST_F(Exercise, TheCapabilities) {
    auto sets = [&](const std::string& which) {
        Ended ended = run(
            {.argv = {gocontainer(), "parent", "-q", "--net", "none", "--rootfs", rootfs(),
                      "--cap-drop", "chown", "--replace", "caps=" + scratch.path() + "/" + which,
                      "grep", "-E", "CapBnd|CapEff|NoNewPrivs", "/proc/self/status"}});
        EXPECT_EQ(ended.status, 0) << ended.err;
        return ended.out;
    };
    for (const char* which : {"skeleton", "solution"})
        if (!build("g++", {"-static", "-Wall", "-o", scratch / which,
                           file(std::string("12-capabilities/") + which + "/mine.cpp"), "-lcap"}))
            GTEST_SKIP() << "no g++";
    EXPECT_THAT(sets("skeleton"), HasSubstr("NoNewPrivs:\t0"));
    EXPECT_EQ(sets("solution"), "CapEff:\t00000000a80425fa\nCapBnd:\t00000000a80425fa\n"
                                "NoNewPrivs:\t1\n");
}

TEST_F(Exercise, TheFilter) {
    for (const char* which : {"skeleton", "solution"}) {
        if (!build("g++", {"-Wall", "-o", scratch / which,
                           file(std::string("13-seccomp/") + which + "/filter.cpp"), "-lseccomp"}))
            GTEST_SKIP() << "no g++";
        bool solved = which == std::string("solution");
        auto under = [&](const Strings& command) {
            Strings argv{scratch / which};
            argv.insert(argv.end(), command.begin(), command.end());
            return run({.argv = argv});
        };
        EXPECT_EQ(under({"unshare", "-U", "true"}).status != 0, solved);
        EXPECT_EQ(under({"sh", "-c", "true; exit 5"}).status, 5); // clone without namespaces goes
        EXPECT_THAT(under({"grep", "Seccomp:", "/proc/self/status"}).out,
                    HasSubstr(solved ? "\t2" : "\t0"));
    }
}

} // namespace
