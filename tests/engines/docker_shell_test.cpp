// The Dockerfile: built by a real Docker from a base that is made of this machine's own packages,
// since none can be fetched, and entered with and without --privileged, as the user that it makes.
#include "tests/engines/engine.hpp"

#include "tests/support/container.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <filesystem>

namespace {

using namespace engines;
namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kBase = "gocontainer-base";
constexpr const char* kBuilt = "gocontainer-shell";
/// lessons/ON-YOUR-MACHINE.md: what suffices in place of --privileged, but for lesson 11.
const Strings kNarrow{
    "--security-opt", "seccomp=unconfined",     "--security-opt", "apparmor=unconfined",
    "--security-opt", "systempaths=unconfined", "--device",       "/dev/net/tun"};

/// A Debian of the essential packages and those that the Dockerfile asks for, with all that they
/// need, as they are installed here.
constexpr const char* kMakeBase = R"sh(
arch=$(dpkg --print-architecture)
wanted=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances apt slirp4netns passt uidmap busybox-static libcap2-bin \
    "$(dpkg-query -S "$(readlink -f /usr/bin/awk)" | cut -d: -f1)" \
    $(dpkg-query -W -f '${Essential} ${Package}\n' | sed -n 's/^yes //p') |
    grep '^[a-z0-9]' | sort -u)
names=$(dpkg-query -W -f '${db:Status-Abbrev}|${Architecture}|${binary:Package}\n' $wanted \
    2>/dev/null | sed -n "s/^ii *|\($arch\|all\)|//p")
{
    dpkg -L $names
    printf '%s\n' /bin /sbin /lib /lib64 /usr/lib64 /usr/bin/awk /tmp /var/lib/dpkg/status /etc/alternatives/* \
        /etc/os-release /etc/ld.so.cache
} | sed 's#^/\(bin\|sbin\|lib\|lib64\)/#/usr&#; /^\/usr\/share\/\(doc\|man\|locale\|info\)/d; /^\/\.$/d' |
    sort -u | tar --no-recursion --ignore-failed-read --absolute-names -T - -cf "$1" \
        --transform 's#^/usr/share/base-passwd/\(passwd\|group\).master#/etc/\1#'
)sh";

std::string import_base(const Engine& docker) {
    std::string archive = docker.enclosure().folder() / "debian.tar";
    Ended made = support::run({.argv = {"sh", "-c", kMakeBase, "sh", archive}});
    EXPECT_EQ(made.status, 0) << made.err;
    Ended imported = docker({"import", archive, kBase});
    return imported.status == 0 ? "" : imported.err;
}

/// The sources and the binary, so that there is nothing to compile.
void build(const Engine& docker) {
    std::string context = docker.enclosure().folder().folder("context");
    Strings copy{"cp", "-a", gocontainer()};
    for (const char* part : {"Dockerfile", "Makefile", "tools", "rootfs-scripts", "lessons"})
        copy.push_back(source() + "/" + part);
    copy.push_back(context);
    ASSERT_EQ(support::run({.argv = copy}).status, 0);
    ASSERT_EQ(chmod(context.c_str(), 0755), 0);
    Command command =
        docker.command({"build", "--network=none", "--tag", kBuilt, "--build-arg",
                        std::string("BASE=") + kBase, "--build-arg", "PACKAGES=shell", context});
    command.env.emplace_back("DOCKER_BUILDKIT=0");
    command.input_ends = true;
    Ended built = support::run(std::move(command));
    ASSERT_EQ(built.status, 0) << built.out << built.err;
}

class DockerShell : public testing::Test {
protected:
    static void SetUpTestSuite() {
        Engine& docker = engine("Docker");
        why_not = docker.why_not();
        if (why_not.empty())
            why_not = missing({"dpkg-query", "apt-cache", "slirp4netns", "passt", "newuidmap",
                               "busybox", "setcap", "runc"});
        if (why_not.empty())
            why_not = import_base(docker);
        if (why_not.empty())
            build(docker);
    }
    void SetUp() override {
        if (!why_not.empty())
            GTEST_SKIP() << why_not;
    }
    Ended enter(const Strings& options, const Strings& command) {
        Strings words{"run", "--rm", "--runtime=runc", "--network=none"};
        words.insert(words.end(), options.begin(), options.end());
        words.emplace_back(kBuilt);
        words.insert(words.end(), command.begin(), command.end());
        return docker(words);
    }
    nlohmann::json doctor(const Strings& options) {
        Ended said = enter(options, {"./gocontainer", "doctor", "--json"});
        auto found = nlohmann::json::parse(said.out, nullptr, false);
        EXPECT_TRUE(found.is_object()) << said.out << said.err;
        return found;
    }
    static std::string verdict(const nlohmann::json& found, const char* kind, const char* name) {
        for (const auto& one : found[kind])
            if (one["name"] == name)
                return one["verdict"];
        return "not there";
    }
    static inline std::string why_not;
    Engine& docker = engine("Docker");
};

TEST_F(DockerShell, WithoutOptionsTellsWhichItNeeds) {
    auto found = doctor({});
    EXPECT_EQ(found["verdict"], "blocked");
    EXPECT_THAT(found["host"]["kind"].get<std::string>(),
                StartsWith("a Docker container, with 14"));
    EXPECT_THAT(found["host"]["user"].get<std::string>(), HasSubstr("learner"));
    EXPECT_THAT(found["causes"].dump(), HasSubstr("--security-opt systempaths=unconfined"));
}

TEST_F(DockerShell, WithTheNarrowOptionsTeachesAllButLimits) {
    if (!fs::exists("/dev/net/tun"))
        GTEST_SKIP() << "host lacks /dev/net/tun";
    auto found = doctor(kNarrow);
    int lessons = 0;
    for (const auto& one : found["lessons"]) {
        std::string name = one["name"];
        if (name == "11-cgroup" || name == "15-join") // takes a cgroup of the learner's own
            continue;
        ++lessons;
        EXPECT_EQ(one["verdict"], "works") << one.dump() << found["tried"].dump(1);
    }
    EXPECT_EQ(lessons, 14);
    EXPECT_NE(verdict(found, "lessons", "15-join"), "blocked") << found["tried"].dump(1);

    // As an ordinary user whose newuidmap maps the ids of /etc/subuid, without CAP_SYS_ADMIN.
    std::string word = token();
    Ended ended = enter(kNarrow, {"sh", "-c",
                                  "id -u && ./gocontainer parent --quiet --net none --hostname " +
                                      word + " sh -c 'hostname; cat /proc/self/uid_map; echo $$'"});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out,
                testing::MatchesRegex("1000\n" + word + "\n +0 +1000 +1\n +1 +100000 +65536\n1\n"));
}

TEST_F(DockerShell, PrivilegedTeachesEverything) {
    if (!may_raise_limits())
        GTEST_SKIP() << "host lacks CAP_SYS_RESOURCE, which Docker gives with --privileged";
    const Strings all{"--privileged", "--cgroupns=private", "--init"};
    auto found = doctor(all);
    bool limits = has_controller("memory");
    for (const auto& one : found["lessons"])
        if (limits || (one["name"] != "11-cgroup" && one["name"] != "15-join")) {
            EXPECT_EQ(one["verdict"], "works") << one.dump() << found["tried"].dump(1);
        }
    if (!limits)
        GTEST_SKIP() << "host lacks the memory controller in cgroup v2";
    Ended ended =
        enter(all, {"sh", "-c",
                    "cat /proc/self/cgroup && ./gocontainer parent --quiet --net none --memory "
                    "32m cat /sys/fs/cgroup/memory.max"});
    EXPECT_EQ(ended.out, "0::/learner/shell\n33554432\n") << ended.err;
}

} // namespace
