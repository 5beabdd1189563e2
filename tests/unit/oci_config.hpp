// A small config.json that is right, and how to change it in one place.
#pragma once

#include "oci/config.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <functional>

namespace oci_test {

using nlohmann::json;

inline json minimal() {
    return json::parse(R"({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["sh"]},
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                           {"type": "mount"}, {"type": "cgroup"}, {"type": "time"},
                           {"type": "user"}],
            "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}]
        }
    })");
}

inline std::expected<oci::Config, std::string> convert(const json& config,
                                                       const oci::Caller& caller = {}) {
    return oci::from_config(config, {.path = "/bundle", .id = "id1"}, caller);
}

/// What is wrong, or "accepted".
inline std::string said(const std::expected<oci::Config, std::string>& config) {
    return config ? "accepted" : config.error();
}

/// The small one, `value` (JSON) at `pointer` (RFC 6901).
inline json with(const char* pointer, const std::string& value) {
    json config = minimal();
    config[json::json_pointer(pointer)] = json::parse(value);
    return config;
}
inline json without(const char* pointer) {
    json config = minimal();
    json::json_pointer at(pointer);
    json& parent = config[at.parent_pointer()];
    if (parent.is_array())
        parent.erase(std::stoul(at.back()));
    else
        parent.erase(at.back());
    return config;
}
inline json without_namespace(const std::string& type) {
    json config = minimal();
    json& list = config["linux"]["namespaces"];
    for (auto item = list.begin(); item != list.end(); ++item)
        if ((*item)["type"] == type) {
            list.erase(item);
            break;
        }
    return config;
}

struct Right {
    const char* pointer;
    const char* value;
    std::function<bool(const spec::Spec&)> holds;
};
inline void expect_right(const Right& right) {
    auto config = convert(with(right.pointer, right.value));
    ASSERT_TRUE(config) << right.pointer << " " << right.value << ": " << config.error();
    EXPECT_TRUE(right.holds(config->spec)) << right.pointer << " " << right.value;
}

struct Wrong {
    const char* pointer;
    const char* value;
    const char* message; ///< how it begins
};
inline void expect_wrong(const Wrong& wrong) {
    auto config = convert(with(wrong.pointer, wrong.value));
    ASSERT_FALSE(config) << wrong.pointer << " " << wrong.value;
    EXPECT_THAT(config.error(), testing::StartsWith(wrong.message)) << wrong.value;
    EXPECT_EQ(config.error().find('\n'), std::string::npos);
    EXPECT_FALSE(config.error().ends_with('.')) << config.error();
}

} // namespace oci_test
