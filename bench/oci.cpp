// The workloads of an OCI runtime: run; create, start, delete; exec; state; many at once.
#include "oci.hpp"

#include "bundle.hpp"
#include "room.hpp"
#include "spawn.hpp"

#include <algorithm>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bench {

namespace {

using nlohmann::json;

struct Runtime {
    std::string name;
    std::string version;
    Argv call; ///< with its --root
};

/// A runtime's command on the container `id`.
Argv command(const Runtime& runtime, Argv words) {
    Argv argv = runtime.call;
    argv.insert(argv.end(), words.begin(), words.end());
    return argv;
}

/// A container that runs as long as this lives. No descendant of ours: launch() would wait for it.
class Running {
public:
    static Result<Running> start(const Runtime& runtime, const std::string& bundle,
                                 const std::string& id) {
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        // Its streams are the container's: a pipe would be open as long as that runs.
        auto sample = launch_and_leave(command(runtime, {"run", "-d", "-b", bundle, id}));
        if (!sample)
            return std::unexpected(sample.error());
        return Running(runtime, id, *sample);
    }
    ~Running() {
        if (!id_.empty())
            (void)output_of(command(runtime_, {"delete", "--force", id_})); // as good as it goes
    }
    Running(Running&& other) noexcept
        : runtime_(other.runtime_), id_(std::exchange(other.id_, {})), took_(other.took_) {}
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    Running& operator=(Running&&) = delete;

    double took_ms() const { return took_.wall_ms; }

private:
    Running(Runtime runtime, std::string id, Sample took)
        : runtime_(std::move(runtime)), id_(std::move(id)), took_(took) {}
    Runtime runtime_;
    std::string id_;
    Sample took_;
};

class Bench {
public:
    Bench(const OciOptions& options, std::string folder, std::vector<std::string> notes)
        : options_(options), folder_(std::move(folder)), notes_(std::move(notes)) {}

    Result<std::vector<Report>> go();

private:
    void find_runtimes();
    Result<void> measure_config(const std::string& name, const json& config);
    Result<void> measure_inside(const std::string& name, const json& config);
    Result<void> finish(Report report);
    Result<void> measure_memory(const json& config);
    Result<void> measure_many(const json& config);
    Variant floor() const {
        return {.name = "floor",
                .what = "the least that isolates",
                .version = "bench/floor.c",
                .argv = {options_.floor, options_.rootfs, "/bin/true"}};
    }
    std::string bundle(const std::string& name, const Runtime& runtime) const {
        return folder_ + "/" + name + "-" + runtime.name;
    }
    static std::string cgroup(const Runtime& runtime) {
        return "/gocontainer-bench-" + runtime.name;
    }

    const OciOptions& options_;
    std::string folder_;
    std::vector<std::string> notes_;
    std::vector<Runtime> runtimes_;
    std::vector<Report> reports_;
};

void Bench::find_runtimes() {
    auto add = [this](const std::string& name, const std::string& program) {
        std::string version = output_of({program, "--version"}).text;
        runtimes_.push_back({.name = name,
                             .version = version.substr(0, version.find('\n')),
                             .call = {program, "--root", folder_ + "/state-" + name}});
    };
    if (!options_.peers_only)
        add("gocontainer", options_.gocontainer);
    for (const char* peer : {"crun", "runc"}) {
        if (std::string program = find_program(peer); !program.empty())
            add(peer, program);
        else
            notes_.push_back(std::string("no ") + peer + ": install it to compare with it");
    }
}

Result<void> Bench::finish(Report report) {
    if (auto done = drop_what_fails(report); !done)
        return done;
    if (auto done = measure(report, options_.warm_up, options_.rounds); !done)
        return done;
    report.judge();
    reports_.push_back(std::move(report));
    return {};
}

/// Whole lives, from one bundle.
Result<void> Bench::measure_config(const std::string& name, const json& config) {
    Report run{.title = "run, with " + name + "'s config.json",
               .limits = {{"floor", 2}, {"crun", 0.5}, {"runc", 0.2}},
               .variants = {floor()}};
    Report life = run;
    life.title = "create, start, delete, with " + name + "'s config.json";
    for (const Runtime& runtime : runtimes_) {
        std::string at = bundle(name, runtime);
        if (auto done = write_bundle(config, at, options_.rootfs, {"/bin/true"}, cgroup(runtime));
            !done)
            return done;
        Variant variant{.name = runtime.name,
                        .what = "run",
                        .version = runtime.version,
                        .argv = command(runtime, {"run", "--bundle", at, "bench"})};
        run.variants.push_back(variant);
        variant.what = "create, start, delete";
        variant.argv = command(runtime, {"create", "--bundle", at, "bench"});
        variant.kind = Kind::lifecycle;
        variant.then = {command(runtime, {"start", "bench"}),
                        command(runtime, {"delete", "bench"})};
        life.variants.push_back(std::move(variant));
    }
    run.notes = std::exchange(notes_, {});
    if (auto done = finish(std::move(run)); !done)
        return done;
    return finish(std::move(life));
}

/// Commands on a container that runs.
Result<void> Bench::measure_inside(const std::string& name, const json& config) {
    Report exec{.title = "exec, in a container with " + name + "'s config.json",
                .limits = {{"floor", 0}, {"crun", 0.5}, {"runc", 0}},
                .variants = {floor()}};
    Report state{.title = "state, of a container with " + name + "'s config.json",
                 .limits = {{"floor", 0}, {"crun", 0}, {"runc", 0}},
                 .variants = {floor()}};
    std::vector<Running> running;
    for (const Runtime& runtime : runtimes_) {
        std::string at = bundle(name, runtime);
        if (auto done =
                write_bundle(config, at, options_.rootfs, {"/bin/sleep", "900"}, cgroup(runtime));
            !done)
            return done;
        auto started = Running::start(runtime, at, "inside");
        if (!started) {
            exec.notes.push_back("without " + runtime.name + ": " + started.error());
            continue;
        }
        running.push_back(std::move(*started));
        exec.variants.push_back({.name = runtime.name,
                                 .what = "exec",
                                 .version = runtime.version,
                                 .argv = command(runtime, {"exec", "inside", "/bin/true"})});
        state.variants.push_back({.name = runtime.name,
                                  .what = "state",
                                  .version = runtime.version,
                                  .argv = command(runtime, {"state", "inside"})});
    }
    if (auto done = finish(std::move(exec)); !done)
        return done;
    if (auto done = finish(std::move(state)); !done)
        return done;
    Report& last = reports_.back();
    if (const Variant* ours = last.find("gocontainer")) {
        double wall = summary(*ours).wall;
        last.targets.push_back({.text = "state in less than 2 ms",
                                .measured = text("%.2f ms", wall),
                                .holds = wall < 2});
    }
    return {};
}

/// The largest of our processes, whatever the command.
Result<void> Bench::measure_memory(const json& config) {
    const Runtime& ours = runtimes_.front();
    std::string at = bundle("memory", ours), sleeps = bundle("memory-sleep", ours);
    std::string true_file = options_.rootfs + "/bin/true";
    for (auto [folder, args, leaf] : {std::tuple(at, Argv{"/bin/true"}, cgroup(ours)),
                                      {sleeps, Argv{"/bin/sleep", "900"}, cgroup(ours) + "-sleep"}})
        if (auto done = write_bundle(config, folder, options_.rootfs, args, leaf); !done)
            return done;
    Report report{.title = "peak memory of gocontainer's processes, with Docker's config.json"};
    report.body = text("%-18s %7s %7s\n", "KiB", "parent", "child");
    Peaks most{};
    auto trace = [&](const Argv& words) -> Result<void> {
        auto found = peaks(command(ours, words), true_file);
        if (!found)
            return std::unexpected(words.front() + ": " + found.error());
        report.body +=
            text("%-18s %7ld %7ld\n", words.front().c_str(), found->parent_kib, found->child_kib);
        most.parent_kib = std::max(most.parent_kib, found->parent_kib);
        most.child_kib = std::max(most.child_kib, found->child_kib);
        return {};
    };
    auto traced = [&]() -> Result<void> {
        if (auto done = trace({"run", "--bundle", at, "memory"}); !done)
            return done;
        auto running = Running::start(ours, sleeps, "memory-sleep");
        if (!running)
            return std::unexpected(running.error());
        for (const Argv& words : {Argv{"exec", "memory-sleep", "/bin/true"},
                                  {"state", "memory-sleep"},
                                  {"list"},
                                  {"kill", "memory-sleep", "KILL"},
                                  {"delete", "--force", "memory-sleep"}})
            if (auto done = trace(words); !done)
                return done;
        return {};
    }();
    if (!traced)
        return traced;
    report.judge_memory("any of our processes", std::max(most.parent_kib, most.child_kib));
    reports_.push_back(std::move(report));
    return {};
}

/// What one container more costs beside 0, 9, 99, 999 that run.
Result<void> Bench::measure_many(const json& config) {
    const Runtime& ours = runtimes_.front();
    std::string at = bundle("many", ours), sleeps = bundle("many-sleep", ours);
    if (auto done = write_bundle(config, at, options_.rootfs, {"/bin/true"}, cgroup(ours)); !done)
        return done;
    Report report{.title = "one container beside many, with spec's config.json"};
    report.body = text("%-10s %12s %8s %8s %8s %9s %9s\n", "running", "ms to start", "run ms",
                       "CPU ms", "x floor", "exec ms", "state ms");
    std::vector<Running> running;
    std::vector<double> ratios;
    for (size_t count = 1; count <= options_.most_containers; count *= 10) {
        double started_ms = 0;
        size_t before = running.size();
        while (running.size() < count) {
            std::string id = "many-" + std::to_string(running.size());
            if (auto done = write_bundle(config, sleeps, options_.rootfs, {"/bin/sleep", "900"},
                                         cgroup(ours) + "-" + id);
                !done)
                return done;
            auto one = Running::start(ours, sleeps, id);
            if (!one)
                return std::unexpected(one.error());
            started_ms += one->took_ms();
            running.push_back(std::move(*one));
        }
        Report turns{
            .variants = {
                floor(),
                {.name = "run", .argv = command(ours, {"run", "--bundle", at, "one-more"})},
                {.name = "exec", .argv = command(ours, {"exec", "many-0", "/bin/true"})},
                {.name = "state", .argv = command(ours, {"state", "many-0"})}}};
        if (auto done = measure(turns, 2, std::min<size_t>(options_.rounds, 50)); !done)
            return done;
        auto wall = [&](size_t index) { return summary(turns.variants[index]).wall; };
        // Of CPU time: each step is minutes after the one before, and the machine's load another.
        double cpu = summary(turns.variants[1]).cpu;
        ratios.push_back(cpu / summary(turns.variants[0]).cpu);
        report.body += text("%-10zu %12.2f %8.2f %8.2f %8.2f %9.2f %9.2f\n", count,
                            started_ms / static_cast<double>(count - before), wall(1), cpu,
                            ratios.back(), wall(2), wall(3));
    }
    double ends_ms = now_ms();
    double count = static_cast<double>(running.size());
    running.clear();
    report.body +=
        text("%-10s %12.2f ms to delete --force each\n", "", (now_ms() - ends_ms) / count);
    double growth = ratios.back() / ratios.front();
    report.targets.push_back(
        {.text = text("run beside %zu at most 1.25 times run beside 1", static_cast<size_t>(count)),
         .measured = text("CPU %.2f (x floor)", growth),
         .holds = growth <= 1.25});
    reports_.push_back(std::move(report));
    return {};
}

Result<std::vector<Report>> Bench::go() {
    find_runtimes();
    if (runtimes_.empty())
        return std::vector<Report>{};
    std::string here = options_.floor.substr(0, options_.floor.rfind("/build/"));
    auto spec = spec_config({runtimes_.front().call.front(), "spec"}, folder_ + "/spec");
    auto docker =
        docker_config(here + "/tests/unit/configs/docker-20-v2-default.config.json", folder_);
    for (const auto* config : {&spec, &docker})
        if (!*config)
            return std::unexpected(config->error());
    for (const auto& [name, config] : {std::pair("spec", *spec), std::pair("Docker", *docker)}) {
        if (auto done = measure_config(name, config); !done)
            return std::unexpected(done.error());
        if (auto done = measure_inside(name, config); !done)
            return std::unexpected(done.error());
    }
    if (options_.peers_only)
        return std::move(reports_);
    if (auto done = measure_memory(*docker); !done)
        return std::unexpected(done.error());
    if (auto done = measure_many(*spec); !done)
        return std::unexpected(done.error());
    return std::move(reports_);
}

} // namespace

Result<std::vector<Report>> measure_oci(const OciOptions& options) {
    if (geteuid() != 0) {
        Report report{.title = "the OCI commands"};
        report.body = "not measured: crun and runc are compared as root\n";
        return std::vector<Report>{std::move(report)};
    }
    std::string folder = options.floor.substr(0, options.floor.rfind('/')) + "/oci";
    if (mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)
        return failed(folder);
    std::vector<std::string> notes;
    if (auto entered = enter_room(folder, notes); !entered)
        return std::unexpected(entered.error());
    return Bench(options, folder, std::move(notes)).go();
}

} // namespace bench
