// A service of systemd's with Type=notify whose command is in a container: it is ready when that
// says so (sd_notify(3)).
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/receiver.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

#include <algorithm>
#include <memory>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Manager;
using support::Process;
using support::Strings;
using testing::HasSubstr;

namespace {

/// Its command says that it is ready once `allow()` was called, and then sleeps.
class Service : public Bundle {
public:
    Service() : manager(folder() / "manager") {
        std::string probe = folder() / "rootfs/probe";
        support::spill(probe, support::slurp(support::source() + "/build/tests/probe"));
        chmod(probe.c_str(), 0755);
        std::string fifo = folder() / "rootfs/allow";
        if (mkfifo(fifo.c_str(), 0600) != 0)
            support::fail_with_errno("mkfifo");
        chmod(fifo.c_str(), 0666);
        args({"sh", "-c", "read go < /allow && /probe notify-ready && exec sleep 1000"});
        config["process"]["env"].push_back("NOTIFY_MORE=STATUS=" + word + "\nMAINPID=1\n" +
                                           "FDSTORE=1\nBARRIER=1\n");
    }
    void allow() const { support::spill(folder() / "rootfs/allow", "go\n"); }
    support::Command asked(support::Command command) const {
        command.env.push_back(manager.variable());
        return command;
    }
    /// It is there, and somebody waits until it is ready.
    void waits(Process& who) {
        EXPECT_TRUE(support::eventually([&] {
            return !support::run(command({"state", id()})).status && status() == "running";
        }));
        EXPECT_TRUE(who.running()) << who.err();
        EXPECT_TRUE(manager.hears_nothing());
    }
    std::string said(pid_t main) const {
        return "STATUS=" + word + "\nREADY=1\nMAINPID=" + std::to_string(main) + "\n";
    }

    std::string word = support::token();
    Manager manager;
};

TEST(Ready, IsTheServiceWhenTheCommandOfRunSaysSo) {
    Service service;
    service.save();
    Process run(service.asked(service.command({"run", service.id()})));
    service.waits(run);
    service.allow();
    EXPECT_EQ(service.manager.hear(), service.said(run.pid()));
    EXPECT_EQ(service.manager.sender(), run.pid()); // the one of whom systemd takes it
    EXPECT_EQ(service.status(), "running");
    run.kill(SIGTERM);
    EXPECT_EQ(run.wait().status, 143);
    EXPECT_EQ(service.runtime({"list", "-q"}).out, "");
    EXPECT_FALSE(support::try_slurp(service.root() + "/" + service.id()));
}

TEST(Ready, IsWaitedForByStart) {
    Service service;
    service.save();
    ASSERT_EQ(support::run(service.asked(service.detached({"create", service.id()}))).status, 0);
    EXPECT_TRUE(service.manager.hears_nothing());
    Process start(service.asked(service.command({"start", service.id()})));
    service.waits(start);
    service.allow();
    EXPECT_EQ(service.manager.hear(), service.said(service.pid()));
    EXPECT_EQ(service.manager.sender(), start.pid());
    EXPECT_TRUE(start.running()); // until systemd has looked up who that was
    EXPECT_EQ(service.manager.hear(), "BARRIER=1");
    EXPECT_EQ(start.wait().status, 0);
    EXPECT_EQ(service.status(), "running");
}

TEST(Ready, IsWaitedForByADetachedRun) {
    Service service;
    service.save();
    Process run(service.asked(service.detached({"run", "--detach", service.id()})));
    service.waits(run);
    EXPECT_EQ(service.runtime({"exec", service.id(), "env"}).out.find("NOTIFY_SOCKET"),
              std::string::npos); // which is the first process's
    service.allow();
    EXPECT_EQ(service.manager.hear(), service.said(service.pid()));
    EXPECT_EQ(service.manager.hear(), "BARRIER=1");
    EXPECT_EQ(run.wait().status, 0);
    EXPECT_EQ(service.status(), "running");
}

TEST(Ready, IsNotWaitedForWhenTheContainerHasEnded) {
    Service service;
    service.args({"true"});
    service.save();
    ASSERT_EQ(support::run(service.asked(service.detached({"create", service.id()}))).status, 0);
    EXPECT_EQ(support::run(service.asked(service.command({"start", service.id()}))).status, 0);
    EXPECT_TRUE(service.manager.hears_nothing());
}

// What waits can be ended, and the container can be deleted meanwhile.
TEST(Ready, HoldsNobodyUp) {
    Service service;
    service.save();
    Process run(service.asked(service.detached({"run", "--detach", service.id()})));
    service.waits(run);
    run.kill(SIGTERM);
    EXPECT_EQ(run.wait().signal, SIGTERM);
    EXPECT_EQ(service.status(), "running");
    EXPECT_EQ(service.runtime({"delete", "--force", service.id()}).status, 0);
    Process again(service.asked(service.detached({"run", "--detach", service.id()})));
    service.waits(again);
    EXPECT_EQ(service.runtime({"delete", "--force", service.id()}).status, 0);
    EXPECT_EQ(again.wait().status, 0);
}

TEST(Ready, IsSaidByAnyUserThroughADirectoryThatNobodyChanges) {
    Service service;
    service.config["process"]["user"] = {{"uid", 1}, {"gid", 1}};
    if (!support::is_root() && support::subordinate("/etc/subuid").count == 0)
        GTEST_SKIP() << "host lacks subordinate ids for a second user";
    if (!support::is_root())
        service.config["linux"].erase("uidMappings"), service.config["linux"].erase("gidMappings");
    service.save();
    support::Command command = service.asked(service.command({"run", service.id()}));
    command.before_exec = [] { umask(0077); };
    Process run(std::move(command));
    service.waits(run);
    auto table = support::mountinfo(service.pid());
    const auto* mount = support::mounted_at(table, "/run/notify");
    ASSERT_NE(mount, nullptr);
    for (const char* option : {"ro", "nosuid", "nodev", "noexec"})
        EXPECT_TRUE(mount->has(option)) << option;
    service.allow();
    EXPECT_EQ(service.manager.hear(), service.said(run.pid()));
}

// Of a root filesystem that is hostile.
TEST(Ready, FollowsNoLinkOutOfTheRootFilesystem) {
    Service service;
    support::Scratch outside;
    std::string run = service.folder() / "rootfs/run";
    ASSERT_EQ(symlink(outside.path().c_str(), (run + "/notify").c_str()), 0);
    service.save();
    auto before = support::listing(outside.path());
    Process process(service.asked(service.command({"run", service.id()})));
    service.waits(process);
    service.allow();
    EXPECT_EQ(service.manager.hear(), service.said(process.pid()));
    EXPECT_EQ(support::listing(outside.path()), before);
    process.kill(SIGKILL);
}

TEST(Ready, IsAskedByAnAbstractName) {
    Service service;
    Manager manager("@" + service.word);
    service.save();
    support::Command command = service.command({"run", service.id()});
    command.env.push_back(manager.variable());
    Process run(std::move(command));
    service.allow();
    EXPECT_EQ(manager.hear(), service.said(run.pid()));
}

TEST(Ready, IsLeftToWhoeverConfiguresASocket) {
    Service service;
    service.config["process"]["env"].push_back("NOTIFY_SOCKET=/of/mine");
    service.args({"sh", "-c", "echo $NOTIFY_SOCKET; ls /run"});
    service.save();
    Ended ended = support::run(service.asked(service.command({"run", service.id()})));
    EXPECT_EQ(ended.out, "/of/mine\n") << ended.err;
}

TEST(Ready, MayTakeLongerUntilItIsReady) {
    Service service;
    std::string longer = "EXTEND_TIMEOUT_USEC=7000000\n";
    service.config["process"]["env"].back() = "NOTIFY_MORE=" + longer;
    service.args({"sh", "-c", "/probe notify-ready && /probe notify-ready && exec sleep 1000"});
    service.save();
    Process run(service.asked(service.command({"run", service.id()})));
    std::string ready = "READY=1\nMAINPID=" + std::to_string(run.pid()) + "\n";
    EXPECT_EQ(service.manager.hear(), longer + ready);
    EXPECT_EQ(service.manager.hear(), ready);
}

TEST(Ready, CannotBeHeardWithoutMountsOfItsOwn) {
    Service service;
    service.args({"sh", "-c", "echo \"$NOTIFY_SOCKET\""});
    json kept = json::array();
    for (const json& space : service.config["linux"]["namespaces"])
        if (space["type"] != "mount")
            kept.push_back(space);
    service.config["linux"]["namespaces"] = kept;
    service.config["root"]["readonly"] = false;
    service.config["mounts"] = json::array();
    for (const char* paths : {"maskedPaths", "readonlyPaths"})
        service.config["linux"].erase(paths);
    service.save();
    Ended ended = support::run(service.asked(service.command({"run", service.id()})));
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.out, "\n");
    EXPECT_THAT(ended.err, HasSubstr("warning: NOTIFY_SOCKET: "));
    EXPECT_EQ(support::lines(ended.err).size(), 1U) << ended.err;
    // Nobody would listen to it.
    EXPECT_EQ(service.runtime({"run", service.id()}).err, "");
}

TEST(Ready, SaysThatTheManagerIsGoneAndGoesOn) {
    for (bool stays : {true, false}) {
        Service service;
        auto manager = std::make_unique<Manager>(service.folder() / "other");
        service.save();
        support::Command command = service.detached({"create", service.id()});
        command.env = {manager->variable()};
        if (!stays) {
            ASSERT_EQ(support::run(command).status, 0);
        }
        command.argv = service.command({stays ? "run" : "start", service.id()}).argv;
        Process who(std::move(command));
        service.waits(who);
        manager.reset();
        service.allow();
        who.until_complains("warning: ");
        EXPECT_EQ(service.status(), "running");
        if (stays) {
            EXPECT_TRUE(who.running());
        } else {
            EXPECT_EQ(who.wait().status, 0);
        }
    }
}

TEST(Ready, SaysThatNobodyAsks) {
    Service service;
    service.args({"true"});
    service.save();
    support::Command command = service.command({"run", service.id()});
    command.env.push_back("NOTIFY_SOCKET=" + service.folder() / "nobody");
    Ended ended = support::run(std::move(command));
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("NOTIFY_SOCKET: "));
    EXPECT_THAT(ended.err, HasSubstr("unset it"));
    EXPECT_EQ(service.runtime({"list", "-q"}).out, "");
}

} // namespace
