// Every property of the specification's schema (1.3), each once with a value of the wrong type: an
// error that starts with its path, as config.md's "Valid values" demands, and never a silence.
#include "tests/unit/oci_config.hpp"

using oci_test::convert;
using oci_test::json;
using oci_test::minimal;
using oci_test::said;

namespace {

json whole() {
    json config = minimal();
    config.merge_patch(json::parse(R"({
        "hostname": "box", "domainname": "example.org", "root": {"readonly": true},
        "process": {"terminal": true, "consoleSize": {"height": 1, "width": 2},
            "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3]},
            "env": ["A=b"], "oomScoreAdj": 5, "noNewPrivileges": true,
            "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"],
                "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4, "soft": 3}],
            "scheduler": {"policy": "SCHED_DEADLINE", "nice": 0, "priority": 0, "runtime": 1000000,
                "deadline": 2000000, "period": 3000000, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            "apparmorProfile": "a", "selinuxLabel": "b",
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6},
            "execCPUAffinity": {"initial": "0-3,7", "final": "1"}},
        "mounts": [{"destination": "/b", "type": "none", "source": "/b",
            "options": ["rbind", "idmap"],
            "uidMappings": [{"containerID": 0, "hostID": 1, "size": 2}],
            "gidMappings": [{"containerID": 0, "hostID": 1, "size": 2}]}],
        "annotations": {"org.example.a": "b"},
        "linux": {
            "timeOffsets": {"boottime": {"secs": 5, "nanosecs": 6}, "monotonic": {"secs": 7}},
            "cgroupsPath": "/a/b", "rootfsPropagation": "slave", "mountLabel": "l",
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438,
                "uid": 1, "gid": 1}],
            "netDevices": {"eth0": {"name": "eth1"}},
            "personality": {"domain": "LINUX32", "flags": []},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "intelRdt": {"closID": "c", "schemata": ["L2:0=f"], "l3CacheSchema": "L3:0=f",
                "memBwSchema": "MB:0=5", "enableMonitoring": true},
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
                "listenerPath": "/l", "listenerMetadata": "m",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                        "args": [{"index": 0, "value": 1, "valueTwo": 2,
                            "op": "SCMP_CMP_MASKED_EQ"}]},
                    {"names": ["bind"], "action": "SCMP_ACT_NOTIFY"},
                    {"names": ["execve"], "action": "SCMP_ACT_ALLOW"}]},
            "resources": {
                "devices": [{"allow": false, "access": "rwm", "type": "c", "major": 1, "minor": 1}],
                "memory": {"limit": 1000, "swap": 2000, "reservation": 5, "checkBeforeUpdate": true,
                    "kernel": 5, "kernelTCP": 5, "useHierarchy": true,
                    "disableOOMKiller": false},
                "cpu": {"shares": 5, "quota": 5000, "period": 10000, "burst": 5, "cpus": "0-1",
                    "mems": "0", "idle": 0, "realtimeRuntime": 0, "realtimePeriod": 0},
                "pids": {"limit": 5}, "unified": {"memory.high": "5"},
                "rdma": {"m": {"hcaHandles": 5, "hcaObjects": 6}},
                "network": {"classID": 0, "priorities": []},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
                "blockIO": {"weight": 10, "leafWeight": 0,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 0}],
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}],
                    "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 5}],
                    "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 5}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 5}]}}}
    })"));
    for (const char* name : {"prestart", "createRuntime", "createContainer", "startContainer",
                             "poststart", "poststop"})
        config["hooks"][name] = {
            {{"path", "/a"}, {"args", {"a"}}, {"env", {"B=c"}}, {"timeout", 5}}};
    return config;
}

/// Of no type that anything has there.
json wrong_for(const json& value) {
    return value.is_number() || value.is_boolean() ? json("x") : json(5);
}

/// As an error spells it: linux.sysctl["net.ipv4.ip_forward"], mounts[0].type.
std::string below(const std::string& path, const std::string& key) {
    if (key.find_first_of(".") != std::string::npos)
        return path + "[\"" + key + "\"]";
    return path.empty() ? key : path + "." + key;
}

void try_each(const json& config, const json& value, const json::json_pointer& at,
              const std::string& path) {
    if (!path.empty()) {
        json changed = config;
        changed[at] = wrong_for(value);
        EXPECT_TRUE(said(convert(changed)).starts_with(path + ": "))
            << path << ": " << said(convert(changed));
    }
    for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
        try_each(config, value[i], at / i, path + "[" + std::to_string(i) + "]");
    if (value.is_object())
        for (const auto& [key, member] : value.items())
            try_each(config, member, at / key, below(path, key));
}

TEST(OciSchema, EveryPropertyOfTheWrongTypeIsNamed) {
    json config = whole();
    ASSERT_EQ(said(convert(config)), "accepted");
    try_each(config, config, json::json_pointer(), "");
}

} // namespace
