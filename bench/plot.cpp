// The plot: for each workload a panel, in it one horizontal bar for each variant, as multiples of
// the floor. Colours are readable on a light and on a dark page by themselves, and follow the
// reader's choice where CSS is honoured.
#include "report.hpp"

#include <algorithm>
#include <cmath>

namespace bench {

namespace {

// Pixels. Names stand left of the bars, numbers right of them.
constexpr double width = 760, left = 190, right = 150, top = 64, step = 46, bar = 20, between = 84;

std::string escaped(const std::string& value) {
    std::string result;
    for (char c : value) {
        if (c == '&')
            result += "&amp;";
        else if (c == '<')
            result += "&lt;";
        else if (c == '>')
            result += "&gt;";
        else
            result += c;
    }
    return result;
}

std::string line_of_text(const char* style, const char* anchor, double x, double y,
                         const std::string& value) {
    return text("<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\" ", style, anchor, x,
                y) +
           // Said twice: attributes for renderers that skip <style>.
           (std::string(style) == "strong" ? "font-weight=\"600\" fill=\"#6e7781\">"
                                           : "fill=\"#848d97\">") +
           escaped(value) + "</text>\n";
}

/// The nearest of the limits, as a multiple of the floor, and what to say of it.
std::pair<double, std::string> limit_of(const Report& report, double base) {
    double least = 0;
    std::string says;
    for (const auto& limit : report.limits) {
        const Variant* peer = report.find(limit.peer);
        double at = peer ? limit.most * summary(*peer).wall / base : 0;
        if (at == 0 || (least != 0 && at >= least))
            continue;
        least = at;
        says = limit.peer == "floor" ? text("target: %.2f \u00d7 floor", limit.most)
                                     : text("target: %.1f \u00d7 %s = %.2f \u00d7 floor",
                                            limit.most, limit.peer.c_str(), at);
    }
    return {least, says};
}

/// One workload, from `y` on, which is then below it.
std::string panel(const Report& report, const Variant& floor, double& y) {
    std::vector<const Variant*> bars;
    for (const auto& variant : report.variants)
        if (variant.plotted)
            bars.push_back(&variant);
    std::ranges::sort(bars, {}, [](const Variant* v) { return summary(*v).wall; });

    double base = summary(floor).wall;
    auto [limit, says] = limit_of(report, base);
    double most = std::max(1.35, limit);
    for (const auto* variant : bars)
        most = std::max(most, summary(*variant).wall_high / base);
    double scale = (width - left - right) / most;
    double bottom = y + top + step * static_cast<double>(bars.size());

    std::string out = line_of_text("strong", "start", 16, y + 20, report.title);
    y += top;
    int apart = most > 12 ? 5 : 1;
    for (int tick = 0; tick <= static_cast<int>(std::floor(most + 1e-9)); tick += apart) {
        double x = left + scale * tick;
        out += text("<line class=\"grid\" stroke=\"#8c959f\" stroke-opacity=\".5\" x1=\"%.1f\" "
                    "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                    x, x, y - 10, bottom);
        out += line_of_text("soft", "middle", x, bottom + 16, text("%d", tick));
    }
    double first = y;
    for (const auto* variant : bars) {
        auto times = summary(*variant);
        bool ours = variant->name == "gocontainer";
        double end = left + scale * times.wall / base, middle = y + bar / 2;
        out += line_of_text("strong", "end", left - 12, middle - 2, variant->name);
        out += line_of_text("soft", "end", left - 12, middle + 13, variant->what);
        out += text("<rect class=\"%s\" fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                    "height=\"%.1f\" rx=\"3\"/>\n",
                    ours ? "ours" : "peer", ours ? "#2f81f7" : "#8c959f", left, y, end - left, bar);
        out += text("<line stroke=\"#57606a\" stroke-width=\"1.5\" x1=\"%.1f\" x2=\"%.1f\" "
                    "y1=\"%.1f\" y2=\"%.1f\" class=\"range\"/>\n",
                    left + scale * times.wall_low / base, left + scale * times.wall_high / base,
                    middle, middle);
        double after = width - right + 16;
        out += line_of_text("strong", "start", after, middle + 4,
                            text("%.2f \u00d7", times.wall / base));
        out += line_of_text("soft", "start", after + 52, middle + 4, text("%.2f ms", times.wall));
        y += step;
    }
    if (limit != 0) { // where gocontainer's bar may end at most
        double x = left + scale * limit;
        out += text("<line class=\"limit\" stroke=\"#d1242f\" stroke-dasharray=\"4 3\" "
                    "stroke-width=\"1.5\" x1=\"%.1f\" "
                    "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                    x, x, first - 10, bottom);
        out += text("<text class=\"target\" fill=\"#d1242f\" x=\"%.1f\" y=\"%.1f\" "
                    "text-anchor=\"middle\">",
                    x, first - 15) +
               says + "</text>\n";
    }
    y += between - top + 20;
    return out;
}

} // namespace

std::string svg(const Reports& reports) {
    std::string panels;
    double y = 60;
    size_t least = 0;
    for (const auto& report : reports.all) {
        const Variant* floor = report.find("floor");
        if (!floor)
            continue;
        panels += panel(report, *floor, y);
        least = least == 0 ? report.rounds : std::min(least, report.rounds);
    }
    double height = y + 20;

    std::string out = text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                           "width=\"%.0f\" height=\"%.0f\" role=\"img\" font-size=\"13\" "
                           "font-family=\"system-ui,-apple-system,'Segoe UI',sans-serif\">\n",
                           width, height, width, height);
    out += "<title>Time of containers, as multiples of the floor</title>\n"
           "<style>\n"
           ".strong{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d1d9e0}\n"
           "@media(prefers-color-scheme:dark){.strong{fill:#f0f6fc}.soft{fill:#9198a1}"
           ".grid{stroke:#3d444d}.peer{fill:#6e7681}.range{stroke:#c9d1d9}"
           ".target{fill:#f85149}.limit{stroke:#f85149}}\n"
           "</style>\n";
    out += line_of_text("strong", "start", 16, 28, "What a container that runs /bin/true costs");
    out += line_of_text(
        "soft", "start", 16, 48,
        text("multiples of the floor; median of at least %zu runs each, thin line: the "
             "middle half; shorter is better",
             least));
    out += panels;
    std::string where;
    for (const auto& [key, value] : reports.machine)
        where += (where.empty() ? "" : ", ") + key + " " + value;
    out += line_of_text("soft", "start", 16, height - 14, where);
    return out + "</svg>\n";
}

} // namespace bench
