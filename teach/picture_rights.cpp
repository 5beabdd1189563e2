// Bars and a grid.
#include "teach/picture_rights.hpp"

#include "sys/capability.hpp"
#include "teach/describe.hpp"
#include "teach/markup.hpp"
#include "teach/proc_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace teach {

namespace {

constexpr int kBarLeft = 10, kBarWidth = 620;
constexpr std::size_t kLetters = 50;

int paragraph(Drawing& draw, int y, const std::string& text, const char* style) {
    for (const std::string& line : broken(text, kLetters, 12)) {
        draw.text(kBarLeft, y, style, line);
        y += Drawing::kLine;
    }
    return y;
}

double number(const std::string& text) {
    std::uint64_t value = 0;
    auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc{} ? static_cast<double>(value) : 0;
}

/// A bar that is filled up to `share`, between 0 and 1; without a limit there is nothing to fill.
int bar(Drawing& draw, int y, const std::string& label, double share, bool limited) {
    constexpr int kHeight = 18;
    y = paragraph(draw, y, label, "mono");
    draw.box(kBarLeft, y, kBarWidth, kHeight, limited ? "track" : "empty");
    int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarWidth);
    if (limited && filled > 0)
        draw.box(kBarLeft, y, std::max(filled, 6), kHeight, "bar");
    return y + kHeight + 10;
}

int limit_bar(Drawing& draw, const Snapshot& of, int y, const std::string& name,
              const std::string& file, std::string (*text)(const std::string&)) {
    std::string used = cgroup_file(of, file + ".current");
    std::string most = cgroup_file(of, file + ".max");
    if (used.empty() && most.empty())
        return y;
    bool limited = !most.empty() && most != "max";
    double share = limited && number(most) > 0 ? number(used) / number(most) : 0;
    return bar(draw, y, name + " " + text(used) + (limited ? " of " + text(most) : ", no limit"),
               share, limited);
}

bool holds(const Strings& set, const std::string& name) {
    return std::ranges::find(set, name) != set.end();
}

std::string brief(const std::string& name) {
    return name.starts_with("cap_") ? name.substr(4) : name;
}

} // namespace

int draw_cgroup(Drawing& draw, const Snapshot& of, int y) {
    draw.text(kBarLeft, y, "head", "cgroup");
    y += 32;
    if (const std::string* why = of.why_unread("cgroup"))
        return paragraph(draw, y, "not readable: " + *why, "mono") + 14;
    std::string elsewhere;
    for (const Cgroup& cgroup : of.cgroups) {
        if (cgroup.controllers.empty())
            y = paragraph(draw, y, "v2 " + cgroup.path, "mono");
        else if (cgroup.path != "/")
            elsewhere +=
                (elsewhere.empty() ? "v1 " : ", ") + cgroup.controllers + " " + cgroup.path;
    }
    if (!elsewhere.empty())
        y = paragraph(draw, y, elsewhere, "mono");
    if (of.cgroup_directory.empty() && of.cgroup_files.empty())
        return paragraph(draw, y, "its limits are not to be seen from here", "mu") + 14;
    if (const std::string* why = of.why_unread("cgroup's files"))
        return paragraph(draw, y, "limits not readable: " + *why, "mono") + 14;
    std::string controllers = cgroup_file(of, "cgroup.controllers");
    y = paragraph(draw, y, "controllers of v2: " + (controllers.empty() ? "none" : controllers),
                  "mu") +
        6;
    auto as_it_is = [](const std::string& text) { return text; };
    int before = y;
    y = limit_bar(draw, of, y, "memory", "memory", human_bytes);
    y = limit_bar(draw, of, y, "swap", "memory.swap", human_bytes);
    y = limit_bar(draw, of, y, "processes", "pids", as_it_is);
    if (std::string most = cgroup_file(of, "cpu.max"); !most.empty()) {
        auto fields = words(most);
        double share = fields.size() == 2 && number(std::string(fields[1])) > 0
                           ? number(std::string(fields[0])) / number(std::string(fields[1]))
                           : 0;
        std::string text = describe_cpu_max(most);
        y = bar(draw, y, "cpu time " + (text.empty() ? "without a limit" : "at most " + text),
                share, !text.empty());
    }
    if (y == before)
        y = paragraph(draw, y, "memory, processes, cpu time: not limited here", "mono");
    std::string others;
    for (const auto& [name, file] : {std::pair{"cpu weight ", "cpu.weight"},
                                     {"cpus ", "cpuset.cpus.effective"},
                                     {"disks ", "io.max"}})
        if (std::string text = cgroup_file(of, file); !text.empty())
            others += (others.empty() ? "" : ", ") + std::string(name) + text;
    if (!others.empty())
        y = paragraph(draw, y, others, "mono");
    for (const CgroupLimit& limit : of.cgroup_above)
        y = paragraph(draw, y, describe(limit), "mono");
    return y + 14;
}

namespace {

/// The five sets, in the order of the grid's columns.
std::array<const Strings*, 5> sets_of(const Capabilities& caps) {
    return {&caps.effective, &caps.permitted, &caps.inheritable, &caps.bounding, &caps.ambient};
}

/// One capability: a filled cell for each set that has it, a struck one for each that had it.
void draw_capability(Drawing& draw, const std::string& name, const Capabilities& now,
                     const Capabilities& before, int y) {
    constexpr int kCells = 300, kStep = 64, kHeight = 26;
    draw.text(kBarLeft, y, "mono", brief(name).substr(0, 24));
    for (std::size_t i = 0; i < 5; ++i) {
        int x = kCells + static_cast<int>(i) * kStep;
        bool held = holds(*sets_of(now)[i], name);
        bool lost = !held && holds(*sets_of(before)[i], name);
        draw.box(x, y, kStep - 12, kHeight, held ? "held" : lost ? "lost" : "empty");
        if (held || lost)
            draw.text(x + 20, y, held ? "letter" : "lost", std::string(1, "EPIBA"[i]));
    }
}

} // namespace

int draw_capabilities(Drawing& draw, const Snapshot& of, const Snapshot* before, int y) {
    constexpr int kRow = 30;
    const Capabilities& now = of.capabilities;
    const Capabilities& then = before != nullptr ? before->capabilities : now;
    draw.text(kBarLeft, y, "head", "capabilities");
    y += 32;
    if (const std::string* why = of.why_unread("status"))
        return paragraph(draw, y, "not readable: " + *why, "mono") + 14;
    y = paragraph(draw, y, "E effective, P permitted, I inheritable,", "mu");
    y = paragraph(draw, y, "B bounding, A ambient", "mu") + 4;
    Strings known = sys::all_capabilities();
    for (const Strings* set : sets_of(now))
        for (const std::string& name : *set) // of a newer kernel
            if (!holds(known, name))
                known.push_back(name);
    std::string none;
    for (const std::string& name : known) {
        auto has = [&](const Strings* set) { return holds(*set, name); };
        if (std::ranges::any_of(sets_of(now), has) || std::ranges::any_of(sets_of(then), has)) {
            draw_capability(draw, name, now, then, y);
            y += kRow;
        } else {
            none += (none.empty() ? "" : " ") + brief(name);
        }
    }
    if (!none.empty())
        y = paragraph(draw, y + 4, "in no set: " + none, "mu");
    return y + 14;
}

int draw_restrictions(Drawing& draw, const Snapshot& of, const Snapshot* before, int y) {
    draw.text(kBarLeft, y, "head", "restrictions");
    y += 32;
    auto say = [&](const std::string& text, bool changed) {
        y = paragraph(draw, y, text + (changed ? " (changed)" : ""), changed ? "tag" : "mono");
    };
    say("seccomp: " + describe_seccomp(of),
        before != nullptr && describe_seccomp(*before) != describe_seccomp(of));
    say(of.no_new_privs ? "no_new_privs: yes, nothing gains rights by exec"
                        : "no_new_privs: no, setuid programs gain rights",
        before != nullptr && before->no_new_privs != of.no_new_privs);
    if (!of.label.empty())
        say("label: " + of.label, before != nullptr && before->label != of.label);
    if (of.oom_score_adj != 0)
        say("oom score adjusted by " + std::to_string(of.oom_score_adj), false);
    return y + 14;
}

} // namespace teach
