// What was measured, and the three ways to show it: a table, JSON, a plot.
#pragma once

#include "launch.hpp"

#include <optional>
#include <utility>

namespace bench {

enum class Kind { launch, lifecycle, slirp_ready };

struct Variant {
    std::string name;    ///< short, for the table
    std::string what;    ///< one line, for the plot and the JSON
    std::string version; ///< of the program, as it says itself
    Argv argv;
    Kind kind = Kind::launch;
    std::vector<Argv> then{}; ///< of a lifecycle: what follows, one after the other
    bool plotted = true;      ///< false for what is no peer, only part of a target
    std::vector<Sample> samples{};
    std::optional<Peaks> peak{};
};

/// Medians and quartiles of one variant.
struct Summary {
    double wall = 0, wall_low = 0, wall_high = 0, cpu = 0; ///< milliseconds
};

/// A ratio of two medians, with the middle 95 % of what a resampling of the rounds gives.
struct Ratio {
    double value = 0, low = 0, high = 0;
};

struct Target {
    std::string text, measured;
    bool holds = false;
};

/// At most `most` times the time of the variant `peer`; 0: only to be compared with.
struct Limit {
    std::string peer;
    double most = 0;
};

/// One workload, done by several programs in turn.
struct Report {
    std::string title;
    std::vector<Limit> limits; ///< of the variant "gocontainer"
    std::vector<Variant> variants;
    std::vector<Target> targets;
    std::vector<std::string> notes; ///< what is missing, and why
    std::string body;               ///< instead of the table, when its rows are no variants
    size_t rounds = 0;

    const Variant* find(const std::string& name) const;
    /// Targets out of `limits` and what was measured.
    void judge();
    void judge_memory(const std::string& who, long kib);
};

/// Everything of one run.
struct Reports {
    std::vector<std::pair<std::string, std::string>> machine; ///< kernel, processor, load …
    std::vector<Report> all;
    bool hold() const;
};

Summary summary(const Variant& variant);

/// Both must have a sample for each round: the rounds are resampled in pairs, so that a load which
/// slowed both down doesn't widen the interval.
Ratio ratio(const Variant& above, const Variant& below);

double median(std::vector<double> values);

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

std::string table(const Reports& reports);
std::string json(const Reports& reports);
std::string svg(const Reports& reports);

} // namespace bench
