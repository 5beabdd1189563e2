#include "tests/engines/cri.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace engines {

namespace {

json parsed(const std::string& text) {
    return json::parse(text, nullptr, false);
}

} // namespace

Cri::Cri() : why_not_(containerd_.why_not()) {
    if (why_not_.empty())
        why_not_ = missing({"python3", "protoc"});
    if (!why_not_.empty())
        return;
    client_ = std::make_unique<Process>(enclosure().inside(
        {source() + "/tests/engines/cri", enclosure().folder() / "containerd/socket"}));
    try {
        client_->until("ready\n");
        (void)client_->take("ready\n");
    } catch (const std::exception& failure) {
        why_not_ = failure.what(); // a package for Python that is not installed
        return;
    }
    // What ctr has imported is told to the plugin by and by.
    json image{{"image", {{"image", kFullName}}}};
    EXPECT_TRUE(
        eventually([&] { return ask("ImageService/ImageStatus", image).contains("image"); }));
}

json Cri::ask(const std::string& method, const json& request) {
    client_->type(method + " " + request.dump() + "\n");
    std::string answer = client_->take("\n");
    std::size_t space = answer.find(' ');
    json what = parsed(answer.substr(space + 1));
    return answer.substr(0, space) == "ok" ? what : json{{"error", what}};
}

json Cri::call(const std::string& method, const json& request) {
    json answer = ask(method, request);
    if (answer.contains("error"))
        throw std::runtime_error(method + ": " + answer["error"].get<std::string>());
    return answer;
}

Pod::Pod(Cri& cri, const json& changes) : cri_(cri) {
    std::string word = token();
    config_ = {{"metadata", {{"name", word}, {"uid", word}, {"namespace", "default"}}},
               {"log_directory", logs_.path()},
               {"linux",
                {{"cgroup_parent",
                  systemd_runs() ? "kubepods-pod" + word + ".slice" : "/kubepods/pod" + word},
                 {"security_context", {{"namespace_options", {{"network", "NODE"}}}}}}}};
    config_.merge_patch(changes);
    json asked{{"config", config_}, {"runtime_handler", "gocontainer"}};
    id_ = cri_.call("RunPodSandbox", asked)["pod_sandbox_id"];
}

Pod::~Pod() {
    for (const char* how : {"StopPodSandbox", "RemovePodSandbox"})
        EXPECT_EQ(cri_.ask(how, {{"pod_sandbox_id", id_}}), json::object());
    // The kubelet's to remove, as a slice is systemd's.
    (void)rmdir(("/sys/fs/cgroup" + cgroup()).c_str());
    (void)rmdir("/sys/fs/cgroup/kubepods");
}

json Pod::status() const {
    return cri_.call("PodSandboxStatus", {{"pod_sandbox_id", id_}, {"verbose", true}});
}

pid_t Pod::pid() const {
    return parsed(status()["info"]["info"])["pid"];
}

PodContainer::PodContainer(const Pod& pod, const Strings& command, const json& changes)
    : pod_(pod), log_(token()) {
    json config{{"metadata", {{"name", log_}}},
                {"image", {{"image", kFullName}}},
                {"command", command},
                {"log_path", log_},
                {"linux",
                 {{"security_context",
                   {{"namespace_options",
                     pod.config()["linux"]["security_context"]["namespace_options"]}}}}}};
    config.merge_patch(changes);
    json asked{{"pod_sandbox_id", pod.id()}, {"config", config}, {"sandbox_config", pod.config()}};
    id_ = pod.cri().call("CreateContainer", asked)["container_id"];
    (void)pod.cri().call("StartContainer", {{"container_id", id_}});
}

PodContainer::~PodContainer() {
    for (const char* how : {"StopContainer", "RemoveContainer"})
        EXPECT_EQ(pod_.cri().ask(how, {{"container_id", id_}}), json::object());
}

json PodContainer::status() const {
    return pod_.cri().call("ContainerStatus", {{"container_id", id_}, {"verbose", true}});
}

pid_t PodContainer::pid() const {
    return parsed(status()["info"]["info"])["pid"];
}

json PodContainer::exec(const Strings& command, int timeout) const {
    return pod_.cri().call("ExecSync",
                           {{"container_id", id_}, {"cmd", command}, {"timeout", timeout}});
}

Command PodContainer::stream(const std::string& method, json request) const {
    request["container_id"] = id_;
    std::string url = pod_.cri().call(method, request)["url"];
    return enclosure().inside({source() + "/tests/engines/cri-stream", url});
}

std::string PodContainer::log() const {
    return try_slurp(pod_.log(log_)).value_or("");
}

json PodContainer::ended() const {
    json now;
    EXPECT_TRUE(eventually([&] {
        now = status()["status"];
        return now["state"] == "CONTAINER_EXITED";
    })) << now;
    return now;
}

} // namespace engines
