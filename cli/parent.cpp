// Flags of `parent` to a Spec, by getopt_long(3).
//
// Not by CLI11: its global objects are constructed at every start, twice a container, whether they
// are used or not, and took 13 % of a whole launch.
#include "cli/parent.hpp"

#include "cli/options.hpp"
#include "spec/options.hpp"

#include <getopt.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace cli {

namespace {

using Args = std::vector<std::string>;

/// The table in getopt_long's form. An option's value is its row's number, from kFirst on, so
/// that no row is taken for the characters that getopt_long answers with.
constexpr int kFirst = 1000;
constexpr int kHelp = kFirst - 1;

struct Long {
    std::vector<option> options; // they point into the table: the long name is the end of `names`
    std::string letters = "+:h"; // + ends at COMMAND; : tells a missing value from an unknown name
};

Long long_options() {
    Long out;
    auto rows = parent_options();
    out.options.reserve(rows.size() + 2);
    out.options.push_back({"help", no_argument, nullptr, kHelp});
    for (std::size_t row = 0; row < rows.size(); ++row) {
        std::string_view names = rows[row].names;
        bool value = rows[row].value != nullptr;
        if (names[1] != '-') {
            out.letters += names[1];
            out.letters += value ? ":" : "";
        }
        out.options.push_back({rows[row].names + names.find("--") + 2,
                               value ? required_argument : no_argument, nullptr,
                               kFirst + static_cast<int>(row)});
    }
    out.options.push_back({});
    return out;
}

const Option* row_of(int answer) {
    auto rows = parent_options();
    if (answer >= kFirst)
        return &rows[static_cast<std::size_t>(answer - kFirst)];
    for (const Option& row : rows)
        if (row.names[1] == answer)
            return &row;
    return nullptr;
}

std::string long_name(const Option& row) {
    std::string names = row.names;
    return names.substr(names.find("--"));
}

constexpr std::size_t kColumn = 34; ///< of --help's second column
constexpr std::size_t kWidth = 80;

/// Columns of `text`: bytes that don't continue a character ("…" is three).
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

/// `text` in lines that fit between kColumn and kWidth; the first goes on at kColumn.
std::string wrapped(std::string_view text) {
    std::string out;
    std::size_t column = kColumn;
    while (!text.empty()) {
        std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(word.size() + 1, text.size()));
        std::size_t width = width_of(word);
        if (column > kColumn && column + 1 + width > kWidth) {
            out += "\n" + std::string(kColumn, ' ');
            column = kColumn;
        } else if (column > kColumn) {
            out += ' ';
            ++column;
        }
        out += word;
        column += width;
    }
    return out + "\n";
}

/// --help in the table's words, grouped by stage.
std::string help_text() {
    std::string out =
        "Usage: gocontainer parent [OPTIONS] [--] [COMMAND [ARG…]]\n\n"
        "Runs COMMAND (default: /bin/sh) in a container. Each stage can be left out;\n"
        "'gocontainer stages' lists them.\n";
    std::string group;
    for (const Option& row : parent_options()) {
        if (*row.help == '\0')
            continue;
        if (group != row.group)
            out += "\n" + (group = row.group) + ":\n";
        std::string left = "  " + std::string(row.names[1] == '-' ? "    " : "") + row.names;
        if (row.value != nullptr)
            left += std::string(" ") + row.value;
        std::size_t width = width_of(left);
        if (width + 2 > kColumn) {
            left += "\n";
            width = 0;
        }
        out += left + std::string(kColumn - width, ' ') + wrapped(row.help);
    }
    std::string last = "  -h,--help";
    return out + last + std::string(kColumn - last.size(), ' ') + "This text\n";
}

/// One VARIABLE=VALUE a line; empty lines and those that begin with # are passed over, and what an
/// editor of Windows puts around them. As Docker reads it, a value is all that follows, quotes too.
std::expected<Args, std::string> read_env_file(const std::string& path, const ReadFile& read) {
    auto text = read(path);
    if (!text)
        return std::unexpected("--env-file: " + text.error() +
                               ": name a file with one NAME=VALUE a line, or use -e");
    Args out;
    std::istringstream lines(*text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        if (number == 1 && line.starts_with("\xef\xbb\xbf")) // the mark of UTF-8
            line.erase(0, 3);
        if (line.ends_with('\r'))
            line.pop_back();
        line.erase(0, line.find_first_not_of(" \t"));
        if (line.empty() || line.starts_with('#'))
            continue;
        std::string name = line.substr(0, line.find('='));
        auto parsed = line.contains('\0') ? std::unexpected("a NUL is in it: a text file has none")
                      : name.find_first_of(" \t") == std::string::npos
                          ? spec::parse_env(line)
                          : std::unexpected("\"" + name +
                                            "\" is no name of a variable: a line is NAME=VALUE, "
                                            "without \"export\" and without blanks around \"=\"");
        if (!parsed)
            return std::unexpected("--env-file \"" + path + "\" line " + std::to_string(number) +
                                   ": " + parsed.error());
        out.push_back(std::move(*parsed));
    }
    return out;
}

std::vector<std::string> capabilities(const Draft& draft) {
    auto has = [](const Args& names, const std::string& name) {
        return std::ranges::find(names, name) != names.end();
    };
    // As with Docker: "drop all, add one" is one, whatever their order on the line.
    Args usual = spec::default_capabilities();
    Args out;
    for (const std::string& name : spec::all_capabilities()) {
        bool added = has(draft.caps_added, name);
        bool dropped = has(draft.caps_dropped, name);
        if (dropped && draft.caps_dropped.size() < spec::all_capabilities().size())
            continue;
        if (added || (has(usual, name) && !dropped))
            out.push_back(name);
    }
    return out;
}

/// What was asked for and would do nothing, as far as the Spec doesn't show it: an isolation that
/// is silently missing, or a typo.
std::string ignored(const Draft& draft, const spec::Spec& spec) {
    for (const auto& [option, stage] : draft.asked) {
        bool either = option == "--rootfs" && spec.stages.has(spec::Stage::root);
        if (!spec.stages.has(stage) && !either)
            return option + ": needs the " + std::string(spec::name_of(stage)) + " stage" +
                   (option == "--rootfs" ? ", or the root stage" : "");
    }
    using enum spec::Stage;
    if (!spec.name.empty() && !spec.stages.has(uts) && !spec.stages.has(cgroup))
        return "--name: needs the uts stage, whose host name it is, or the cgroup stage";
    constexpr spec::StageSet all((1U << spec::kStageCount) - 1);
    for (std::size_t i = 0; i < spec::kStageCount && draft.watching.pauses != all; ++i)
        if (auto stage = static_cast<spec::Stage>(i);
            draft.watching.pauses.has(stage) && !spec.stages.has(stage))
            return "--pause " + std::string(spec::name_of(stage)) + ": the stage is left out";
    return {};
}

std::expected<spec::Spec, std::string> finish(Draft draft, Args command, const ReadFile& read) {
    spec::Spec spec = std::move(draft.spec);
    bool init = spec.stages.has(spec::Stage::init);
    if (draft.only)
        spec.stages = *draft.only;
    if (init)
        spec.stages.add(spec::Stage::init);
    if (spec.time.boottime || spec.time.monotonic)
        spec.stages.add(spec::Stage::time);
    for (spec::Stage stage : draft.left_out)
        spec.stages.remove(stage);

    if (std::string wrong = ignored(draft, spec); !wrong.empty())
        return std::unexpected(std::move(wrong));
    if (!spec.stages.has(spec::Stage::caps) &&
        !(draft.caps_added.empty() && draft.caps_dropped.empty()))
        return std::unexpected("--cap-add, --cap-drop: need the caps stage");
    spec.capabilities.bounding = capabilities(draft);
    spec.capabilities.permitted = spec.capabilities.bounding;
    spec.capabilities.effective = spec.capabilities.bounding;
    // Else the container would swap out what is over the limit, and go on growing.
    spec::Resources& limits = spec.cgroup.resources;
    if (limits.memory && *limits.memory >= 0 && !limits.memory_swap)
        limits.memory_swap = limits.memory;
    // In whatever order they were asked for: what is mounted below another comes after it.
    std::ranges::stable_sort(spec.root.mounts, {}, [](const spec::Mount& mount) {
        return std::ranges::count(mount.destination, '/');
    });
    spec.root.masked = spec::default_masked_paths();
    spec.root.readonly = spec::default_readonly_paths();

    if (const char* term = getenv("TERM"); term != nullptr)
        spec.process.env.push_back(std::string("TERM=") + term);
    for (const std::string& path : draft.env_files) {
        auto lines = read_env_file(path, read);
        if (!lines)
            return std::unexpected(std::move(lines).error());
        std::ranges::move(*lines, std::back_inserter(spec.process.env));
    }
    std::ranges::move(draft.env, std::back_inserter(spec.process.env));
    spec.process.args = command.empty() ? Args{"/bin/sh"} : std::move(command);
    if (std::string wrong = spec::validate(spec); !wrong.empty())
        return std::unexpected(std::move(wrong));
    return spec;
}

} // namespace

std::expected<ParentCommand, std::string> parse_parent(const Args& args, const ReadFile& read) {
    Long known = long_options();
    std::vector<char*> argv{const_cast<char*>("gocontainer")}; // getopt_long only reorders pointers
    for (const std::string& arg : args)
        argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    int count = static_cast<int>(args.size()) + 1;

    Draft draft;
    opterr = 0;
    optind = 0; // start over, GNU's way
    for (;;) {
        int before = std::max(optind, 1);
        int answer =
            getopt_long(count, argv.data(), known.letters.c_str(), known.options.data(), nullptr);
        if (answer == -1)
            break;
        std::string written = argv[before];
        if (answer == 'h' || answer == kHelp)
            return ParentCommand{.spec = {}, .watching = {}, .help = help_text()};
        if (answer == ':')
            return std::unexpected(written + " wants a value: see 'gocontainer parent --help'");
        const Option* row = row_of(answer);
        if (row == nullptr)
            return std::unexpected("\"" + written +
                                   "\" is no option, or not written so: see 'gocontainer parent "
                                   "--help'");
        auto applied = row->apply(draft, row->value != nullptr ? optarg : "");
        if (!applied)
            return std::unexpected(long_name(*row) + " " + applied.error());
    }
    Args command(argv.begin() + optind, argv.end() - 1);
    spec::Watching watching = draft.watching;
    auto spec = finish(std::move(draft), std::move(command), read);
    if (!spec)
        return std::unexpected(std::move(spec).error());
    return ParentCommand{.spec = std::move(*spec), .watching = std::move(watching), .help = {}};
}

} // namespace cli
