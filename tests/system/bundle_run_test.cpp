// What `run` has beyond the specification, for a person with a bundle and no engine: a network with
// a way out, a root filesystem that stays clean, ids from /etc/subuid. From outside.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"
#include "tests/system/net_host.hpp"

#include <gmock/gmock.h>
#include <sys/utsname.h>

#include <csignal>
#include <filesystem>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::eventually;
using support::Process;
using support::Strings;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

namespace {

/// Once for each of the two programs.
class RunNet : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (std::string why = host::lacks(); !why.empty())
            GTEST_SKIP() << why;
    }
};
INSTANTIATE_TEST_SUITE_P(, RunNet, testing::Values("slirp", "pasta"),
                         [](const auto& each) { return std::string(each.param); });

/// A bundle that serves `text` on its port 80, as often as somebody asks.
void serve(Bundle& bundle, const std::string& text) {
    bundle.args({"sh", "-c",
                 "nc -ll -p 80 -e sh -c 'read line; echo " + text +
                     "' & echo up; cat /etc/resolv.conf; wait"});
    bundle.save();
}

Strings run_words(const Bundle& bundle, std::uint16_t port, Strings more = {}) {
    Strings words{"run", "--net", RunNet::GetParam(), "-p", std::to_string(port) + ":80"};
    words.insert(words.end(), more.begin(), more.end());
    words.push_back(bundle.id());
    return words;
}

bool fetches(std::uint16_t port, const std::string& text) {
    return eventually([&] { return host::fetch("127.0.0.1", port) == text + "\n"; });
}

Strings names_in(const std::string& folder) {
    Strings names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().filename() != "filters@") // the cache of compiled filters
            names.push_back(entry.path().filename());
    return names;
}

TEST_P(RunNet, PublishesAPortUntilItsEnd) {
    host::run([] {
        Bundle bundle;
        std::string text = support::token();
        serve(bundle, text);
        std::uint16_t port = host::free_port();
        Process run(bundle.command(run_words(bundle, port, {"--dns", "192.0.2.53"})));
        run.until("nameserver 192.0.2.53\n");
        EXPECT_TRUE(fetches(port, text));
        pid_t inside = bundle.pid();
        EXPECT_FALSE(support::shares(inside, "net"));
        run.kill(SIGTERM);
        Ended ended = run.wait();
        EXPECT_EQ(ended.status, 128 + SIGTERM) << ended.err;
        EXPECT_EQ(ended.err, "");
        EXPECT_THAT(host::processes(), IsEmpty()); // at once: it has waited for its helper
        EXPECT_THAT(host::runtime_files(), IsEmpty());
        EXPECT_THAT(names_in(bundle.root()), IsEmpty());
        EXPECT_EQ(host::fetch("127.0.0.1", port), "");
    });
}

TEST_P(RunNet, LeavesOnlyItsStateWhenItIsKilled) {
    host::run([] {
        Bundle bundle;
        std::string text = support::token();
        serve(bundle, text);
        std::uint16_t port = host::free_port();
        Process run(bundle.command(run_words(bundle, port)));
        run.until("up\n");
        EXPECT_TRUE(fetches(port, text));
        run.kill(SIGKILL);
        run.wait();
        EXPECT_TRUE(eventually([] { return host::processes().empty(); }))
            << testing::PrintToString(host::processes());
        EXPECT_EQ(host::fetch("127.0.0.1", port), "");
        EXPECT_EQ(bundle.status(), "stopped");
        EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
        EXPECT_THAT(names_in(bundle.root()), IsEmpty());
        EXPECT_THAT(host::runtime_files(), IsEmpty());
    });
}

TEST_P(RunNet, ServesADetachedContainerToItsEnd) {
    host::run([] {
        Bundle bundle;
        std::string text = support::token();
        serve(bundle, text);
        std::uint16_t port = host::free_port();
        Ended ended = support::run(bundle.detached(run_words(bundle, port, {"--detach"})));
        ASSERT_EQ(ended.status, 0) << support::slurp(bundle.path() + "/detached.err");
        EXPECT_FALSE(ended.held_open);
        EXPECT_TRUE(fetches(port, text));
        // Its end is enough: nobody has said delete.
        ASSERT_EQ(bundle.runtime({"kill", bundle.id(), "KILL"}).status, 0);
        EXPECT_TRUE(eventually([] { return host::processes().empty(); }))
            << testing::PrintToString(host::processes());
        EXPECT_EQ(host::fetch("127.0.0.1", port), "");
        EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);
        EXPECT_THAT(names_in(bundle.root()), IsEmpty());
        EXPECT_THAT(host::runtime_files(), IsEmpty());
    });
}

TEST_P(RunNet, EndsItsHelperWithDelete) {
    host::run([] {
        Bundle bundle;
        serve(bundle, "x");
        std::uint16_t port = host::free_port();
        ASSERT_EQ(support::run(bundle.detached(run_words(bundle, port, {"--detach"}))).status, 0);
        EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
        EXPECT_EQ(host::fetch("127.0.0.1", port), "");
        EXPECT_TRUE(eventually([] { return host::processes().empty(); })) // the keeper too
            << testing::PrintToString(host::processes());
        EXPECT_THAT(names_in(bundle.root()), IsEmpty());
    });
}

TEST_P(RunNet, LeavesNothingOfALaunchThatFails) {
    host::run([] {
        Bundle bundle;
        bundle.args({"no-such-" + support::token()});
        bundle.save();
        Ended ended = bundle.runtime(run_words(bundle, host::free_port()));
        EXPECT_EQ(ended.status, 1);
        EXPECT_THAT(ended.err, HasSubstr("executable file not found in $PATH"));
        EXPECT_THAT(host::processes(), IsEmpty());
        EXPECT_THAT(names_in(bundle.root()), IsEmpty());
    });
}

TEST_P(RunNet, MakesTheNamespaceThatABundleLacks) {
    host::run([] {
        Bundle bundle;
        json kept = json::array();
        for (const json& space : bundle.config["linux"]["namespaces"])
            if (space["type"] != "network")
                kept.push_back(space);
        bundle.config["linux"]["namespaces"] = kept;
        bundle.args({"ip", "-o", "link", "show", "tap0"});
        bundle.save();
        Ended ended = bundle.runtime({"run", "--net", GetParam(), bundle.id()});
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_THAT(ended.out, HasSubstr("tap0"));
    });
}

TEST(RunOptions, RefuseWhatGoesTogetherWithNothing) {
    Bundle bundle;
    bundle.save();
    auto line = [&](const Strings& options) {
        Strings words{"run"};
        words.insert(words.end(), options.begin(), options.end());
        words.push_back(bundle.id());
        Ended ended = bundle.runtime(words);
        EXPECT_EQ(ended.status, 1);
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
        return ended.err;
    };
    EXPECT_EQ(line({"-p", "8080:80"}), "gocontainer: -p: needs --net slirp or --net pasta\n");
    EXPECT_EQ(line({"--dns", "192.0.2.53"}),
              "gocontainer: --dns: needs --net slirp or --net pasta\n");
    EXPECT_EQ(line({"--allow-host-loopback"}),
              "gocontainer: --allow-host-loopback: needs --net slirp or --net pasta\n");
    EXPECT_THAT(line({"--net", "bridge"}), StartsWith("gocontainer: --net \"bridge\": "));
    json& spaces = bundle.config["linux"]["namespaces"];
    std::erase_if(spaces.get_ref<json::array_t&>(),
                  [](const json& space) { return space["type"] == "network"; });
    spaces.push_back({{"type", "network"}, {"path", "/proc/self/ns/net"}});
    bundle.save();
    EXPECT_THAT(line({"--net", "slirp"}), HasSubstr("join a network namespace"));
}

TEST(RunOverlay, KeepsTheRootFilesystemClean) {
    Bundle bundle;
    std::string name = support::token();
    std::set<std::string> before = support::listing(bundle.path() + "/rootfs");
    for (bool read_only : {false, true}) {
        bundle.config["root"]["readonly"] = read_only;
        bundle.args(
            {"sh", "-c", "echo " + name + " > /" + name + " && rm /bin/sh && cat /" + name});
        bundle.save();
        Ended ended = bundle.runtime({"run", "--overlay", bundle.id()});
        EXPECT_EQ(ended.status, 0) << ended.err;
        EXPECT_EQ(ended.out, name + "\n");
        // Before Linux 6.6 a user's overlay can't hide directories, and the one line says so.
        utsname kernel{};
        ASSERT_EQ(uname(&kernel), 0);
        int major = 0;
        int minor = 0;
        ASSERT_EQ(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
        if (support::is_root() || major * 100 + minor >= 606)
            EXPECT_EQ(ended.err, "");
        else
            EXPECT_THAT(ended.err, testing::MatchesRegex("[^\n]*Linux 6.6 is the first[^\n]*\n"));
    }
    EXPECT_EQ(support::listing(bundle.path() + "/rootfs"), before);
}

TEST(RunIds, ComeFromSubuidWhereConfigHasNone) {
    if (support::is_root())
        GTEST_SKIP() << "root needs no user namespace";
    support::Subordinate uids = support::subordinate("/etc/subuid");
    support::Subordinate gids = support::subordinate("/etc/subgid");
    if (uids.count == 0 || gids.count == 0)
        GTEST_SKIP() << "no subordinate ids, or no newuidmap";
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    // As `spec --rootless` has it, without the maps; and without the namespace too.
    bundle.config["linux"].erase("uidMappings");
    bundle.config["linux"].erase("gidMappings");
    for (bool named : {true, false}) {
        if (!named)
            std::erase_if(bundle.config["linux"]["namespaces"].get_ref<json::array_t&>(),
                          [](const json& space) { return space["type"] == "user"; });
        bundle.start();
        pid_t pid = bundle.pid();
        EXPECT_THAT(support::id_map(pid, "uid_map"),
                    testing::ElementsAre(support::IdRange{0, getuid(), 1},
                                         support::IdRange{1, uids.first, uids.count}));
        EXPECT_THAT(support::id_map(pid, "gid_map"),
                    testing::ElementsAre(support::IdRange{0, getgid(), 1},
                                         support::IdRange{1, gids.first, gids.count}));
        EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    }
}

} // namespace
