// How fast a launch is: gocontainer against its peers and against the floor, in one run.
//
//     bench/run [--runs N] [--quick] [--svg FILE] [--json FILE] [--peers] [--check]
//
// Each round runs every variant once, so that a load on the machine slows all of them alike; only
// ratios from one and the same run are worth comparing.
#include "oci.hpp"
#include "report.hpp"
#include "room.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/utsname.h>
#include <unistd.h>

using namespace bench;

namespace {

struct Options {
    size_t rounds = 200, warm_up = 10, traced = 3, most_containers = 1000;
    std::string svg = "build/bench.svg", json;
    bool peers_only = false, check = false;
};

constexpr const char* usage =
    R"(usage: bench/run [--runs N] [--quick] [--svg FILE] [--json FILE] [--peers] [--check]

  --runs N      rounds; each runs every variant once (200; of the OCI commands half as many)
  --quick       30 rounds, 100 containers at once instead of 1000: enough to see a step, not to
                judge 5 %
  --svg FILE    where the plot goes (build/bench.svg)
  --json FILE   everything measured, as JSON
  --peers       leave gocontainer out: the floor and the peers alone
  --check       exit status 1 when a target is missed

environment: GOCONTAINER (./gocontainer), ROOTFS (./rootfs)
)";

Result<Options> parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string name = argv[i];
        bool takes_value = name == "--runs" || name == "--svg" || name == "--json";
        if (takes_value && i + 1 == argc)
            return std::unexpected("'" + name + "' needs a value");
        if (name == "--runs") {
            char* end = nullptr;
            long runs = strtol(argv[++i], &end, 10);
            if (*end != '\0' || runs < 1 || runs > 100000)
                return std::unexpected("'--runs " + std::string(argv[i]) +
                                       "': not a number from 1 to 100000");
            options.rounds = static_cast<size_t>(runs);
        } else if (name == "--quick") {
            options.rounds = 30;
            options.warm_up = 3;
            options.traced = 1;
            options.most_containers = 100;
        } else if (name == "--svg") {
            options.svg = argv[++i];
        } else if (name == "--json") {
            options.json = argv[++i];
        } else if (name == "--peers") {
            options.peers_only = true;
        } else if (name == "--check") {
            options.check = true;
        } else {
            return std::unexpected("unknown option '" + name + "': try --help");
        }
    }
    return options;
}

std::string version_of(const std::string& program) {
    auto said = output_of({program, "--version"});
    return said.status == 0 ? said.text.substr(0, said.text.find('\n')) : "";
}

std::string environment(const char* name, const char* otherwise) {
    const char* value = getenv(name);
    return value && *value ? value : otherwise;
}

std::string absolute(const std::string& path) {
    char* found = realpath(path.c_str(), nullptr);
    std::string result = found ? found : "";
    free(found);
    return result;
}

// What is compared with `parent`, in the table's order. Each does what its line says and nothing
// less, so that nobody wins by leaving something out.
Result<Report> line_up(const Options& options) {
    Report report;
    report.title = "parent: a container for a person";
    report.limits = {{"floor", 1.35}, {"bubblewrap", 0.7}};
    std::string rootfs = absolute(environment("ROOTFS", "./rootfs"));
    if (rootfs.empty() || access((rootfs + "/bin/true").c_str(), X_OK) < 0)
        return std::unexpected("no /bin/true in '" + environment("ROOTFS", "./rootfs") +
                               "': make one with rootfs-scripts/busybox, or set ROOTFS");

    std::string own = absolute("/proc/self/exe");
    std::string floor = own.substr(0, own.rfind('/')) + "/floor";
    report.variants.push_back({.name = "floor",
                               .what = "the least that isolates",
                               .version = "bench/floor.c",
                               .argv = {floor, rootfs, "/bin/true"}});

    std::string gocontainer = absolute(environment("GOCONTAINER", "./gocontainer"));
    Argv launch = {gocontainer, "parent", "--map", "single", "--net"};
    const Argv tail = {"--rootfs", rootfs, "/bin/true"};
    auto with_net = [&](const char* net) {
        Argv argv = launch;
        argv.emplace_back(net);
        argv.insert(argv.end(), tail.begin(), tail.end());
        return argv;
    };
    if (options.peers_only) {
        report.notes.emplace_back("gocontainer is left out, as asked");
    } else if (gocontainer.empty()) {
        return std::unexpected("no '" + environment("GOCONTAINER", "./gocontainer") +
                               "': build it with make, set GOCONTAINER, or use --peers");
    } else {
        report.variants.push_back({.name = "gocontainer",
                                   .what = "every default stage",
                                   .version = version_of(gocontainer),
                                   .argv = with_net("none")});
    }

    if (std::string bwrap = find_program("bwrap"); !bwrap.empty())
        report.variants.push_back({.name = "bubblewrap",
                                   .what = "--unshare-all, proc, dev",
                                   .version = version_of(bwrap),
                                   .argv = {bwrap, "--unshare-all", "--bind", rootfs, "/", "--proc",
                                            "/proc", "--dev", "/dev", "/bin/true"}});
    else
        report.notes.emplace_back("no bwrap: install bubblewrap to compare with it");

    if (std::string unshare = find_program("unshare"); !unshare.empty())
        report.variants.push_back(
            {.name = "unshare(1)",
             .what = "chroot, no dev",
             .version = version_of(unshare),
             .argv = {unshare, "-UrmpfinuC", "--mount-proc", "--root", rootfs, "/bin/true"}});
    else
        report.notes.emplace_back("no unshare: install util-linux to compare with it");

    std::string slirp = find_program("slirp4netns");
    if (slirp.empty()) {
        report.notes.emplace_back("no slirp4netns: install it to measure a launch with a network");
    } else if (!options.peers_only) {
        report.variants.push_back({.name = "gocontainer+slirp",
                                   .what = "the same, --net slirp",
                                   .version = "",
                                   .argv = with_net("slirp"),
                                   .plotted = false});
        report.variants.push_back({.name = "slirp until ready",
                                   .what = "slirp4netns alone",
                                   .version = version_of(slirp),
                                   .argv = {slirp},
                                   .kind = Kind::slirp_ready,
                                   .plotted = false});
    }
    return report;
}

Result<void> has_network(Argv argv) {
    argv.back() = "/bin/cat"; // in the place of /bin/true
    argv.emplace_back("/proc/net/dev");
    if (output_of(argv).text.find("tap0") == std::string::npos)
        return std::unexpected("there is no tap0 inside");
    return {};
}

Result<void> measure_memory(Report& report, const Options& options) {
    std::string command = report.variants[0].argv[1] + "/bin/true"; // floor ROOTFS
    for (auto& variant : report.variants) {
        for (size_t i = 0; variant.plotted && i < options.traced; i++) {
            auto found = peaks(variant.argv, command);
            if (!found)
                return std::unexpected(found.error());
            if (!variant.peak)
                variant.peak = Peaks{};
            variant.peak->parent_kib = std::max(variant.peak->parent_kib, found->parent_kib);
            variant.peak->child_kib = std::max(variant.peak->child_kib, found->child_kib);
        }
    }
    return {};
}

void judge(Report& report) {
    report.judge();
    const Variant* ours = report.find("gocontainer");
    if (!ours)
        return;
    const Peaks peak = ours->peak.value_or(Peaks{});
    report.judge_memory("the parent", peak.parent_kib);
    report.judge_memory("the child", peak.child_kib);
    const Variant* with_slirp = report.find("gocontainer+slirp");
    const Variant* ready = report.find("slirp until ready");
    if (with_slirp && ready) {
        double limit = summary(*ours).wall + summary(*ready).wall + 2;
        double wall = summary(*with_slirp).wall;
        report.targets.push_back({.text = text("with slirp: --net none + slirp's own start + 2 ms"),
                                  .measured = text("%.2f of %.2f ms", wall, limit),
                                  .holds = wall <= limit});
    }
}

Result<Report> measure_parent(const Options& options) {
    auto report = line_up(options);
    if (!report)
        return report;
    if (auto done = drop_what_fails(*report); !done)
        return std::unexpected(done.error());
    // A network that silently isn't there would make the fastest launch of all.
    if (const Variant* slirp = report->find("gocontainer+slirp"))
        if (auto network = has_network(slirp->argv); !network)
            return std::unexpected(slirp->name + ": " + network.error());
    if (auto done = measure(*report, options.warm_up, options.rounds); !done)
        return std::unexpected(done.error());
    if (auto done = measure_memory(*report, options); !done)
        return std::unexpected(done.error());
    judge(*report);
    return report;
}

void describe_machine(Reports& reports) {
    utsname name{};
    uname(&name);
    std::string processor = "unknown";
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);)
        if (line.starts_with("model name"))
            processor = line.substr(line.find(": ") + 2);
    double load[1] = {0};
    getloadavg(load, 1);
    reports.machine = {{"as", geteuid() == 0 ? "root" : text("uid %u", geteuid())},
                       {name.sysname, std::string(name.release) + " " + name.machine},
                       {"on", text("%ld x %s", sysconf(_SC_NPROCESSORS_ONLN), processor.c_str())},
                       {"load", text("%.1f", load[0])}};
    if (load[0] > static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)) / 2)
        reports.machine.emplace_back("busy with other work:",
                                     "the ratios of CPU time are steadier than those of wall "
                                     "time, and a quiet run says more");
}

Result<void> write_file(const std::string& path, const std::string& content) {
    std::ofstream file(path);
    file << content;
    file.close();
    if (!file)
        return failed("can't write '" + path + "'");
    return {};
}

Result<bool> run(const Options& options) {
    for (const auto& path :
         {options.svg, options.json}) // a minute of measuring must not be in vain
        if (!path.empty() && !std::ofstream(path, std::ios::app))
            return failed("can't write '" + path + "'");
    Reports reports;
    describe_machine(reports); // before we are the load ourselves
    auto parent = measure_parent(options);
    if (!parent)
        return std::unexpected(parent.error());
    reports.all.push_back(std::move(*parent));
    OciOptions oci{.rounds = options.rounds / 2,
                   .warm_up = options.warm_up / 2,
                   .traced = options.traced,
                   .most_containers = options.most_containers,
                   .gocontainer = absolute(environment("GOCONTAINER", "./gocontainer")),
                   .rootfs = absolute(environment("ROOTFS", "./rootfs")),
                   .floor = reports.all[0].variants[0].argv[0],
                   .peers_only = options.peers_only};
    auto measured = measure_oci(oci);
    if (!measured)
        return std::unexpected(measured.error());
    for (auto& report : *measured)
        reports.all.push_back(std::move(report));
    fputs(table(reports).c_str(), stdout);
    if (auto done = write_file(options.svg, svg(reports)); !done)
        return std::unexpected(done.error());
    printf("\nthe plot is in %s\n", options.svg.c_str());
    if (!options.json.empty())
        if (auto done = write_file(options.json, json(reports)); !done)
            return std::unexpected(done.error());
    return reports.hold();
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    auto options = parse(argc, argv);
    auto reached = options ? run(*options) : std::unexpected(options.error());
    if (!reached) {
        fprintf(stderr, "bench: %s\n", reached.error().c_str());
        return 2;
    }
    return *reached || !options->check ? 0 : 1;
}
