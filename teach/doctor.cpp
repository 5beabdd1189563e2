// From what the probes found to a verdict on each stage and lesson.
#include "teach/doctor.hpp"

#include "spec/spec.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <algorithm>

namespace teach {

using stages::causes::Cause;
using sys::Result;

const char* name_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::works:
        return "works";
    case Verdict::limited:
        return "limited";
    case Verdict::blocked:
        return "blocked";
    }
    return "";
}

const std::vector<Needs>& stage_needs() {
    static const std::vector<Needs> all{
        {"user", {"kernel", "user-namespace", "id-map", "automatic-map"}, {"subordinate-ids"}, {}},
        {"cgroup",
         {"cgroup-namespace"},
         {"cgroup-leaf", "limit-memory", "limit-pids", "limit-cpu", "limit-cpuset", "limit-io"},
         {}},
        {"net", {"net-namespace", "loopback"}, {"tap", "ping", "way-out"}, {}},
        {"uts", {"uts-namespace", "hostname"}, {}, {}},
        {"ipc", {"ipc-namespace", "mqueue"}, {}, {}},
        {"time", {"time-namespace"}, {}, {}},
        {"mount",
         {"mount-namespace", "tmpfs", "bind", "devpts", "rootfs"},
         {"overlay", "rootfs-disk"},
         {}},
        {"pid", {"pid-namespace", "proc"}, {}, {}},
        {"root", {"mount-namespace", "pivot-root", "rootfs"}, {}, {}},
        {"caps", {"capabilities"}, {}, {}},
        {"seccomp", {"seccomp-filter"}, {}, {}},
        {"init", {"pid-namespace"}, {}, {}},
    };
    return all;
}

/// "container" is what nearly every block of theirs starts, and every exercise: all stages that are
/// on by default. (Lesson 0 only looks around before it does.) Beside it, what is not on by
/// default.
const std::vector<Needs>& lesson_needs() {
    static const std::vector<Needs> all{
        {"00-host", {}, {"container"}, {}},
        {"01-process", {"container"}, {}, {}},
        {"02-user", {"container"}, {"subordinate-ids"}, {}},
        {"03-uts", {"container"}, {}, {}},
        {"04-mount", {"container"}, {"rootfs-disk"}, {}},
        {"05-chroot", {"container"}, {"rootfs-disk"}, {}},
        {"06-pivot-root", {"container"}, {"rootfs-disk"}, {}},
        {"07-pid", {"container"}, {"time-namespace"}, {}},
        {"08-init", {"container"}, {}, {}},
        {"09-net", {"container"}, {}, {}},
        {"10-slirp", {"container", "tap", "slirp4netns"}, {"ping"}, {}},
        {"11-cgroup",
         {"container", "cgroup-leaf"},
         {"limit-memory", "limit-pids", "limit-cpu"},
         {"limit-memory", "limit-pids", "limit-cpu"}},
        {"12-capabilities", {"container"}, {}, {}},
        {"13-seccomp", {"container"}, {}, {}},
        {"14-overlay", {"container", "overlay"}, {"rootfs-disk"}, {}},
        {"15-join", {"container"}, {"limit-memory", "limit-pids"}, {}},
    };
    return all;
}

namespace {

const Finding* failure(const std::vector<Finding>& findings, const std::string& probe) {
    auto found = std::ranges::find(findings, probe, &Finding::probe);
    return found != findings.end() && !found->works ? &*found : nullptr;
}

Judgement judge_one(const Needs& one, const std::vector<Finding>& findings) {
    Judgement out{.name = one.name, .verdict = Verdict::works, .failed = {}};
    auto fail = [&](const Finding* finding, Verdict verdict) {
        out.verdict = std::max(out.verdict, verdict);
        if (std::ranges::find(out.failed, finding) == out.failed.end())
            out.failed.push_back(finding);
    };
    for (const char* probe : one.needs)
        if (const Finding* finding = failure(findings, probe))
            fail(finding, Verdict::blocked);
    bool none = !one.any.empty() && std::ranges::all_of(one.any, [&](const char* probe) {
        return failure(findings, probe) != nullptr;
    });
    for (const char* probe : one.wants)
        if (const Finding* finding = failure(findings, probe))
            fail(finding, none ? Verdict::blocked : Verdict::limited);
    return out;
}

/// slirp4netns or pasta: either will do, and who has neither is told of the first.
void add_way_out(std::vector<Finding>& findings) {
    const Finding* slirp = failure(findings, "slirp4netns");
    const Finding* pasta = failure(findings, "pasta");
    Finding way_out{.probe = "way-out", .works = true, .error = {}, .cause = {}};
    if (slirp != nullptr && pasta != nullptr) {
        way_out = pasta->cause.name == "pasta-missing" ? *slirp : *pasta;
        way_out.probe = "way-out";
    }
    findings.push_back(std::move(way_out));
}

/// A container with all that is on by default: whatever keeps one of its stages from working.
void add_container(std::vector<Finding>& findings) {
    std::vector<const char*> needs;
    for (const Needs& stage : stage_needs())
        if (std::ranges::any_of(stages::table(), [&](const stages::Stage& one) {
                return one.on_by_default && name_of(one.id) == std::string_view(stage.name);
            }))
            needs.insert(needs.end(), stage.needs.begin(), stage.needs.end());
    needs.push_back("launch");
    Finding container{.probe = "container", .works = true, .error = {}, .cause = {}};
    for (const char* probe : needs)
        if (const Finding* finding = failure(findings, probe)) {
            container = *finding;
            container.probe = "container";
            break;
        }
    findings.push_back(std::move(container));
}

void fill_in(std::string& command, const std::string& key, const std::string& value) {
    for (std::size_t at = 0; (at = command.find(key, at)) != std::string::npos; at += value.size())
        command.replace(at, key.size(), value);
}

std::vector<Finding> try_all(const Host& host) {
    std::vector<Finding> findings;
    Ground ground{.rootfs = host.rootfs, .own_user = true};
    auto worked = [&](const char* probe) { return failure(findings, probe) == nullptr; };
    for (const Probe& probe : probes()) {
        std::string name = probe.name;
        // Root needs no user namespace for the others.
        if (name == "cgroup-namespace" && sys::geteuid() == 0 &&
            (!worked("user-namespace") || !worked("id-map")))
            ground.own_user = false;
        // It would make mount points, or there is nothing to launch.
        if (name == "launch" && (!worked("overlay") || !worked("rootfs")))
            continue;
        Finding finding = try_in_child(name, [&] { return probe.run(ground); });
        fill_in(finding.cause.command, "@program", host.program);
        fill_in(finding.cause.command, "@user", host.name);
        if (sys::geteuid() == 0)
            fill_in(finding.cause.command, "sudo ", ""); // and it may not be installed
        findings.push_back(std::move(finding));
    }
    add_way_out(findings);
    add_container(findings);
    return findings;
}

} // namespace

std::vector<Judgement> judge(const std::vector<Needs>& all, const std::vector<Finding>& findings) {
    std::vector<Judgement> out;
    out.reserve(all.size());
    for (const Needs& one : all)
        out.push_back(judge_one(one, findings));
    return out;
}

std::vector<Cause> Diagnosis::causes() const {
    std::vector<Cause> out;
    auto matters = [&](const Finding& finding) {
        for (const auto* all : {&stages, &lessons})
            for (const Judgement& one : *all)
                if (std::ranges::find(one.failed, finding.probe, &Finding::probe) !=
                    one.failed.end())
                    return true;
        return false;
    };
    for (const Finding& finding : findings)
        if (matters(finding) && std::ranges::find(out, finding.cause) == out.end())
            out.push_back(finding.cause);
    return out;
}

Diagnosis diagnose() {
    Diagnosis out{.host = look_at_host(), .findings = {}, .stages = {}, .lessons = {}};
    out.findings = try_all(out.host);
    out.stages = judge(stage_needs(), out.findings);
    out.lessons = judge(lesson_needs(), out.findings);
    for (const auto* all : {&out.stages, &out.lessons})
        for (const Judgement& one : *all)
            out.verdict = std::max(out.verdict, one.verdict);
    return out;
}

namespace {

constexpr const char* kDoctorUsage = R"(Usage: gocontainer doctor [OPTIONS]

Tries what each stage and each lesson needs, by doing it in a child that it
throws away, and says works, limited or blocked: with the cause found on this
machine, the narrowest fix as a command to paste, and what that fix opens. It
applies nothing. The status is 1 when something is blocked.

      --json                      As JSON
      --plain                     No colours, boxes or arrows
  -h,--help                       This text
)";

} // namespace

bool asks_for_help(const std::vector<std::string>& args) {
    return std::ranges::any_of(args,
                               [](const auto& arg) { return arg == "-h" || arg == "--help"; });
}

Result<Answer> doctor(const std::vector<std::string>& args) {
    if (asks_for_help(args))
        return Answer{.text = kDoctorUsage, .status = 0};
    bool json = false;
    bool plain = false;
    for (const std::string& arg : args) {
        if (arg != "--json" && arg != "--plain")
            return sys::wrong("doctor: \"" + arg + "\" is none of --json, --plain");
        (arg == "--json" ? json : plain) = true;
    }
    Diagnosis found = diagnose();
    return Answer{.text = json ? to_json(found) : to_text(found, plain),
                  .status = found.verdict == Verdict::blocked ? 1 : 0};
}

} // namespace teach
