// config.json, twice.
#include "bundle.hpp"

#include <cerrno>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace bench {

namespace {

using nlohmann::json;

Result<json> read(const std::string& path) {
    std::ifstream file(path);
    json config = json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (!config.is_object())
        return std::unexpected("'" + path + "' can't be read as JSON");
    return config;
}

} // namespace

Result<json> spec_config(const Argv& spec, const std::string& folder) {
    if (mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)
        return failed(folder);
    Argv argv = spec;
    argv.insert(argv.end(), {"--bundle", folder});
    if (auto said = output_of(argv); said.status != 0)
        return std::unexpected("spec: " + said.text);
    auto config = read(folder + "/config.json");
    if (config)
        (*config)["ociVersion"] = "1.0.2"; // what the older of the peers know
    return config;
}

Result<json> docker_config(const std::string& captured, const std::string& folder) {
    auto config = read(captured);
    if (!config)
        return config;
    config->erase("hooks");
    json& resources = (*config)["linux"]["resources"];
    resources.erase("blockIO");
    resources.erase("cpu");
    for (auto& mount : (*config)["mounts"]) {
        std::string destination = mount["destination"];
        if (!destination.starts_with("/etc/"))
            continue;
        std::string source = folder + "/" + destination.substr(5);
        if (!(std::ofstream(source) << "bench\n"))
            return failed(source);
        mount["source"] = source;
    }
    return config;
}

Result<void> write_bundle(json config, const std::string& folder, const std::string& rootfs,
                          const Argv& args, const std::string& cgroup) {
    if (mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)
        return failed(folder);
    config["root"]["path"] = rootfs;
    config["process"]["args"] = args;
    config["process"]["terminal"] = false;
    config["linux"]["cgroupsPath"] = cgroup;
    std::ofstream file(folder + "/config.json");
    file << config.dump();
    file.close();
    if (!file)
        return failed(folder + "/config.json");
    return {};
}

} // namespace bench
