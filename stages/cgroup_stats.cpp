// Documentation/admin-guide/cgroup-v2.rst: flat keyed files, nested keyed files, single values.
#include "stages/cgroup_stats.hpp"

#include "sys/path.hpp"

#include <cerrno>
#include <charconv>

namespace stages::cgroup {

namespace {

std::uint64_t number_of(std::string_view text) {
    std::uint64_t value = 0;
    // "max", and what isn't there at all, is told apart by who asks.
    (void)std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// Take what is before `end` off the front of `text`.
std::string_view cut(std::string_view& text, char end) {
    std::string_view front = text.substr(0, text.find(end));
    text.remove_prefix(std::min(front.size() + 1, text.size()));
    return front;
}

/// Each "KEY VALUE" line.
void each_key(std::string_view text, const auto& visit) {
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        std::string_view key = cut(line, ' ');
        visit(key, number_of(line));
    }
}

std::uint64_t key_of(std::string_view text, std::string_view wanted) {
    std::uint64_t found = 0;
    each_key(text, [&](std::string_view key, std::uint64_t value) {
        if (key == wanted)
            found = value;
    });
    return found;
}

/// The leaf's files; one that its controllers don't have is empty.
class Files {
public:
    explicit Files(const Fd& leaf) : leaf_(leaf.get()) {}
    std::string text(const std::string& file) const {
        return sys::read_file(leaf_, file).value_or("");
    }
    std::uint64_t number(const std::string& file) const { return number_of(text(file)); }
    std::uint64_t limit(const std::string& file) const {
        std::string value = text(file);
        return value.starts_with("max") ? kNoLimit : number_of(value);
    }

private:
    int leaf_;
};

Stats::Cpu cpu_of(const Files& files) {
    Stats::Cpu cpu;
    struct Field {
        std::string_view key;
        std::uint64_t& into;
        std::uint64_t times;
    };
    const Field fields[] = {
        {"usage_usec", cpu.total, 1000},
        {"user_usec", cpu.user, 1000},
        {"system_usec", cpu.kernel, 1000},
        {"nr_periods", cpu.periods, 1},
        {"nr_throttled", cpu.throttled_periods, 1},
        {"throttled_usec", cpu.throttled, 1000},
        {"nr_bursts", cpu.bursts, 1},
        {"burst_usec", cpu.burst, 1000},
    };
    each_key(files.text("cpu.stat"), [&](std::string_view key, std::uint64_t value) {
        for (const Field& field : fields)
            if (field.key == key)
                field.into = value * field.times;
    });
    return cpu;
}

Stats::Memory memory_of(const Files& files) {
    Stats::Memory memory;
    each_key(files.text("memory.stat"),
             [&](std::string_view key, std::uint64_t value) { memory.raw.emplace(key, value); });
    auto raw = [&memory](const char* key) {
        auto found = memory.raw.find(key);
        return found == memory.raw.end() ? 0 : found->second;
    };
    memory.cache = raw("file");
    memory.kernel.usage = raw("kernel");
    memory.sockets.usage = raw("sock");
    memory.memory = {.usage = files.number("memory.current"),
                     .most = files.number("memory.peak"),
                     .limit = files.limit("memory.max"),
                     .failures = key_of(files.text("memory.events"), "max")};
    std::uint64_t swap_limit = files.limit("memory.swap.max");
    bool none = swap_limit == kNoLimit || memory.memory.limit == kNoLimit;
    memory.swap = {.usage = memory.memory.usage + files.number("memory.swap.current"),
                   .limit = none ? kNoLimit : memory.memory.limit + swap_limit,
                   .failures = key_of(files.text("memory.swap.events"), "max")};
    return memory;
}

/// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" on each line.
std::vector<Stats::Io> io_of(std::string_view text) {
    std::vector<Stats::Io> out;
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        std::string_view device = cut(line, ' ');
        Stats::Io io{.major = number_of(cut(device, ':')), .minor = number_of(device)};
        const std::pair<std::string_view, std::uint64_t&> fields[] = {
            {"rbytes", io.read_bytes}, {"wbytes", io.written_bytes}, {"dbytes", io.discarded_bytes},
            {"rios", io.reads},        {"wios", io.writes},          {"dios", io.discards}};
        while (!line.empty()) {
            std::string_view value = cut(line, ' ');
            std::string_view key = cut(value, '=');
            for (const auto& [name, into] : fields)
                if (name == key)
                    into = number_of(value);
        }
        out.push_back(io);
    }
    return out;
}

std::map<std::string, Stats::Use> hugetlb_of(const Files& files, int leaf) {
    std::map<std::string, Stats::Use> out;
    for (const sys::Entry& entry : sys::entries(leaf).value_or(std::vector<sys::Entry>{})) {
        constexpr std::string_view prefix = "hugetlb.";
        constexpr std::string_view suffix = ".current";
        std::string_view name = entry.name;
        if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.ends_with(".rsvd.current"))
            continue;
        name.remove_prefix(prefix.size());
        name.remove_suffix(suffix.size());
        std::string file = std::string(prefix) + std::string(name);
        out[std::string(name)] = {.usage = files.number(file + ".current"),
                                  .limit = files.limit(file + ".max"),
                                  .failures = key_of(files.text(file + ".events"), "max")};
    }
    return out;
}

/// How many were killed, by memory.events, read from its start.
Result<std::uint64_t> kills_in(int events) {
    TRY(sys::lseek_start(events));
    char text[512];
    std::size_t length = TRY(sys::read(events, text));
    return key_of(std::string_view(text, length), "oom_kill");
}

} // namespace

Result<Stats> stats(const std::string& leaf) {
    Fd directory = TRY(sys::openat(AT_FDCWD, leaf, O_RDONLY | O_DIRECTORY));
    Files files(directory);
    Stats all;
    all.cpu = cpu_of(files);
    all.memory = memory_of(files);
    all.pids = {.current = files.number("pids.current"), .limit = files.number("pids.max")};
    all.io = io_of(files.text("io.stat"));
    all.hugetlb = hugetlb_of(files, directory.get());
    return all;
}

std::string killed_for_memory(const std::string& leaf) {
    auto directory = sys::openat(AT_FDCWD, leaf, O_RDONLY | O_DIRECTORY);
    if (!directory)
        return {};
    Files files(*directory);
    std::uint64_t kills = key_of(files.text("memory.events"), "oom_kill");
    if (kills == 0)
        return {};
    std::uint64_t limit = files.limit("memory.max");
    return "the kernel has killed " + std::to_string(kills) +
           (kills == 1 ? " process" : " processes") + " of the container for want of memory" +
           (limit == kNoLimit ? "" : ", of which it may have " + std::to_string(limit) + " bytes");
}

Result<OomWatch> OomWatch::open(const std::string& leaf) {
    Fd events = TRY(sys::openat(AT_FDCWD, sys::join(leaf, "memory.events"), O_RDONLY));
    std::uint64_t kills = TRY(kills_in(events.get()));
    return OomWatch(std::move(events), kills);
}

Result<bool> OomWatch::killed() {
    std::uint64_t now = TRY(kills_in(events_.get()));
    return now > std::exchange(kills_, now);
}

} // namespace stages::cgroup
