// Written out rather than put together: this is what a person reads and changes.
#include "oci/spec_template.hpp"

#include "oci/config.hpp"

namespace oci {

namespace {

constexpr const char* kProcess = R"(,
	"process": {
		"terminal": true,
		"user": {
			"uid": 0,
			"gid": 0
		},
		"args": [
			"sh"
		],
		"env": [
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"TERM=xterm"
		],
		"cwd": "/",
		"capabilities": {
			"bounding": [
				"CAP_AUDIT_WRITE",
				"CAP_KILL",
				"CAP_NET_BIND_SERVICE"
			],
			"effective": [
				"CAP_AUDIT_WRITE",
				"CAP_KILL",
				"CAP_NET_BIND_SERVICE"
			],
			"permitted": [
				"CAP_AUDIT_WRITE",
				"CAP_KILL",
				"CAP_NET_BIND_SERVICE"
			]
		},
		"rlimits": [
			{
				"type": "RLIMIT_NOFILE",
				"hard": 1024,
				"soft": 1024
			}
		],
		"noNewPrivileges": true
	},
	"root": {
		"path": "rootfs",
		"readonly": true
	},
	"hostname": "gocontainer",
	"mounts": [)";

constexpr const char* kHidden = R"(
		"maskedPaths": [
			"/proc/acpi",
			"/proc/asound",
			"/proc/kcore",
			"/proc/keys",
			"/proc/latency_stats",
			"/proc/timer_list",
			"/proc/timer_stats",
			"/proc/sched_debug",
			"/sys/firmware",
			"/proc/scsi"
		],
		"readonlyPaths": [
			"/proc/bus",
			"/proc/fs",
			"/proc/irq",
			"/proc/sys",
			"/proc/sysrq-trigger"
		]
	}
}
)";

struct Row {
    const char* destination;
    const char* type;
    const char* source;
    const char* options; ///< as JSON, one a line; "": none
};

std::string mount(const Row& row) {
    std::string out = std::string("\n\t\t{\n\t\t\t\"destination\": \"") + row.destination +
                      "\",\n\t\t\t\"type\": \"" + row.type + "\",\n\t\t\t\"source\": \"" +
                      row.source + "\"";
    if (*row.options != '\0')
        out += std::string(",\n\t\t\t\"options\": [") + row.options + "]";
    return out + "\n\t\t}";
}

// A user has no gid 5 to give /dev/pts to, and /sys belongs to the network namespace that isn't
// made.
std::string mounts(bool rootless) {
    const Row rows[] = {
        {"/proc", "proc", "proc", ""},
        {"/dev", "tmpfs", "tmpfs", R"("nosuid", "strictatime", "mode=755", "size=65536k")"},
        {"/dev/pts", "devpts", "devpts",
         rootless ? R"("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")"
                  : R"("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")"},
        {"/dev/shm", "tmpfs", "shm", R"("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")"},
        {"/dev/mqueue", "mqueue", "mqueue", R"("nosuid", "noexec", "nodev")"},
        rootless ? Row{"/sys", "none", "/sys", R"("rbind", "nosuid", "noexec", "nodev", "ro")"}
                 : Row{"/sys", "sysfs", "sysfs", R"("nosuid", "noexec", "nodev", "ro")"},
        {"/sys/fs/cgroup", "cgroup", "cgroup", R"("nosuid", "noexec", "nodev", "relatime", "ro")"},
    };
    std::string out;
    for (const Row& row : rows)
        (out += out.empty() ? "" : ",") += mount(row);
    return out;
}

std::string map(const char* key, std::uint32_t id) {
    return std::string("\t\t\"") + key +
           "\": [\n\t\t\t{\n\t\t\t\t\"containerID\": 0,\n\t\t\t\t\"hostID\": " +
           std::to_string(id) + ",\n\t\t\t\t\"size\": 1\n\t\t\t}\n\t\t],\n";
}

std::string namespaces(bool rootless) {
    std::string out = "\t\t\"namespaces\": [";
    for (const char* name : {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"}) {
        // A user can't connect a network namespace to anything.
        if (std::string_view(name) == (rootless ? "network" : "user"))
            continue;
        out += out.ends_with('[') ? "" : ",";
        out += std::string("\n\t\t\t{\n\t\t\t\t\"type\": \"") + name + "\"\n\t\t\t}";
    }
    return out + "\n\t\t],";
}

constexpr const char* kDevices = "\t\t\"resources\": {\n\t\t\t\"devices\": [\n\t\t\t\t{\n"
                                 "\t\t\t\t\t\"allow\": false,\n\t\t\t\t\t\"access\": \"rwm\"\n"
                                 "\t\t\t\t}\n\t\t\t]\n\t\t},\n";

} // namespace

std::string default_config(const Template& wanted) {
    std::string out = std::string("{\n\t\"ociVersion\": \"") + kSpecVersionMax + "\"" + kProcess +
                      mounts(wanted.rootless) + "\n\t],\n\t\"linux\": {\n";
    if (wanted.rootless)
        out += map("uidMappings", wanted.uid) + map("gidMappings", wanted.gid);
    else
        out += kDevices;
    return out + namespaces(wanted.rootless) + kHidden;
}

} // namespace oci
