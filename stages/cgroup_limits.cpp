// Documentation/admin-guide/cgroup-v2.rst, file by file.
#include "stages/cgroup_limits.hpp"

#include "sys/path.hpp"

#include <sys/sysmacros.h>

#include <charconv>

namespace stages::cgroup {

namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

template <class T>
std::string or_max(T value) {
    return value < 0 ? "max" : std::to_string(value);
}

const char* config_of(std::string_view file) {
    constexpr std::pair<std::string_view, const char*> options[] = {
        {"memory.swap.max", "CONFIG_SWAP and without swapaccount=0"},
        {"cpu.max", "CONFIG_CFS_BANDWIDTH"},
        {"cpu.weight", "CONFIG_FAIR_GROUP_SCHED"},
        {"io.max", "CONFIG_BLK_DEV_THROTTLING"},
    };
    for (const auto& [name, option] : options)
        if (name == file)
            return option;
    return "this controller";
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

/// The numbers of a list such as "0-3,7", in order; what doesn't parse ends it.
std::vector<bool> cpus_of(std::string_view list) {
    std::vector<bool> set;
    const char* at = list.data();
    const char* end = at + list.size();
    while (at < end) {
        std::uint16_t first = 0;
        auto parsed = std::from_chars(at, end, first);
        if (parsed.ec != std::errc{})
            break;
        std::uint16_t last = first;
        if (parsed.ptr < end && *parsed.ptr == '-')
            parsed = std::from_chars(parsed.ptr + 1, end, last);
        if (set.size() <= last)
            set.resize(last + 1U);
        for (std::size_t cpu = first; cpu <= last; ++cpu)
            set[cpu] = true;
        at = parsed.ptr + 1;
    }
    return set;
}

bool within(const std::vector<bool>& some, const std::vector<bool>& all) {
    for (std::size_t i = 0; i < some.size(); ++i)
        if (some[i] && (i >= all.size() || !all[i]))
            return false;
    return true;
}

class Limits {
public:
    explicit Limits(const Launch& launch)
        : leaf_(launch.leaf.get()), path_(launch.ledger->leaf), say_(launch.say) {}

    Result<void> memory(const spec::Resources& wanted);
    Result<void> cpu(const spec::Resources& wanted);
    Result<void> cpuset(const std::string& cpus);
    Result<void> io_weight(std::uint64_t weight);
    Result<void> io_max(const spec::IoMax& limit);
    Result<void> write(const char* option, const char* file, const std::string& value);

private:
    bool has(const char* file) const { return sys::faccessat(leaf_, file, F_OK).has_value(); }
    int leaf_;
    std::string path_;
    const std::function<void(const std::string&)>& say_;
};

Result<void> Limits::write(const char* option, const char* file, const std::string& value) {
    auto written = sys::write_file(leaf_, file, value);
    if (written)
        return {};
    Error error = std::move(written).error();
    std::string what = option + std::string(" ") + quoted(value) + ": ";
    if (error.code == ENOENT) {
        error.detail = what + "can't be enforced: this kernel has no " + file;
        error.hint = std::string("boot one with ") + config_of(file);
    } else if (error.code == EACCES || error.code == EPERM || error.code == EROFS) {
        error.detail = what + quoted(sys::join(path_, file)) + " is not writable for uid " +
                       std::to_string(sys::geteuid());
    } else {
        error.detail = what + "the kernel refuses this value";
    }
    return std::unexpected(std::move(error));
}

Result<void> Limits::memory(const spec::Resources& wanted) {
    if (wanted.memory)
        TRY(write("--memory", "memory.max", or_max(*wanted.memory)));
    if (wanted.memory_swap) {
        // The option counts both together, the kernel's file swap alone.
        std::int64_t swap = *wanted.memory_swap;
        if (swap >= 0)
            swap -= wanted.memory.value_or(0);
        if (swap >= 0 || has("memory.swap.max"))
            TRY(write("--memory-swap", "memory.swap.max", or_max(swap)));
    } else if (wanted.memory && *wanted.memory >= 0 && has("memory.swap.max")) {
        // Else the container would swap out what is over the limit, and go on growing.
        TRY(write("--memory", "memory.swap.max", "0"));
    }
    return {};
}

Result<void> Limits::cpu(const spec::Resources& wanted) {
    if (wanted.cpu_quota)
        TRY(write("--cpus", "cpu.max",
                  or_max(*wanted.cpu_quota) + " " +
                      std::to_string(wanted.cpu_period.value_or(100000))));
    if (wanted.cpu_weight)
        TRY(write("--cpu-weight", "cpu.weight", std::to_string(*wanted.cpu_weight)));
    return {};
}

Result<void> Limits::cpuset(const std::string& cpus) {
    auto here = [this] {
        std::string parent = path_.substr(0, path_.rfind('/'));
        auto list = sys::read_file(sys::join(parent, "cpuset.cpus.effective"));
        return "the CPUs to choose from are " + (list ? trimmed(*list) : "unknown");
    };
    auto written = write("--cpuset", "cpuset.cpus", cpus);
    if (!written && (written.error().code == EINVAL || written.error().code == ERANGE))
        written.error().hint = here();
    TRY(std::move(written));
    // CPUs that exist but that the parent may not use are taken without a word, and the parent's
    // are used instead.
    std::string effective = trimmed(TRY(sys::read_file(leaf_, "cpuset.cpus.effective")));
    if (effective.empty() || !within(cpus_of(effective), cpus_of(cpus)))
        return sys::wrong("--cpuset " + quoted(cpus) +
                              ": can't be enforced: the kernel would use " +
                              (effective.empty() ? "no CPU at all" : "CPUs " + effective),
                          here());
    return {};
}

/// Does some disk's scheduler, or its cost model, look at weights? Both are off unless switched on.
struct Weighing {
    bool bfq = false;
    bool cost = false;
};
Weighing weighing() {
    Weighing found;
    auto cost = sys::read_file("/sys/fs/cgroup/io.cost.qos");
    // The file is only at the real root; a container can't see it and must take it on trust.
    found.cost = !cost || cost->contains("enable=1");
    auto disks = sys::openat(AT_FDCWD, "/sys/class/block", O_RDONLY | O_DIRECTORY);
    auto entries = disks ? sys::entries(disks->get()) : std::vector<sys::Entry>{};
    for (const sys::Entry& disk : entries.value_or(std::vector<sys::Entry>{})) {
        auto scheduler = sys::read_file(disks->get(), disk.name + "/queue/scheduler");
        if (scheduler && scheduler->contains("[bfq]"))
            found.bfq = true;
    }
    return found;
}

Result<void> Limits::io_weight(std::uint64_t weight) {
    Weighing by = weighing();
    bool bfq = has("io.bfq.weight");
    bool cost = has("io.weight");
    std::string value = "default " + std::to_string(weight);
    // Either is a kernel's choice apart from the io controller's, and bfq's comes with its module.
    if (!bfq && !cost)
        return sys::wrong("--io-weight " + quoted(std::to_string(weight)) +
                              ": can't be enforced: this kernel hands out io by weight neither by "
                              "bfq (io.bfq.weight) nor by a cost model (io.weight)",
                          "as root: modprobe bfq && echo bfq > /sys/block/DISK/queue/scheduler, or "
                          "boot a kernel with CONFIG_BLK_CGROUP_IOCOST");
    if (bfq && (by.bfq || !cost)) {
        if (weight > 1000)
            return sys::wrong("--io-weight " + quoted(std::to_string(weight)) +
                                  ": can't be enforced: disks here are scheduled by bfq, which "
                                  "knows weights of 1 to 1000",
                              "use one of these");
        TRY(write("--io-weight", "io.bfq.weight", value));
    }
    if (cost)
        TRY(write("--io-weight", "io.weight", value));
    // A share, not a bound, so this is no reason to refuse; but nobody shall think that it works.
    if (!(bfq && by.bfq) && !(cost && by.cost))
        say_("cgroup: --io-weight: no effect as long as no disk here weighs its users: as root: "
             "modprobe bfq && echo bfq > /sys/block/DISK/queue/scheduler, or echo "
             "'MAJ:MIN enable=1' > /sys/fs/cgroup/io.cost.qos");
    return {};
}

/// The whole disk's "MAJ:MIN": the kernel limits no partition by itself.
Result<std::string> disk_of(const std::string& device) {
    std::string number = device;
    if (device.starts_with('/')) {
        auto info = sys::fstatat(AT_FDCWD, device, 0);
        if (!info) {
            info.error().detail = "--io-max: no device " + quoted(device);
            return std::unexpected(std::move(info).error());
        }
        if (!S_ISBLK(info->st_mode))
            return sys::wrong("--io-max: " + quoted(device) + " is not a block device",
                              "lsblk lists them");
        number = std::to_string(major(info->st_rdev)) + ":" + std::to_string(minor(info->st_rdev));
    }
    std::string node = "/sys/dev/block/" + number;
    if (!sys::exists(node))
        return sys::wrong("--io-max: " + quoted(device) + " is no block device of this host",
                          "lsblk lists them");
    if (sys::exists(node + "/partition"))
        number = trimmed(TRY(sys::read_file(node + "/../dev")));
    return number;
}

Result<void> Limits::io_max(const spec::IoMax& limit) {
    std::string line = TRY(disk_of(limit.device));
    for (auto [key, value] : {std::pair{" rbps=", limit.rbps}, std::pair{" wbps=", limit.wbps},
                              std::pair{" riops=", limit.riops}, std::pair{" wiops=", limit.wiops}})
        if (value != 0)
            line += key + std::to_string(value);
    return write("--io-max", "io.max", line);
}

} // namespace

Result<void> write_limits(Launch& launch) {
    const spec::Resources& resources = launch.spec.cgroup.resources;
    Limits limits(launch);
    TRY(limits.memory(resources));
    TRY(limits.cpu(resources));
    if (!resources.cpuset.empty())
        TRY(limits.cpuset(resources.cpuset));
    if (resources.pids)
        TRY(limits.write("--pids", "pids.max", or_max(*resources.pids)));
    if (resources.io_weight)
        TRY(limits.io_weight(*resources.io_weight));
    for (const spec::IoMax& limit : resources.io_max)
        TRY(limits.io_max(limit));
    return {};
}

} // namespace stages::cgroup
