// Bars and a grid.
#include "teach/picture_rights.hpp"

#include "sys/capability.hpp"
#include "teach/describe.hpp"
#include "teach/markup.hpp"
#include "teach/proc_text.hpp"

#include <algorithm>
#include <charconv>

namespace teach {

namespace {

constexpr int kLeft = 10, kWidth = 620;
constexpr std::size_t kLetters = 50;

int paragraph(Drawing& draw, int y, const std::string& text, const char* style) {
    for (const std::string& line : broken(text, kLetters, 12)) {
        draw.text(kLeft, y, style, line);
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
    draw.box(kLeft, y, kWidth, kHeight, limited ? "track" : "empty");
    int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kWidth);
    if (limited && filled > 0)
        draw.box(kLeft, y, std::max(filled, 6), kHeight, "bar");
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

} // namespace

int draw_cgroup(Drawing& draw, const Snapshot& of, int y) {
    draw.text(kLeft, y, "head", "cgroup");
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
    if (of.cgroup_directory.empty())
        return paragraph(draw, y, "its limits are not to be seen from here", "mu") + 14;
    if (const std::string* why = of.why_unread("cgroup's files"))
        return paragraph(draw, y, "limits not readable: " + *why, "mono") + 14;
    std::string controllers = cgroup_file(of, "cgroup.controllers");
    y = paragraph(draw, y, "controllers: " + (controllers.empty() ? "none" : controllers), "mu") +
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
    return y + 14;
}

int draw_capabilities(Drawing& draw, const Snapshot& of, int y) {
    constexpr int kCells = 300, kStep = 64, kRow = 30;
    const Capabilities& caps = of.capabilities;
    const std::pair<const char*, const Strings*> sets[] = {{"effective", &caps.effective},
                                                           {"permitted", &caps.permitted},
                                                           {"inheritable", &caps.inheritable},
                                                           {"bounding", &caps.bounding},
                                                           {"ambient", &caps.ambient}};
    draw.text(kLeft, y, "head", "capabilities");
    y += 32;
    if (const std::string* why = of.why_unread("status"))
        return paragraph(draw, y, "not readable: " + *why, "mono") + 14;
    y = paragraph(draw, y, "E effective, P permitted, I inheritable,", "mu");
    y = paragraph(draw, y, "B bounding, A ambient", "mu") + 4;
    Strings known = sys::all_capabilities();
    for (const auto& [set, names] : sets)
        for (const std::string& name : *names) // of a newer kernel
            if (!holds(known, name))
                known.push_back(name);
    std::string none;
    for (const std::string& name : known) {
        std::string brief = name.starts_with("cap_") ? name.substr(4) : name;
        bool any =
            std::ranges::any_of(sets, [&](const auto& set) { return holds(*set.second, name); });
        if (!any) {
            none += (none.empty() ? "" : " ") + brief;
            continue;
        }
        draw.text(kLeft, y, "mono", brief.substr(0, 24));
        for (int i = 0; i < 5; ++i) {
            bool held = holds(*sets[i].second, name);
            draw.box(kCells + i * kStep, y, kStep - 12, kRow - 4, held ? "held" : "empty");
            if (held)
                draw.text(kCells + i * kStep + 20, y, "letter",
                          std::string(1, static_cast<char>(sets[i].first[0] - 'a' + 'A')));
        }
        y += kRow;
    }
    if (!none.empty())
        y = paragraph(draw, y + 4, "in no set: " + none, "mu");
    return y + 14;
}

int draw_restrictions(Drawing& draw, const Snapshot& of, int y) {
    draw.text(kLeft, y, "head", "restrictions");
    y += 32;
    y = paragraph(draw, y, "seccomp: " + describe_seccomp(of), "mono");
    y = paragraph(draw, y,
                  of.no_new_privs ? "no_new_privs: yes, nothing gains rights by exec"
                                  : "no_new_privs: no, setuid programs gain rights",
                  "mono");
    if (!of.label.empty())
        y = paragraph(draw, y, "label: " + of.label, "mono");
    if (of.oom_score_adj != 0)
        y = paragraph(draw, y, "oom score adjusted by " + std::to_string(of.oom_score_adj), "mono");
    return y + 14;
}

} // namespace teach
