// events: what a container uses, in the form that runc gave it.
#include "oci/control.hpp"
#include "stages/cgroup_stats.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>

namespace oci {

using nlohmann::json;
using stages::cgroup::Stats;

namespace {

json use(const Stats::Use& of) {
    return {{"limit", of.limit}, {"usage", of.usage}, {"max", of.most}, {"failcnt", of.failures}};
}

json block_io(const Stats& stats) {
    json bytes = json::array();
    json counts = json::array();
    for (const Stats::Io& io : stats.io) {
        auto add = [&](json& list, const char* operation, std::uint64_t value) {
            list.push_back(
                {{"major", io.major}, {"minor", io.minor}, {"op", operation}, {"value", value}});
        };
        add(bytes, "Read", io.read_bytes);
        add(bytes, "Write", io.written_bytes);
        add(bytes, "Discard", io.discarded_bytes);
        add(counts, "Read", io.reads);
        add(counts, "Write", io.writes);
        add(counts, "Discard", io.discards);
    }
    return {{"ioServiceBytesRecursive", bytes}, {"ioServicedRecursive", counts}};
}

std::string line(const std::string& id, const char* type, const json* data) {
    json out = {{"type", type}, {"id", id}};
    if (data != nullptr)
        out["data"] = *data;
    return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string stats_line(const std::string& id, const Stats& stats) {
    const Stats::Cpu& cpu = stats.cpu;
    json hugetlb = json::object();
    for (const auto& [size, of] : stats.hugetlb)
        hugetlb[size] = use(of);
    json data = {
        {"cpu",
         {{"usage",
           {{"total", cpu.total},
            {"percpu", json::array()},
            {"kernel", cpu.kernel},
            {"user", cpu.user}}},
          {"throttling",
           {{"periods", cpu.periods},
            {"throttledPeriods", cpu.throttled_periods},
            {"throttledTime", cpu.throttled}}},
          {"bursts", {{"bursts", cpu.bursts}, {"burstTime", cpu.burst}}}}},
        {"memory",
         {{"cache", stats.memory.cache},
          {"usage", use(stats.memory.memory)},
          {"swap", use(stats.memory.swap)},
          {"kernel", use(stats.memory.kernel)},
          {"kernelTCP", use(stats.memory.sockets)},
          {"raw", stats.memory.raw}}},
        {"pids", {{"current", stats.pids.current}, {"limit", stats.pids.limit}}},
        {"blkio", block_io(stats)},
        {"hugetlb", hugetlb},
        {"network_interfaces", json::array()},
    };
    return line(id, "stats", &data);
}

} // namespace

Result<void> events(const Global& global, const std::string& id, bool once,
                    std::chrono::milliseconds interval,
                    const std::function<void(const std::string&)>& print) {
    using clock = std::chrono::steady_clock;
    Store store = TRY(Store::open(global.root, id));
    Progress progress = TRY(store.look());
    Now now = TRY(store.now(progress));
    if (now.status == Status::stopped)
        return sys::wrong("container not running");
    std::string leaf = TRY(leaf_of(progress, "events"));
    Stats first = TRY(stages::cgroup::stats(leaf));
    print(stats_line(id, first));
    if (once)
        return {};
    Fd process = TRY(sys::pidfd_open(now.pid));
    auto watch = stages::cgroup::OomWatch::open(leaf); // without one, statistics alone
    auto next = clock::now() + interval;
    for (;;) {
        std::array<pollfd, 2> fds{};
        fds[0] = {.fd = process.get(), .events = POLLIN, .revents = 0};
        fds[1] = {.fd = watch ? watch->fd() : -1, .events = POLLPRI, .revents = 0};
        auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now());
        TRY(sys::poll(fds, std::max(left, std::chrono::milliseconds(0))));
        if (fds[1].revents != 0 && watch->killed().value_or(false))
            print(line(id, "oom", nullptr));
        if (fds[0].revents != 0)
            return {};
        if (clock::now() < next)
            continue;
        next += interval;
        auto stats = stages::cgroup::stats(leaf);
        if (!stats)
            return stats.error().code == ENOENT ? Result<void>{} // deleted meanwhile
                                                : std::unexpected(std::move(stats).error());
        print(stats_line(id, *stats));
    }
}

} // namespace oci
