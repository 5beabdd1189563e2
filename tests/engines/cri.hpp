// A kubelet's side of the Container Runtime Interface, towards the suite's containerd.
//
//   Cri cri;
//   if (!cri.why_not().empty()) GTEST_SKIP() << cri.why_not();
//   Pod pod(cri);
//   PodContainer box(pod, {"sleep", "1000"}, {{"working_dir", "/tmp"}});
//   EXPECT_EQ(box.exec({"pwd"})["stdout"], "/tmp\n");
//
// Requests are cri.proto's messages, in JSON.
#pragma once

#include "tests/engines/engine.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace engines {

using nlohmann::json;

class Cri {
public:
    Cri();
    /// "", or why it can't be tried here.
    const std::string& why_not() const { return why_not_; }
    /// Of the RuntimeService, unless `method` names another. {"error": MESSAGE} when it fails.
    json ask(const std::string& method, const json& request);
    /// The same; throws when it fails.
    json call(const std::string& method, const json& request);

private:
    Engine& containerd_ = engine("containerd");
    std::unique_ptr<Process> client_;
    std::string why_not_;
};

/// One kubelet for a suite, and a word that nobody can know.
class WithKubelet : public testing::Test {
protected:
    static void SetUpTestSuite() { kubelet = std::make_unique<Cri>(); }
    static void TearDownTestSuite() { kubelet.reset(); }
    void SetUp() override {
        if (!cri.why_not().empty())
            GTEST_SKIP() << "containerd's CRI plugin: " << cri.why_not();
    }

    static inline std::unique_ptr<Cri> kubelet;
    Cri& cri = *kubelet;
    std::string word = token();
};

/// A pod with our handler, stopped and removed at the end. It is in the machine's network unless
/// `changes` (a merge patch of its PodSandboxConfig) say otherwise.
class Pod {
public:
    explicit Pod(Cri& cri, const json& changes = json::object());
    ~Pod();
    Pod(const Pod&) = delete;
    Pod& operator=(const Pod&) = delete;

    Cri& cri() const { return cri_; }
    const std::string& id() const { return id_; }
    const json& config() const { return config_; }
    std::string log(const std::string& name) const { return logs_ / name; }
    /// The cgroup below which its containers are, as the kubelet names it.
    std::string cgroup() const { return config_["linux"]["cgroup_parent"]; }
    json status() const;
    /// Of the process that keeps its namespaces.
    pid_t pid() const;

private:
    Cri& cri_;
    Scratch logs_;
    json config_;
    std::string id_;
};

/// One of its containers, started, and removed at the end.
class PodContainer {
public:
    PodContainer(const Pod& pod, const Strings& command, const json& changes = json::object());
    ~PodContainer();
    PodContainer(const PodContainer&) = delete;
    PodContainer& operator=(const PodContainer&) = delete;

    const std::string& id() const { return id_; }
    json status() const;
    pid_t pid() const;
    json exec(const Strings& command, int timeout = 60) const;
    /// What `kubectl exec` and `kubectl attach` do with the URL that they get: "Exec" and "Attach",
    /// with streams as `request` asks for them.
    Command stream(const std::string& method, json request) const;
    std::string log() const;
    /// Wait for its end.
    json ended() const;

private:
    const Pod& pod_;
    std::string id_, log_;
};

} // namespace engines
