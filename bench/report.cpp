// Medians, ratios, and the table and JSON that show them.
#include "report.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <random>

namespace bench {

namespace {

double quantile(std::vector<double> values, double part) {
    if (values.empty())
        return 0;
    auto middle =
        values.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(values.size()));
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::vector<double> walls(const Variant& variant) {
    std::vector<double> values;
    for (const auto& sample : variant.samples)
        values.push_back(sample.wall_ms);
    return values;
}

std::string quoted(const std::string& value) {
    std::string result = "\"";
    for (char c : value) {
        if (c == '"' || c == '\\')
            result += '\\';
        if (static_cast<unsigned char>(c) < 0x20)
            result += text("\\u%04x", c);
        else
            result += c;
    }
    return result + '"';
}

template <class Items, class Write>
std::string joined(const Items& items, Write write) {
    std::string result;
    for (const auto& item : items)
        result += (result.empty() ? "" : ",") + write(item);
    return result;
}

} // namespace

std::string text(const char* format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

double median(std::vector<double> values) {
    return quantile(std::move(values), 0.5);
}

const Variant* Report::find(const std::string& name) const {
    auto found = std::ranges::find(variants, name, &Variant::name);
    return found == variants.end() ? nullptr : &*found;
}

Summary summary(const Variant& variant) {
    std::vector<double> cpu;
    for (const auto& sample : variant.samples)
        cpu.push_back(sample.cpu_ms);
    return {.wall = median(walls(variant)),
            .wall_low = quantile(walls(variant), 0.25),
            .wall_high = quantile(walls(variant), 0.75),
            .cpu = median(cpu)};
}

Ratio ratio(const Variant& above, const Variant& below) {
    auto a = walls(above), b = walls(below);
    size_t rounds = std::min(a.size(), b.size());
    if (rounds == 0)
        return {};
    std::mt19937 random(1); // the same samples give the same interval
    std::uniform_int_distribution<size_t> pick(0, rounds - 1);
    std::vector<double> ratios;
    for (int i = 0; i < 1000; i++) {
        std::vector<double> some_a, some_b;
        for (size_t n = 0; n < rounds; n++) {
            size_t round = pick(random);
            some_a.push_back(a[round]);
            some_b.push_back(b[round]);
        }
        ratios.push_back(median(some_a) / median(some_b));
    }
    return {.value = median(a) / median(b),
            .low = quantile(ratios, 0.025),
            .high = quantile(ratios, 0.975)};
}

void Report::judge() {
    const Variant* ours = find("gocontainer");
    if (!ours)
        return;
    for (const auto& limit : limits) {
        const Variant* peer = find(limit.peer);
        if (!peer || limit.most == 0)
            continue;
        auto r = ratio(*ours, *peer);
        targets.push_back(
            {.text = text("at most %.2f times the time of %s", limit.most, limit.peer.c_str()),
             .measured = text("%.2f (%.2f-%.2f), CPU %.2f", r.value, r.low, r.high,
                              summary(*ours).cpu / summary(*peer).cpu),
             .holds = r.value <= limit.most});
    }
}

void Report::judge_memory(const std::string& who, long kib) {
    targets.push_back({.text = "peak memory of " + who + " at most 3 MiB",
                       .measured = text("%.2f MiB", static_cast<double>(kib) / 1024),
                       .holds = kib > 0 && kib <= 3L * 1024});
}

bool Reports::hold() const {
    for (const auto& report : all)
        for (const auto& target : report.targets)
            if (!target.holds)
                return false;
    return true;
}

namespace {

std::string rows(const Report& report) {
    const Variant* floor = report.find("floor");
    std::string out =
        text("%-18s %8s %15s %8s %8s  ", "", "wall ms", "middle half", "CPU ms", "x floor");
    for (const auto& limit : report.limits)
        out += text("%-18s ", ("wall x " + limit.peer).c_str());
    if (std::ranges::any_of(report.variants, [](const Variant& v) { return v.peak.has_value(); }))
        out += "peak KiB parent, child";
    out.resize(out.find_last_not_of(' ') + 1);
    out += '\n';
    for (const auto& variant : report.variants) {
        auto times = summary(variant);
        bool timed = variant.kind != Kind::slirp_ready;
        out += text("%-18s %8.2f %15s ", variant.name.c_str(), times.wall,
                    text("%.2f-%.2f", times.wall_low, times.wall_high).c_str());
        out += timed ? text("%8.2f", times.cpu) : text("%8s", "");
        out +=
            timed && floor ? text(" %8.2f  ", times.cpu / summary(*floor).cpu) : text(" %8s  ", "");
        for (const auto& limit : report.limits) {
            const Variant* peer = report.find(limit.peer);
            auto r = peer && variant.plotted ? ratio(variant, *peer) : Ratio{};
            std::string cell = r.value == 0 ? ""
                               : peer == &variant
                                   ? text("%.2f", r.value)
                                   : text("%.2f (%.2f-%.2f)", r.value, r.low, r.high);
            out += text("%-18s ", cell.c_str());
        }
        if (variant.peak)
            out += text("%7ld %7ld", variant.peak->parent_kib, variant.peak->child_kib);
        while (out.back() == ' ')
            out.pop_back();
        out += '\n';
    }
    return out;
}

std::string section(const Report& report) {
    std::string out = "\n" + report.title;
    if (report.rounds != 0)
        out += text(": %zu rounds, %zu variants in turn", report.rounds, report.variants.size());
    out += "\n\n" + (report.body.empty() ? rows(report) : report.body);
    if (!report.targets.empty())
        out += text("\n%-52s %-28s %s\n", "target", "measured", "holds");
    for (const auto& target : report.targets)
        out += text("%-52s %-28s %s\n", target.text.c_str(), target.measured.c_str(),
                    target.holds ? "yes" : "NO");
    for (const auto& note : report.notes)
        out += "\nnote: " + note;
    return out + (report.notes.empty() ? "" : "\n");
}

} // namespace

std::string table(const Reports& reports) {
    std::string out;
    for (const auto& [key, value] : reports.machine)
        out += (out.empty() ? "" : ", ") + key + " " + value;
    out += "\n";
    std::vector<std::pair<std::string, std::string>> versions;
    for (const auto& report : reports.all)
        for (const auto& variant : report.variants)
            if (!variant.version.empty() &&
                std::ranges::find(versions, variant.name,
                                  &std::pair<std::string, std::string>::first) == versions.end())
                versions.emplace_back(variant.name, variant.version);
    for (const auto& [name, version] : versions)
        out += text("%-18s %s\n", name.c_str(), version.c_str());
    for (const auto& report : reports.all)
        out += section(report);
    return out;
}

std::string json(const Reports& reports) {
    auto pair = [](const auto& item) { return quoted(item.first) + ":" + quoted(item.second); };
    auto target = [](const Target& t) {
        return "\n{\"target\":" + quoted(t.text) + ",\"measured\":" + quoted(t.measured) +
               ",\"holds\":" + (t.holds ? "true" : "false") + "}";
    };
    auto report = [&](const Report& of) {
        const Variant* floor = of.find("floor");
        auto variant = [&](const Variant& v) {
            auto times = summary(v);
            std::string out = "\n{\"name\":" + quoted(v.name) + ",\"what\":" + quoted(v.what) +
                              ",\"version\":" + quoted(v.version) + ",\"argv\":[" +
                              joined(v.argv, quoted) + "]";
            out += text(",\"wall_ms\":%.4f,\"wall_ms_p25\":%.4f,\"wall_ms_p75\":%.4f", times.wall,
                        times.wall_low, times.wall_high);
            if (v.kind != Kind::slirp_ready)
                out += text(",\"cpu_ms\":%.4f", times.cpu);
            if (floor)
                out += text(",\"x_floor\":%.4f", ratio(v, *floor).value);
            if (v.peak)
                out += text(",\"parent_peak_kib\":%ld,\"child_peak_kib\":%ld", v.peak->parent_kib,
                            v.peak->child_kib);
            auto sample = [](const Sample& s) { return text("%.4f", s.wall_ms); };
            return out + ",\"wall_ms_samples\":[" + joined(v.samples, sample) + "]}";
        };
        return "\n{\"title\":" + quoted(of.title) + text(",\"rounds\":%zu", of.rounds) +
               ",\"variants\":[" + joined(of.variants, variant) + "],\"body\":" + quoted(of.body) +
               ",\n\"targets\":[" + joined(of.targets, target) + "],\n\"notes\":[" +
               joined(of.notes, quoted) + "]}";
    };
    return "{\"machine\":{" + joined(reports.machine, pair) + "},\n\"reports\":[" +
           joined(reports.all, report) + "]}\n";
}

} // namespace bench
