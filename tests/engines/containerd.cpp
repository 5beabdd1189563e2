// containerd, with the configuration that README.md prints, and an image for its clients: ctr
// (containerd_test.cpp) and a kubelet (kubernetes_test.cpp).
#include "tests/engines/daemon.hpp"

#include "tests/support/container.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace engines {

namespace fs = std::filesystem;

namespace {

/// An OCI archive of the root filesystem: what `ctr image import` takes.
std::string oci_archive(const Enclosure& with) {
    using nlohmann::json;
    std::string folder = with.folder().folder("image");
    fs::create_directories(folder + "/blobs/sha256");
    auto add = [&](const std::string& from) {
        Ended sum = support::run({.argv = {"sha256sum", from}});
        std::string digest = sum.out.substr(0, 64);
        fs::copy_file(from, folder + "/blobs/sha256/" + digest);
        return json{{"digest", "sha256:" + digest}, {"size", fs::file_size(from)}};
    };
    auto add_json = [&](const json& document) {
        return add(with.folder().file("blob", document.dump()));
    };
    json layer = add(with.layer());
    layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar";
    json config = add_json({{"architecture", "amd64"},
                            {"os", "linux"},
                            {"config",
                             {{"Env", {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}},
                              {"Cmd", {"sleep", "1000000"}}}}, // a pod's first process
                            {"rootfs", {{"type", "layers"}, {"diff_ids", {layer["digest"]}}}}});
    config["mediaType"] = "application/vnd.oci.image.config.v1+json";
    json manifest =
        add_json({{"schemaVersion", 2}, {"config", config}, {"layers", json::array({layer})}});
    manifest["mediaType"] = "application/vnd.oci.image.manifest.v1+json";
    manifest["annotations"] = {{"io.containerd.image.name", kFullName}};
    spill(folder + "/index.json",
          json{{"schemaVersion", 2}, {"manifests", json::array({manifest})}}.dump());
    spill(folder + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    std::string archive = with.folder() / "image.tar";
    EXPECT_EQ(support::run({.argv = {"tar", "-C", folder, "-cf", archive, "."}}).status, 0);
    return archive;
}

/// As README.md prints it, what a kubelet's machine has, and where to keep things.
std::string config(const std::string& home) {
    std::string printed = readme_block("BinaryName");
    std::size_t table = printed.find('[');
    std::string out = printed.substr(0, table) + "root = \"" + home + "/root\"\nstate = \"" + home +
                      "/state\"\n[grpc]\naddress = \"" + home + "/socket\"\n" +
                      "[plugins.\"io.containerd.internal.v1.opt\"]\npath = \"" + home +
                      "/opt\"\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"" +
                      kFullName + "\"\n";
    // Pods have limits unasked, and a score below the daemon's own.
    if (!has_controller("cpu"))
        out += "disable_cgroup = true\n";
    if (!may_raise_limits())
        out += "restrict_oom_score_adj = true\n";
    spill(home + "/pods.conflist", R"({"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type":
        "ptp", "ipam": {"type": "host-local", "subnet": "10.88.77.0/24", "dataDir": ")" +
                                       home + "/addresses\"}}]}\n");
    out += "[plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"" +
           network_plugins().value_or("/opt/cni/bin") + "\"\nconf_dir = \"" + home + "\"\n";
    return out + printed.substr(table) + (systemd_runs() ? "SystemdCgroup = true\n" : "");
}

class Containerd : public Engine {
public:
    explicit Containerd(const Enclosure& inside) : Engine(inside) {
        why_not_ = !is_root() ? "containerd is root's" : missing({"containerd", "ctr"});
        if (!why_not_.empty())
            return;
        std::string home = enclosure_.folder().folder("containerd");
        spill(home + "/config.toml", config(home));
        daemon_.start(
            enclosure_.inside({find_program("containerd"), "--config", home + "/config.toml"}),
            home + "/log");
        why_not_ = daemon_.answers([&] { return (*this)({"version"}).status == 0; });
        if (!why_not_.empty())
            return;
        std::string image = oci_archive(enclosure_);
        for (const char* whose : {"default", "k8s.io"}) {
            Ended imported = (*this)({"--namespace", whose, "image", "import", image});
            EXPECT_EQ(imported.status, 0) << imported.err;
        }
    }
    Command command(const Strings& words) const override {
        Strings argv{find_program("ctr"), "--address", enclosure_.folder() / "containerd/socket"};
        argv.insert(argv.end(), words.begin(), words.end());
        return enclosure_.inside(argv);
    }
    Ended remove(const std::string& name) const override {
        return (*this)({"container", "rm", name});
    }
    std::string state_root() const override { return "/run/containerd/runc/default"; }
    std::string log() const override { return daemon_.last_words(); }

private:
    Daemon daemon_;
};

} // namespace

std::unique_ptr<Engine> make_containerd(const Enclosure& inside) {
    return std::make_unique<Containerd>(inside);
}

} // namespace engines
