// Properties of config.json, from the file to the kernel's view of the process, by way of the
// binary: those that no other test here comes by.
#include "tests/support/bundle.hpp"
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <sched.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

using nlohmann::json;
using support::Bundle;
using support::Ended;
using support::Strings;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Fields : public testing::Test {
protected:
    json& config() { return bundle_.config; }
    json& process() { return bundle_.config["process"]; }
    pid_t start() {
        bundle_.args({"sleep", "1000"});
        bundle_.start();
        return bundle_.pid();
    }
    pid_t executed(Strings words) {
        words.insert(words.begin(), {"exec", "--detach", "--pid-file", bundle_.path() + "/pid"});
        EXPECT_EQ(support::run(bundle_.detached(words)).status, 0)
            << support::slurp(bundle_.path() + "/detached.err");
        return std::stoi(support::slurp(bundle_.path() + "/pid"));
    }
    static std::string of(pid_t pid, const char* file) {
        return support::slurp("/proc/" + std::to_string(pid) + "/" + file);
    }
    Bundle bundle_;
};

TEST_F(Fields, RlimitsUmaskAndPersonality) {
    process()["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 63}, {"hard", 64}},
                            {{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 0}}};
    process()["user"]["umask"] = 0027;
    config()["linux"]["personality"] = {{"domain", "LINUX32"}};
    pid_t init = start();
    for (pid_t pid : {init, executed({bundle_.id(), "sleep", "1000"})}) {
        EXPECT_EQ(support::limit(pid, "Max open files"),
                  std::pair(std::string("63"), std::string("64")));
        EXPECT_EQ(support::limit(pid, "Max core file size"),
                  std::pair(std::string("0"), std::string("0")));
        EXPECT_EQ(support::status(pid)["Umask"], "0027");
        EXPECT_EQ(of(pid, "personality"), "00000008\n"); // PER_LINUX32
    }
}

TEST_F(Fields, TimeOffsets) {
    bool has = false;
    for (const json& space : config()["linux"]["namespaces"])
        has |= space["type"] == "time";
    if (!has)
        config()["linux"]["namespaces"].push_back({{"type", "time"}});
    config()["linux"]["timeOffsets"] = {{"boottime", {{"secs", 86400}, {"nanosecs", 5}}},
                                        {"monotonic", {{"secs", 7200}}}};
    pid_t init = start();
    for (pid_t pid : {init, executed({bundle_.id(), "sleep", "1000"})}) {
        EXPECT_NE(support::namespace_of(pid, "time"), support::namespace_of(getpid(), "time"));
        EXPECT_EQ(support::namespace_of(pid, "time"), support::namespace_of(init, "time"));
        std::string offsets = of(pid, "timens_offsets");
        EXPECT_THAT(offsets, testing::ContainsRegex("boottime +86400 +5\n")) << offsets;
        EXPECT_THAT(offsets, testing::ContainsRegex("monotonic +7200 +0\n")) << offsets;
    }
}

TEST_F(Fields, ExecCpuAffinity) {
    // Not Cpus_allowed of /proc/PID/status, which may name processors that are switched off.
    auto processors = [](pid_t pid) {
        cpu_set_t set;
        EXPECT_EQ(sched_getaffinity(pid, sizeof set, &set), 0);
        return set;
    };
    cpu_set_t ours = processors(0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &ours))
        --last;
    process()["execCPUAffinity"] = {{"initial", std::to_string(last)},
                                    {"final", std::to_string(last)}};
    pid_t init = start();
    cpu_set_t before = processors(init);
    EXPECT_TRUE(CPU_EQUAL(&before, &ours)); // of exec alone
    cpu_set_t executeds = processors(executed({bundle_.id(), "sleep", "1000"}));
    EXPECT_EQ(CPU_COUNT(&executeds), 1);
    EXPECT_TRUE(CPU_ISSET(last, &executeds));
    // That of process.json is heard instead; a processor that is not there is an error.
    process()["args"] = {"sleep", "1000"};
    process()["execCPUAffinity"] = {{"final", "1000"}};
    std::string file = bundle_.folder().file("process.json", process().dump());
    Ended ended = bundle_.runtime({"exec", "--process", file, bundle_.id()});
    EXPECT_EQ(ended.status, 255);
    EXPECT_THAT(ended.err, HasSubstr("sched_setaffinity"));
}

TEST_F(Fields, Landlock) {
    config()["annotations"]["org.gocontainer.landlock"] =
        json{{"handled", {"write_file", "make_reg"}},
             {"rules", {{{"paths", {"/tmp"}}, {"access", {"write_file", "make_reg"}}}}}}
            .dump();
    config()["root"]["readonly"] = false;
    fs::permissions(bundle_.path() + "/rootfs/tmp", fs::perms::all);
    const char* tries = "echo x >/tmp/in && echo in; echo x >/out && echo out; cat /etc/passwd "
                        ">/dev/null && echo read";
    bundle_.args({"sh", "-c", tries});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()});
    if (ended.err.contains("this kernel has no Landlock")) {
        EXPECT_EQ(ended.status, 1); // never a silence
        GTEST_SKIP() << "host lacks Landlock";
    }
    EXPECT_THAT(ended.out, AllOf(HasSubstr("in\n"), Not(HasSubstr("out\n")))) << ended.err;
    EXPECT_TRUE(fs::exists(bundle_.path() + "/rootfs/tmp/in"));
    EXPECT_FALSE(fs::exists(bundle_.path() + "/rootfs/out"));
    start();
    ended = bundle_.runtime({"exec", bundle_.id(), "sh", "-c", tries});
    EXPECT_THAT(ended.out, AllOf(HasSubstr("in\n"), Not(HasSubstr("out\n")))) << ended.err;
    EXPECT_FALSE(fs::exists(bundle_.path() + "/rootfs/out"));
}

TEST_F(Fields, IntelRdtThatTheHostLacksIsAnError) {
    if (fs::exists("/sys/fs/resctrl/schemata"))
        GTEST_SKIP() << "this host has resctrl";
    config()["linux"]["intelRdt"] = {{"closID", "c"}, {"schemata", {"L3:0=f"}}};
    bundle_.args({"true"});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()});
    EXPECT_EQ(ended.status, 1);
    EXPECT_THAT(ended.err, HasSubstr("resctrl"));
}

TEST_F(Fields, RootfsPropagation) {
    for (const char* way : {"shared", "rshared", "slave", "rslave", "private", "rprivate",
                            "unbindable", "runbindable"}) {
        config()["linux"]["rootfsPropagation"] = way;
        pid_t pid = start();
        auto table = support::mountinfo(pid);
        const support::MountLine* root = support::mounted_at(table, "/");
        ASSERT_NE(root, nullptr);
        std::string name = way;
        bool shared = false;
        for (const std::string& field : root->optional)
            shared |= field.starts_with("shared:");
        EXPECT_EQ(shared, name.ends_with("shared")) << way;
        EXPECT_EQ(root->optional.contains("unbindable"), name.ends_with("unbindable")) << way;
        bundle_.runtime({"delete", "--force", bundle_.id()});
    }
}

TEST_F(Fields, IdmappedMount) {
    if (!support::is_root())
        GTEST_SKIP() << "an idmapped mount takes root";
    std::string volume = bundle_.folder().folder("volume");
    support::spill(volume + "/file", "x");
    ASSERT_EQ(chown((volume + "/file").c_str(), 1000, 1001), 0);
    json map = {{{"containerID", 1000}, {"hostID", 3000}, {"size", 10}}};
    config()["mounts"].push_back({{"destination", "/volume"},
                                  {"type", "bind"},
                                  {"source", volume},
                                  {"options", {"rbind", "idmap"}},
                                  {"uidMappings", map},
                                  {"gidMappings", map}});
    config()["process"]["terminal"] = false;
    bundle_.args({"stat", "-c", "%u:%g", "/volume/file"});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()});
    EXPECT_EQ(ended.out, "3000:3001\n") << ended.err;
}

TEST_F(Fields, TmpfsStartsWithWhatItCovers) {
    std::string word = support::token();
    fs::create_directory(bundle_.path() + "/rootfs/data");
    support::spill(bundle_.path() + "/rootfs/data/file", word);
    config()["mounts"].push_back({{"destination", "/data"},
                                  {"type", "tmpfs"},
                                  {"source", "tmpfs"},
                                  {"options", {"tmpcopyup"}}});
    bundle_.args({"sh", "-c", "cat /data/file; echo new >/data/file; stat -f -c %T /data"});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()});
    EXPECT_EQ(ended.out, word + "tmpfs\n") << ended.err;
    EXPECT_EQ(support::slurp(bundle_.path() + "/rootfs/data/file"), word);
}

TEST_F(Fields, ReadOnlyPathsAndRecursiveReadOnlyMounts) {
    if (!support::is_root())
        GTEST_SKIP() << "a mount below a volume takes root";
    config()["root"]["readonly"] = false;
    std::string volume = bundle_.folder().folder("volume");
    std::string below = bundle_.folder().folder("volume/below");
    config()["mounts"].push_back({{"destination", "/volume"},
                                  {"type", "bind"},
                                  {"source", volume},
                                  {"options", {"rbind", "rro"}}});
    config()["mounts"].push_back({{"destination", "/other"},
                                  {"type", "tmpfs"},
                                  {"source", "tmpfs"},
                                  {"options", {"rnoexec", "rnosymfollow"}}});
    config()["linux"]["readonlyPaths"] = {"/home"};
    bundle_.args({"cat", "/proc/self/mountinfo"});
    bundle_.save();
    Ended ended = bundle_.runtime({"run", bundle_.id()}, {.before_exec = [&] {
                                      support::enter_own_mounts();
                                      support::mount_in("tmpfs", below, "tmpfs");
                                  }});
    auto options_of = [&](const std::string& point) {
        std::string out = "none";
        for (const std::string& line : support::lines(ended.out)) {
            std::istringstream fields(line);
            Strings all(std::istream_iterator<std::string>(fields), {});
            if (all.at(4) == point)
                out = "," + all.at(5) + ",";
        }
        return out;
    };
    for (const char* point : {"/volume", "/volume/below", "/home"})
        EXPECT_THAT(options_of(point), HasSubstr(",ro,")) << point << ended.err;
    EXPECT_THAT(options_of("/other"), AllOf(HasSubstr(",noexec,"), HasSubstr(",nosymfollow,")));
}

TEST_F(Fields, ASourceIsWhatMountinfoShows) {
    std::map<std::string, std::string> sources;
    for (json& mount : config()["mounts"])
        if (mount["type"] != "none") // a bind, in `spec --rootless`
            mount["source"] = sources[mount["destination"]] = support::token();
    bundle_.args({"sleep", "1000"});
    bundle_.start();
    for (const auto& line : support::mountinfo(bundle_.pid()))
        if (auto wanted = sources.find(line.point);
            wanted != sources.end() && line.source == wanted->second)
            sources.erase(wanted);
    EXPECT_TRUE(sources.empty()) << testing::PrintToString(sources);
}

// As Podman has it for systemd, on a host that has both versions.
TEST_F(Fields, AHierarchyOfCgroupV1BelowV2IsLeftOut) {
    auto ours = support::mountinfo(getpid());
    auto old = std::ranges::find(ours, "cgroup", &support::MountLine::type);
    if (old == ours.end() ||
        std::ranges::find(ours, "cgroup2", &support::MountLine::type) == ours.end())
        GTEST_SKIP() << "host lacks cgroup v1 beside v2";
    std::erase_if(config()["mounts"].get_ref<json::array_t&>(),
                  [](const json& one) { return one["destination"] == "/sys/fs/cgroup"; });
    config()["mounts"].push_back({{"destination", "/sys/fs/cgroup"},
                                  {"type", "cgroup"},
                                  {"source", "cgroup"},
                                  {"options", {"ro"}}});
    config()["mounts"].push_back({{"destination", "/sys/fs/cgroup/systemd"},
                                  {"type", "bind"},
                                  {"source", old->point},
                                  {"options", {"bind"}}});
    bundle_.args({"sh", "-c", "echo /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/s*"});
    bundle_.save();
    Ended ended = bundle_.runtime({"--debug", "run", bundle_.id()});
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/s*\n");
    EXPECT_THAT(ended.err, HasSubstr("\"/sys/fs/cgroup/systemd\" is left out"));
}

} // namespace
