// What the doctor has found, for a person and for a program.
#include "teach/doctor.hpp"
#include "teach/paint.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unistd.h>

namespace teach {

using stages::causes::Cause;

namespace {

constexpr std::size_t kName = 18;   // columns of a stage's or lesson's name
constexpr std::size_t kVerdict = 9; // and of the verdict
constexpr std::size_t kLabel = 12;  // and of what a fact is called

std::string painted(const Paint& paint, Verdict verdict) {
    std::string text = padded(name_of(verdict), kVerdict);
    switch (verdict) {
    case Verdict::works:
        return paint.green(text);
    case Verdict::limited:
        return paint.yellow(text);
    case Verdict::blocked:
        return paint.red(text);
    }
    return text;
}

const char* what_of(const std::string& probe) {
    if (probe == "way-out")
        return "connect it with the outside";
    if (probe == "container")
        return "start a container";
    auto found = std::ranges::find(probes(), probe, &Probe::name);
    return found == probes().end() ? "" : found->what;
}

/// `text`, wrapped, whose first line stands behind what is there already.
std::string behind(const std::string& head, const std::string& text, std::size_t indent) {
    std::string lines = wrapped(text, indent);
    return head + lines.substr(std::min(indent, lines.size()));
}

std::string facts(const Host& host, const Paint& paint) {
    std::string out = paint.bold("This machine") + "\n";
    const std::pair<const char*, std::string> rows[] = {
        {"system", host.system + ", Linux " + host.kernel},
        {"kind", host.kind},
        {"you", host.user + ", " + host.ids},
        {"cgroups", host.cgroups},
        {"security", host.security},
        {"program", host.program},
        {"rootfs", host.rootfs + " (parent --rootfs names another)"},
    };
    for (const auto& [name, value] : rows)
        out += behind("  " + padded(name, kLabel - 2), value, kLabel);
    return out;
}

/// Causes that the same thing helps against are one, with as many things found.
struct Group {
    Cause first;
    std::vector<std::string> what;
    bool has(const Cause& cause) const {
        return cause.name == first.name && cause.fix == first.fix &&
               cause.command == first.command && (!cause.fix.empty() || cause.what == first.what);
    }
};
std::vector<Group> grouped(const std::vector<Cause>& causes) {
    std::vector<Group> out;
    for (const Cause& cause : causes) {
        auto found =
            std::ranges::find_if(out, [&](const Group& group) { return group.has(cause); });
        if (found == out.end())
            out.push_back({.first = cause, .what = {cause.what}});
        else if (std::ranges::find(found->what, cause.what) == found->what.end())
            found->what.push_back(cause.what);
    }
    return out;
}

/// "can't limit its memory, choose its CPUs [2]"
std::string reasons(const Judgement& one, const std::vector<Group>& causes) {
    std::string out;
    for (std::size_t i = 0; i < causes.size(); ++i) {
        std::string names;
        for (const Finding* finding : one.failed)
            if (causes[i].has(finding->cause))
                names += (names.empty() ? "" : ", ") + std::string(what_of(finding->probe));
        if (!names.empty())
            out += (out.empty() ? "can't " : "; ") + names + " [" + std::to_string(i + 1) + "]";
    }
    return out;
}

std::string judgements(const std::string& title, const std::vector<Judgement>& all,
                       const std::vector<Group>& causes, const Paint& paint) {
    std::string out = "\n" + paint.bold(title) + "\n";
    for (const Judgement& one : all) {
        std::string head = "  " + padded(one.name, kName - 2) + painted(paint, one.verdict);
        std::string why = reasons(one, causes);
        out += why.empty() ? head.substr(0, head.find_last_not_of(' ') + 1) + "\n"
                           : behind(head, why, kName + kVerdict);
    }
    return out;
}

/// A command stands as it is, however long: it is to be pasted.
std::string command_lines(const std::string& command, std::size_t indent) {
    std::string out;
    std::size_t at = 0;
    while (at < command.size()) {
        std::size_t end = std::min(command.find('\n', at), command.size());
        out += std::string(indent, ' ') + command.substr(at, end - at) + "\n";
        at = end + 1;
    }
    return out;
}

std::string explained(const std::vector<Group>& causes, const Paint& paint) {
    if (causes.empty())
        return {};
    std::string out = "\n" + paint.bold("Why, and what to do") + "\n";
    constexpr std::size_t kIndent = 6;
    constexpr std::size_t kText = 13;
    for (std::size_t i = 0; i < causes.size(); ++i) {
        const Cause& cause = causes[i].first;
        std::string number = "  [" + std::to_string(i + 1) + "]";
        for (const std::string& what : causes[i].what)
            out += behind(padded(std::exchange(number, ""), kIndent), what, kIndent);
        if (!cause.why.empty())
            out += behind(std::string(kIndent, ' ') + "shown by ", cause.why, kIndent + 9);
        if (!cause.command.empty())
            out +=
                std::string(kIndent, ' ') + "paste\n" + command_lines(cause.command, kIndent + 2);
        else if (!cause.fix.empty())
            out +=
                behind(std::string(kIndent, ' ') + padded("do", kText - kIndent), cause.fix, kText);
        out += behind(std::string(kIndent, ' ') + padded("opens", kText - kIndent), cause.opens,
                      kText);
    }
    return out;
}

std::string sum(const std::vector<Judgement>& all, const char* noun) {
    std::string out = std::to_string(all.size()) + " " + noun + ": ";
    bool first = true;
    for (Verdict verdict : {Verdict::works, Verdict::limited, Verdict::blocked}) {
        auto count = std::ranges::count(all, verdict, &Judgement::verdict);
        if (count == 0)
            continue;
        out += (first ? "" : ", ") + std::to_string(count) + " " +
               (verdict == Verdict::works ? "work" : name_of(verdict));
        first = false;
    }
    return out;
}

nlohmann::ordered_json to_json(const std::vector<Judgement>& all) {
    auto out = nlohmann::ordered_json::array();
    for (const Judgement& one : all) {
        auto failed = nlohmann::ordered_json::array();
        auto causes = nlohmann::ordered_json::array();
        for (const Finding* finding : one.failed) {
            failed.push_back(finding->probe);
            if (std::find(causes.begin(), causes.end(), finding->cause.name) == causes.end())
                causes.push_back(finding->cause.name);
        }
        out.push_back({{"name", one.name},
                       {"verdict", name_of(one.verdict)},
                       {"failed", std::move(failed)},
                       {"causes", std::move(causes)}});
    }
    return out;
}

} // namespace

std::string to_text(const Diagnosis& diagnosis, bool plain) {
    Paint paint = Paint::for_stream(STDOUT_FILENO, plain);
    std::vector<Group> causes = grouped(diagnosis.causes());
    return facts(diagnosis.host, paint) + judgements("Stages", diagnosis.stages, causes, paint) +
           judgements("Lessons", diagnosis.lessons, causes, paint) + explained(causes, paint) +
           "\n" + sum(diagnosis.stages, "stages") + "\n" + sum(diagnosis.lessons, "lessons") +
           "\nEach was tried in a child that is gone; nothing was changed\n";
}

std::string to_json(const Diagnosis& diagnosis) {
    const Host& host = diagnosis.host;
    nlohmann::ordered_json out = {{"verdict", name_of(diagnosis.verdict)},
                                  {"host",
                                   {{"system", host.system},
                                    {"kernel", host.kernel},
                                    {"kind", host.kind},
                                    {"user", host.user},
                                    {"ids", host.ids},
                                    {"cgroups", host.cgroups},
                                    {"security", host.security},
                                    {"program", host.program},
                                    {"rootfs", host.rootfs}}},
                                  {"stages", to_json(diagnosis.stages)},
                                  {"lessons", to_json(diagnosis.lessons)}};
    auto tried = nlohmann::ordered_json::array();
    for (const Finding& finding : diagnosis.findings)
        tried.push_back({{"name", finding.probe},
                         {"what", what_of(finding.probe)},
                         {"works", finding.works},
                         {"error", finding.works ? "" : sys::to_line(finding.error)},
                         {"cause", finding.cause.name}});
    out["tried"] = std::move(tried);
    auto causes = nlohmann::ordered_json::array();
    for (const Cause& cause : diagnosis.causes())
        causes.push_back({{"name", cause.name},
                          {"what", cause.what},
                          {"why", cause.why},
                          {"fix", cause.fix},
                          {"command", cause.command},
                          {"opens", cause.opens}});
    out["causes"] = std::move(causes);
    return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace teach
