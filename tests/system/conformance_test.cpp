// What the specification says of a bundle, and the kernel's view of what came of it: where other
// runtimes' own tests have found us to differ.
#include "tests/support/bundle.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/receiver.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <filesystem>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Strings;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

namespace {

json shell(const std::string& script) {
    return {{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}};
}

/// A list of that one. (One in braces is a list for g++, and just that one for clang.)
json hook(const std::string& script) {
    return json::array({shell(script)});
}

// runtime.md, "Lifecycle", 13: what one says is a warning, and the next runs.
TEST(Conformance, EveryPoststopHookRuns) {
    Bundle bundle;
    std::string token = support::token();
    std::string log = bundle.folder().file("log", "", 0666);
    bundle.config["hooks"]["poststop"] = {shell("echo " + token + " >&2; exit 3"),
                                          shell("echo second >>" + log)};
    bundle.create();
    Ended deleted = bundle.runtime({"delete", bundle.id()});
    EXPECT_EQ(deleted.status, 0);
    EXPECT_THAT(deleted.err, AllOf(HasSubstr("warning: poststop hook"), HasSubstr(token)));
    EXPECT_EQ(support::slurp(log), "second\n");

    bundle.args({"true"});
    bundle.save();
    Ended ran = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ran.status, 0);
    EXPECT_THAT(ran.err, HasSubstr("warning: poststop hook"));
    EXPECT_EQ(support::slurp(log), "second\nsecond\n");
}

// runtime.md, "Lifecycle", 7 and 10: the container is stopped and destroyed, its poststop hooks
// run.
TEST(Conformance, AHookOfStartThatFailsIsTheContainersEnd) {
    for (const char* name : {"startContainer", "poststart"}) {
        Bundle bundle;
        std::string log = bundle.folder().file("log", "", 0666);
        bundle.args({"sleep", "1000"});
        bundle.config["hooks"] = {{name, {shell("exit 5")}},
                                  {"poststop", {shell("echo gone >>" + log)}}};
        bundle.create();
        pid_t pid = bundle.pid();
        Ended failed = bundle.runtime({"start", bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err,
                    AllOf(HasSubstr(std::string(name) + " hook"), HasSubstr("exit status 5")));
        EXPECT_THAT(bundle.runtime({"state", bundle.id()}).err, HasSubstr("does not exist"))
            << name;
        EXPECT_EQ(support::slurp(log), "gone\n") << name;
        auto left = support::try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
        EXPECT_EQ(left.value_or(""), "") << name; // a zombie of somebody's, at most
    }
}

// As with runc and crun: config.md leaves it open, and the caller's would be anything.
TEST(Conformance, HooksStartInTheBundle) {
    Bundle bundle;
    std::string log = bundle.folder().file("log", "", 0666);
    for (const char* name :
         {"prestart", "createRuntime", "createContainer", "poststart", "poststop"})
        bundle.config["hooks"][name] = hook("pwd >>" + log);
    bundle.args({"true"});
    bundle.save();
    support::Command from_root{.cwd = "/"};
    Ended ran = bundle.runtime({"run", "--bundle", bundle.path(), bundle.id()}, from_root);
    EXPECT_EQ(ran.status, 0) << ran.err;
    std::string line = bundle.path() + "\n";
    EXPECT_EQ(support::slurp(log), line + line + line + line + line);

    bundle.args({"sleep", "1000"});
    bundle.create();
    support::spill(log, "");
    for (const support::Strings& words :
         {support::Strings{"start", bundle.id()}, {"delete", "--force", bundle.id()}})
        EXPECT_EQ(bundle.runtime(words, from_root).status, 0);
    EXPECT_EQ(support::slurp(log), line + line);
}

// config.md, "Summary": in whose namespaces, and in whose tree the path is found.
TEST(Conformance, EachHookIsInItsNamespaces) {
    Bundle bundle;
    std::string log = bundle.folder().file("log", "", 0666);
    std::string spaces = "for s in mnt uts ipc net; do readlink /proc/self/ns/$s; done; ";
    for (const char* name :
         {"prestart", "createRuntime", "createContainer", "poststart", "poststop"})
        bundle.config["hooks"][name] =
            hook("{ echo " + std::string(name) + "; " + spaces + "} >>" + log);
    bundle.config["hooks"]["startContainer"] =
        hook("{ echo startContainer; " + spaces + "} >/tmp/log");
    bundle.config["mounts"].push_back(
        {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    bundle.args({"sleep", "1000"});
    bundle.create();
    pid_t pid = bundle.pid();
    std::string theirs;
    std::string ours;
    for (const char* space : {"mnt", "uts", "ipc", "net"}) {
        theirs += support::namespace_of(pid, space) + "\n";
        ours += support::namespace_of(getpid(), space) + "\n";
    }
    ASSERT_NE(ours, theirs);
    // What is written after `create` is another container's.
    support::spill(bundle.path() + "/config.json", "{}");
    ASSERT_EQ(bundle.runtime({"start", bundle.id()}).status, 0);
    EXPECT_EQ(bundle.runtime({"exec", bundle.id(), "cat", "/tmp/log"}).out,
              "startContainer\n" + theirs);
    ASSERT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    EXPECT_EQ(support::slurp(log), "prestart\n" + ours + "createRuntime\n" + ours +
                                       "createContainer\n" + theirs + "poststart\n" + ours +
                                       "poststop\n" + ours);
}

TEST(Conformance, AHookWhoseBundleIsGoneDoesNotStartAnywhereElse) {
    Bundle bundle;
    std::string log = bundle.folder().file("log", "");
    bundle.config["hooks"]["poststart"] = hook("pwd >>" + log);
    bundle.config["hooks"]["poststop"] = hook("pwd >>" + log);
    std::string moved = bundle.folder().folder("moved");
    bundle.args({"sleep", "1000"});
    bundle.save();
    // Of its own, to be moved away: the log and the rootfs stay.
    fs::create_directory(moved + "/bundle");
    bundle.config["root"]["path"] = bundle.path() + "/rootfs";
    support::spill(moved + "/bundle/config.json", bundle.config.dump());
    for (const char* id : {"one", "two"}) {
        Ended created = support::run(
            bundle.detached({"create", "--bundle", moved + "/bundle", bundle.id() + id}));
        ASSERT_EQ(created.status, 0) << support::slurp(bundle.path() + "/detached.err");
    }
    fs::rename(moved + "/bundle", moved + "/away");
    Ended started = bundle.runtime({"start", bundle.id() + "one"});
    EXPECT_EQ(started.status, 1);
    EXPECT_THAT(started.err, AllOf(HasSubstr("poststart hook"),
                                   HasSubstr("chdir(\"" + moved + "/bundle\"): ENOENT")));
    support::spill(log, "");
    Ended deleted = bundle.runtime({"delete", "--force", bundle.id() + "two"});
    EXPECT_EQ(deleted.status, 0);
    EXPECT_EQ(deleted.err, "");
    EXPECT_EQ(support::slurp(log), "/\n"); // there is something to clean up all the same
    bundle.runtime({"delete", "--force", bundle.id() + "one"});
}

// Of the hooks it is the one that is run in the container, with nothing of the host in reach.
TEST(Conformance, AStartContainerHookHasTheProcesssEnvironmentUnlessItHasItsOwn) {
    Bundle bundle;
    std::string token = support::token();
    std::string script = "echo $WHOSE >>/tmp/hook";
    json own = shell(script);
    own["env"] = {"WHOSE=own-" + token};
    bundle.config["process"]["env"] = {"PATH=/bin", "WHOSE=process-" + token};
    bundle.config["mounts"].push_back(
        {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    bundle.config["hooks"]["startContainer"] = {shell(script), own};
    bundle.args({"cat", "/tmp/hook"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.out, "process-" + token + "\nown-" + token + "\n") << ended.err;
}

// As runc and crun have it: config.md leaves open who makes it.
TEST(Conformance, TheWorkingDirectoryIsMadeOnAReadOnlyRootToo) {
    Bundle bundle;
    std::string there = "/made/" + support::token();
    bundle.config["root"]["readonly"] = true;
    bundle.config["process"]["cwd"] = there;
    bundle.args({"sh", "-c", "pwd; touch here 2>&1"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_THAT(ended.out, AllOf(HasSubstr(there + "\n"), HasSubstr("Read-only file system")))
        << ended.err;
}

// As runc has it: of no directory at all, the one that the root filesystem's passwd tells.
TEST(Conformance, AnEmptyHomeIsTheUsersOwn) {
    Bundle bundle;
    std::string home = "/home/" + support::token();
    support::spill(bundle.path() + "/rootfs/etc/passwd", "root:x:0:0:root:" + home + ":/bin/sh\n");
    bundle.config["process"]["env"] = {"PATH=/bin", "HOME=/x", "HOME="};
    bundle.args({"sh", "-c", "echo $HOME"});
    bundle.save();
    EXPECT_EQ(bundle.runtime({"run", bundle.id()}).out, home + "\n");
}

// capabilities(7): of a change of user, the inheritable set stays as it is.
TEST(Conformance, InheritableCapabilitiesAreThoseOfAnyUser) {
    Bundle bundle;
    json& process = bundle.config["process"];
    if (support::is_root())
        process["user"] = {{"uid", 1000}, {"gid", 1000}};
    process["capabilities"] = {};
    for (const char* set : {"bounding", "permitted", "inheritable"})
        process["capabilities"][set] = {"CAP_KILL", "CAP_SETPCAP"};
    bundle.args({"sleep", "1000"});
    bundle.start();
    EXPECT_EQ(support::status_bits(bundle.pid(), "CapInh"), (1U << 5) | (1U << 8));
    EXPECT_EQ(support::status_bits(bundle.pid(), "CapAmb"), 0u);
}

/// With a user namespace of its own, whose ids are not root's.
void mapped(Bundle& bundle) {
    if (!support::is_root())
        return; // it is so anyway
    json& linux = bundle.config["linux"];
    linux["namespaces"].push_back({{"type", "user"}});
    for (const char* maps : {"uidMappings", "gidMappings"})
        linux[maps] = json::array({{{"containerID", 0}, {"hostID", 200000}, {"size", 65536}}});
}

// Only the machine's root may make a process less likely to be killed.
TEST(Conformance, TheOomScoreIsLessThanOursInAUserNamespaceToo) {
    std::string own = support::slurp("/proc/self/oom_score_adj");
    int score = std::stoi(own) - 7;
    std::string lower = "echo " + std::to_string(score) + " >/proc/self/oom_score_adj";
    if (support::run({.argv = {"sh", "-c", lower}}).status != 0)
        GTEST_SKIP() << "host lacks CAP_SYS_RESOURCE for this user";
    Bundle bundle;
    mapped(bundle);
    bundle.config["process"]["oomScoreAdj"] = score;
    bundle.args({"sh", "-c", "echo $$; cat /proc/self/oom_score_adj; exec sleep 1000"});
    bundle.save();
    support::Process run(bundle.command({"run", bundle.id()}));
    run.until("\n" + std::to_string(score) + "\n");
    EXPECT_EQ(support::slurp("/proc/" + std::to_string(run.pid()) + "/oom_score_adj"), own);
    EXPECT_EQ(bundle.runtime({"exec", bundle.id(), "cat", "/proc/self/oom_score_adj"}).out,
              std::to_string(score) + "\n");
    EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
}

TEST(Conformance, AnOomScoreThatRootMayNotGiveIsAnError) {
    if (!support::is_root())
        GTEST_SKIP() << "an ordinary user's container keeps the score that it has";
    Bundle bundle;
    int own = std::stoi(support::slurp("/proc/self/oom_score_adj"));
    bundle.config["process"]["oomScoreAdj"] = own - 7;
    bundle.args({"true"});
    bundle.save();
    auto command = bundle.command({"run", bundle.id()});
    command.before_exec = [] {
        if (prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE) != 0)
            support::fail_with_errno("prctl");
    };
    Ended ended = support::run(command);
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("process.oomScoreAdj: "), HasSubstr("EACCES"),
                                 HasSubstr("needs CAP_SYS_RESOURCE")));
}

// The kernel gives nobody a /proc that shows more than what he can see already.
TEST(Conformance, WithoutAPivotTheHostsProcIsOutOfReachToo) {
    if (!support::is_root())
        GTEST_SKIP() << "an initramfs is root's to start from";
    Bundle bundle;
    for (const char* set : {"bounding", "permitted", "effective"})
        for (const char* name : {"CAP_SETFCAP", "CAP_SYS_ADMIN"})
            bundle.config["process"]["capabilities"][set].push_back(name);
    bundle.config["mounts"].push_back(
        {{"destination", "/fresh"}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    std::string inner = "mount -t proc proc /fresh && echo revealed";
    bundle.args({"sh", "-c", "unshare -mUpf sh -c 'echo in; " + inner + "' 2>&1"});
    bundle.save();
    for (const char* option : {"--no-pivot", "--debug"}) {
        Ended ended = option == std::string("--no-pivot")
                          ? bundle.runtime({"run", option, bundle.id()})
                          : bundle.runtime({option, "run", bundle.id()});
        EXPECT_THAT(ended.out, HasSubstr("in\n")) << ended.err;
        EXPECT_THAT(ended.out, testing::Not(HasSubstr("revealed"))) << option;
    }
}

// Docker's --tmpfs /new says no mode, and a user of the container's is to write there.
TEST(Conformance, ATmpfsIsAsTheDirectoryThatItCoversOrEverybodys) {
    Bundle bundle;
    std::string fresh = "/" + support::token();
    bundle.folder().folder("rootfs/there");
    ASSERT_EQ(chmod((bundle.path() + "/rootfs/there").c_str(), 0710), 0);
    for (const std::string& place : {fresh, std::string("/there")})
        bundle.config["mounts"].push_back(
            {{"destination", place}, {"type", "tmpfs"}, {"source", "tmpfs"}});
    bundle.args({"stat", "-c", "%a", fresh, "/there"});
    bundle.save();
    Ended ended = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(ended.out, "1777\n710\n") << ended.err;
}

// Of more characters than fsconfig(2) takes at once: engines have that many layers.
TEST(Conformance, AnOverlayHasManyLayers) {
    for (bool own_ids : {false, true}) {
        Bundle bundle;
        if (own_ids)
            mapped(bundle);
        std::string lower, expected;
        for (int i = 0; i < 12; ++i) {
            std::string name = "layer-" + std::to_string(i) + "-" + support::token();
            std::string token = support::token();
            bundle.folder().folder(name);
            bundle.folder().file(name + "/" + token, "");
            bundle.folder().file(name + "/first", token);
            lower += (lower.empty() ? "" : ":") + (bundle.folder() / name);
            if (i == 0)
                expected = token;
        }
        ASSERT_GT(lower.size(), 255u);
        bundle.config["mounts"].push_back({{"destination", "/mnt"},
                                           {"type", "overlay"},
                                           {"source", "overlay"},
                                           {"options", {"ro", "nodev", "lowerdir=" + lower}}});
        bundle.args({"sh", "-c",
                     "cat /mnt/first; echo; ls /mnt | wc -l; touch /mnt/x 2>&1; "
                     "grep ' /mnt ' /proc/self/mountinfo; ls -a /"});
        bundle.save();
        Ended ended = bundle.runtime({"run", bundle.id()});
        EXPECT_THAT(ended.out, AllOf(testing::StartsWith(expected + "\n13\n"),
                                     HasSubstr("Read-only file system"),
                                     HasSubstr(" /mnt ro,nodev,"), HasSubstr("lowerdir=" + lower)))
            << ended.err;
    }
}

// And of more than mount(2) takes: an error, not half a list.
TEST(Conformance, AnOverlayOfTooManyLayersIsRefused) {
    Bundle bundle;
    std::string lower = bundle.path();
    while (lower.size() < 4096)
        lower += ":" + bundle.path();
    bundle.config["mounts"].push_back({{"destination", "/mnt"},
                                       {"type", "overlay"},
                                       {"source", "overlay"},
                                       {"options", {"lowerdir=" + lower}}});
    bundle.save();
    Ended refused = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("and the kernel takes 4095"));
}

/// A process in new namespaces whose ids are as mapped() has them, for others to join.
class Holder {
public:
    Holder()
        : process_({.argv = {"unshare", "--user", "--net", "--ipc", "--uts", "sh", "-c",
                             "echo in; exec sleep 1000"}}) {
        process_.until("in");
        for (const char* map : {"uid_map", "gid_map"})
            support::write_to(proc() + map, "0 200000 65536");
    }
    std::string proc() const { return "/proc/" + std::to_string(process_.pid()) + "/"; }
    pid_t pid() const { return process_.pid(); }

private:
    support::Process process_;
};

TEST(Conformance, ExecEntersNamespacesThatWereJoined) {
    if (!support::is_root())
        GTEST_SKIP() << "only root may write such maps without a helper";
    Holder holder;
    Bundle bundle;
    json& namespaces = bundle.config["linux"]["namespaces"];
    namespaces = json::array({{{"type", "mount"}}, {{"type", "pid"}}, {{"type", "cgroup"}}});
    for (auto [type, file] : {std::pair{"user", "user"}, {"network", "net"}, {"ipc", "ipc"}})
        namespaces.push_back({{"type", type}, {"path", holder.proc() + "ns/" + file}});
    bundle.config.erase("hostname");
    bundle.config["linux"].erase("sysctl");
    bundle.args({"sleep", "1000"});
    bundle.start();
    support::Process second(
        bundle.command({"exec", bundle.id(), "sh", "-c", "id -u; echo in; exec sleep 1000"}));
    second.until("in");
    EXPECT_THAT(second.out(), testing::StartsWith("0\n"));
    auto inside = support::children_of(second.pid());
    ASSERT_EQ(inside.size(), 1u);
    for (const char* name : {"user", "net", "ipc"})
        EXPECT_EQ(support::namespace_of(inside[0], name),
                  support::namespace_of(holder.pid(), name));
    for (const std::string& name : support::kNamespaces)
        EXPECT_EQ(support::namespace_of(inside[0], name),
                  support::namespace_of(bundle.pid(), name));
    EXPECT_EQ(support::status(inside[0])["Uid"], "200000\t200000\t200000\t200000");
}

/// How `pid` is scheduled, and where its memory is to be.
struct Scheduling {
    int policy = 0, nice = 0, io = 0;
    std::string memory;
    explicit Scheduling(pid_t pid)
        : policy(sched_getscheduler(pid)), nice(getpriority(PRIO_PROCESS, static_cast<id_t>(pid))),
          io(static_cast<int>(syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, pid))) {
        std::string maps =
            support::try_slurp("/proc/" + std::to_string(pid) + "/numa_maps").value_or("");
        std::size_t space = maps.find(' ');
        memory = space == std::string::npos
                     ? ""
                     : maps.substr(space + 1, maps.find(' ', space + 1) - space - 1);
    }
};

// config.md, "Linux Process": of exec what its process says, and else as the container's own.
TEST(Conformance, ExecIsScheduledAsWanted) {
    Bundle bundle;
    json& process = bundle.config["process"];
    process["scheduler"] = {{"policy", "SCHED_BATCH"}, {"nice", 5}};
    process["ioPriority"] = {{"class", "IOPRIO_CLASS_BE"}, {"priority", 6}};
    bool numa = support::try_slurp("/proc/self/numa_maps").has_value();
    if (numa)
        bundle.config["linux"]["memoryPolicy"] = {{"mode", "MPOL_BIND"}, {"nodes", "0"}};
    bundle.args({"sleep", "1000"});
    bundle.start();
    auto check = [&](pid_t pid, int policy, int nice, int io) {
        Scheduling now(pid);
        EXPECT_EQ(now.policy, policy);
        EXPECT_EQ(now.nice, nice);
        EXPECT_EQ(now.io, 2 << 13 | io);
        if (numa) {
            EXPECT_EQ(now.memory, "bind:0");
        }
    };
    check(bundle.pid(), SCHED_BATCH, 5, 6);
    auto executed = [&](Strings words) {
        words.insert(words.begin(), {"exec", "--detach", "--pid-file", bundle.path() + "/pid"});
        EXPECT_EQ(support::run(bundle.detached(words)).status, 0);
        return std::stoi(support::slurp(bundle.path() + "/pid"));
    };
    check(executed({bundle.id(), "sleep", "1000"}), SCHED_BATCH, 5, 6);
    process["args"] = {"sleep", "1000"};
    process["scheduler"] = {{"policy", "SCHED_OTHER"}, {"nice", 7}};
    process["ioPriority"]["priority"] = 7;
    std::string file = bundle.folder().file("process.json", process.dump());
    check(executed({"--process", file, bundle.id()}), SCHED_OTHER, 7, 7);
}

/// At listenerPath: says what it got, and answers one system call with an error.
class Listener {
public:
    explicit Listener(const std::string& path) : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            chmod(path.c_str(), 0666) != 0 || listen(socket_, 2) != 0)
            support::fail_with_errno(path);
    }
    ~Listener() {
        close(socket_);
        close(notifier_);
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    /// One message with one descriptor, and the end of the connection behind it.
    json hear() {
        int connection = accept(socket_, nullptr, nullptr);
        support::Received received = support::receive_from(connection);
        close(notifier_);
        notifier_ = dup(received.fd());
        char rest = 0;
        ends_ = read(connection, &rest, 1) == 0;
        close(connection);
        return json::parse(received.text());
    }
    bool ends() const { return ends_; }
    /// The next call that is asked about, which fails with `code`; its number.
    int refuse_next(int code) {
        seccomp_notif asked{};
        if (ioctl(notifier_, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
            support::fail_with_errno("SECCOMP_IOCTL_NOTIF_RECV");
        seccomp_notif_resp answer{.id = asked.id, .val = 0, .error = -code, .flags = 0};
        if (ioctl(notifier_, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0)
            support::fail_with_errno("SECCOMP_IOCTL_NOTIF_SEND");
        return asked.data.nr;
    }

private:
    int socket_ = -1;
    int notifier_ = -1;
    bool ends_ = false;
};

// config-linux.md, "The Container Process State".
TEST(Conformance, SystemCallsAreAnsweredByWhoeverListens) {
    Bundle bundle;
    std::string path = bundle.path() + "/listener";
    Listener listener(path);
    std::string token = support::token();
    bundle.config["annotations"] = {{"org.example.token", token}};
    bundle.config["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"flags", {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}},
        {"listenerPath", path},
        {"listenerMetadata", "m-" + token},
        {"syscalls", {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
    for (bool new_privileges : {false, true}) {
        bundle.config["process"]["noNewPrivileges"] = !new_privileges;
        bundle.args({"sh", "-c", "mkdir /" + token + " 2>&1; exec sleep 1000"});
        bundle.save();
        if (new_privileges && !support::is_root())
            break; // needs CAP_SYS_ADMIN when the filter is loaded, which has been tried
        support::Process run(bundle.command({"run", bundle.id()}));
        json said = listener.hear();
        EXPECT_EQ(said["ociVersion"], bundle.config["ociVersion"]);
        EXPECT_EQ(said["fds"], json::array({"seccompFd"}));
        EXPECT_EQ(said["metadata"], "m-" + token);
        EXPECT_EQ(said["state"]["id"], bundle.id());
        EXPECT_EQ(said["state"]["status"], "creating");
        EXPECT_EQ(said["state"]["bundle"], bundle.path());
        EXPECT_EQ(said["state"]["annotations"]["org.example.token"], token);
        EXPECT_EQ(said["state"]["pid"], said["pid"]);
        EXPECT_TRUE(listener.ends());
        (void)listener.refuse_next(ENOMEDIUM);
        run.until("No medium found");
        EXPECT_EQ(said["pid"], bundle.pid());

        support::Process second(
            bundle.command({"exec", bundle.id(), "sh", "-c", "mkdir /another 2>&1"}));
        said = listener.hear();
        EXPECT_EQ(said["state"]["pid"], bundle.pid());
        EXPECT_NE(said["pid"], said["state"]["pid"]);
        EXPECT_EQ(said["state"]["status"], "running");
        (void)listener.refuse_next(EXFULL);
        second.until("Exchange full");
        second.wait();
        EXPECT_EQ(bundle.runtime({"delete", "--force", bundle.id()}).status, 0);
    }
}

// Nobody would ever answer it, so that nothing runs.
TEST(Conformance, AListenerThatIsNotThereIsAnError) {
    Bundle bundle;
    bundle.config["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"listenerPath", bundle.path() + "/nobody"},
        {"syscalls", {{{"names", {"chmod"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
    bundle.config["root"]["readonly"] = false;
    bundle.args({"sh", "-c", "echo >/ran"});
    bundle.save();
    for (int tries = 0; tries < 20; ++tries) {
        Ended failed = bundle.runtime({"run", bundle.id()});
        EXPECT_EQ(failed.status, 1);
        EXPECT_THAT(failed.err, HasSubstr("linux.seccomp.listenerPath"));
        EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
    }
    bundle.create();
    EXPECT_THAT(bundle.runtime({"start", bundle.id()}).err,
                HasSubstr("linux.seccomp.listenerPath"));
    EXPECT_TRUE(support::eventually([&] { return bundle.status() == "stopped"; }));
    EXPECT_FALSE(std::filesystem::exists(bundle.path() + "/rootfs/ran"));
}

TEST(Conformance, AnUnknownFormOfLogIsRefused) {
    Bundle bundle;
    Ended refused = bundle.runtime({"--log-format", "yaml", "list"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("--log-format \"yaml\""));
}

TEST(Conformance, ALogThatCannotBeOpenedIsAnError) {
    Bundle bundle;
    bundle.args({"/bin/true"});
    bundle.save();
    std::string log = bundle.path() + "/" + support::token() + "/log";
    for (const support::Strings& command : {support::Strings{"create", bundle.id()}, {"list"}}) {
        support::Strings words{"--log", log};
        words.insert(words.end(), command.begin(), command.end());
        Ended refused = bundle.runtime(words);
        EXPECT_EQ(refused.status, 1);
        EXPECT_EQ(refused.out, "");
        EXPECT_THAT(refused.err, HasSubstr("--log \"" + log + "\""));
    }
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "") << "nothing was made";
    std::string fifo = bundle.path() + "/fifo"; // which nobody reads: an error, and no waiting
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(bundle.runtime({"--log", fifo, "list"}).status, 1);
}

// Of any form: an option beside it finds a place in it, or the error says which it has not.
TEST(Conformance, AnUpdateOfAnotherFormIsRefused) {
    Bundle bundle;
    for (auto [text, place] :
         {std::pair{"[]", "the document: a list"}, {"{\"memory\": [5]}", "memory: a list"}}) {
        std::string file = bundle.folder().file("limits", text);
        Ended refused =
            bundle.runtime({"update", "--resources", file, "--memory", "64M", bundle.id()});
        EXPECT_EQ(refused.status, 1);
        EXPECT_THAT(refused.err, HasSubstr(place));
    }
}

TEST(Conformance, AnUpdateOfAShareOfTheCacheNeedsOne) {
    Bundle bundle;
    bundle.args({"/bin/sleep", "60"});
    bundle.start();
    for (auto [option, line] :
         {std::pair{"--l3-cache-schema", "L3:0=f"}, {"--mem-bw-schema", "MB:0=50"}})
        EXPECT_THAT(bundle.runtime({"update", option, line, bundle.id()}).err,
                    HasSubstr("linux.intelRdt: "));
    EXPECT_THAT(bundle.runtime({"update", "--mem-bw-schema", "L3:0=f", bundle.id()}).err,
                HasSubstr("--mem-bw-schema \"L3:0=f\""));
}

// Engines written in Go fill the pipe when they have started us, and its end may be O_NONBLOCK.
TEST(Conformance, AnUpdateIsWaitedFor) {
    Bundle bundle;
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    support::Command command = bundle.command({"update", "--resources=-", bundle.id()});
    command.fds = {{ends[0], 0}};
    support::Process update(command);
    close(ends[0]);
    ASSERT_TRUE(support::eventually([&] {
        return !update.running() || support::status(update.pid())["State"] == "S (sleeping)";
    }));
    EXPECT_EQ(write(ends[1], "[]", 2), 2);
    close(ends[1]);
    EXPECT_THAT(update.wait().err, HasSubstr("the document: a list"));
}

// config.md, "Process": required when start is called, and not before.
TEST(Conformance, WithoutAProcessThereIsNothingToStart) {
    Bundle bundle;
    bundle.config.erase("process");
    bundle.create();
    Ended refused = bundle.runtime({"start", bundle.id()});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("process: is missing"));
    EXPECT_EQ(bundle.status(), "created");
    EXPECT_EQ(support::status_bits(bundle.pid(), "CapEff"), 0u);
    Ended second = bundle.runtime({"exec", bundle.id(), "sh", "-c", "pwd; id -u"});
    EXPECT_EQ(second.out, "/\n0\n") << second.err;
    EXPECT_EQ(bundle.runtime({"delete", bundle.id()}).status, 0);

    Ended run = bundle.runtime({"run", bundle.id()});
    EXPECT_EQ(run.status, 1);
    EXPECT_THAT(run.err, HasSubstr("process: is missing"));
    EXPECT_EQ(bundle.runtime({"list", "-q"}).out, "");
}

} // namespace
