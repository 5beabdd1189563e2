// Option values.
#include "spec/options.hpp"

#include "spec/number.hpp"
#include "spec/path.hpp"

#include <linux/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace spec {

namespace {

std::unexpected<std::string> wrong(std::string_view value, const std::string& expected) {
    return std::unexpected("\"" + std::string(value) + "\": " + expected);
}

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    for (;;) {
        std::size_t end = text.find(by);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

constexpr std::string_view kCapabilities[] = {"cap_chown",
                                              "cap_dac_override",
                                              "cap_dac_read_search",
                                              "cap_fowner",
                                              "cap_fsetid",
                                              "cap_kill",
                                              "cap_setgid",
                                              "cap_setuid",
                                              "cap_setpcap",
                                              "cap_linux_immutable",
                                              "cap_net_bind_service",
                                              "cap_net_broadcast",
                                              "cap_net_admin",
                                              "cap_net_raw",
                                              "cap_ipc_lock",
                                              "cap_ipc_owner",
                                              "cap_sys_module",
                                              "cap_sys_rawio",
                                              "cap_sys_chroot",
                                              "cap_sys_ptrace",
                                              "cap_sys_pacct",
                                              "cap_sys_admin",
                                              "cap_sys_boot",
                                              "cap_sys_nice",
                                              "cap_sys_resource",
                                              "cap_sys_time",
                                              "cap_sys_tty_config",
                                              "cap_mknod",
                                              "cap_lease",
                                              "cap_audit_write",
                                              "cap_audit_control",
                                              "cap_setfcap",
                                              "cap_mac_override",
                                              "cap_mac_admin",
                                              "cap_syslog",
                                              "cap_wake_alarm",
                                              "cap_block_suspend",
                                              "cap_audit_read",
                                              "cap_perfmon",
                                              "cap_bpf",
                                              "cap_checkpoint_restore"};

struct NamedLimit {
    const char* name;
    int resource;
};
constexpr NamedLimit kLimits[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

struct MountOption {
    std::string_view name;
    std::uint64_t set;
    std::uint64_t clear;
};
constexpr MountOption kMountOptions[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},       {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},   {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},     {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},   {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME, 0}, {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
};
constexpr std::string_view kPropagations[] = {"private", "slave", "shared", "unbindable"};

/// As the kernel's memparse reads it: a number, and perhaps one letter.
bool amount(std::string_view text) {
    std::uint64_t value = 0;
    if (!text.empty() && std::string_view("kKmMgGtTpPeE").contains(text.back()))
        text.remove_suffix(1);
    return whole(text, value);
}

bool is_id(std::string_view text) {
    std::uint32_t id = 0;
    return whole(text, id) && id != ~std::uint32_t{0};
}

/// Options of a tmpfs of its own (tmpfs(5)), and what the kernel takes for their values.
struct OwnOption {
    std::string_view name;
    bool (*right)(std::string_view);
    const char* wants;
};
constexpr OwnOption kTmpfsOptions[] = {
    {"size",
     [](std::string_view value) {
         std::uint64_t percent = 0;
         return amount(value) ||
                (value.ends_with('%') && whole(value.substr(0, value.size() - 1), percent));
     },
     "a size with k, m or g, as 64m, or a share of the memory, as 10%"},
    {"mode",
     [](std::string_view value) {
         unsigned mode = 0;
         return whole(value, mode, 8) && mode <= 07777;
     },
     "an octal number, as 0755"},
    {"nr_inodes", amount, "a number, as 1000 or 1k"},
    {"nr_blocks", amount, "a number, as 1000 or 1k"},
    {"uid", is_id, "a number, as 1000"},
    {"gid", is_id, "a number, as 1000"},
    {"huge",
     [](std::string_view value) {
         return value == "never" || value == "always" || value == "within_size" ||
                value == "advise";
     },
     "never, always, within_size or advise"},
};

/// True when `option` is one that every mount understands, and has been applied.
bool apply_option(Mount& mount, std::string_view option) {
    for (const MountOption& known : kMountOptions) {
        if (option != known.name)
            continue;
        mount.attributes = (mount.attributes & ~known.clear) | known.set;
        return true;
    }
    std::string_view plain = option.starts_with('r') ? option.substr(1) : option;
    if (std::ranges::find(kPropagations, plain) != std::end(kPropagations)) {
        mount.propagation = plain;
        return true;
    }
    return false;
}

} // namespace

template <class T>
Parsed<T> parse_number(std::string_view text) {
    T value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range)
        return wrong(text, "is too large a number");
    if (error != std::errc{} || end != text.data() + text.size())
        return wrong(text, "is not a whole number");
    return value;
}
template Parsed<std::uint32_t> parse_number(std::string_view);
template Parsed<std::uint64_t> parse_number(std::string_view);
template Parsed<std::int64_t> parse_number(std::string_view);

std::vector<std::string> all_capabilities() {
    return {std::begin(kCapabilities), std::end(kCapabilities)};
}

Parsed<IdMap> parse_map(std::string_view text) {
    auto parts = split(text, ':');
    if (parts.size() != 3)
        return wrong(text, "wants CONTAINER:HOST:COUNT, as in 0:100000:65536");
    auto inside = parse_number<std::uint32_t>(parts[0]);
    auto outside = parse_number<std::uint32_t>(parts[1]);
    auto count = parse_number<std::uint32_t>(parts[2]);
    if (!inside || !outside || !count)
        return wrong(text, "wants three numbers, CONTAINER:HOST:COUNT");
    if (*count == 0 || std::uint64_t{*inside} + *count > 0xffffffffULL ||
        std::uint64_t{*outside} + *count > 0xffffffffULL)
        return wrong(text, "wants a count from 1, and ids below 4294967295");
    return IdMap{*inside, *outside, *count};
}

Parsed<Mount> parse_volume(std::string_view text) {
    auto parts = split(text, ':');
    if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty())
        return wrong(text, "wants SRC:DST or SRC:DST:OPTION,…");
    if (!parts[1].starts_with('/'))
        return wrong(text, "the destination must be an absolute path");
    Mount mount;
    mount.type = "bind";
    mount.source = parts[0];
    mount.destination = clean(parts[1]);
    if (parts.size() == 3) {
        for (std::string_view option : split(parts[2], ',')) {
            if (option == "bind")
                mount.recursive = false;
            else if (option == "rbind")
                mount.recursive = true;
            else if (!apply_option(mount, option))
                return wrong(text, "\"" + std::string(option) +
                                       "\" is no option of a volume: ro rw nosuid nodev noexec "
                                       "noatime nosymfollow bind rbind private slave shared "
                                       "unbindable");
        }
    }
    if (mount.recursive) { // whoever says ro means all of it
        mount.recursive_attributes = std::exchange(mount.attributes, 0);
        mount.propagation_below = mount.propagation;
    }
    return mount;
}

Parsed<Mount> parse_tmpfs(std::string_view text) {
    std::size_t colon = text.find(':');
    Mount mount;
    mount.type = "tmpfs";
    mount.source = "tmpfs";
    mount.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (!text.starts_with('/'))
        return wrong(text, "the destination must be an absolute path");
    mount.destination = clean(text.substr(0, colon));
    if (colon == std::string_view::npos)
        return mount;
    for (std::string_view option : split(text.substr(colon + 1), ',')) {
        if (apply_option(mount, option))
            continue;
        std::size_t equals = option.find('=');
        const auto* own =
            std::ranges::find(kTmpfsOptions, option.substr(0, equals), &OwnOption::name);
        if (own == std::end(kTmpfsOptions) || equals == std::string_view::npos)
            return wrong(text, "\"" + std::string(option) +
                                   "\" is no option of a tmpfs: size= mode= nr_inodes= nr_blocks= "
                                   "uid= gid= huge= ro noexec exec …");
        if (!own->right(option.substr(equals + 1)))
            return wrong(text, "\"" + std::string(option) + "\" wants " + own->wants);
        mount.options.emplace_back(option);
    }
    return mount;
}

Parsed<std::vector<std::string>> parse_capability(std::string_view text) {
    std::string name = lower(text);
    if (name == "all")
        return all_capabilities();
    if (!name.starts_with("cap_"))
        name.insert(0, "cap_");
    if (std::ranges::find(kCapabilities, name) == std::end(kCapabilities))
        return wrong(text, "is no capability: see capabilities(7), or write all");
    return std::vector{name};
}

Parsed<Rlimit> parse_ulimit(std::string_view text) {
    std::size_t equals = text.find('=');
    std::string name = lower(text.substr(0, equals));
    const auto* known = std::ranges::find(kLimits, name, &NamedLimit::name);
    if (equals == std::string_view::npos || known == std::end(kLimits)) {
        std::string names;
        for (const NamedLimit& limit : kLimits)
            names += std::string(" ") + limit.name;
        return wrong(text, "wants NAME=SOFT[:HARD] with one of" + names);
    }
    auto parts = split(text.substr(equals + 1), ':');
    auto value = [](std::string_view number) -> Parsed<std::uint64_t> {
        if (number == "unlimited" || number == "-1")
            return static_cast<std::uint64_t>(RLIM_INFINITY);
        return parse_number<std::uint64_t>(number);
    };
    auto soft = value(parts.front());
    auto hard = value(parts.back());
    if (parts.size() > 2 || !soft || !hard)
        return wrong(text, "wants numbers, or unlimited");
    if (*soft > *hard)
        return wrong(text, "the soft limit is above the hard one");
    return Rlimit{known->resource, name, *soft, *hard};
}

Parsed<std::int64_t> parse_seconds(std::string_view text) {
    auto seconds = parse_number<std::int64_t>(text);
    return seconds ? seconds : wrong(text, "wants whole seconds");
}

Parsed<std::string> parse_env(std::string_view text) {
    std::size_t equals = text.find('=');
    std::string name(text.substr(0, equals));
    if (name.empty())
        return wrong(text, "wants NAME=VALUE, or NAME for the caller's own value");
    if (equals != std::string_view::npos)
        return std::string(text);
    const char* own = getenv(name.c_str());
    if (own == nullptr)
        return wrong(text, "is not set here, so there is no value to hand over");
    return name + "=" + own;
}

Parsed<std::string> parse_name(std::string_view text) {
    auto fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    };
    if (text.empty() || text.size() > 64 || text.front() == '-' || text.front() == '.' ||
        !std::ranges::all_of(text, fine))
        return wrong(text, "wants 1 to 64 letters, digits, \"-\", \".\" and \"_\", beginning with "
                           "a letter or digit");
    return std::string(text);
}

} // namespace spec
