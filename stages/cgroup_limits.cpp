// Documentation/admin-guide/cgroup-v2.rst, file by file; the io controller's are in cgroup_io.cpp.
#include "stages/cgroup_limits.hpp"

#include "sys/number_list.hpp"
#include "sys/path.hpp"

#include <charconv>
#include <ranges>

namespace stages::cgroup {

namespace {

template <class T>
std::string or_max(T value) {
    return value < 0 ? "max" : std::to_string(value);
}

const char* config_of_file(std::string_view file) {
    constexpr std::pair<std::string_view, const char*> options[] = {
        {"memory.swap.max", "CONFIG_SWAP and without swapaccount=0"},
        {"cpu.max", "CONFIG_CFS_BANDWIDTH"},
        {"cpu.max.burst", "CONFIG_CFS_BANDWIDTH, 5.14 or later"},
        {"cpu.idle", "CONFIG_FAIR_GROUP_SCHED, 5.15 or later"},
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

bool within(const std::vector<bool>& some, const std::vector<bool>& all) {
    for (std::size_t i = 0; i < some.size(); ++i)
        if (some[i] && (i >= all.size() || !all[i]))
            return false;
    return true;
}

} // namespace

// --- files ---------------------------------------------------------------------------------------

bool LimitFiles::has(const std::string& file) const {
    return sys::faccessat(leaf_, file, F_OK).has_value();
}

Result<std::string> LimitFiles::read(const std::string& file) const {
    return trimmed(TRY(sys::read_file(leaf_, file)));
}

Result<std::optional<std::uint64_t>> LimitFiles::number(const std::string& file) const {
    std::string text = TRY(read(file));
    std::uint64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
        return std::nullopt;
    return value;
}

std::unexpected<Error> LimitFiles::refused(Name name, const std::string& value,
                                           const std::string& why, std::string hint) const {
    return sys::wrong(name.in(naming_) + std::string(" ") + quoted(value) + ": " + why,
                      std::move(hint));
}

Result<void> LimitFiles::put(Name name, const std::string& file, const std::string& value,
                             std::optional<std::string> before) {
    if (remember_ && !before)
        before = read(file).value_or(""); // what can't be read is nothing to come back to
    auto written = sys::write_file(leaf_, file, value);
    if (written) {
        if (remember_)
            before_.emplace_back(file, std::move(*before));
        return {};
    }
    Error error = std::move(written).error();
    std::string what = name.in(naming_) + std::string(" ") + quoted(value) + ": ";
    if (error.code == ENOENT) {
        error.detail = what + "can't be enforced: this kernel has no " + file;
        error.hint = std::string("boot one with ") + config_of_file(file);
    } else if (error.code == EACCES || error.code == EPERM || error.code == EROFS) {
        error.detail = what + quoted(sys::join(path_, file)) + " is not writable for uid " +
                       std::to_string(sys::geteuid());
    } else {
        error.detail = what + "the kernel refuses this value";
    }
    return std::unexpected(std::move(error));
}

void LimitFiles::restore() {
    for (const auto& [file, text] : std::views::reverse(before_))
        // Of no bytes the kernel would take no notice. What it refuses now, it has made impossible
        // meanwhile: then the newer value stands.
        (void)sys::write_file(leaf_, file, text.empty() ? "\n" : text);
    before_.clear();
}

// --- memory --------------------------------------------------------------------------------------

/// A limit below what is in use would kill at once.
Result<void> LimitFiles::check_use(const spec::Resources& wanted) {
    std::uint64_t used = TRY(number("memory.current")).value_or(0);
    auto check = [&](Name name, const std::optional<std::int64_t>& limit) -> Result<void> {
        if (!limit || *limit < 0 || static_cast<std::uint64_t>(*limit) >= used)
            return {};
        return refused(name, std::to_string(*limit),
                       "is less than the " + std::to_string(used) + " bytes that are in use",
                       "choose a larger one, or leave out checkBeforeUpdate");
    };
    TRY(check(kMemory, wanted.memory));
    if (has("memory.swap.current"))
        used += TRY(number("memory.swap.current")).value_or(0);
    return check(kMemorySwap, wanted.memory_swap);
}

/// What was asked for counts both together, the kernel's file swap alone.
Result<void> LimitFiles::swap(const spec::Resources& wanted) {
    std::int64_t swap = *wanted.memory_swap;
    if (swap >= 0) {
        std::optional<std::uint64_t> memory;
        if (!wanted.memory)
            memory = TRY(number("memory.max"));
        else if (*wanted.memory >= 0)
            memory = static_cast<std::uint64_t>(*wanted.memory);
        if (!memory || static_cast<std::uint64_t>(swap) < *memory)
            return refused(kMemorySwap, std::to_string(swap),
                           memory ? "is less than the limit of memory, " + std::to_string(*memory)
                                  : "there is no limit of memory to go with it",
                           "it is the sum of memory and swap");
        swap -= static_cast<std::int64_t>(*memory);
    }
    // In a kernel without swap, none and no limit are what there is anyway.
    if (swap <= 0 && !has("memory.swap.max"))
        return {};
    return put(kMemorySwap, "memory.swap.max", or_max(swap));
}

Result<void> LimitFiles::memory(const spec::Resources& wanted) {
    if (wanted.check_before_update && (wanted.memory || wanted.memory_swap))
        TRY(check_use(wanted));
    if (wanted.memory && !moot(*wanted.memory < 0, "memory.max"))
        TRY(put(kMemory, "memory.max", or_max(*wanted.memory)));
    if (wanted.memory_swap)
        TRY(swap(wanted));
    if (wanted.memory_reservation && !moot(*wanted.memory_reservation < 0, "memory.low"))
        TRY(put(kReservation, "memory.low", or_max(*wanted.memory_reservation)));
    return {};
}

// --- processors ----------------------------------------------------------------------------------

/// cpu.max and cpu.max.burst. The kernel holds each to the other, so their order depends on what
/// is there.
Result<void> LimitFiles::cpu_time(const spec::Resources& wanted) {
    std::string time;
    if (wanted.cpu_quota)
        time = or_max(*wanted.cpu_quota);
    else if (wanted.cpu_period) {
        time = TRY(read("cpu.max"));
        time = time.empty() ? "max" : time.substr(0, time.find(' '));
    }
    if (wanted.cpu_period)
        time += " " + std::to_string(*wanted.cpu_period);
    if (moot(wanted.cpu_quota && *wanted.cpu_quota < 0, "cpu.max"))
        time.clear();
    bool late = false;
    auto put_burst = [&] {
        return put(kCpuBurst, "cpu.max.burst", std::to_string(*wanted.cpu_burst));
    };
    // None is what a kernel has that doesn't know bursts.
    bool burst = wanted.cpu_burst && (*wanted.cpu_burst != 0 || has("cpu.max.burst"));
    if (burst) {
        auto written = put_burst();
        late = !written && written.error().code == EINVAL && !time.empty();
        if (!late)
            TRY(std::move(written));
    }
    if (!time.empty())
        TRY(put(wanted.cpu_quota ? kCpuQuota : kCpuPeriod, "cpu.max", time));
    return late ? put_burst() : Result<void>();
}

Result<void> LimitFiles::cpu(const spec::Resources& wanted) {
    auto idle = [&] { return put(kCpuIdle, "cpu.idle", std::to_string(*wanted.cpu_idle)); };
    // While it is idle the kernel takes no weight, and it keeps none for afterwards.
    bool begins = wanted.cpu_idle && *wanted.cpu_idle != 0;
    if (wanted.cpu_idle && !begins && has("cpu.idle"))
        TRY(idle());
    if (wanted.cpu_weight && !begins && !moot(*wanted.cpu_weight == kUsualWeight, "cpu.weight"))
        TRY(put(kCpuWeight, "cpu.weight", std::to_string(*wanted.cpu_weight)));
    if (begins)
        TRY(idle());
    return cpu_time(wanted);
}

/// `file` is cpuset.cpus or cpuset.mems.
Result<void> LimitFiles::cpuset(Name name, const std::string& file, const std::string& list) {
    bool cpus = file == "cpuset.cpus";
    std::string effective_file = file + ".effective";
    auto here = [&] {
        std::string parent = path_.substr(0, path_.rfind('/'));
        auto all = sys::read_file(sys::join(parent, effective_file));
        return std::string(cpus ? "the CPUs" : "the memory nodes") + " to choose from are " +
               (all ? trimmed(*all) : "unknown");
    };
    auto written = put(name, file, list);
    if (!written && (written.error().code == EINVAL || written.error().code == ERANGE))
        written.error().hint = here();
    TRY(std::move(written));
    // Those that exist but that the parent may not use are taken without a word, and the parent's
    // are used instead.
    std::string effective = TRY(read(effective_file));
    // The kernel has taken the list, and knows more forms of it than we do ("0-7:1/2").
    auto asked = sys::members_of(list);
    if (!effective.empty() && (!asked || within(TRY(sys::members_of(effective)), *asked)))
        return {};
    std::string instead = cpus ? "CPUs " + effective : "memory nodes " + effective;
    if (effective.empty())
        instead = cpus ? "no CPU at all" : "no memory node at all";
    return refused(name, list, "can't be enforced: the kernel would use " + instead, here());
}

// --- the rest ------------------------------------------------------------------------------------

Result<void> LimitFiles::hugetlb(const spec::HugetlbLimit& limit) {
    std::string file = "hugetlb." + limit.page_size;
    if (limit.page_size.contains('/') || !has(file + ".max"))
        return refused(kHugetlb, limit.page_size,
                       "can't be enforced: this kernel has no huge pages of that size",
                       "ls /sys/kernel/mm/hugepages lists the sizes");
    TRY(put(kHugetlb, file + ".max", std::to_string(limit.limit)));
    // What is reserved must be limited too, or its use ends in SIGBUS (hugetlb in cgroup-v2.rst).
    if (has(file + ".rsvd.max")) // 5.7
        TRY(put(kHugetlb, file + ".rsvd.max", std::to_string(limit.limit)));
    return {};
}

Result<void> LimitFiles::rdma(const spec::RdmaLimit& limit) {
    std::string line = limit.device;
    if (limit.handles)
        line += " hca_handle=" + std::to_string(*limit.handles);
    if (limit.objects)
        line += " hca_object=" + std::to_string(*limit.objects);
    return put(kRdma, "rdma.max", line, limit.device + " hca_handle=max hca_object=max");
}

Result<void> LimitFiles::unified(const std::string& file, const std::string& text) {
    if (file.empty() || file.contains('/') || file == "." || file == "..")
        return refused(kUnified, file, "is not the name of a file", "as memory.high");
    // A file such as io.max takes one line with each write.
    std::string_view rest = text;
    do {
        std::string line(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        auto written = put(kUnified, file, line);
        if (!written) {
            written.error().detail =
                kUnified.in(naming_) + std::string(" ") + quoted(file) +
                (written.error().code == ENOENT ? ": this kernel has no such file"
                                                : ": the kernel refuses " + quoted(line));
            written.error().hint.clear();
            return written;
        }
    } while (!rest.empty());
    return {};
}

Result<void> LimitFiles::write(const spec::Resources& wanted) {
    TRY(memory(wanted));
    TRY(cpu(wanted));
    if (!wanted.cpuset.empty())
        TRY(cpuset(kCpuset, "cpuset.cpus", wanted.cpuset));
    if (!wanted.cpuset_mems.empty())
        TRY(cpuset(kCpusetMems, "cpuset.mems", wanted.cpuset_mems));
    // With none at all, not even the container's first process could be.
    if (wanted.pids && !moot(*wanted.pids < 0, "pids.max"))
        TRY(put(kPids, "pids.max", or_max(*wanted.pids == 0 ? 1 : *wanted.pids)));
    TRY(io(wanted));
    for (const spec::HugetlbLimit& limit : wanted.hugetlb)
        TRY(hugetlb(limit));
    for (const spec::RdmaLimit& limit : wanted.rdma)
        TRY(rdma(limit));
    for (const auto& [file, text] : wanted.unified)
        TRY(unified(file, text));
    return {};
}

Result<void> LimitFiles::check_birth(const spec::Resources& wanted) const {
    for (const auto& [file, text] : wanted.unified)
        if (file == "cgroup.freeze" && text.starts_with('1'))
            return refused(kUnified, file, "the first process would never take its first step",
                           "pause the container once it is there");
    // The child takes its first steps in our memory, and with whom the kernel kills for want of
    // memory it kills all who share theirs (__oom_kill_process in mm/oom_kill.c): us, with nobody
    // left to say so, and the keeper. They take some 32 KiB; no whole start does with 128.
    constexpr std::uint64_t kLeast = 128 << 10;
    // Without its controller there is no such file, and no limit.
    std::optional<std::uint64_t> limit = number("memory.max").value_or(std::nullopt);
    if (limit && *limit < kLeast)
        return refused(kMemory, std::to_string(*limit), "is too little for any process to start",
                       "1M is enough for a small one");
    return {};
}

} // namespace stages::cgroup
