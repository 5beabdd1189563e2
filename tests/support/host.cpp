// Looking at the machine.
#include "tests/support/host.hpp"

#include "tests/support/container.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/proc.hpp"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace support {

namespace fs = std::filesystem;

std::string token() {
    std::array<unsigned char, 8> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        fail_with_errno("getrandom");
    std::string out;
    for (unsigned char byte : bytes) {
        out += static_cast<char>('a' + byte % 26);
        out += static_cast<char>('0' + byte / 26);
    }
    return out;
}

bool emulated() {
    return getenv("GOCONTAINER_VM") != nullptr;
}

Scratch::Scratch() {
    const char* base = getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/gocontainer-test.XXXXXX";
    if (mkdtemp(path_.data()) == nullptr)
        fail_with_errno(path_);
    chmod(path_.c_str(), 0755);
}

Scratch::~Scratch() {
    std::error_code failed;
    fs::remove_all(path_, failed);
    if (!failed)
        return;
    // What container users own can be removed by those who are root over their ids.
    (void)run({.argv = {"chmod", "-R", "u+rwX", path_}});
    (void)run({.argv = {"unshare", "--map-auto", "--map-root-user", "rm", "-rf", path_}});
}

std::string Scratch::folder(const std::string& name) const {
    fs::create_directories(*this / name);
    return *this / name;
}

std::string Scratch::file(const std::string& name, const std::string& text, mode_t mode) const {
    fs::create_directories(fs::path(*this / name).parent_path());
    spill(*this / name, text, mode);
    return *this / name;
}

std::string Scratch::rootfs(const std::string& name) const {
    Ended done = run({.argv = {"cp", "-a", support::rootfs(), *this / name}});
    if (done.status != 0)
        throw std::runtime_error("cp: " + done.err);
    return *this / name;
}

std::set<std::string> listing(const std::string& folder) {
    std::set<std::string> out;
    std::error_code unreadable;
    for (auto entry = fs::recursive_directory_iterator(
             folder, fs::directory_options::skip_permission_denied, unreadable);
         entry != fs::recursive_directory_iterator(); entry.increment(unreadable)) {
        struct stat info{};
        if (lstat(entry->path().c_str(), &info) != 0)
            continue;
        std::ostringstream line;
        line << entry->path().string() << " " << std::oct << info.st_mode << std::dec << " "
             << info.st_uid << ":" << info.st_gid;
        if (S_ISREG(info.st_mode))
            line << " " << info.st_size << " " << info.st_mtim.tv_sec << "."
                 << info.st_mtim.tv_nsec;
        if (S_ISLNK(info.st_mode))
            line << " -> " << read_link(entry->path());
        out.insert(line.str());
    }
    return out;
}

namespace {

/// Where cgroup v2 is mounted, alone or beside v1.
std::string cgroup2() {
    for (const MountLine& mount : mountinfo(getpid()))
        if (mount.type == "cgroup2")
            return mount.point;
    return {};
}

/// Files in a folder that others use too: ours, named as launchers and what they start name theirs,
/// but not those of tests and test runners.
void names_in(const std::string& folder, std::set<std::string>& into) {
    std::error_code unreadable;
    for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
        struct stat info{};
        std::string name = entry.path().filename();
        auto starts = [&](const char* word) { return name.starts_with(word); };
        if (lstat(entry.path().c_str(), &info) != 0 || info.st_uid != getuid() ||
            starts("gocontainer-test") || starts("gocontainer-vm"))
            continue;
        if (starts("gocontainer") || starts("gc-") || starts("slirp") || starts("libslirp") ||
            starts("pasta") || starts("passt"))
            into.insert(entry.path().string());
    }
}

} // namespace

Host Host::look() {
    Host host;
    utsname names{};
    uname(&names);
    host.hostname = names.nodename;
    host.domainname = names.domainname;
    for (const MountLine& mount : mountinfo(getpid()))
        host.mounts.insert(mount.point + " of " + mount.source + mount.root);
    std::string own = cgroup2();
    if (!own.empty()) {
        // Others may remove theirs while we look.
        for (const std::string& cgroup : folders_below(own + cgroup_of(getpid()))) {
            struct stat info{};
            if (lstat(cgroup.c_str(), &info) == 0 && info.st_uid == getuid())
                host.cgroups.insert(cgroup);
        }
    }
    for (const char* variable : {"TMPDIR", "XDG_RUNTIME_DIR"})
        if (const char* folder = getenv(variable); folder != nullptr)
            names_in(folder, host.files);
    for (const char* folder : {"/tmp", "/run", "/var/tmp", "/dev/shm"})
        names_in(folder, host.files);
    // "    0:    14 13/13 10/1000000 230/25000000": the third is our share of keys.
    std::istringstream users(try_slurp("/proc/key-users").value_or(""));
    std::string line;
    while (std::getline(users, line)) {
        std::istringstream fields(line);
        std::string uid;
        std::string usage;
        fields >> uid >> usage >> host.keys;
        if (uid == std::to_string(getuid()) + ":")
            break;
        host.keys = 0;
    }
    return host;
}

namespace {

/// A cgroup that engines and the like have made meanwhile: of the processes in it, or below it,
/// none is ours. All that a container leaves behind becomes our child.
bool is_others(const std::string& cgroup) {
    if (!try_slurp(cgroup + "/cgroup.events").value_or("").contains("populated 1"))
        return false;
    std::vector<pid_t> ours = descendants_of(getpid());
    auto holds_ours = [&](const std::string& directory) {
        std::istringstream members(try_slurp(directory + "/cgroup.procs").value_or(""));
        for (pid_t pid = 0; members >> pid;)
            if (pid == getpid() || std::ranges::find(ours, pid) != ours.end())
                return true;
        return false;
    };
    if (holds_ours(cgroup))
        return false;
    return std::ranges::none_of(folders_below(cgroup), holds_ours);
}

} // namespace

// Others come and go meanwhile; what is left behind is there at every look.
std::string differs_from(const Host& before, Duration patience) {
    bool first = true;
    std::set<std::string> left;
    (void)eventually(
        [&] {
            Host now = Host::look();
            std::set<std::string> differences;
            auto add = [&](const std::string& what, const std::set<std::string>& was,
                           const std::set<std::string>& is) {
                for (const std::string& name : is)
                    if (!was.contains(name))
                        differences.insert(what + " left behind: " + name + "\n");
            };
            add("a mount", before.mounts, now.mounts);
            std::erase_if(now.cgroups, [&](const std::string& one) {
                return !before.cgroups.contains(one) && is_others(one);
            });
            add("a cgroup", before.cgroups, now.cgroups);
            add("a file", before.files, now.files);
            if (now.hostname != before.hostname || now.domainname != before.domainname)
                differences.insert("the host was renamed\n");
            if (now.keys > before.keys + 20)
                differences.insert("keys left behind\n");
            if (std::exchange(first, false))
                left = std::move(differences);
            else
                std::erase_if(left, [&](const auto& one) { return !differences.contains(one); });
            return left.empty();
        },
        patience);
    std::string text;
    for (const std::string& one : left)
        text += one;
    return text;
}

std::string strays(Duration patience, const std::vector<pid_t>& known) {
    std::string left;
    (void)eventually(
        [&] {
            while (waitpid(-1, nullptr, WNOHANG) > 0) {
            }
            left.clear();
            for (pid_t pid : children_of(getpid())) {
                if (std::ranges::find(known, pid) != known.end())
                    continue;
                auto words = try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
                if (words)
                    std::ranges::replace(*words, '\0', ' ');
                left += "process " + std::to_string(pid) + ": " + words.value_or("") + "\n";
            }
            return left.empty();
        },
        patience);
    return left;
}

namespace {
constexpr id_t kNobody = 65534;
} // namespace

void become_ordinary() {
    if (getuid() != 0)
        return;
    if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
        setresuid(kNobody, kNobody, kNobody) != 0)
        fail_with_errno("setresuid");
    prctl(PR_SET_DUMPABLE, 1); // or /proc/self belongs to root still
}

unsigned ordinary() {
    return getuid() != 0 ? getuid() : kNobody;
}

std::string program(const std::string& name) {
    std::string path = run({.argv = {"sh", "-c", "command -v " + name}}).out;
    return path.substr(0, path.find('\n'));
}

void deny(const char* call, int code) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint16_t>(code)),
                         seccomp_syscall_resolve_name(call), 0) != 0 ||
        seccomp_load(filter) != 0)
        throw std::runtime_error("seccomp");
    seccomp_release(filter);
}

void enter_own_mounts(bool shared) {
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0)) != 0)
        fail_with_errno("unshare");
    if (uid != 0) {
        write_to("/proc/self/setgroups", "deny");
        write_to("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1");
        write_to("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
    }
    // First away from the machine's own, whose peers ours are where "/" is shared.
    mount_in("none", "/", "", MS_REC | MS_PRIVATE);
    if (shared)
        mount_in("none", "/", "", MS_REC | MS_SHARED);
}

void mount_in(const std::string& source, const std::string& target, const std::string& type,
              unsigned long flags, const std::string& data) {
    if (mount(source.c_str(), target.c_str(), type.c_str(), flags, data.c_str()) != 0)
        fail_with_errno("mount " + target);
}

bool is_root() {
    return geteuid() == 0;
}

Subordinate subordinate(const std::string& file) {
    passwd* me = getpwuid(getuid());
    std::string name = me != nullptr ? me->pw_name : "";
    std::istringstream in(try_slurp(file).value_or(""));
    std::string line;
    while (std::getline(in, line)) {
        std::replace(line.begin(), line.end(), ':', ' ');
        std::istringstream fields(line);
        std::string who;
        Subordinate range;
        if (fields >> who >> range.first >> range.count &&
            (who == name || who == std::to_string(getuid())))
            return range;
    }
    return {};
}

} // namespace support
