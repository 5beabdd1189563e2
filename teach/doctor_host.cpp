// What kind of machine this is.
#include "teach/doctor_host.hpp"

#include "spec/spec.hpp"
#include "stages/causes.hpp"
#include "stages/cgroup_place.hpp"
#include "stages/passwd.hpp"
#include "sys/capability.hpp"
#include "sys/path.hpp"

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <sstream>

namespace teach {

namespace {

std::string first_line(const std::string& path) {
    std::string text = sys::read_file(path, 1 << 16).value_or("");
    return text.substr(0, text.find('\n'));
}

/// The value of `key` in lines KEY=VALUE, without its quotes.
std::string value_of(const std::string& text, const std::string& key) {
    std::size_t at = ("\n" + text).find("\n" + key + "=");
    if (at == std::string::npos)
        return {};
    at += key.size() + 1;
    std::string value = text.substr(at, text.find('\n', at) - at);
    if (value.size() > 1 && (value.front() == '"' || value.front() == '\''))
        value = value.substr(1, value.size() - 2);
    return value;
}

/// "all capabilities", as --privileged gives, or "14 of 41 capabilities": the most there can be
/// here.
std::string capabilities() {
    std::istringstream lines(sys::read_file("/proc/self/status", 1 << 16).value_or(""));
    std::uint64_t bound = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("CapBnd:\t"))
            bound = std::strtoull(line.c_str() + 8, nullptr, 16);
    std::uint64_t all = sys::known_bits();
    if ((bound & all) == all)
        return "all capabilities (--privileged)";
    return std::to_string(std::popcount(bound)) + " of " + std::to_string(std::popcount(all)) +
           " capabilities";
}

/// The container that we are in; "": none that shows.
std::string container() {
    std::string kind;
    if (sys::exists("/.dockerenv"))
        kind = "a Docker container";
    else if (sys::exists("/run/.containerenv"))
        kind = "a Podman container";
    else if (std::string name = first_line("/run/systemd/container"); !name.empty())
        kind = "a container of " + name;
    else
        return {};
    return kind + ", with " + capabilities();
}

/// The virtual machine that we are in; "": none that shows.
std::string virtual_machine() {
    std::string release = first_line("/proc/sys/kernel/osrelease");
    if (release.ends_with("-Microsoft"))
        return "WSL 1";
    if (release.contains("icrosoft"))
        return "WSL 2";
    std::string hostname = first_line("/proc/sys/kernel/hostname");
    if (hostname == "colima" || hostname.starts_with("colima-"))
        return "a virtual machine of Colima";
    if (sys::exists("/mnt/lima-cidata") || hostname.starts_with("lima-"))
        return "a virtual machine of Lima";
    std::string maker = first_line("/sys/class/dmi/id/sys_vendor");
    std::string product = first_line("/sys/class/dmi/id/product_name");
    bool virtual_cpu =
        sys::read_file("/proc/cpuinfo", std::size_t{1} << 24).value_or("").contains(" hypervisor");
    if (virtual_cpu)
        return maker.empty() ? "a virtual machine" : "a virtual machine (" + maker + ")";
    return product.empty() ? "" : "a machine (" + maker + " " + product + ")";
}

std::string cgroups() {
    using stages::cgroup::Layout;
    auto hierarchy = stages::cgroup::find_hierarchy();
    if (!hierarchy || hierarchy->layout == Layout::none)
        return sys::exists("/proc/cgroups") ? "no v2 (only v1, or nothing is mounted)" : "none";
    std::string text = hierarchy->layout == Layout::pure ? "v2" : "hybrid: v2 beside v1";
    text += " at " + hierarchy->root;
    return hierarchy->own.empty() ? text : text + "; we are in \"" + hierarchy->own + "\"";
}

std::string security() {
    std::string text;
    auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
    if (first_line("/sys/module/apparmor/parameters/enabled") == "Y") {
        std::string profile = stages::causes::apparmor_profile();
        add("AppArmor" + (profile.empty() ? ", not on us" : ": \"" + profile + "\" is on us"));
    }
    if (first_line("/sys/fs/selinux/enforce") == "1")
        add("SELinux, enforcing");
    if (sys::seccomp_mode().value_or(0) == 2)
        add("a seccomp filter is on us");
    return text.empty() ? "nothing beyond the kernel's own" : text;
}

/// "COUNT from FIRST" of the first range of /etc/subuid.
std::string subordinate(const std::string& name, const std::string& number) {
    for (const stages::SubordinateRange& range : stages::subordinate_ranges("/etc/subuid"))
        if (range.who == name || range.who == number)
            return std::to_string(range.count) + " ids from " + std::to_string(range.first) +
                   " in /etc/subuid";
    return "none in /etc/subuid";
}

} // namespace

std::string kind_of_machine() {
    std::string inner = container();
    const char* codespaces = getenv("CODESPACES");
    if (codespaces != nullptr && std::string_view(codespaces) == "true")
        inner = "a GitHub Codespace (" + (inner.empty() ? "no container shows" : inner) + ")";
    std::string outer = virtual_machine();
    if (inner.empty())
        return outer.empty() ? "a machine" : outer;
    return outer.empty() ? inner : inner + ", in " + outer;
}

Host look_at_host() {
    Host host;
    std::string release = sys::read_file("/etc/os-release", 1 << 16).value_or("");
    host.system = value_of(release, "PRETTY_NAME");
    if (host.system.empty())
        host.system = "Linux";
    host.kernel = sys::kernel_release().value_or("?");
    host.kind = kind_of_machine();
    uid_t uid = sys::geteuid();
    std::string number = std::to_string(uid);
    host.name = stages::user_name(uid).value_or(number);
    host.user = host.name + " (uid " + number + ")";
    host.ids = subordinate(host.name, number);
    host.cgroups = cgroups();
    host.security = security();
    host.program = sys::readlinkat(AT_FDCWD, "/proc/self/exe").value_or("gocontainer");
    host.rootfs = spec::Root().path;
    return host;
}

} // namespace teach
