// The gauntlet's matrix: as a table, as JSON, as a picture.
#include "teach/lab.hpp"
#include "teach/markup.hpp"
#include "teach/paint.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unistd.h>

namespace teach {

namespace {

constexpr std::size_t kHeading = 16;
constexpr std::size_t kCell =
    5; // "SAFE ", thirteen of them beside the name: 81 columns are too many

/// What heads a column: "all", "-user", "bare".
std::string heading(const Weakness& weakness) {
    if (weakness.bare)
        return "bare";
    if (weakness.chroot)
        return "chroot";
    return weakness.name.empty() ? "all" : "-" + weakness.name;
}

const char* colour(Outcome outcome) {
    switch (outcome) {
    case Outcome::safe:
        return "#c7e9c0";
    case Outcome::risk:
        return "#f4a6a0";
    case Outcome::not_run:
        return "#e6e6e6";
    }
    return "";
}

std::string text_at(std::size_t x, std::size_t y, const std::string& text,
                    const std::string& more = {}) {
    return "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\"" + more + ">" +
           xml(text) + "</text>\n";
}

} // namespace

std::string to_text(const Gauntlet& gauntlet, bool plain) {
    Paint paint = Paint::for_stream(STDOUT_FILENO, plain);
    // Headings are longer than cells: they stand on two lines, every other one on each.
    std::string heads[2] = {std::string(kHeading, ' '), std::string(kHeading, ' ')};
    for (std::size_t i = 0; i < gauntlet.weaknesses.size(); ++i) {
        std::string& line = heads[i % 2];
        line = padded(line, kHeading + i * kCell) + heading(gauntlet.weaknesses[i]);
    }
    std::string out = paint.bold("What gets out of a container that lacks a stage") + "\n\n" +
                      heads[0] + "\n" + heads[1] + "\n";
    std::string why;
    for (const Row& row : gauntlet.rows) {
        std::string line = padded(row.escape->name, kHeading);
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            const Attempt& cell = row.cells[i];
            std::string word = cell.outcome == Outcome::safe ? "safe" : name_of(cell.outcome);
            bool last = i + 1 == row.cells.size();
            std::string text = padded(word, last ? word.size() : kCell);
            line += cell.outcome == Outcome::risk   ? paint.red(text)
                    : cell.outcome == Outcome::safe ? paint.green(text)
                                                    : paint.dim(text);
        }
        out += line + "\n";
        if (row.cells.front().outcome != Outcome::safe)
            why += wrapped(std::string(row.escape->name) +
                               ", with all stages: " + name_of(row.cells.front().outcome) + ": " +
                               sys::printable(row.cells.front().evidence),
                           2);
    }
    out += "\nall: nothing left out; -user: without that stage (-mount: nor root); chroot: the\n"
           "root changed by chroot, for pivot-no-umount by pivot_root without the umount;\n"
           "bare: no container, on a host of the lab's own; -: can't be run here\n"
           "'gocontainer lab escape NAME --without STAGE' shows one with its evidence\n";
    return out + (why.empty() ? "" : "\n" + why);
}

std::string to_json(const Gauntlet& gauntlet) {
    auto names = nlohmann::ordered_json::array();
    for (const Weakness& weakness : gauntlet.weaknesses)
        names.push_back(heading(weakness));
    auto rows = nlohmann::ordered_json::array();
    for (const Row& row : gauntlet.rows) {
        auto cells = nlohmann::ordered_json::array();
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            cells.push_back({{"left_out", heading(gauntlet.weaknesses[i])},
                             {"outcome", row.cells[i].outcome == Outcome::not_run
                                             ? "not run"
                                             : name_of(row.cells[i].outcome)},
                             {"evidence", row.cells[i].evidence}});
        rows.push_back({{"escape", row.escape->name},
                        {"summary", row.escape->summary},
                        {"stops", row.escape->stops},
                        {"needs_root", row.escape->needs_root},
                        {"cells", std::move(cells)}});
    }
    nlohmann::ordered_json out = {{"columns", std::move(names)}, {"rows", std::move(rows)}};
    return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string to_svg(const Gauntlet& gauntlet) {
    constexpr std::size_t kLeft = 150;
    constexpr std::size_t kTop = 70;
    constexpr std::size_t kWide = 62;
    constexpr std::size_t kHigh = 26;
    std::size_t width = kLeft + gauntlet.weaknesses.size() * kWide + 10;
    std::size_t height = kTop + gauntlet.rows.size() * kHigh + 58;
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " +
                      std::to_string(width) + " " + std::to_string(height) +
                      "\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n"
                      "<title>What gets out of a container that lacks a stage</title>\n"
                      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
                      text_at(10, 24, "What gets out of a container that lacks a stage",
                              " font-size=\"16\" font-weight=\"bold\"");
    for (std::size_t i = 0; i < gauntlet.weaknesses.size(); ++i)
        out += text_at(kLeft + i * kWide + kWide / 2, kTop - 10, heading(gauntlet.weaknesses[i]),
                       " text-anchor=\"middle\"");
    for (std::size_t y = 0; y < gauntlet.rows.size(); ++y) {
        const Row& row = gauntlet.rows[y];
        std::size_t top = kTop + y * kHigh;
        out += text_at(10, top + 17, row.escape->name);
        for (std::size_t x = 0; x < row.cells.size(); ++x) {
            const Attempt& cell = row.cells[x];
            std::size_t left = kLeft + x * kWide;
            out += "<g><title>" + xml(sys::printable(cell.evidence)) + "</title><rect x=\"" +
                   std::to_string(left + 1) + "\" y=\"" + std::to_string(top + 1) + "\" width=\"" +
                   std::to_string(kWide - 2) + "\" height=\"" + std::to_string(kHigh - 2) +
                   "\" fill=\"" + colour(cell.outcome) + "\"/>" +
                   text_at(left + kWide / 2, top + 17, name_of(cell.outcome),
                           " text-anchor=\"middle\"") +
                   "</g>\n";
        }
    }
    return out +
           text_at(
               10, height - 30,
               "all: nothing left out; -user: without that stage (-mount: nor root); chroot: the "
               "root changed by chroot (pivot-no-umount: by pivot_root without the umount);") +
           text_at(10, height - 12, "bare: no container; -: can't be run here") + "</svg>\n";
}

} // namespace teach
