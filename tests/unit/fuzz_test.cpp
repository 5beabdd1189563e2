// What others have written, damaged by chance: it is taken or refused with a word on where, and
// nothing crashes, hangs or throws.
#include "cli/parent.hpp"
#include "oci/files.hpp"
#include "oci/image.hpp"
#include "oci/process.hpp"
#include "oci/store.hpp"
#include "spec/cgroup_options.hpp"
#include "spec/net_options.hpp"
#include "spec/options.hpp"
#include "spec/pack.hpp"
#include "stages/passwd.hpp"
#include "stages/seccomp_compile.hpp"
#include "tests/unit/fuzz.hpp"
#include "tests/unit/oci_config.hpp"
#include "tests/unit/recorder.hpp"
#include "tests/unit/temporary.hpp"

#include <fstream>
#include <sstream>

using namespace oci_test;
using oci::Store;
using unit::Chance;
using unit::damage_bytes;
using unit::damaged;
using unit::nested;
using unit::often;
using unit::require;
using unit::try_alone;

namespace {

// --- documents -----------------------------------------------------------------------------------

std::string source(const std::string& path) {
    const char* root = getenv("GOCONTAINER_SRC");
    std::ostringstream text;
    text << std::ifstream(std::string(root != nullptr ? root : ".") + "/" + path).rdbuf();
    return text.str();
}
json captured(const std::string& name) {
    json config = json::parse(source("tests/unit/configs/" + name));
    if (config.contains("/linux/seccomp/syscalls"_json_pointer)) {
        auto& calls = config["linux"]["seccomp"]["syscalls"]; // hundreds of names that are alike
        calls.erase(std::min(calls.begin() + 3, calls.end()), calls.end());
        for (json& rule : calls)
            rule["names"] = {"read"};
    }
    return config;
}

/// What the engines' have not.
json everything() {
    json config = minimal();
    config.merge_patch(json::parse(R"({
        "process": {"terminal": true, "consoleSize": {"height": 1, "width": 2},
            "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3]},
            "env": ["A=b"], "capabilities": {"bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4, "soft": 3}], "oomScoreAdj": 5,
            "scheduler": {"policy": "SCHED_BATCH", "nice": 5}, "noNewPrivileges": true,
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6},
            "execCPUAffinity": {"initial": "0-3,7", "final": "1"}},
        "hostname": "box", "domainname": "example.org",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/t", "type": "tmpfs", "source": "t", "options": ["size=1m", "ro"]},
            {"destination": "/b", "source": "/b", "options": ["rbind", "rro", "idmap"],
             "uidMappings": [{"containerID": 0, "hostID": 1, "size": 2}],
             "gidMappings": [{"containerID": 0, "hostID": 1, "size": 2}]}],
        "hooks": {"prestart": [{"path": "/a", "args": ["a"], "env": ["B=c"], "timeout": 5}],
                  "poststop": [{"path": "/a"}]},
        "annotations": {"org.gocontainer.landlock":
            "{\"handled\": [\"write_file\"], \"rules\": [{\"paths\": [\"/\"], \"access\": [\"write_file\"]}]}",
            "run.oci.delegate-cgroup": "x", "org.systemd.property.TimeoutStopSec": "uint64 5"},
        "linux": {"timeOffsets": {"boottime": {"secs": 5, "nanosecs": 6}},
            "cgroupsPath": "/a/b", "rootfsPropagation": "slave",
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438}],
            "netDevices": {"eth0": {"name": "eth1"}}, "personality": {"domain": "LINUX32"},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "intelRdt": {"closID": "c", "schemata": ["L3:0=f"], "enableMonitoring": true},
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/l", "unknown": 1,
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                    "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"}]},
                    {"names": ["bind"], "action": "SCMP_ACT_NOTIFY"}]},
            "resources": {"devices": [{"allow": false, "access": "rwm"}],
                "memory": {"limit": 1000, "swap": 2000, "reservation": 5, "checkBeforeUpdate": true},
                "cpu": {"shares": 5, "quota": 5000, "period": 10000, "burst": 5, "cpus": "0-1", "mems": "0"},
                "pids": {"limit": 5}, "unified": {"memory.high": "5"}, "rdma": {"m": {"hcaHandles": 5}},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
                "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}]}}}
    })"));
    return config;
}

/// An error says where.
void require_place(const std::string& error, const std::vector<std::string>& properties) {
    std::string first = error.substr(0, error.find_first_of(".:["));
    require(error.find(": ") != std::string::npos &&
                (first == "the document" || std::ranges::count(properties, first) != 0),
            "an error without a place: " + error);
}

/// As JSON; what isn't any is refused with a place.
std::optional<json> parsed(const std::string& text) {
    auto read = oci::parse_json(text, "file");
    if (read)
        return std::move(*read);
    std::string line = sys::to_line(read.error());
    require(line.find(" at line ") != std::string::npos ||
                line.find(" at byte ") != std::string::npos ||
                line.find("number overflow parsing") != std::string::npos,
            "an error without a place: " + line);
    return std::nullopt;
}

const std::vector<std::string> kProperties{"ociVersion",  "process",    "root",
                                           "hostname",    "domainname", "mounts",
                                           "annotations", "hooks",      "linux"};

void read_config(const std::string& text) {
    auto document = parsed(text);
    if (!document)
        return;
    for (const oci::Caller& caller :
         {oci::Caller{}, oci::Caller{.uid = 1000, .systemd_cgroup = true}}) {
        auto config = convert(*document, caller);
        if (!config) {
            require_place(config.error(), kProperties);
            continue;
        }
        // What is taken arrives at the child as it is.
        std::string packed = spec::pack(config->spec);
        spec::Spec again;
        require(spec::unpack(packed, again) && spec::pack(again) == packed, "it does not arrive");
    }
    (void)oci::hooks_from(*document);
}

TEST(Fuzz, EveryConfigIsTakenOrNamed) {
    ASSERT_EQ(said(convert(everything())), "accepted");
    const json documents[] = {everything(), captured("docker-20-rich.config.json"),
                              captured("podman-root-rich.config.json"),
                              captured("podman-rootless-keepid.config.json")};
    often([&](Chance& chance) {
        for (int i = 0; i < 1500; ++i)
            read_config(damaged(chance.one_of(documents), chance));
    });
}

TEST(Fuzz, AConfigThatIsCutOffIsNamed) {
    std::string text = minimal().dump();
    EXPECT_EQ(try_alone([&] {
                  for (std::size_t i = 0; i < text.size(); ++i)
                      require(!parsed(text.substr(0, i)), "half of it is taken");
              }),
              "");
}

// Whoever walks through a document calls himself for each list in a list.
TEST(Fuzz, WhatIsNestedTooDeepIsRefused) {
    for (std::size_t depth : {98U, 102U, 4'000'000U}) {
        std::string text = R"({"annotations": {"a\"]": 5, "x": )" + nested('[', depth, ']') + "}}";
        EXPECT_EQ(try_alone([&] { read_config(text); }), "");
        auto document = oci::parse_json(text, "file");
        EXPECT_EQ(document.has_value(), depth == 98U);
        if (!document) {
            EXPECT_EQ(sys::to_line(document.error()),
                      "\"file\" has more than 100 lists and objects "
                      "in each other at byte 131");
        }
    }
}

TEST(Fuzz, EveryProcessAndUpdateIsTakenOrNamed) {
    spec::Spec container = convert(captured("docker-20-default.config.json"))->spec;
    const json processes[] = {captured("docker-20-exec.process.json"), everything()["process"]};
    const json limits[] = {captured("docker-20-rich.config.json")["linux"]["resources"],
                           everything()["linux"]["resources"]};
    std::vector<std::string> known;
    for (const json& list : {everything()["process"], everything()["linux"]["resources"]})
        for (const auto& [name, value] : list.items())
            known.push_back(name);
    for (const char* name : {"apparmorProfile", "selinuxLabel", "network"})
        known.emplace_back(name);
    often([&](Chance& chance) {
        for (int i = 0; i < 2000; ++i) {
            if (auto process = parsed(damaged(chance.one_of(processes), chance))) {
                spec::Spec spec = container;
                if (auto read = oci::from_process(*process, spec, {}); !read)
                    require_place(read.error(), known);
            }
            if (auto resources = parsed(damaged(chance.one_of(limits), chance)))
                if (auto read = oci::from_resources(*resources); !read)
                    require_place(read.error(), known);
        }
    });
}

TEST(Fuzz, EverySeccompProfileIsTakenOrNamed) {
    json profile = everything()["linux"]["seccomp"];
    json own = json::parse(source("stages/seccomp-default.json"));
    own["syscalls"].erase(own["syscalls"].begin(), own["syscalls"].begin() + 1); // names alone
    std::vector<std::string> capabilities = spec::default_capabilities();
    often([&](Chance& chance) {
        for (int i = 0; i < 150; ++i) {
            bool listened = chance.below(2) == 0;
            auto read = stages::seccomp::parse_profile(
                damaged(chance.below(2) == 0 ? profile : own, chance),
                {.arch = SCMP_ARCH_X86_64,
                 .kernel = {6, 1},
                 .capabilities = capabilities,
                 .listened = listened});
            if (read)
                (void)stages::seccomp::compile(*read);
            else
                require(!sys::to_line(read.error()).empty(), "an error without a word");
        }
    });
}

// --- what is kept for later commands -------------------------------------------------------------

TEST(Fuzz, APackedSpecIsWholeOrRefused) {
    std::string whole = spec::pack(convert(everything())->spec);
    spec::Spec spec;
    ASSERT_TRUE(spec::unpack(whole, spec));
    EXPECT_EQ(try_alone([&] {
                  for (std::size_t i = 0; i < whole.size(); ++i) {
                      spec::Spec half;
                      require(!spec::unpack(whole.substr(0, i), half), "half of it is taken");
                  }
              }),
              "");
    often([&](Chance& chance) {
        for (int i = 0; i < 5000; ++i) {
            spec::Spec other;
            if (spec::unpack(damage_bytes(whole, chance), other))
                (void)spec::pack(other);
        }
    });
}

TEST(Fuzz, AStateDirectoryIsReadOrDamaged) {
    unit::Temporary here;
    auto store = Store::create(here / "root", "box");
    ASSERT_TRUE(store);
    oci::State state{.version = "1.3.0",
                     .id = "box",
                     .bundle = "/bundle",
                     .rootfs = "/bundle/rootfs",
                     .created = "2026-01-01T00:00:00Z",
                     .has_poststop = true,
                     .annotations = {{"a", "b"}}};
    auto config = convert(everything());
    std::string exec = oci::pack_exec(*config, {});
    ASSERT_TRUE(store->write_state(state) && store->write("exec", exec) && store->progress());
    json good = json::parse(*store->read("state.json"));
    std::string progress = *store->read("progress");
    often([&](Chance& chance) {
        for (int i = 0; i < 150; ++i) {
            (void)store->write("state.json", damaged(good, chance));
            if (auto read = store->state(); read && *read)
                (void)oci::to_json(**read);
            else
                require(!read &&
                            sys::to_line(read.error()).find("is damaged: ") != std::string::npos,
                        "a damaged state is taken");
            (void)store->write("exec", damage_bytes(exec, chance));
            (void)oci::spec_of(*store);
            std::string bytes = damage_bytes(progress, chance);
            for (char& c : bytes)
                if (chance.below(200) == 0)
                    c = static_cast<char>(chance.below(256));
            (void)store->write("progress", bytes);
            if (auto now = store->look(); now)
                require(now->ledger.leaf[sizeof now->ledger.leaf - 1] == '\0', "it has no end");
            (void)store->now();
        }
    });
}

// --- images --------------------------------------------------------------------------------------

TEST(Fuzz, AnImagesIndexIsReadOrNamed) {
    unit::Temporary here;
    here.file("oci-layout", R"({"imageLayoutVersion": "1.0.0"})");
    json index = json::parse(R"({"schemaVersion": 2, "manifests": [
        {"mediaType": "m", "size": 5, "annotations": {"org.opencontainers.image.ref.name": "a"}},
        {"annotations": {"org.opencontainers.image.ref.name": "b", "x": "y"}}]})");
    std::string target = here / "target";
    often([&](Chance& chance) {
        for (int i = 0; i < 300; ++i) {
            here.file("index.json", damaged(index, chance));
            auto layout = oci::layout_at(here.path().string() + ":none");
            require(layout.has_value(), "it is no layout");
            auto made = oci::unpack({}, *layout, target, {.id = "box"});
            require(!made && !std::filesystem::exists(target), "there is no such image");
            std::string line = sys::to_line(made.error());
            require(line.find(" at line ") != std::string::npos ||
                        line.find(" at byte ") != std::string::npos ||
                        line.find("number overflow") != std::string::npos ||
                        line.find("has no image named \"none\"") != std::string::npos ||
                        line.find("index.json: manifests") != std::string::npos ||
                        line.find("index.json: the document: ") != std::string::npos,
                    "an error without a place: " + line);
        }
    });
}

TEST(Fuzz, NoPasswdConfuses) {
    const std::string passwd =
        "root:x:0:0:root:/root:/bin/sh\nlena:x:1000:1001:Lena:/home/lena:/b\n"
        "1000:x:0:0:trap:/root:/bin/sh\n";
    const std::string group = "root:x:0:\nlena:x:1001:lena\nvideo:x:44:root,lena\nwheel:x:10";
    const char* const users[] = {
        "",   "lena",   "1000", "lena:video", "7:44",  "lena:", ":",         "4294967295",
        "-1", "nobody", "0x0",  "+1",         "1000:", ":44",   "lena:lena", " 0"};
    often([&](Chance& chance) {
        for (int i = 0; i < 2000; ++i) {
            unit::Recorder kernel;
            kernel.file("/etc/passwd", damage_bytes(passwd, chance));
            kernel.file("/etc/group", damage_bytes(group, chance));
            std::string user = chance.one_of(users);
            auto who = stages::identify(user);
            require(!who || (who->uid != ~0U && who->gid != ~0U && who->home.starts_with('/')),
                    "\"" + user + "\" is somebody strange");
            require(
                stages::home_of(static_cast<std::uint32_t>(chance.below(2000))).starts_with('/'),
                "a home that is nowhere");
        }
    });
}

// --- options -------------------------------------------------------------------------------------

TEST(Fuzz, EveryOptionIsTakenOrNamed) {
    const std::vector<std::pair<std::string, std::string>> options{
        {"--map", "0:1000:65536"},
        {"--memory", "64M"},
        {"--cpus", "1.5"},
        {"--cpu-weight", "100"},
        {"--cpuset", "0-3,7"},
        {"--pids", "max"},
        {"--io-max", "8:0:rbps=1M"},
        {"--cgroup", "a/b"},
        {"-p", "127.0.0.1:80-90:80-90/udp"},
        {"--dns", "10.0.2.3"},
        {"--hostname", "box"},
        {"--boottime", "5"},
        {"-v", "/a:/b:ro,nosuid"},
        {"--tmpfs", "/t:size=1"},
        {"--cap-add", "net_admin"},
        {"--ulimit", "nofile=64:65"},
        {"-e", "NAME=value"},
        {"-u", "1:2"},
        {"-w", "/x"},
        {"--name", "box"},
        {"--rootfs", "/r"},
        {"--net", "slirp"},
        {"--seccomp", "none"},
        {"--root", "pivot"}};
    const std::string environment = "A=b\n# comment\n\nNAME\nLONG=" + std::string(5000, 'x') + "\n";
    often([&](Chance& chance) {
        for (int i = 0; i < 4000; ++i) {
            std::vector<std::string> words;
            for (std::size_t n = chance.below(3) + 1; n > 0; --n) {
                auto [name, value] = chance.one_of(options);
                std::string bad = damage_bytes(value, chance);
                words.push_back(name);
                words.push_back(chance.below(9) == 0 ? std::string(70'000, '9')
                                                     : std::string(bad.c_str())); // as in argv
            }
            words.insert(words.end(), {"--env-file", "file", "--", "true"});
            auto command = cli::parse_parent(
                words, [&](const std::string&) -> std::expected<std::string, std::string> {
                    return damage_bytes(environment, chance);
                });
            if (command)
                require(spec::validate(command->spec).empty(), "it is not valid");
            else
                require(command.error().starts_with("-") || command.error().starts_with("\""),
                        "an error without a place: " + command.error());
        }
    });
}

} // namespace
