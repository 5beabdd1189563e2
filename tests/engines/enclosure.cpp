#include "tests/engines/enclosure.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace engines {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An engine serves streams there (cri-stream).
void bring_up_loopback() {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq up{};
    strcpy(up.ifr_name, "lo");
    up.ifr_flags = IFF_UP;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) != 0)
        fail_with_errno("bring up lo");
    close(fd);
}

/// In the process that keeps the namespaces: places that engines use whatever they are told.
void furnish() {
    enter_own_mounts();
    if (unshare(CLONE_NEWNET) != 0)
        fail_with_errno("unshare");
    bring_up_loopback();
    for (const char* place : {"/var/lib/cni", "/var/lib/containers", "/etc/cni"})
        if (fs::is_directory(place))
            mount_in("none", place, "tmpfs");
    mount_in("none", "/mnt", "tmpfs"); // the machine's /run, while it gets another
    fs::create_directory("/mnt/run");
    mount_in("/run", "/mnt/run", "", MS_BIND | MS_REC);
    mount_in("none", "/run", "tmpfs");
    for (const char* kept : {"systemd", "dbus", "vm"})
        if (std::string from = std::string("/mnt/run/") + kept; fs::is_directory(from)) {
            fs::create_directory(std::string("/run/") + kept);
            mount_in(from, std::string("/run/") + kept, "", MS_BIND | MS_REC);
        }
    if (umount2("/mnt", MNT_DETACH) != 0)
        fail_with_errno("umount /mnt");
}

void join(pid_t holder, const char* name, int kind) {
    std::string path = "/proc/" + std::to_string(holder) + "/ns/" + name;
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, kind) != 0)
        fail_with_errno("join " + path);
    close(fd);
}

} // namespace

Enclosure::Enclosure() : layer_(folder_ / "layer.tar") {
    Ended packed =
        run({.argv = {"tar", "-C", rootfs(), "--owner=0", "--group=0", "-cf", layer_, "."}});
    if (packed.status != 0)
        throw std::runtime_error("tar: " + packed.err);
    for (const char* name : {"home", "xdg"})
        folder_.folder(name);
    if (!is_root())
        return;
    holder_ = std::make_unique<Process>(
        Command{.argv = {"sh", "-c", "echo ready; exec sleep infinity"}, .before_exec = furnish});
    holder_->until("ready");
}

Enclosure::~Enclosure() {
    if (is_root()) {
        // Podman leaves one for conmon in every hierarchy, v1's too. One that is in use stays.
        std::error_code none;
        for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", none))
            for (const char* name : {"libpod_parent/conmon", "libpod_parent"})
                (void)rmdir((hierarchy.path() / name).c_str());
        (void)rmdir("/sys/fs/cgroup/libpod_parent/conmon");
        (void)rmdir("/sys/fs/cgroup/libpod_parent");
        return;
    }
    // What container users own goes away from inside a user namespace of theirs.
    (void)run({.argv = {"unshare", "--map-auto", "--map-root-user", "rm", "-rf", folder_.path()}});
}

Command Enclosure::inside(Strings argv, Strings env) const {
    Command out{.argv = std::move(argv),
                .env = {std::string("PATH=") + kPath, "HOME=" + folder_ / "home",
                        "XDG_RUNTIME_DIR=" + folder_ / "xdg", "DBUS_SESSION_BUS_ADDRESS",
                        "DOCKER_HOST", "CONTAINER_HOST", "TERM=dumb"},
                .cwd = folder_.path()};
    out.env.insert(out.env.end(), env.begin(), env.end());
    if (holder_)
        out.before_exec = [holder = holder_->pid(), cwd = folder_.path()] {
            join(holder, "net", CLONE_NEWNET);
            join(holder, "mnt", CLONE_NEWNS);
            if (chdir(cwd.c_str()) != 0) // the other namespace's
                fail_with_errno("chdir " + cwd);
        };
    return out;
}

std::string Enclosure::left() const {
    std::string left;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::string pid = entry.path().filename();
        if (pid.find_first_not_of("0123456789") != std::string::npos ||
            pid == std::to_string(getpid()))
            continue;
        std::string words = try_slurp("/proc/" + pid + "/cmdline").value_or("");
        std::ranges::replace(words, '\0', ' ');
        std::error_code gone;
        std::string root = fs::read_symlink("/proc/" + pid + "/root", gone);
        if (words.contains(folder_.path()) || root.contains(folder_.path()))
            left += "process " + pid + ": " + words + "\n";
    }
    return left;
}

std::string find_program(const std::string& name) {
    std::istringstream folders(kPath);
    for (std::string folder; std::getline(folders, folder, ':');)
        if (access((folder + "/" + name).c_str(), X_OK) == 0)
            return folder + "/" + name;
    return "";
}

std::string missing(const Strings& programs) {
    for (const std::string& program : programs)
        if (find_program(program).empty())
            return program + " is not installed";
    return "";
}

bool has_controller(const std::string& controller) {
    std::string all = try_slurp("/sys/fs/cgroup/cgroup.controllers").value_or("");
    return (" " + all).contains(" " + controller);
}

std::optional<std::string> network_plugins() {
    for (const char* folder : {"/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"})
        if (fs::exists(std::string(folder) + "/ptp"))
            return folder;
    return {};
}

bool systemd_runs() {
    return is_root() && fs::is_directory("/run/systemd/system"); // sd_booted(3)
}

bool may_raise_limits() {
    constexpr std::uint64_t kSysResource = 1ULL << 24;
    return (status_bits(getpid(), "CapEff") & kSysResource) != 0;
}

} // namespace engines
