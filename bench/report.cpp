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

std::string table(const Report& report) {
    const Variant* floor = report.find("floor");
    const Variant* bwrap = report.find("bubblewrap");
    std::string out =
        text("%zu rounds, %zu variants in turn", report.rounds, report.variants.size());
    for (const auto& [key, value] : report.machine)
        out += ", " + key + " " + value;
    out += text("\n\n%-18s %8s %15s %8s %8s  %-18s %-18s %s\n", "", "wall ms", "middle half",
                "CPU ms", "x floor", "wall x floor", "wall x bubblewrap", "peak KiB parent, child");
    for (const auto& variant : report.variants) {
        auto times = summary(variant);
        auto against = [&](const Variant* peer) {
            if (!peer || !variant.plotted)
                return std::string();
            auto r = ratio(variant, *peer);
            return &variant == peer ? text("%.2f", r.value)
                                    : text("%.2f (%.2f-%.2f)", r.value, r.low, r.high);
        };
        out += text("%-18s %8.2f %15s ", variant.name.c_str(), times.wall,
                    text("%.2f-%.2f", times.wall_low, times.wall_high).c_str());
        out += variant.kind == Kind::launch ? text("%8.2f", times.cpu) : text("%8s", "");
        out += variant.kind == Kind::launch && floor
                   ? text(" %8.2f", times.cpu / summary(*floor).cpu)
                   : text(" %8s", "");
        out += text("  %-18s %-18s", against(floor).c_str(), against(bwrap).c_str());
        if (variant.peak)
            out += text(" %7ld %7ld", variant.peak->parent_kib, variant.peak->child_kib);
        while (out.back() == ' ')
            out.pop_back();
        out += '\n';
    }
    out += '\n';
    for (const auto& variant : report.variants)
        if (variant.kind == Kind::launch && !variant.version.empty())
            out += text("%-18s %s\n", variant.name.c_str(), variant.version.c_str());
    if (!report.targets.empty())
        out += text("\n%-52s %-22s %s\n", "target", "measured", "holds");
    for (const auto& target : report.targets)
        out += text("%-52s %-22s %s\n", target.text.c_str(), target.measured.c_str(),
                    target.holds ? "yes" : "NO");
    for (const auto& note : report.notes)
        out += "\nnote: " + note;
    return out + (report.notes.empty() ? "" : "\n");
}

std::string json(const Report& report) {
    const Variant* floor = report.find("floor");
    auto pair = [](const auto& item) { return quoted(item.first) + ":" + quoted(item.second); };
    auto variant = [&](const Variant& v) {
        auto times = summary(v);
        std::string out = "\n{\"name\":" + quoted(v.name) + ",\"what\":" + quoted(v.what) +
                          ",\"version\":" + quoted(v.version) + ",\"argv\":[" +
                          joined(v.argv, quoted) + "]";
        out += text(",\"wall_ms\":%.4f,\"wall_ms_p25\":%.4f,\"wall_ms_p75\":%.4f", times.wall,
                    times.wall_low, times.wall_high);
        if (v.kind == Kind::launch)
            out += text(",\"cpu_ms\":%.4f", times.cpu);
        if (floor)
            out += text(",\"x_floor\":%.4f", ratio(v, *floor).value);
        if (v.peak)
            out += text(",\"parent_peak_kib\":%ld,\"child_peak_kib\":%ld", v.peak->parent_kib,
                        v.peak->child_kib);
        auto sample = [](const Sample& s) { return text("%.4f", s.wall_ms); };
        return out + ",\"wall_ms_samples\":[" + joined(v.samples, sample) + "]}";
    };
    auto target = [](const Target& t) {
        return "\n{\"target\":" + quoted(t.text) + ",\"measured\":" + quoted(t.measured) +
               ",\"holds\":" + (t.holds ? "true" : "false") + "}";
    };
    return text("{\"rounds\":%zu,\n\"machine\":{", report.rounds) + joined(report.machine, pair) +
           "},\n\"variants\":[" + joined(report.variants, variant) + "],\n\"targets\":[" +
           joined(report.targets, target) + "],\n\"notes\":[" + joined(report.notes, quoted) +
           "]}\n";
}

} // namespace bench
