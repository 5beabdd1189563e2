// The runtime under fire: commands that are killed, that meet each other, that are many, that fail.
// Whatever happens, `delete --force` leaves the machine as it was.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <regex>
#include <unistd.h>

using nlohmann::json;
using std::chrono::microseconds;
using support::Bundle;
using support::Ended;
using support::Process;
using support::Strings;
using testing::AnyOf;
using testing::HasSubstr;

namespace {

const Strings kForever{"sleep", "1000"};

bool alive(pid_t pid) {
    auto status = support::try_slurp("/proc/" + std::to_string(pid) + "/status");
    return status && !status->contains("State:\tZ") && !status->contains("State:\tX");
}

/// A machine that is to be as it was when the test is over.
class Fire : public testing::Test {
protected:
    void TearDown() override {
        bundle_.reset();
        EXPECT_EQ(support::strays(), ""); // first: a zombie, which is ours to reap, has its keyring
        EXPECT_EQ(support::differs_from(before_), "");
    }
    Bundle& bundle() { return *bundle_; }
    void expect_clean(const std::string& when) {
        Ended cleaned = bundle().runtime({"delete", "--force", bundle().id()});
        EXPECT_EQ(cleaned.status, 0) << when << ": " << cleaned.err;
        EXPECT_EQ(cleaned.err, "") << when;
        EXPECT_EQ(bundle().runtime({"list", "-q"}).out, "") << when;
        std::set<std::string> left = support::listing(bundle().root());
        std::erase_if(left, [](const auto& line) { // the cache of compiled filters
            return std::regex_search(line, std::regex("/filters@(/[0-9a-f]{16})?( |$)"));
        });
        EXPECT_TRUE(left.empty()) << when << ": " << testing::PrintToString(left);
    }
    Ended detached(const Strings& words) {
        Ended ended = support::run(bundle().detached(words));
        ended.err = support::slurp(bundle().path() + "/detached.err");
        return ended;
    }
    Strings on_it(Strings words) {
        words.push_back(bundle().id());
        return words;
    }

private:
    support::Host before_ = support::Host::look();
    std::unique_ptr<Bundle> bundle_ = std::make_unique<Bundle>();
};

/// A command is killed at 30 moments, from its first instruction to after its end, each time on a
/// container of its own.
class KillSweep : public Fire {
protected:
    using Step = std::function<void()>;
    void sweep(const Strings& words, const Step& prepare, const Step& check) {
        microseconds whole{0};
        for (int i = 0; i < 3; ++i) {
            prepare();
            auto start = std::chrono::steady_clock::now();
            EXPECT_EQ(detached(words).status, 0);
            whole = std::max(whole, std::chrono::duration_cast<microseconds>(
                                        std::chrono::steady_clock::now() - start));
            expect_clean("without a kill");
        }
        for (int moment = 0; moment < 30 && !HasFailure(); ++moment) {
            auto when = whole * moment / 27;
            SCOPED_TRACE("killed after " + std::to_string(when.count()) + " µs of " +
                         std::to_string(whole.count()));
            prepare();
            Process command(bundle().detached(words));
            support::pass(when);
            command.kill(SIGKILL);
            (void)command.wait();
            check();
            expect_clean("after it");
            EXPECT_EQ(support::strays(), "");
            EXPECT_FALSE(pid_ != 0 && alive(pid_));
        }
    }
    void make(bool started) {
        bundle().args(kForever);
        bundle().create();
        if (started) {
            ASSERT_EQ(bundle().runtime(on_it({"start"})).status, 0);
        }
        pid_ = bundle().pid();
    }
    pid_t pid_ = 0; ///< of the container that is there, if one is
};

TEST_F(KillSweep, OfCreate) {
    bundle().args(kForever);
    bundle().save();
    sweep(
        on_it({"create", "--pid-file", "pid"}), [] {},
        [&] {
            // Either it is made, pid file and all, or it is not, and says so.
            Ended said = bundle().runtime(on_it({"state"}));
            if (said.status != 0) {
                EXPECT_THAT(said.err, HasSubstr("does not exist"));
                return;
            }
            json state = json::parse(said.out);
            std::string status = state["status"];
            EXPECT_THAT(status, AnyOf("creating", "created", "stopped"));
            if (auto pid = support::try_slurp(bundle().path() + "/pid");
                pid && status == "created") {
                EXPECT_EQ(state["pid"], std::stoi(*pid));
            }
            if (status != "created") {
                Ended started = bundle().runtime(on_it({"start"}));
                EXPECT_EQ(started.status, 1);
                EXPECT_THAT(started.err, HasSubstr("cannot start a container"));
            }
            (void)unlink((bundle().path() + "/pid").c_str());
        });
}

TEST_F(KillSweep, OfCreateInARunningHook) {
    // Nobody is left who would wait for the hook, nor run the next.
    std::string mark = support::token();
    bundle().args(kForever);
    bundle().config["hooks"]["createRuntime"] = {
        {{"path", "/bin/sh"}, {"args", {"sh", "-c", "exec sleep 12" + mark.substr(1, 1) + "34"}}},
        {{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo ran >" + bundle().path() + "/ran"}}}};
    bundle().save();
    Process create(bundle().detached(on_it({"create"})));
    pid_t hook = -1;
    ASSERT_TRUE(support::eventually([&] {
        for (pid_t pid : support::descendants_of(create.pid()))
            if (auto line = support::try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
                line && line->starts_with(std::string("sleep\0", 6)))
                hook = pid;
        return hook > 0;
    }));
    create.kill(SIGKILL);
    (void)create.wait();
    EXPECT_TRUE(support::eventually([&] { return !alive(hook); }));
    EXPECT_THAT(bundle().status(), AnyOf("creating", "stopped"));
    expect_clean("after it");
    EXPECT_FALSE(support::try_slurp(bundle().path() + "/ran"));
}

TEST_F(KillSweep, OfStart) {
    sweep(
        on_it({"start"}), [&] { make(/*started=*/false); },
        [&] {
            // It may be on its way, and be there a moment after its status was asked for.
            bool ran = support::command_line(pid_) == kForever;
            std::string status = bundle().status();
            EXPECT_THAT(status, AnyOf("created", "running"));
            if (status == "created") {
                EXPECT_FALSE(ran);
                Ended again = bundle().runtime(on_it({"start"}));
                EXPECT_TRUE(again.status == 0 || again.err.contains("already running"))
                    << again.err;
            }
            EXPECT_TRUE(support::eventually([&] {
                return support::command_line(pid_) == kForever;
            })) << status;
            EXPECT_EQ(bundle().status(), "running");
        });
}

TEST_F(KillSweep, OfExec) {
    std::string file;
    sweep(
        {"exec", "--pid-file", bundle().path() + "/exec.pid", bundle().id(), "sh", "-c",
         "exec sleep 0.002"},
        [&] {
            (void)unlink((bundle().path() + "/exec.pid").c_str());
            make(/*started=*/true);
        },
        [&] {
            // What it was the parent of has no parent any more, and the container goes on.
            EXPECT_TRUE(support::eventually([&] {
                return bundle().runtime(on_it({"ps", "--format", "json"})).out ==
                       json::array({pid_}).dump() + "\n";
            })) << bundle().runtime(on_it({"ps", "--format", "json"})).out;
            EXPECT_EQ(bundle().status(), "running");
        });
}

TEST_F(KillSweep, OfDetachedExec) {
    // Where members may trace, the command is another process (run/newcomer.hpp).
    json& sets = bundle().config["process"]["capabilities"];
    for (const char* set : {"bounding", "effective", "permitted"})
        sets[set].push_back("CAP_SYS_PTRACE");
    sweep(
        {"exec", "--detach", bundle().id(), "sleep", "1000"}, [&] { make(/*started=*/true); },
        [&] { EXPECT_EQ(bundle().status(), "running"); });
}

TEST_F(KillSweep, OfRun) {
    bundle().args({"true"});
    bundle().save();
    sweep(
        on_it({"run"}), [] {},
        [&] {
            Ended said = bundle().runtime(on_it({"state"}));
            EXPECT_TRUE(said.status == 0 || said.err.contains("does not exist")) << said.err;
        });
}

TEST_F(KillSweep, OfDelete) {
    for (bool force : {false, true}) {
        sweep(
            force ? on_it({"delete", "--force"}) : on_it({"delete"}),
            [&] { make(/*started=*/force); },
            [&] {
                Ended said = bundle().runtime(on_it({"state"}));
                EXPECT_TRUE(said.status == 0 || said.err.contains("does not exist")) << said.err;
            });
    }
}

TEST_F(Fire, RunThatIsKilledEndsItsContainer) {
    bundle().args({"sh", "-c", "echo up; sleep 1000"});
    bundle().save();
    Process run(bundle().command(on_it({"run"})));
    run.until("up");
    pid_t pid = bundle().pid();
    run.kill(SIGKILL);
    EXPECT_FALSE(run.wait().held_open);
    EXPECT_TRUE(support::eventually([&] { return !alive(pid); }));
    EXPECT_EQ(bundle().status(), "stopped");
    expect_clean("after it");
}

// --- two at once ---------------------------------------------------------------------------------

/// Both at the same moment, as near as can be; many times, since who comes first is chance.
class TwoAtOnce : public Fire {
protected:
    std::pair<Ended, Ended> both(const Strings& one, const Strings& other) {
        Process first(bundle().command(one));
        Process second(bundle().command(other));
        first.close_input();
        second.close_input();
        return {first.wait(), second.wait()};
    }
    void make(bool started) {
        bundle().args(kForever);
        bundle().create();
        if (started) {
            ASSERT_EQ(bundle().runtime(on_it({"start"})).status, 0);
        }
    }
    /// One of them did it, and the other says what `text` says.
    static void expect_one_winner(const std::pair<Ended, Ended>& two, const std::string& text) {
        const auto& [a, b] = two;
        EXPECT_EQ((a.status == 0) + (b.status == 0), 1) << a.err << b.err;
        const Ended& loser = a.status == 0 ? b : a;
        EXPECT_THAT(loser.err, HasSubstr(text));
        EXPECT_EQ(support::lines(loser.err).size(), 1U) << loser.err;
    }
};

TEST_F(TwoAtOnce, CreateAndCreate) {
    bundle().args(kForever);
    bundle().save();
    // No pipe of ours in the container, and what each says in a file of its own.
    auto creating = [&](const std::string& said) {
        support::Command one = bundle().detached(on_it({"create"}));
        one.argv[3] = bundle().path() + "/" + said; // the shell's $0
        return one;
    };
    for (int i = 0; i < 10 && !HasFailure(); ++i) {
        Process first(creating("first"));
        Process second(creating("second"));
        bool won = first.wait().status == 0;
        EXPECT_NE(second.wait().status == 0, won);
        EXPECT_THAT(support::slurp(bundle().path() + (won ? "/second" : "/first")),
                    HasSubstr("container with given ID already exists"));
        EXPECT_EQ(bundle().status(), "created");
        expect_clean("after both");
    }
}

TEST_F(TwoAtOnce, StartAndStart) {
    for (int i = 0; i < 10 && !HasFailure(); ++i) {
        make(/*started=*/false);
        expect_one_winner(both(on_it({"start"}), on_it({"start"})),
                          "cannot start an already running container");
        EXPECT_EQ(bundle().status(), "running");
        expect_clean("after both");
    }
}

TEST_F(TwoAtOnce, DeleteAndDelete) {
    for (int i = 0; i < 10 && !HasFailure(); ++i) {
        make(/*started=*/false);
        expect_one_winner(both(on_it({"delete"}), on_it({"delete"})), "container does not exist");
        make(/*started=*/true);
        auto [a, b] = both(on_it({"delete", "--force"}), on_it({"delete", "--force"}));
        EXPECT_EQ(a.status, 0) << a.err; // there is nothing left to do for the second
        EXPECT_EQ(b.status, 0) << b.err;
        expect_clean("after both");
    }
}

TEST_F(TwoAtOnce, KillAndDelete) {
    for (int i = 0; i < 10 && !HasFailure(); ++i) {
        make(/*started=*/true);
        auto [killed, deleted] = both(on_it({"kill"}), on_it({"delete", "--force"}));
        EXPECT_EQ(deleted.status, 0) << deleted.err;
        EXPECT_TRUE(killed.status == 0 || killed.err.contains("container not running") ||
                    killed.err.contains("does not exist"))
            << killed.err;
        expect_clean("after both");
    }
}

TEST_F(TwoAtOnce, ExecAndDelete) {
    for (int i = 0; i < 20 && !HasFailure(); ++i) {
        make(/*started=*/true);
        Strings exec{"exec", bundle().id(), "sleep", "1000"};
        auto [executed, deleted] = both(exec, on_it({"delete", "--force"}));
        EXPECT_EQ(deleted.status, 0) << deleted.err;
        EXPECT_NE(executed.status, 0);
        // It was ended with the container, or came too late.
        EXPECT_TRUE(executed.status == 137 ||
                    (executed.status == 255 && support::lines(executed.err).size() == 1))
            << executed.status << ": " << executed.err;
        EXPECT_THAT(executed.err, testing::Not(HasSubstr("fork")));
        expect_clean("after both");
    }
}

TEST_F(TwoAtOnce, StartAndDelete) {
    for (int i = 0; i < 10 && !HasFailure(); ++i) {
        make(/*started=*/false);
        auto [started, deleted] = both(on_it({"start"}), on_it({"delete", "--force"}));
        EXPECT_EQ(deleted.status, 0) << deleted.err;
        EXPECT_TRUE(started.status == 0 || started.err.contains("does not exist") ||
                    started.err.contains("cannot start a container that has stopped"))
            << started.err;
        expect_clean("after both");
    }
}

// --- many ----------------------------------------------------------------------------------------

TEST_F(Fire, FiveHundredInARow) {
    bundle().args(kForever);
    bundle().save();
    for (int i = 0; i < 500; ++i) {
        ASSERT_EQ(detached(on_it({"create"})).status, 0) << i;
        ASSERT_EQ(bundle().runtime(on_it({"delete"})).status, 0) << i;
    }
    EXPECT_EQ(bundle().runtime({"list", "-q"}).out, "");
}

TEST_F(Fire, FiftyAtOnce) {
    bundle().args(kForever);
    bundle().save();
    auto all = [&](const std::function<Strings(const std::string&)>& words) {
        std::vector<std::unique_ptr<Process>> running;
        for (int i = 0; i < 50; ++i)
            running.push_back(
                std::make_unique<Process>(bundle().detached(words("c" + std::to_string(i)))));
        for (auto& one : running)
            EXPECT_EQ(one->wait().status, 0) << support::slurp(bundle().path() + "/detached.err");
    };
    all([](const std::string& id) { return Strings{"create", id}; });
    json list = json::parse(bundle().runtime({"list", "--format", "json"}).out);
    EXPECT_EQ(list.size(), 50U);
    std::set<std::string> cgroups;
    for (const json& one : list) {
        EXPECT_EQ(one["status"], "created") << one;
        cgroups.insert(support::cgroup_of(one["pid"]));
    }
    EXPECT_TRUE(cgroups.size() == 50 || !support::is_root()); // where one may make them at all
    all([](const std::string& id) { return Strings{"start", id}; });
    all([](const std::string& id) { return Strings{"delete", "--force", id}; });
    EXPECT_EQ(bundle().runtime({"list", "-q"}).out, "");
}

// --- failing -------------------------------------------------------------------------------------

TEST_F(Fire, ACreateThatFailsLeavesNothing) {
    struct Case {
        const char* what;
        std::function<void(json&)> change;
        const char* says;
    };
    std::string held = bundle().path() + "/held";
    const Case cases[] = {
        {"a command that is not there",
         [](json& config) { config["process"]["args"] = {"no-such-command"}; },
         "executable file not found in $PATH"},
        {"a source that is not there",
         [](json& config) {
             config["mounts"].push_back({{"destination", "/mnt"},
                                         {"type", "bind"},
                                         {"source", "/no/such/source"},
                                         {"options", {"bind"}}});
         },
         "/no/such/source"},
        {"an option that is none",
         [](json& config) {
             config["mounts"].push_back({{"destination", "/mnt"},
                                         {"type", "tmpfs"},
                                         {"source", "tmpfs"},
                                         {"options", {"size=nonsense"}}});
         },
         "size"},
        {"a hook that leaves somebody behind",
         [](json& config) {
             config["hooks"]["createRuntime"] = {
                 {{"path", "/bin/sh"}, {"args", {"sh", "-c", "exit 3"}}}};
         },
         "createRuntime hook"},
        {"a hook in the container",
         [](json& config) {
             config["hooks"]["createContainer"] = {
                 {{"path", "/bin/sh"}, {"args", {"sh", "-c", "exit 3"}}}};
         },
         "createContainer hook"},
        {"a limit of memory that nothing fits in",
         [](json& config) { config["linux"]["resources"]["unified"] = {{"no.such", "1"}}; },
         "no.such"},
        {"a namespace that is none",
         [](json& config) {
             for (json& space : config["linux"]["namespaces"])
                 if (space["type"] == "uts")
                     space["path"] = "/dev/null";
         },
         "not a uts namespace"},
    };
    json good = bundle().config;
    for (const Case& one : cases) {
        SCOPED_TRACE(one.what);
        bundle().config = good;
        one.change(bundle().config);
        bundle().save();
        support::Host before = support::Host::look();
        Ended failed = bundle().runtime(on_it({"create", "--pid-file", "pid"}));
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err, HasSubstr(one.says));
        EXPECT_EQ(support::lines(failed.err).size(), 1U) << failed.err;
        EXPECT_FALSE(failed.held_open);
        EXPECT_FALSE(support::try_slurp(bundle().path() + "/pid"));
        EXPECT_EQ(bundle().runtime({"list", "-q"}).out, "");
        EXPECT_TRUE(support::listing(bundle().root()).empty());
        EXPECT_EQ(support::strays(), "");
        EXPECT_EQ(support::differs_from(before), "");
    }
}

} // namespace
