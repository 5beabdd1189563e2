// Real engines, each started once, and told that our binary is their runtime.
//
//   Engine& docker = engine("Docker");
//   if (!docker.why_not().empty()) GTEST_SKIP() << docker.why_not();
//   Ended ended = docker({"run", "--rm", kImage, "true"});
//
// What Docker and Podman have in common is tried on both (either_test.cpp); `ctr` is another
// thing altogether (containerd_test.cpp).
#pragma once

#include "tests/engines/enclosure.hpp"

#include <set>

namespace engines {

/// What every engine gets as an image: the busybox root filesystem.
inline const std::string kImage = "busybox";
/// How ctr calls it.
inline const std::string kFullName = "docker.io/library/busybox:latest";

class Engine {
public:
    explicit Engine(const Enclosure& enclosure) : enclosure_(enclosure) {}
    virtual ~Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// "", or why it can't be tried here.
    const std::string& why_not() const { return why_not_; }
    /// The engine's client, with these words.
    virtual Command command(const Strings& words) const = 0;
    Ended operator()(const Strings& words, const std::string& input = {}) const;
    /// `run OPTIONS IMAGE COMMAND`.
    Strings run_words(const Strings& options, const Strings& command) const;
    /// The same, without a network, and removed at its end.
    Ended run(const Strings& options, const Strings& command, const std::string& input = {}) const;
    /// Where our binary keeps the state of its containers.
    virtual std::string state_root() const = 0;
    const Enclosure& enclosure() const { return enclosure_; }
    /// Remove a container, whatever it does.
    virtual Ended remove(const std::string& name) const = 0;
    /// The same for what else there is to remove, by the client's own words.
    virtual Ended removing(const Strings& words) const { return (*this)(words); }
    /// What it says in its log about what went wrong.
    virtual std::string log() const { return {}; }

protected:
    const Enclosure& enclosure_;
    std::string why_not_;
};

/// "Docker", "Podman" or "containerd" (Docker with its images in $GOCONTAINER_DOCKER_DATA, where
/// that is set, and they stay there); started when it is first asked for. That is before a suite's
/// tests (SetUpTestSuite), since what a test starts must be gone at its end.
Engine& engine(const std::string& name);
/// The same folder and namespaces for all of them.
const Enclosure& enclosure();

/// A container that is there, and is removed at the end.
class Box {
public:
    /// Started in the background; the test fails when it doesn't start.
    Box(const Engine& engine, const Strings& options, const Strings& command);
    ~Box();
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    const std::string& name() const { return name_; }
    const std::string& id() const { return id_; }
    /// `inspect --format`, without the newline.
    std::string inspect(const std::string& format) const;
    /// On the machine.
    pid_t pid() const;
    Ended exec(const Strings& command, const Strings& options = {},
               const std::string& input = {}) const;
    /// Its cgroup's directory; a file in it is read through /proc/PID/root's own tree.
    std::string cgroup() const;
    bool logs(const std::string& text) const; ///< eventually
    /// Wait for its end; what the engine says its status is.
    std::string wait() const;

private:
    const Engine& engine_;
    std::string name_, id_;
};

/// What README.md prints, with the path of the program that it installs replaced by that of the one
/// that is tried.
struct ReadmeBlock {
    std::string kind; ///< sh, toml …
    std::string text;
};
std::vector<ReadmeBlock> readme_blocks();
/// The first that has `mark` in it.
std::string readme_block(const std::string& mark);

} // namespace engines
