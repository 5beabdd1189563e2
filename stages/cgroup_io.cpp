// The io controller's limits: cgroup-v2.rst, "IO", and Documentation/block/bfq-iosched.rst.
#include "stages/cgroup_limits.hpp"
#include "sys/path.hpp"

#include <sys/sysmacros.h>

namespace stages::cgroup {

namespace {

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

/// The whole disk's "MAJ:MIN": the kernel limits no partition by itself.
Result<std::string> disk_of(const std::string& name, const std::string& device) {
    std::string number = device;
    if (device.starts_with('/')) {
        auto info = sys::fstatat(AT_FDCWD, device, 0);
        if (!info) {
            info.error().detail = name + ": no device " + quoted(device);
            return std::unexpected(std::move(info).error());
        }
        if (!S_ISBLK(info->st_mode))
            return sys::wrong(name + ": " + quoted(device) + " is not a block device",
                              "lsblk lists them");
        number = std::to_string(major(info->st_rdev)) + ":" + std::to_string(minor(info->st_rdev));
    }
    std::string node = "/sys/dev/block/" + number;
    if (!sys::exists(node))
        return sys::wrong(name + ": " + quoted(device) + " is no block device of this host",
                          "lsblk lists them");
    if (sys::exists(node + "/partition")) {
        number = TRY(sys::read_file(node + "/../dev"));
        number.resize(number.find_last_not_of('\n') + 1);
    }
    return number;
}

/// The line of `text` that is about `device`, as io.max has one for each; empty without one.
std::string line_of(std::string_view text, const std::string& device) {
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.starts_with(device + " "))
            return std::string(line);
    }
    return {};
}

} // namespace

Result<void> LimitFiles::io_weight(const spec::Resources& wanted) {
    std::uint64_t weight = *wanted.io_weight;
    std::uint64_t bfq_weight = wanted.io_bfq_weight.value_or(weight);
    Weighing by = weighing();
    bool bfq = has("io.bfq.weight");
    bool cost = has("io.weight");
    // Either is a kernel's choice apart from the io controller's, and bfq's comes with its module.
    if (!bfq && !cost)
        return refused(kIoWeight, std::to_string(weight),
                       "can't be enforced: this kernel hands out io by weight neither by bfq "
                       "(io.bfq.weight) nor by a cost model (io.weight)",
                       "as root: modprobe bfq && echo bfq > /sys/block/DISK/queue/scheduler, or "
                       "boot a kernel with CONFIG_BLK_CGROUP_IOCOST");
    if (bfq && (by.bfq || !cost)) {
        if (bfq_weight > 1000)
            return refused(kIoWeight, std::to_string(bfq_weight),
                           "can't be enforced: disks here are scheduled by bfq, which knows "
                           "weights of 1 to 1000",
                           "use one of these");
        TRY(put(kIoWeight, "io.bfq.weight", "default " + std::to_string(bfq_weight),
                "default 100"));
    }
    if (cost)
        TRY(put(kIoWeight, "io.weight", "default " + std::to_string(weight), "default 100"));
    // A share, not a bound, so this is no reason to refuse; but nobody shall think that it works.
    if (say_ && !(bfq && by.bfq) && !(cost && by.cost))
        say_("cgroup: " + std::string(kIoWeight.in(naming_)) +
             ": no effect as long as no disk here weighs its users: as root: modprobe bfq && echo "
             "bfq > /sys/block/DISK/queue/scheduler, or echo 'MAJ:MIN enable=1' > "
             "/sys/fs/cgroup/io.cost.qos");
    return {};
}

Result<void> LimitFiles::io_weight_of(const spec::IoWeight& device) {
    std::string disk = TRY(disk_of(kIoWeights.in(naming_), device.device));
    // A disk is scheduled by bfq, or weighed by its cost; the other file's line does nothing.
    bool bfq = has("io.bfq.weight");
    if (bfq) {
        std::uint64_t weight = device.bfq_weight != 0 ? device.bfq_weight : device.weight;
        TRY(put(kIoWeights, "io.bfq.weight", disk + " " + std::to_string(weight),
                disk + " default"));
    }
    if (has("io.weight") || !bfq) // neither: the error names this one
        TRY(put(kIoWeights, "io.weight", disk + " " + std::to_string(device.weight),
                disk + " default"));
    return {};
}

Result<void> LimitFiles::io_max(const spec::IoMax& limit) {
    std::string disk = TRY(disk_of(kIoMax.in(naming_), limit.device));
    if (moot(limit.lifts(), "io.max"))
        return {};
    std::string line = disk;
    for (auto [key, value] : {std::pair{" rbps=", limit.rbps}, std::pair{" wbps=", limit.wbps},
                              std::pair{" riops=", limit.riops}, std::pair{" wiops=", limit.wiops}})
        if (value != 0)
            line += key + (value == spec::kNoRate ? "max" : std::to_string(value));
    std::string before = remember_ ? line_of(read("io.max").value_or(""), disk) : "";
    if (before.empty())
        before = disk + " rbps=max wbps=max riops=max wiops=max";
    return put(kIoMax, "io.max", line, std::move(before));
}

Result<void> LimitFiles::io(const spec::Resources& wanted) {
    if (wanted.io_weight)
        TRY(io_weight(wanted));
    for (const spec::IoWeight& device : wanted.io_weights)
        TRY(io_weight_of(device));
    for (const spec::IoMax& limit : wanted.io_max)
        TRY(io_max(limit));
    return {};
}

} // namespace stages::cgroup
