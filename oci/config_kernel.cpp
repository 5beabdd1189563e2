// Devices, sysctl, resctrl, memory policy, personality and clocks: config-linux.md.
#include "oci/config_parts.hpp"
#include "oci/names.hpp"

#include <algorithm>

namespace oci {

namespace {

using spec::Stage;

/// "net/ipv4/conf/eth0.5/forwarding" of "net.ipv4.conf.eth0/5.forwarding": whichever of "." and
/// "/" comes first divides, and the other stands for a dot (sysctl.d(5)).
std::string sysctl_path(std::string key) {
    std::size_t first = key.find_first_of("./");
    if (first != std::string::npos && key[first] == '.')
        for (char& c : key)
            c = c == '.' ? '/' : c == '/' ? '.' : c;
    return key;
}

bool plain_path(std::string_view path) {
    while (!path.empty()) {
        std::string_view part = path.substr(0, path.find('/'));
        if (part.empty() || part == "." || part == "..")
            return false;
        path.remove_prefix(std::min(part.size() + 1, path.size()));
    }
    return true;
}

/// Why `path` must not be written, "" if it may: what isn't a namespace's is the host's.
std::string not_ours(const std::string& path, const Reading& reading) {
    static constexpr std::string_view kIpc[] = {
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
        "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"};
    auto needs = [&](Stage stage, const char* name) {
        return reading.has(stage) ? std::string()
                                  : std::string("is the host's without ") + name +
                                        " namespace in linux.namespaces";
    };
    if (std::ranges::find(kIpc, path) != std::end(kIpc) || path.starts_with("fs/mqueue/"))
        return needs(Stage::ipc, "an ipc");
    if (path.starts_with("net/"))
        return needs(Stage::net, "a network");
    if (path == "kernel/domainname")
        return needs(Stage::uts, "a uts");
    if (path == "kernel/hostname")
        return "is what hostname is for";
    if (path.starts_with("user/"))
        return needs(Stage::user, "a user");
    return "is in no namespace: it is the host's";
}

/// As the kernel takes them (dev_valid_name()), but for "%": of "e%d" it would make a name that
/// nobody has said.
bool is_device_name(std::string_view name) {
    return !name.empty() && name.size() < 16 && name != "." && name != ".." && // IFNAMSIZ
           name.find_first_of("/:% \t\n\v\f\r") == std::string_view::npos;
}

void read_clock(Node at, std::optional<std::int64_t>& seconds, std::uint32_t& nanoseconds) {
    if (!at.object())
        return;
    seconds = 0;
    at["secs"].into(seconds);
    at["nanosecs"].into(nanoseconds, 0U, 999999999U);
}

void read_line(Node at, const char* start, std::vector<std::string>& lines) {
    std::string line;
    if (!at.into(line) || line.empty())
        return;
    if (!line.starts_with(start))
        at.fail("\"" + line + "\" must begin with \"" + start + "\"");
    if (line.find('\n') != std::string::npos)
        at.fail("is more than one line");
    lines.push_back(std::move(line));
}

} // namespace

void read_sysctl(Node sysctl, Reading& reading) {
    sysctl.members([&](const std::string& key, Node at) {
        std::string path = sysctl_path(key);
        std::string value;
        if (!plain_path(path) || path.empty() || path.find('\0') != std::string::npos)
            return at.fail("is not the name of a kernel parameter");
        if (std::string why = not_ours(path, reading); !why.empty())
            return at.fail(why);
        if (!at.into(value))
            return;
        if (const std::string& name = reading.spec.uts.domainname;
            path == "kernel/domainname" && !name.empty() && name != value)
            return at.fail("\"" + value + "\" is not what domainname says");
        reading.spec.sysctl.emplace_back(std::move(path), std::move(value));
    });
}

void read_devices(Node devices, std::vector<spec::Device>& out) {
    devices.items([&](Node at) {
        spec::Device& device = out.emplace_back();
        if (at["path"].required().into(device.path) && !device.path.starts_with('/'))
            at["path"].fail("\"" + device.path + "\": must be absolute");
        if (goes_up(device.path))
            at["path"].fail("\"" + device.path + "\": must not go up");
        device.path = clean(device.path);
        if (std::string type; at["type"].required().into(type)) {
            if (type != "c" && type != "b" && type != "u" && type != "p")
                at["type"].fail("\"" + type + "\" is not c, b, u or p");
            device.type = type.empty() ? 'c' : type.front();
        }
        if (device.type != 'p') {
            at["major"].required().into(device.major, std::int64_t{0}, std::int64_t{UINT32_MAX});
            at["minor"].required().into(device.minor, std::int64_t{0}, std::int64_t{UINT32_MAX});
        }
        if (std::uint32_t mode = 0; at["fileMode"].into(mode))
            device.mode = mode & 07777; // Podman leaves the type of the file in it
        at["uid"].into(device.uid);
        at["gid"].into(device.gid);
    });
    // Docker lists all of the host's for --privileged. A container's is a link into its own
    // /dev/pts; the node would be of the host's.
    std::erase_if(out, [](const spec::Device& device) { return device.path == "/dev/ptmx"; });
}

void read_net_devices(Node devices, Reading& reading) {
    devices.members([&](const std::string& name, Node at) {
        spec::NetDevice device{.name = name};
        if (!is_device_name(name))
            at.fail("is not the name of a network device");
        if (at.object() && at["name"].into(device.rename) && !device.rename.empty() &&
            !is_device_name(device.rename))
            at["name"].fail("\"" + device.rename + "\" is not the name of a network device");
        reading.spec.net_devices.push_back(std::move(device));
    });
    if (!reading.spec.net_devices.empty() && !reading.has(Stage::net))
        devices.fail("need a network namespace in linux.namespaces to move to");
}

void read_intel_rdt(Node at, spec::Spec& spec) {
    if (!at.object())
        return;
    spec::IntelRdt& rdt = spec.rdt.emplace();
    if (at["closID"].into(rdt.group)) {
        rdt.joins_group = !rdt.group.empty();
        if (rdt.group == "." || rdt.group == ".." ||
            (rdt.group.size() > 1 && rdt.group.find('/') != std::string::npos))
            at["closID"].fail("\"" + rdt.group + "\" is not the name of a class");
    }
    read_line(at["l3CacheSchema"], "", rdt.schemata); // L3:, L3CODE:, L3DATA:
    read_line(at["memBwSchema"], "MB:", rdt.schemata);
    at["schemata"].items([&](Node line) { read_line(line, "", rdt.schemata); });
    at["enableMonitoring"].into(rdt.monitoring);
    // Until 1.2, of a group's cache and of its memory: there is one kind of group for both.
    for (const char* old : {"enableCMT", "enableMBM"})
        if (bool on = false; at[old].into(on) && on)
            rdt.monitoring = true;
}

void read_memory_policy(Node at, spec::Spec& spec) {
    if (!at.object())
        return;
    constexpr int kDefault = 0, kPreferred = 1, kLocal = 4;
    spec::MemoryPolicy& policy = spec.process.memory_policy.emplace();
    if (!at["mode"].required().choose(memory_policy_modes(), "a mode", policy.mode))
        return;
    at["flags"].items([&](Node flag) {
        unsigned bit = 0;
        flag.choose(memory_policy_flags(), "a flag", bit);
        policy.flags |= bit;
    });
    read_list(at["nodes"], policy.nodes);
    bool none = policy.mode == kDefault || policy.mode == kLocal;
    if (none && !policy.nodes.empty())
        at["nodes"].fail("\"" + policy.nodes + "\": this mode has none");
    if (!none && policy.mode != kPreferred && policy.nodes.empty())
        at["nodes"].fail("this mode needs at least one");
}

void read_personality(Node at, spec::Spec& spec) {
    if (!at.object())
        return;
    static constexpr Named<unsigned long> kDomains[] = {{"LINUX", 0}, {"LINUX32", 8}};
    unsigned long domain = 0;
    if (at["domain"].required().choose(kDomains, "a domain", domain))
        spec.process.personality = domain;
    at["flags"].items([](Node flag) { flag.fail("the specification knows no flags yet"); });
}

void read_time_offsets(Node offsets, Reading& reading) {
    spec::TimeOffsets& time = reading.spec.time;
    offsets.members([&](const std::string& clock, Node at) {
        if (clock == "boottime")
            read_clock(at, time.boottime, time.boottime_ns);
        else if (clock == "monotonic")
            read_clock(at, time.monotonic, time.monotonic_ns);
        else
            at.fail("is no clock: one of boottime monotonic");
    });
    if (!time.boottime && !time.monotonic)
        return;
    if (!reading.has(Stage::time))
        offsets.fail("need a time namespace in linux.namespaces");
    if (reading.joins(Stage::time))
        offsets.fail("are for a time namespace of the container's own, not for one that is joined");
}

} // namespace oci
