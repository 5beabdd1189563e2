#include "tests/engines/daemon.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gtest/gtest.h>

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <csignal>
#include <filesystem>
#include <sstream>

namespace engines {

namespace fs = std::filesystem;

namespace {

std::string trimmed(std::string text) {
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.pop_back();
    return text;
}

class Podman : public Engine {
public:
    explicit Podman(const Enclosure& inside) : Engine(inside) {
        why_not_ = missing({"podman", "conmon"});
        if (!why_not_.empty())
            return;
        if (!is_root() && subordinate("/etc/subuid").count == 0)
            why_not_ = "host lacks subordinate ids for rootless Podman";
        // As printed, and what this machine needs more: it is for the infra containers of pods,
        // which no option reaches.
        std::string config = readme_block("/etc/containers/containers.conf");
        constexpr std::string_view kTable = "[engine]\n";
        config.insert(config.find(kTable) + kTable.size(), "infra_image = \"" + kImage + "\"\n");
        config += "\n[containers]\n";
        if (!has_controller("pids"))
            config += "pids_limit = 0\n";
        if (is_root() && !may_raise_limits())
            config += "default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        enclosure_.folder().file("containers.conf", config);
        Ended made = (*this)(
            {"import", "--change", "CMD [\"sleep\", \"1000000\"]", enclosure_.layer(), kImage});
        if (made.status != 0)
            why_not_ = "Podman can't work here: " + made.err;
    }
    ~Podman() override {
        if (!why_not_.empty())
            return;
        Ended removed = removing({"rm", "--all", "--force", "--time", "0"});
        EXPECT_EQ(removed.status, 0) << removed.err;
        if (is_root())
            return;
        // What holds a user's namespaces in between.
        if (auto pid = try_slurp(enclosure_.folder() / "podman/tmp/pause.pid"))
            kill(std::stoi(*pid), SIGKILL);
        if (auto pid = try_slurp(enclosure_.folder() / "xdg/libpod/tmp/pause.pid"))
            kill(std::stoi(*pid), SIGKILL);
    }
    // Podman 4.3 races against its own `container cleanup`, which conmon starts when the container
    // ends: with runc too, one of them finds /dev/shm's mount in the way now and then.
    Ended removing(const Strings& words) const override {
        Ended removed;
        for (int tries = 0; tries < 10; ++tries) {
            removed = (*this)(words);
            if (!removed.err.contains("/userdata/shm: device or resource busy"))
                break;
        }
        return removed;
    }
    Ended remove(const std::string& name) const override {
        return removing({"rm", "--force", "--time", "0", name});
    }
    std::string state_root() const override {
        return is_root() ? "/run/gocontainer" : enclosure_.folder() / "xdg/gocontainer";
    }
    Command command(const Strings& words) const override {
        std::string home = enclosure_.folder() / "podman";
        Strings argv{find_program("podman"),
                     "--root",
                     home + "/root",
                     "--runroot",
                     home + "/run",
                     "--tmpdir",
                     home + "/tmp",
                     "--storage-driver",
                     "vfs",
                     "--cgroup-manager",
                     systemd_runs() ? "systemd" : "cgroupfs",
                     "--events-backend",
                     "file"};
        argv.insert(argv.end(), words.begin(), words.end());
        return enclosure_.inside(argv,
                                 {"CONTAINERS_CONF=" + enclosure_.folder() / "containers.conf"});
    }
};

/// vfs goes anywhere, but copies the whole tree for each layer, and twice for each container.
const char* storage_driver(const std::string& folder) {
    if (fs::exists(folder + "/data/vfs")) // where images are from before
        return "vfs";
    (void)mount("none", folder.c_str(), "overlay", 0, nullptr); // fails; now its module is loaded
    struct statfs where{};
    bool overlay = slurp("/proc/filesystems").contains("\toverlay\n") &&
                   statfs(folder.c_str(), &where) == 0 && where.f_type == EXT4_SUPER_MAGIC;
    return overlay ? "overlay2" : "vfs";
}

class Docker : public Engine {
public:
    explicit Docker(const Enclosure& inside) : Engine(inside) {
        why_not_ = !is_root() ? "dockerd is root's" : missing({"dockerd", "docker", "containerd"});
        if (!why_not_.empty())
            return;
        enclosure_.folder().file("daemon.json", readme_block("\"runtimes\""));
        std::string home = enclosure_.folder().folder("docker");
        if (const char* data = getenv("GOCONTAINER_DOCKER_DATA"); data != nullptr)
            fs::create_directory_symlink(data, home + "/data");
        Strings words{find_program("dockerd"),
                      "--config-file",
                      enclosure_.folder() / "daemon.json",
                      "--data-root",
                      home + "/data",
                      "--exec-root",
                      home + "/exec",
                      "--pidfile",
                      home + "/pid",
                      "-H",
                      "unix://" + home + "/socket",
                      "--storage-driver",
                      storage_driver(home),
                      "--iptables=false",
                      "--default-runtime=gocontainer"};
        if (systemd_runs())
            words.insert(words.end(), {"--exec-opt", "native.cgroupdriver=systemd"});
        daemon_.start(enclosure_.inside(words), home + "/log");
        why_not_ = daemon_.answers([&] { return (*this)({"version"}).status == 0; });
        if (!why_not_.empty())
            return;
        EXPECT_EQ((*this)({"import", enclosure_.layer(), kImage}).status, 0);
    }
    Command command(const Strings& words) const override {
        Strings argv{find_program("docker"), "-H",
                     "unix://" + enclosure_.folder() / "docker/socket"};
        argv.insert(argv.end(), words.begin(), words.end());
        return enclosure_.inside(argv);
    }
    Ended remove(const std::string& name) const override {
        return (*this)({"rm", "--force", name});
    }
    std::string state_root() const override {
        for (const auto& entry : fs::directory_iterator(enclosure_.folder() / "docker/exec"))
            if (entry.path().filename().string().starts_with("runtime-")) // 20.10 has runc's there
                return entry.path() / "moby";
        return "";
    }
    std::string log() const override { return daemon_.last_words(); }

private:
    Daemon daemon_;
};

struct Suite : testing::Environment {
    std::unique_ptr<Enclosure> enclosure;
    std::map<std::string, std::unique_ptr<Engine>> engines;
    std::set<std::string> cgroups; ///< that containers were in
    struct stat null{};            ///< /dev/null

    void SetUp() override { ASSERT_EQ(stat("/dev/null", &null), 0); }

    /// Everything that was started has ended, and nothing of it is left.
    void TearDown() override {
        engines.clear();
        if (!enclosure)
            return;
        std::string left;
        EXPECT_TRUE(eventually([&] { return (left = enclosure->left()).empty(); })) << left;
        for (const std::string& cgroup : cgroups)
            EXPECT_TRUE(eventually([&] { return !fs::exists(cgroup); })) << cgroup << " is left";
        struct stat now{};
        ASSERT_EQ(stat("/dev/null", &now), 0);
        EXPECT_EQ(now.st_uid, null.st_uid) << "somebody gave /dev/null away";
        EXPECT_EQ(now.st_gid, null.st_gid);
        EXPECT_EQ(now.st_mode, null.st_mode);
        enclosure.reset();
    }
};

Suite& suite() {
    static Suite* one = static_cast<Suite*>(testing::AddGlobalTestEnvironment(new Suite));
    return *one;
}
[[maybe_unused]] Suite& registered = suite(); // before the tests start

} // namespace

const Enclosure& enclosure() {
    auto& one = suite().enclosure;
    if (!one)
        one = std::make_unique<Enclosure>();
    return *one;
}

Engine& engine(const std::string& name) {
    std::unique_ptr<Engine>& one = suite().engines[name];
    if (!one && name == "Docker")
        one = std::make_unique<Docker>(enclosure());
    else if (!one && name == "Podman")
        one = std::make_unique<Podman>(enclosure());
    else if (!one)
        one = make_containerd(enclosure());
    return *one;
}

Ended Engine::operator()(const Strings& words, const std::string& input) const {
    Command whole = command(words);
    whole.input = input;
    whole.input_ends = true;
    return support::run(std::move(whole));
}

Strings Engine::run_words(const Strings& options, const Strings& command) const {
    Strings words{"run"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(kImage);
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

Ended Engine::run(const Strings& options, const Strings& command, const std::string& input) const {
    Strings all{"--rm", "--network=none"};
    all.insert(all.end(), options.begin(), options.end());
    return (*this)(run_words(all, command), input);
}

Box::Box(const Engine& engine, const Strings& options, const Strings& command)
    : engine_(engine), name_(token()) {
    Strings all{"--detach", "--name", name_};
    if (std::ranges::none_of(options, [](const std::string& o) {
            return o.starts_with("--network") || o == "--pod";
        }))
        all.emplace_back("--network=none");
    all.insert(all.end(), options.begin(), options.end());
    Ended made = engine_(engine_.run_words(all, command));
    EXPECT_EQ(made.status, 0) << made.err << engine_.log();
    id_ = trimmed(made.out);
    if (std::string its = cgroup(); !its.empty())
        suite().cgroups.insert(its);
}

Box::~Box() {
    Ended removed = engine_.remove(name_);
    EXPECT_EQ(removed.status, 0) << removed.err;
}

std::string Box::inspect(const std::string& format) const {
    Ended said = engine_({"inspect", "--format", format, name_});
    EXPECT_EQ(said.status, 0) << said.err;
    return trimmed(said.out);
}

pid_t Box::pid() const {
    std::string text = inspect("{{.State.Pid}}");
    return text.empty() ? 0 : std::stoi(text);
}

Ended Box::exec(const Strings& command, const Strings& options, const std::string& input) const {
    Strings words{"exec"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(name_);
    words.insert(words.end(), command.begin(), command.end());
    return engine_(words, input);
}

std::string Box::cgroup() const {
    pid_t first = pid();
    if (first <= 0)
        return "";
    std::string own;
    try {
        own = cgroup_of(first);
    } catch (const std::runtime_error&) {
        return ""; // it has ended meanwhile
    }
    for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"})
        if (own.size() > 1 && fs::exists(root + own + "/cgroup.procs"))
            return root + own;
    return "";
}

bool Box::logs(const std::string& text) const {
    return eventually([&] {
        Ended said = engine_({"logs", name_});
        return (said.out + said.err).contains(text);
    });
}

std::string Box::wait() const {
    Ended waited = engine_({"wait", name_});
    EXPECT_EQ(waited.status, 0) << waited.err;
    return trimmed(waited.out);
}

std::vector<ReadmeBlock> readme_blocks() {
    std::istringstream text(slurp(source() + "/README.md"));
    std::vector<ReadmeBlock> blocks;
    bool inside = false;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("```")) {
            inside = !inside;
            if (inside)
                blocks.push_back({line.substr(3), ""});
        } else if (inside) {
            blocks.back().text += line + "\n";
        }
    }
    constexpr std::string_view kInstalled = "/usr/local/bin/gocontainer";
    for (ReadmeBlock& block : blocks)
        for (std::size_t at = 0; (at = block.text.find(kInstalled, at)) != std::string::npos;
             at += gocontainer().size())
            block.text.replace(at, kInstalled.size(), gocontainer());
    return blocks;
}

std::string readme_block(const std::string& mark) {
    for (const ReadmeBlock& block : readme_blocks())
        if (block.text.contains(mark))
            return block.text;
    throw std::runtime_error("README.md has no block with " + mark);
}

} // namespace engines
