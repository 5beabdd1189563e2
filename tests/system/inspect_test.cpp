// `inspect` and `diff` against what /proc, lsns, capsh and ip say of the same process.
#include "tests/support/bundle.hpp"
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

namespace {

using nlohmann::json;
using support::Bundle;
using support::Container;
using support::Ended;
using support::Process;
using support::Scratch;
using support::Strings;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Ended tool(Strings words, support::Command with = {}) {
    words.insert(words.begin(), support::gocontainer());
    with.argv = std::move(words);
    with.input_ends = true;
    return support::run(std::move(with));
}

json inspect(const std::string& whom) {
    Ended ended = tool({"inspect", "--json", whom});
    if (ended.status != 0)
        throw std::runtime_error(ended.err);
    return json::parse(ended.out);
}
json inspect(pid_t pid) {
    return inspect(std::to_string(pid));
}

/// A shell in namespaces that unshare(1) makes, which waits for its input to end.
class Unshared {
public:
    Unshared(const Strings& options, const std::string& setup)
        : process_({.argv = [&] {
              Strings all{"unshare", "--user", "--map-root-user"};
              all.insert(all.end(), options.begin(), options.end());
              all.insert(all.end(), {"sh", "-c", setup + "; echo ready; read -r _"});
              return all;
          }()}) {
        process_.until("ready\n");
    }
    pid_t pid() const { return process_.pid(); }

private:
    Process process_;
};

std::uint64_t inode(pid_t pid, const std::string& type) {
    std::string link = support::namespace_of(pid, type);
    return std::stoull(link.substr(link.find('[') + 1));
}

void expect_namespaces(const json& seen, pid_t pid) {
    ASSERT_EQ(seen["namespaces"].size(), support::kNamespaces.size());
    json listed = json::parse(support::lsns(pid))["namespaces"];
    EXPECT_EQ(listed.size(), seen["namespaces"].size());
    for (const json& space : seen["namespaces"]) {
        std::string type = space["type"];
        EXPECT_EQ(space["inode"], inode(pid, type)) << type;
        for (const json& one : listed)
            if (one["type"] == type) {
                EXPECT_EQ(one["ns"], space["inode"]) << type;
                // lsns and we are counted ourselves, where we share it.
                if (space["inode"] != inode(getpid(), type)) {
                    EXPECT_EQ(one["nprocs"], space["members"]) << type;
                    EXPECT_EQ(one["pid"], space["first"]) << type;
                }
            }
    }
}

void expect_mounts(const json& seen, pid_t pid) {
    auto table = support::mountinfo(pid);
    ASSERT_EQ(seen["mounts"].size(), table.size());
    for (std::size_t i = 0; i < table.size(); ++i) {
        const json& mount = seen["mounts"][i];
        EXPECT_EQ(mount["point"], table[i].point);
        EXPECT_EQ(mount["type"], table[i].type);
        EXPECT_EQ(mount["source"], table[i].source);
        EXPECT_EQ(mount["root"], table[i].root);
        std::string tags;
        for (const std::string& tag : table[i].optional)
            tags += (tags.empty() ? "" : ",") + tag;
        EXPECT_EQ(mount["propagation"].get<std::string>().size(),
                  tags.empty() ? std::string("private").size() : tags.size())
            << mount["propagation"] << " is " << tags;
    }
}

/// By capsh(1).
void expect_capabilities(const json& seen, pid_t pid) {
    for (const auto& [field, set] : {std::pair{"CapInh", "inheritable"},
                                     {"CapPrm", "permitted"},
                                     {"CapEff", "effective"},
                                     {"CapBnd", "bounding"},
                                     {"CapAmb", "ambient"}}) {
        std::string bits = support::status(pid)[field];
        Ended capsh = support::run({.argv = {"capsh", "--decode=" + bits}});
        std::string names;
        for (const json& name : seen["capabilities"][set])
            names += (names.empty() ? "" : ",") + name.get<std::string>();
        EXPECT_EQ(capsh.out, "0x" + bits + "=" + names + "\n") << set;
    }
}

TEST(Inspect, TellsOfAContainerWhatTheKernelDoes) {
    std::string name = support::token();
    Container box({"--hostname", name, "--init"});
    pid_t pid = box.command();
    json seen = inspect(pid);
    EXPECT_EQ(seen["pid"], pid);
    expect_namespaces(seen, pid);
    expect_mounts(seen, pid);
    expect_capabilities(seen, pid);
    auto map = support::id_map(pid, "uid_map");
    ASSERT_EQ(seen["uid_map"].size(), map.size());
    for (std::size_t i = 0; i < map.size(); ++i)
        EXPECT_EQ(seen["uid_map"][i], (json{{"inside", map[i].inside},
                                            {"outside", map[i].outside},
                                            {"count", map[i].count}}));
    EXPECT_EQ(seen["hostname"], name);
    EXPECT_EQ(seen["seccomp_mode"], 2);
    EXPECT_EQ(std::to_string(seen["seccomp_filters"].get<int>()),
              support::status(pid)["Seccomp_filters"]);
    EXPECT_EQ(seen["no_new_privs"], true);
    EXPECT_EQ(seen["pids"], (json{pid, std::stoi(box.ask("echo $$").out)}));
    EXPECT_EQ(seen["command"], support::command_line(pid));
    EXPECT_THAT(seen["unread"], IsEmpty()) << seen["unread"];
    for (const json& space : seen["namespaces"]) {
        std::string type = space["type"];
        bool own = type != "time";
        EXPECT_EQ(space["inode"] != space["host"], own) << type;
        EXPECT_EQ(space["owner"],
                  type == "user" ? inode(getpid(), "user") : inode(own ? pid : getpid(), "user"))
            << type;
        if (own) {
            EXPECT_EQ(space["owner_uid"], getuid()) << type;
        }
    }
}

TEST(Inspect, LooksIntoNamespacesThatUnshareMade) {
    std::string name = support::token();
    Unshared process({"--uts", "--net"}, "hostname " + name +
                                             "; ip link set lo up; "
                                             "ip link add v0 type veth peer v1; "
                                             "ip addr add 10.9.8.7/24 dev v0");
    json seen = inspect(process.pid());
    EXPECT_EQ(seen["hostname"], name);
    expect_namespaces(seen, process.pid());
    expect_capabilities(seen, process.pid());
    std::string listed = support::in_namespaces(process.pid(), {"user", "net"}, [] {
        return support::run({.argv = {"ip", "--json", "--details", "addr"}}).out;
    });
    json links = json::parse(listed);
    ASSERT_EQ(seen["links"].size(), links.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
        const json& link = seen["links"][i];
        EXPECT_EQ(link["name"], links[i]["ifname"]);
        EXPECT_EQ(link["mtu"], links[i]["mtu"]);
        EXPECT_EQ(link["kind"], links[i].value("/linkinfo/info_kind"_json_pointer, ""));
        EXPECT_EQ(link["mac"], link["name"] == "lo" ? json("") : links[i]["address"]);
        EXPECT_EQ(link["up"].get<bool>(),
                  std::ranges::find(links[i]["flags"], json("UP")) != links[i]["flags"].end());
        json addresses = json::array();
        for (const json& one : links[i]["addr_info"])
            addresses.push_back(one["local"].get<std::string>() + "/" + one["prefixlen"].dump());
        EXPECT_EQ(link["addresses"], addresses);
    }
    EXPECT_EQ(seen["setgroups"], "deny");
}

/// Root of a namespace may trace who joins it, unless that one is closed before.
TEST(Inspect, WhoLooksInsideCannotBeTracedFromThere) {
    Unshared process({"--uts", "--net"}, ":");
    Scratch folder;
    Ended traced =
        support::run({.argv = {"strace", "-f", "-e", "trace=prctl,setns", "-o", folder / "trace",
                               support::gocontainer(), "inspect", std::to_string(process.pid())}});
    ASSERT_EQ(traced.status, 0) << traced.err;
    std::map<std::string, bool> closed; // by process
    int joined = 0;
    for (const std::string& line : support::lines(support::slurp(folder / "trace"))) {
        std::string who = line.substr(0, line.find(' '));
        if (line.find("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0") != std::string::npos)
            closed[who] = true;
        if (line.find(" setns(") != std::string::npos) {
            EXPECT_TRUE(closed[who]) << line;
            ++joined;
        }
    }
    EXPECT_GE(joined, 2);
}

TEST(Inspect, SelfIsWhereTheCallerIs) {
    json seen = inspect("self");
    for (const json& space : seen["namespaces"])
        EXPECT_EQ(space["inode"], inode(getpid(), space["type"]));
    char name[256] = {};
    ASSERT_EQ(gethostname(name, sizeof name), 0);
    EXPECT_EQ(seen["hostname"], name);
    expect_mounts(seen, getpid());
}

/// Root asks as somebody else; an ordinary user about the kernel's threads, which are root's.
TEST(Inspect, NamesWhatTheCallerMayNotRead) {
    support::Command with;
    pid_t pid = 2;
    if (support::is_root()) {
        pid = getpid();
        with.before_exec = [] {
            if (setgid(65534) != 0 || setuid(65534) != 0)
                support::fail_with_errno("setuid");
        };
    }
    Ended ended = tool({"inspect", "--json", std::to_string(pid)}, with);
    ASSERT_EQ(ended.status, 0) << ended.err;
    json seen = json::parse(ended.out);
    std::string why;
    for (const json& one : seen["unread"])
        if (one["what"] == "namespaces")
            why = one["why"];
    EXPECT_THAT(why, AllOf(HasSubstr("EACCES"), HasSubstr("ask as root")));
    EXPECT_THAT(seen["namespaces"], IsEmpty());
    Ended text = tool({"inspect", std::to_string(pid)}, with);
    EXPECT_THAT(text.out,
                HasSubstr("not readable: readlink(\"/proc/" + std::to_string(pid) + "/root\")"));
}

TEST(Inspect, OfAProcessThatHasEnded) {
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(gone), &info, WEXITED | WNOWAIT), 0);
    json zombie = inspect(gone);
    EXPECT_THAT(zombie["state"], StartsWith("Z"));
    EXPECT_THAT(zombie["unread"].dump(), HasSubstr("a zombie"));
    ASSERT_EQ(waitpid(gone, nullptr, 0), gone);
    Ended ended = tool({"inspect", std::to_string(gone)});
    EXPECT_EQ(ended.status, 125);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "gocontainer: there is no process " + std::to_string(gone) + "\n");
}

TEST(Inspect, OfAProcessThatEndsMeanwhileIsWholeOrAnError) {
    for (int i = 0; i < 20; ++i) {
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        Process looking(
            {.argv = {support::gocontainer(), "inspect", "--json", std::to_string(child)}});
        support::pass(std::chrono::microseconds(i * 300));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        Ended ended = looking.wait();
        if (ended.status == 0)
            EXPECT_EQ(json::parse(ended.out)["pid"], child);
        else
            EXPECT_THAT(ended.err, ::testing::AnyOf(HasSubstr("has ended meanwhile"),
                                                    HasSubstr("there is no process")));
    }
}

TEST(Inspect, FindsAContainerByItsId) {
    Bundle bundle;
    bundle.args({"sleep", "1000"});
    bundle.config["hostname"] = support::token();
    bundle.start();
    Ended before = tool({"--root", bundle.root(), "inspect", "--json", bundle.id()});
    ASSERT_EQ(before.status, 0) << before.err;
    json seen = json::parse(before.out);
    EXPECT_EQ(seen["pid"], bundle.pid());
    EXPECT_EQ(seen["hostname"], bundle.config["hostname"]);
    // With what was written before it can be compared, and by its own --root as well.
    std::string file = bundle.folder().file("seen.json", before.out);
    Ended same = tool({"diff", "--root=" + bundle.root(), file, bundle.id()});
    EXPECT_EQ(same.out, "no difference\n") << same.err;
    Ended unknown = tool({"inspect", "--root", bundle.root(), "x" + bundle.id()});
    EXPECT_EQ(unknown.status, 125);
    EXPECT_THAT(unknown.err, HasSubstr("does not exist"));
}

TEST(Diff, OfTwoProcessesIsWhatWasUnshared) {
    std::string name = support::token();
    Unshared one({}, ":");
    pid_t first = one.pid();
    // In the same user namespace, with a UTS namespace more.
    Process two(
        {.argv = {"nsenter", "--user", "--preserve-credentials", "--target", std::to_string(first),
                  "unshare", "--uts", "sh", "-c", "hostname " + name + "; echo ready; read -r _"}});
    two.until("ready\n");
    Ended ended = tool({"diff", "--json", std::to_string(first), std::to_string(two.pid())});
    ASSERT_EQ(ended.status, 0) << ended.err;
    char here[256] = {};
    ASSERT_EQ(gethostname(here, sizeof here), 0);
    std::map<std::string, json> changes;
    for (const json& change : json::parse(ended.out))
        changes[change["what"]] = change;
    EXPECT_EQ(changes["uts namespace"]["after"], std::to_string(inode(two.pid(), "uts")));
    EXPECT_EQ(changes["hostname"]["before"], here);
    EXPECT_EQ(changes["hostname"]["after"], name);
    changes.erase("command line");
    EXPECT_EQ(changes.size(), 2U) << ended.out;
    Ended text = tool({"diff", std::to_string(first), std::to_string(two.pid())});
    EXPECT_THAT(text.out, HasSubstr("~ hostname: " + std::string(here) + " → " + name + "\n"));
}

TEST(Diff, SaysWhatIsWrongWithAFile) {
    Scratch folder;
    auto said = [&](const std::string& text) {
        Ended ended = tool({"diff", folder.file("f", text), "self"});
        EXPECT_EQ(ended.status, 125);
        return ended.err;
    };
    EXPECT_THAT(said("{"), HasSubstr("/f\" is no JSON"));
    EXPECT_THAT(said("{}"), HasSubstr("/f\": it tells of no process"));
    EXPECT_THAT(said(R"({"pid":1,"mounts":[{"id":"x"}]})"), HasSubstr("mounts[0].id is no number"));
    std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
    EXPECT_THAT(said(R"({"a":)" + deep + R"(,"b":1,"c":2,"d":3})"), HasSubstr("nested too deep"));
    EXPECT_THAT(said(R"({"pid":1,"name":"[[\"[","x":[)" + std::string(30, '[') + "1"),
                HasSubstr("is no JSON"));
    EXPECT_THAT(tool({"diff", "self"}).err, HasSubstr("diff wants two processes"));
    EXPECT_THAT(tool({"inspect", "--jsn", "self"}).err, HasSubstr("no option \"--jsn\""));
}

/// Columns of text in UTF-8.
std::size_t columns(const std::string& line) {
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

TEST(Inspect, ReadsWellOnATerminalAndWithoutOne) {
    Container box;
    std::string pid = std::to_string(box.command());
    Ended piped = tool({"inspect", pid});
    EXPECT_THAT(piped.out, Not(HasSubstr("\033")));
    for (const std::string& line : support::lines(piped.out))
        EXPECT_LE(columns(line), 80U) << line;
    auto on_terminal = [&](Strings words, const Strings& env) {
        words.insert(words.begin(), {support::gocontainer(), "inspect", pid});
        support::Terminal terminal({.argv = words, .env = env});
        terminal.wait();
        return terminal.screen();
    };
    EXPECT_THAT(on_terminal({}, {"TERM=xterm", "NO_COLOR"}), HasSubstr("\033[1mnamespaces"));
    EXPECT_THAT(on_terminal({}, {"TERM=xterm", "NO_COLOR=1"}), Not(HasSubstr("\033")));
    EXPECT_THAT(on_terminal({}, {"TERM=dumb", "NO_COLOR"}), Not(HasSubstr("\033")));
    std::string plain = on_terminal({"--plain"}, {"TERM=xterm", "NO_COLOR"});
    EXPECT_THAT(plain, HasSubstr("namespaces"));
    EXPECT_TRUE(std::ranges::all_of(plain, [](char c) { return c > 0 && c != '\033'; })) << plain;
}

TEST(Inspect, ShowsNoControlCharactersOfAHostileProcess) {
    Process hostile({.argv = {"sh", "-c", "echo ready; read -r _", "\033]0;owned\a\033[31m"}});
    hostile.until("ready\n");
    Ended text = tool({"inspect", std::to_string(hostile.pid())});
    EXPECT_THAT(text.out,
                AllOf(HasSubstr("]0;owned"), Not(HasSubstr("\033")), Not(HasSubstr("\a"))));
    EXPECT_EQ(inspect(hostile.pid())["command"][3], "\033]0;owned\a\033[31m")
        << "as it is, in JSON";
}

} // namespace
