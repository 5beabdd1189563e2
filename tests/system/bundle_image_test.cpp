// An OCI image layout where a bundle is expected: made with umoci and skopeo of a busybox, run as
// the runtime's users are told to, and looked at from outside.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

using nlohmann::json;
using support::Bundle;
using support::Command;
using support::Ended;
using support::eventually;
using support::Process;
using support::Strings;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

namespace {

class ImageLayout : public testing::Test {
protected:
    void SetUp() override {
        for (const char* program : {"umoci", "skopeo"})
            if (support::run({.argv = {"sh", "-c", std::string("command -v ") + program}}).status !=
                0)
                GTEST_SKIP() << program << " is not installed";
        sh("mkdir -p layer/bin layer/etc layer/opt && cp -L \"$ROOTFS/bin/busybox\" layer/bin/ &&"
           "for each in sh cat sleep id ps ls grep hostname; do ln -s busybox layer/bin/$each; "
           "done;"
           "printf 'root:x:0:0::/root:/bin/sh\\nwww:x:33:42::/opt:/bin/sh\\n' >layer/etc/passwd;"
           "echo " +
           token +
           " >layer/token; echo theirs >layer/opt/file;"
           "tar -C layer --owner=0 --group=0 --exclude=./opt/file -cf layer.tar . &&"
           "tar -C layer --owner=33 --group=42 -rf layer.tar ./opt/file &&"
           "umoci init --layout app && umoci new --image app:latest &&"
           "umoci raw add-layer --image app:latest layer.tar");
        configure("--config.env WORD=" + token + " --config.workingdir /opt --config.cmd /bin/sh");
        places = bundles();
    }
    void TearDown() override {
        for (const std::string& id : ids)
            (void)gocontainer({"delete", "--force", id}); // the test has said what it thinks of it
    }

    Ended shell(const std::string& script) const {
        return support::run({.argv = {"sh", "-ec", script},
                             .env = {"ROOTFS=" + support::rootfs()},
                             .cwd = scratch.path()});
    }
    void sh(const std::string& script) const {
        Ended ended = shell(script);
        if (ended.status != 0)
            throw std::runtime_error(script + ": " + ended.err);
    }
    void configure(const std::string& options) const {
        sh("umoci config --image app:latest " + options);
    }

    Command command(const Strings& words) const {
        Command out{.argv = {support::gocontainer(), "--root", scratch / "state"}};
        out.argv.insert(out.argv.end(), words.begin(), words.end());
        out.cwd = scratch.path();
        out.env = {"XDG_DATA_HOME=" + scratch / "data"};
        return out;
    }
    Ended gocontainer(const Strings& words) const { return support::run(command(words)); }
    std::string fresh_id() { return ids.emplace_back(support::token()); }
    /// create and start; its streams are no pipes of ours.
    void start(const std::string& id, const std::string& layout = "./app") {
        Command create = command({"create", id, "--bundle", layout});
        create.argv.insert(create.argv.begin(),
                           {"sh", "-c", "exec \"$@\" >/dev/null 2>\"$0\"", scratch / "create.err"});
        ASSERT_EQ(support::run(create).status, 0) << support::slurp(scratch / "create.err");
        Ended started = gocontainer({"start", id});
        ASSERT_EQ(started.status, 0) << started.err;
    }
    std::string said_by(const std::string& id, const Strings& words) const {
        Strings all{"exec", id};
        all.insert(all.end(), words.begin(), words.end());
        Ended ended = gocontainer(all);
        EXPECT_EQ(ended.status, 0) << ended.err;
        return ended.out;
    }
    /// Unpacked ones. Root's are in one place for all.
    std::set<std::string> bundles() const {
        std::set<std::string> names;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(
                 support::is_root() ? "/var/lib/gocontainer" : scratch / "data/gocontainer", none))
            if (std::string name = entry.path().filename();
                ids.empty() ||
                std::ranges::any_of(ids, [&](const auto& id) { return name.starts_with(id); }))
                names.insert(name);
        return names;
    }
    std::string containers() const { return gocontainer({"list", "-q"}).out; }

    support::Scratch scratch;
    std::string token = support::token();
    Strings ids;
    std::set<std::string> places;
};

/// The lines of README.md's block with `word` in it.
Strings printed(const std::string& word) {
    Strings block;
    bool inside = false;
    bool found = false;
    for (const std::string& line :
         support::lines(support::slurp(support::source() + "/README.md"))) {
        if (line.starts_with("```")) {
            if (inside && found)
                return block;
            inside = !inside;
            block.clear();
        } else if (inside) {
            block.push_back(line);
            found = found || line.find(word) != std::string::npos;
        }
    }
    return {};
}

TEST_F(ImageLayout, WorksAsPrinted) {
    sh("skopeo --insecure-policy copy oci:app:latest oci-archive:app.tar && rm -r app");
    std::string id = ids.emplace_back("web");
    support::Terminal terminal({.argv = {"sh"},
                                .env = {"PS1=$ ", "XDG_DATA_HOME=" + scratch / "data",
                                        "GC=" + support::gocontainer(), "ENV"},
                                .cwd = scratch.path()});
    auto type = [&](const std::string& line) {
        std::string mark = support::token();
        terminal.type(line + "; echo " + mark.substr(0, 8) + "\"\"" + mark.substr(8) + "=$?\n");
        std::string said = terminal.take(mark + "=");
        terminal.until("\n");
        return said;
    };
    type("gocontainer() { \"$GC\" --root \"$PWD/state\" \"$@\"; }");
    type("skopeo() { command skopeo --insecure-policy \"$@\"; }");
    Strings lines = printed("--bundle ./app");
    EXPECT_EQ(lines.size(), 6U);
    for (const std::string& line : lines) {
        if (line.find("exec -t") == std::string::npos) {
            std::string said = type(line);
            EXPECT_THAT(said, testing::Not(HasSubstr("gocontainer: "))) << line;
            if (line.find("list") != std::string::npos) {
                EXPECT_THAT(said, HasSubstr("web   "));
                EXPECT_THAT(said, HasSubstr("CMD"));
                EXPECT_THAT(said, HasSubstr("\"status\": \"running\""));
            }
            continue;
        }
        terminal.type(line + "\n");
        terminal.until("# ");
        terminal.type("echo $WORD in $(pwd) on $(hostname)\n");
        terminal.until(token + " in /opt on web");
        terminal.type("sh -c 'echo be\"\"gun; exec sleep 1000'\n");
        terminal.until("begun");
        terminal.type("\3"); // ^C is for the sleep alone
        terminal.until("# ");
        terminal.type("cat /token; exit 7\n");
        terminal.until(token);
        terminal.until("$ "); // what is typed before it may be for the shell that ends
        EXPECT_THAT(type("echo status $?"), HasSubstr("status 7"));
    }
    EXPECT_EQ(containers(), "");
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST_F(ImageLayout, IsUnpackedAnewForEachContainer) {
    std::set<std::string> before = support::listing(scratch / "app");
    std::string one = fresh_id();
    std::string two = fresh_id();
    start(one);
    start(two);
    said_by(one, {"sh", "-c", "echo other > /token"});
    EXPECT_EQ(said_by(two, {"cat", "/token"}), token + "\n");
    EXPECT_EQ(support::listing(scratch / "app"), before);
    // Another image by the same name.
    std::string changed = support::token();
    sh("echo " + changed +
       " >token && tar --owner=0 --group=0 -cf more.tar token && "
       "umoci raw add-layer --image app:latest more.tar");
    before = support::listing(scratch / "app");
    std::string three = fresh_id();
    start(three);
    EXPECT_EQ(said_by(three, {"cat", "/token"}), changed + "\n");
    EXPECT_EQ(said_by(two, {"cat", "/token"}), token + "\n");
    for (const std::string& id : ids)
        EXPECT_EQ(gocontainer({"delete", "--force", id}).status, 0);
    EXPECT_EQ(support::listing(scratch / "app"), before);
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST_F(ImageLayout, GivesTheContainerWhatTheImageSays) {
    bool many = support::is_root() || support::subordinate("/etc/subuid").count != 0;
    configure("--config.user www --config.label org.example.word=" + token);
    if (!many)
        configure("--config.user root");
    std::string id = fresh_id();
    start(id);
    json state = json::parse(gocontainer({"state", id}).out);
    pid_t init = state["pid"];
    EXPECT_EQ(state["annotations"]["org.example.word"], token);
    EXPECT_EQ(support::command_line(init).front(), "gocontainer init");
    pid_t command = 0;
    ASSERT_TRUE(eventually([&] { // which init has yet to start
        auto children = support::children_of(init);
        command = children.empty() ? 0 : children.front();
        return command != 0 && support::command_line(command) == Strings{"/bin/sh"};
    }));
    EXPECT_EQ(said_by(id, {"sh", "-c", "echo $WORD"}), token + "\n");
    EXPECT_EQ(support::status(command)["Seccomp"], "2");
    EXPECT_EQ(support::status(command)["NoNewPrivs"], "1");
    EXPECT_EQ(said_by(id, {"sh", "-c", "id -u; id -g; cd /; ls -ln opt/file"}).substr(0, 6),
              many ? "33\n42\n" : "0\n0\n-r");
    if (many) {
        EXPECT_THAT(said_by(id, {"ls", "-ln", "/opt/file"}), HasSubstr(" 33       42 "));
    }
    // Not the caller's: nobody types for it.
    EXPECT_THAT(said_by(id, {"ls", "-l", "/proc/2/fd/0"}), HasSubstr("-> pipe:"));
    EXPECT_EQ(gocontainer({"delete", "--force", id}).status, 0); // files of 33's as well
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST_F(ImageLayout, RunsInTheForeground) {
    std::string id = fresh_id();
    configure("--clear=config.cmd --config.cmd cat --config.cmd /token");
    Ended ended = gocontainer({"run", "--bundle", "app", id});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, token + "\n");
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(containers(), "");
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST_F(ImageLayout, LeavesNothingOfACreateThatFails) {
    std::string id = fresh_id();
    configure("--clear=config.cmd --config.cmd no-such-" + token);
    Ended ended = gocontainer({"create", "--bundle", "app", id});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("executable file not found in $PATH"));
    EXPECT_EQ(containers(), "");
    EXPECT_THAT(bundles(), IsEmpty());
    sh("rm app/blobs/sha256/*");
    ended = gocontainer({"create", "--bundle", "app", id});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("umoci can't unpack"));
    EXPECT_EQ(containers(), "");
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST_F(ImageLayout, LeavesNothingWhenItIsInterrupted) {
    // A umoci that takes its time. Not by sh, which may let through what it has found blocked.
    std::string begun = scratch / "begun";
    scratch.folder("bin");
    scratch.file("bin/umoci",
                 "#!/bin/bash\nmkdir -p \"$6\" \"$5\"; echo $$ >" + begun + "; exec sleep 1000\n",
                 0755);
    for (int signal : {SIGINT, SIGTERM, SIGKILL}) {
        std::string id = fresh_id();
        Command create = command({"create", "--bundle", scratch / "app", id});
        create.env.push_back("PATH=" + scratch / "bin:" + getenv("PATH"));
        Process run(std::move(create));
        ASSERT_TRUE(eventually([&] {
            auto text = support::try_slurp(begun);
            return text && text->ends_with('\n');
        }));
        pid_t umoci = std::stoi(support::slurp(begun));
        EXPECT_EQ(bundles().size(), 1U);
        run.kill(signal);
        Ended ended = run.wait();
        if (signal == SIGKILL) { // what it could not do is for delete
            EXPECT_EQ(gocontainer({"delete", id}).status, 0);
        } else {
            EXPECT_EQ(ended.status, 1);
            EXPECT_THAT(ended.err, HasSubstr("was ended by SIG"));
        }
        EXPECT_EQ(containers(), "") << signal;
        EXPECT_THAT(bundles(), IsEmpty()) << signal;
        // Gone, or a zombie that nobody has waited for yet.
        EXPECT_TRUE(eventually([&] {
            auto line = support::try_slurp("/proc/" + std::to_string(umoci) + "/cmdline");
            return !line || line->empty();
        })) << signal;
        fs::remove(begun);
    }
}

TEST_F(ImageLayout, IsChosenByItsTag) {
    auto complaint = [&](const std::string& layout) {
        std::string before = containers();
        Ended ended = gocontainer({"create", "--bundle", layout, fresh_id()});
        EXPECT_EQ(ended.status, 1);
        EXPECT_EQ(containers(), before);
        return ended.err;
    };
    sh("umoci tag --image app:latest one && umoci tag --image app:latest two && "
       "umoci rm --image app:latest");
    EXPECT_THAT(complaint("app"), HasSubstr("has no image named latest: it has one, two: "));
    EXPECT_THAT(complaint("app:three"), HasSubstr("has no image named \"three\""));
    configure("--image app:one --tag one");
    std::string id = fresh_id();
    start(id, "app:one");
    EXPECT_EQ(said_by(id, {"cat", "/token"}), token + "\n");
    sh("umoci rm --image app:one");
    id = fresh_id();
    start(id); // the only one
    EXPECT_EQ(said_by(id, {"cat", "/token"}), token + "\n");
    sh("umoci rm --image app:two");
    EXPECT_THAT(complaint("app"), HasSubstr("skopeo copy"));
}

TEST_F(ImageLayout, NamesThePackageWhereUmociIsMissing) {
    std::string id = fresh_id();
    std::string path = support::run({.argv = {"sh", "-c", "command -v umoci"}}).out;
    path.pop_back();
    std::string empty = scratch.file("empty", "");
    Command create = command({"create", "--bundle", "app", id});
    create.before_exec = [&] {
        support::enter_own_mounts();
        support::mount_in(empty, path, "", MS_BIND);
    };
    Ended ended = support::run(std::move(create));
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("umoci, which is not installed: 'apt install umoci'"));
    EXPECT_EQ(containers(), "");
    EXPECT_THAT(bundles(), IsEmpty());
}

TEST(Delete, WaitsForAnEndThatWasAskedFor) {
    Bundle bundle;
    bundle.args({"sh", "-c",
                 "trap 'sleep 0.3; exit 0' TERM; echo up; while :; do sleep 1000 & "
                 "wait; done"});
    bundle.start();
    EXPECT_THAT(bundle.runtime({"delete", bundle.id()}).err, HasSubstr("that is not stopped"));
    ASSERT_TRUE(eventually([&] { return !support::children_of(bundle.pid()).empty(); }));
    EXPECT_EQ(bundle.runtime({"kill", bundle.id(), "TERM"}).status, 0);
    Ended deleted = bundle.runtime({"delete", bundle.id()});
    EXPECT_EQ(deleted.status, 0) << deleted.err;
    EXPECT_THAT(bundle.runtime({"state", bundle.id()}).err, HasSubstr("does not exist"));
}

} // namespace
