// What engines really send: tests/unit/configs/ has what Docker 20.10, Podman 4.3 and
// containerd 1.6 gave their runtime, with names of the host's taken out.
#include "tests/unit/oci_config.hpp"

#include <linux/mount.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace oci_test;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

std::filesystem::path folder() {
    const char* source = getenv("GOCONTAINER_SRC");
    return std::filesystem::path(source != nullptr ? source : ".") / "tests/unit/configs";
}

std::vector<std::string> captured(const std::string& kind) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder()))
        if (entry.path().filename().string().ends_with("." + kind + ".json"))
            names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

std::string text_of(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(folder() / name).rdbuf();
    return text.str();
}

/// Rootless Podman calls its runtime as root of a user namespace.
oci::Caller caller_of(const std::string& name) {
    bool rootless = name.find("rootless") != std::string::npos;
    return {.in_user_namespace = rootless};
}

std::expected<oci::Config, std::string> convert_captured(const std::string& name) {
    return convert(json::parse(text_of(name)), caller_of(name));
}

const spec::Mount* mount_at(const spec::Spec& spec, std::string_view destination) {
    auto found = std::ranges::find(spec.root.mounts, destination, &spec::Mount::destination);
    return found == spec.root.mounts.end() ? nullptr : &*found;
}

TEST(OciReal, EveryConfigConvertsWithoutAWord) {
    auto names = captured("config");
    EXPECT_GE(names.size(), 12u);
    for (const std::string& name : names) {
        auto config = convert_captured(name);
        ASSERT_TRUE(config) << name << ": " << config.error();
        EXPECT_THAT(config->warnings, IsEmpty()) << name;
        EXPECT_EQ(config->spec.root.mounts.size(), json::parse(text_of(name))["mounts"].size());
    }
}

TEST(OciReal, EveryProcessConverts) {
    spec::Spec container = convert_captured("docker-20-default.config.json")->spec;
    auto names = captured("process");
    EXPECT_GE(names.size(), 3u);
    for (const std::string& name : names) {
        spec::Spec spec = container;
        auto exec = oci::from_process(json::parse(text_of(name)), spec, {});
        ASSERT_TRUE(exec) << name << ": " << exec.error();
        EXPECT_THAT(spec.process.args, ElementsAre("echo", "hi")) << name;
    }
}

TEST(OciReal, EveryUpdateConverts) {
    auto names = captured("resources");
    EXPECT_GE(names.size(), 1u);
    for (const std::string& name : names) {
        auto update = oci::from_resources(json::parse(text_of(name)));
        ASSERT_TRUE(update) << name << ": " << update.error();
        EXPECT_EQ(update->resources.cpu_quota, 100000) << name; // --cpus 1
    }
}

TEST(OciReal, DockersOptionsArrive) {
    spec::Spec spec = convert_captured("docker-20-rich.config.json")->spec;
    const spec::Resources& limits = spec.cgroup.resources;
    EXPECT_EQ(limits.memory, 64 << 20);
    EXPECT_EQ(limits.memory_swap, 128 << 20);
    EXPECT_EQ(limits.cpu_quota, 50000);
    EXPECT_EQ(limits.cpu_period, 100000u);
    EXPECT_EQ(limits.cpu_weight, 59u); // 512 shares
    EXPECT_EQ(limits.pids, 50);
    EXPECT_FALSE(limits.io_weight); // 0: not asked for
    EXPECT_EQ(spec.process.ids, (spec::Ids{1000, 1000, {1000, 44}, false}));
    EXPECT_EQ(spec.process.oom_score_adj, 100);
    EXPECT_FALSE(spec.process.new_privileges);
    EXPECT_TRUE(spec.root.read_only);
    EXPECT_EQ(spec.uts.hostname, "web");
    EXPECT_THAT(spec.root.devices, ElementsAre(spec::Device{"/dev/mine", 'c', 1, 3, 0666, 0, 0}));
    EXPECT_THAT(spec.sysctl, ElementsAre(std::pair("kernel/domainname", "example.org"),
                                         std::pair("kernel/shmmax", "100000")));
    ASSERT_NE(mount_at(spec, "/data"), nullptr);
    EXPECT_EQ(mount_at(spec, "/data")->attributes, std::uint64_t{MOUNT_ATTR_RDONLY});
    EXPECT_EQ(mount_at(spec, "/data")->propagation_below, "slave");
    EXPECT_THAT(mount_at(spec, "/run")->options, ElementsAre("size=1m"));
    EXPECT_THAT(spec.capabilities.bounding, Contains("cap_net_admin"));
    EXPECT_THAT(spec.capabilities.bounding, testing::Not(Contains("cap_mknod")));
    EXPECT_EQ(spec.seccomp.mode, spec::SeccompMode::text);
}

TEST(OciReal, DockersPrivilegedContainerOwnsItsCgroup) {
    spec::Spec spec = convert_captured("docker-20-v2-rich.config.json")->spec;
    EXPECT_TRUE(spec.cgroup.delegate);
    EXPECT_TRUE(spec.cgroup.own_namespace);
    EXPECT_EQ(spec.cgroup.resources.io_bfq_weight, 300u);
    EXPECT_EQ(spec.cgroup.resources.io_weight, 1 + (300u - 10) * 9999 / 990);
    EXPECT_EQ(spec.cgroup.resources.devices.at(0), (spec::DeviceRule{true, 'a', {}, {}, "rwm"}));
    EXPECT_FALSE(spec.stages.has(spec::Stage::seccomp));
    EXPECT_FALSE(convert_captured("docker-20-v2-default.config.json")->spec.cgroup.delegate);
}

TEST(OciReal, DockersPrivilegedContainerKeepsItsOwnPtmx) {
    const char* name = "docker-20-privileged.config.json";
    EXPECT_NE(text_of(name).find("/dev/ptmx"), std::string::npos);
    const auto devices = convert_captured(name)->spec.root.devices;
    EXPECT_THAT(devices, Contains(testing::Field(&spec::Device::path, "/dev/full")));
    EXPECT_THAT(devices, testing::Not(Contains(testing::Field(&spec::Device::path, "/dev/ptmx"))));
}

TEST(OciReal, DockersHookRuns) {
    spec::Spec spec = convert_captured("docker-20-default.config.json")->spec;
    ASSERT_EQ(spec.hooks.prestart.size(), 1u);
    EXPECT_EQ(spec.hooks.prestart[0].path, "/proc/1000/exe");
    EXPECT_EQ(spec.hooks.prestart[0].args.at(0), "libnetwork-setkey");
}

TEST(OciReal, PodmansOptionsArrive) {
    spec::Spec spec = convert_captured("podman-root-rich.config.json")->spec;
    EXPECT_EQ(spec.user.mapping, spec::Mapping::listed);
    EXPECT_EQ(spec.process.umask, 077u);
    EXPECT_EQ(spec.process.rlimits.size(), 2u);
    ASSERT_NE(mount_at(spec, "/t"), nullptr);
    EXPECT_TRUE(mount_at(spec, "/t")->copy_up);
    EXPECT_THAT(mount_at(spec, "/t")->options, ElementsAre("size=1m"));
    EXPECT_EQ(mount_at(spec, "/t")->attributes,
              std::uint64_t{MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV});
    EXPECT_EQ(convert_captured("podman-idmap.config.json")->spec.root.mounts.at(0).idmap,
              spec::Idmap::mount);
}

TEST(OciReal, ARootlessUserKeepsTheirGroups) {
    spec::Spec spec = convert_captured("podman-rootless-keepid.config.json")->spec;
    ASSERT_TRUE(spec.process.ids);
    EXPECT_TRUE(spec.process.ids->keep_groups);
    EXPECT_EQ(spec.net.mode, spec::NetMode::host);
    EXPECT_EQ(spec.user.uids.size(), 3u);
}

// --- anything at all -----------------------------------------------------------------------------

/// Each value of `at` and below it, replaced in turn by `with`.
void replace_each(json& at, const json& with, const std::function<void()>& check) {
    json before = at;
    at = with;
    check();
    at = std::move(before);
    if (at.is_structured())
        for (json& item : at)
            replace_each(item, with, check);
}

/// One line that begins with the path of a property, and not with an option's name.
void expect_path(const std::string& error, const std::vector<std::string>& properties) {
    std::string first = error.substr(0, error.find_first_of(".:["));
    if (first != "the document") {
        EXPECT_THAT(properties, Contains(first)) << error;
    }
    EXPECT_NE(error.find(": "), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

const char* const kStrange[] = {"null", "true",  "-1",     "18446744073709551615",
                                "0.5",  R"("")", R"("x")", R"("\u0000")",
                                "[]",   "{}",    "[null]", R"({"": null})"};

TEST(OciReal, AnyValueIsTakenOrNamed) {
    for (const char* name : {"docker-20-rich.config.json", "podman-root-rich.config.json",
                             "podman-rootless-keepid.config.json"}) {
        json config = json::parse(text_of(name));
        auto& calls = config["linux"]["seccomp"]["syscalls"]; // hundreds of names that are alike
        calls.erase(calls.begin() + 3, calls.end());
        for (json& rule : calls)
            rule["names"] = {"read"};
        for (const char* text : kStrange) {
            json with = json::parse(text);
            replace_each(config, with, [&] {
                auto read = convert(config, caller_of(name));
                if (read)
                    return;
                expect_path(read.error(), {"ociVersion", "process", "root", "hostname", "mounts",
                                           "hooks", "linux", "annotations"});
            });
        }
    }
}

TEST(OciReal, AnyValueOfAProcessOrAnUpdateIsTakenOrNamed) {
    spec::Spec container = convert_captured("docker-20-default.config.json")->spec;
    json process = json::parse(text_of("docker-20-exec.process.json"));
    json resources = json::parse(text_of("docker-20-rich.config.json"))["linux"]["resources"];
    for (const char* text : kStrange) {
        json with = json::parse(text);
        replace_each(process, with, [&] {
            spec::Spec spec = container;
            auto read = oci::from_process(process, spec, {});
            if (!read)
                expect_path(read.error(),
                            {"user", "args", "env", "cwd", "capabilities", "oomScoreAdj"});
        });
        replace_each(resources, with, [&] {
            auto read = oci::from_resources(resources);
            if (!read)
                expect_path(read.error(), {"devices", "memory", "cpu", "pids", "blockIO"});
        });
    }
}

// A launch takes some milliseconds: this must not be felt. The fastest of many, since machines are
// busy; the bound leaves room for slow ones and for a build with sanitizers.
TEST(OciReal, ConvertsInNoTime) {
    json config = json::parse(text_of("docker-20-rich.config.json"));
    auto fastest = std::chrono::nanoseconds::max();
    for (int i = 0; i < 50; ++i) {
        auto start = std::chrono::steady_clock::now();
        ASSERT_TRUE(convert(config));
        fastest =
            std::min<std::chrono::nanoseconds>(fastest, std::chrono::steady_clock::now() - start);
    }
    RecordProperty("nanoseconds", static_cast<int>(fastest.count()));
    EXPECT_LT(fastest, std::chrono::milliseconds(3));
}

} // namespace
