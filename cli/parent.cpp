// Flags of `parent` to a Spec, through CLI11.
#include "cli/parent.hpp"

#include "cli/options.hpp"
#include "spec/options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>

namespace cli {

namespace {

using Args = std::vector<std::string>;

bool takes_value(std::string_view name) {
    for (const Option& option : parent_options()) {
        std::string_view names = option.names;
        std::size_t at = names.find(name);
        if (at != std::string_view::npos && option.value != nullptr &&
            (at == 0 || names[at - 1] == ',') &&
            (at + name.size() == names.size() || names[at + name.size()] == ','))
            return true;
    }
    return false;
}

/// Where the options end and COMMAND begins. Everything after COMMAND is the command's own.
std::size_t find_command(const Args& args) {
    std::size_t i = 0;
    while (i < args.size()) {
        const std::string& arg = args[i];
        if (arg == "--" || arg.size() < 2 || arg[0] != '-')
            return i;
        ++i;
        if (arg.starts_with("--")) {
            if (arg.find('=') == std::string::npos && takes_value(arg))
                ++i;
            continue;
        }
        // -q, -e X, -eX, -qeX
        for (std::size_t letter = 1; letter < arg.size(); ++letter) {
            if (!takes_value(std::string{'-', arg[letter]}))
                continue;
            if (letter + 1 == arg.size())
                ++i;
            break;
        }
    }
    return std::min(i, args.size());
}

/// --help in the table's words, grouped by stage.
class HelpFormatter : public CLI::Formatter {
    std::string make_usage(const CLI::App*, std::string) const override {
        return "\nUsage: gocontainer parent [OPTIONS] [--] [COMMAND [ARG…]]\n\n"
               "Runs COMMAND (default: /bin/sh) in a container. Each stage can be left out;\n"
               "'gocontainer stages' lists them.\n";
    }
    std::string make_description(const CLI::App*) const override { return {}; }
    std::string make_option_opts(const CLI::Option* option) const override {
        return option->get_type_name().empty() ? "" : " " + option->get_type_name();
    }
};

/// One VARIABLE=VALUE a line; empty lines and those that begin with # are passed over.
std::expected<Args, std::string> read_env_file(const std::string& path) {
    std::ifstream file(path);
    if (!file)
        return std::unexpected("--env-file: \"" + path + "\": can't be read");
    Args out;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (line.empty() || line.starts_with('#'))
            continue;
        auto parsed = spec::parse_env(line);
        if (!parsed)
            return std::unexpected("--env-file: \"" + path + "\" line " + std::to_string(number) +
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

std::expected<spec::Spec, std::string> finish(Draft draft, Args command) {
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

    if (spec.name.empty()) {
        char text[16];
        (void)snprintf(text, sizeof text, "gc-%08x", std::random_device{}());
        spec.name = text;
    }
    spec.capabilities.bounding = capabilities(draft);
    spec.root.masked = spec::default_masked_paths();
    spec.root.readonly = spec::default_readonly_paths();

    if (const char* term = getenv("TERM"); term != nullptr)
        spec.process.env.push_back(std::string("TERM=") + term);
    for (const std::string& path : draft.env_files) {
        auto lines = read_env_file(path);
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

std::expected<ParentCommand, std::string> parse_parent(const Args& args) {
    std::size_t split = find_command(args);
    Args command(args.begin() + static_cast<std::ptrdiff_t>(split), args.end());
    if (!command.empty() && command.front() == "--")
        command.erase(command.begin());

    Draft draft;
    std::string wrong; // the first value that was refused, with its option
    CLI::App app;
    app.formatter(std::make_shared<HelpFormatter>());
    app.get_formatter()->column_width(36);
    for (const Option& row : parent_options()) {
        auto apply = [&draft, &wrong, &row](const std::string& value) {
            auto applied = row.apply(draft, value);
            if (!applied && wrong.empty()) {
                std::string names = row.names;
                wrong = names.substr(names.find("--")) + " " + applied.error();
            }
        };
        CLI::Option* option = nullptr;
        if (row.value == nullptr)
            option = app.add_flag_callback(row.names, [apply] { apply(""); }, row.help);
        else
            option = app.add_option_function<Args>(
                            row.names,
                            [apply, &row](const Args& values) {
                                if (row.repeatable)
                                    std::ranges::for_each(values, apply);
                                else
                                    apply(values.back());
                            },
                            row.help)
                         ->allow_extra_args(false)
                         ->type_name(row.value);
        option->group(row.group);
    }
    Args reversed(args.rbegin() + static_cast<std::ptrdiff_t>(args.size() - split), args.rend());
    try {
        app.parse(std::move(reversed)); // takes them last first
    } catch (const CLI::CallForHelp&) {
        return ParentCommand{.spec = {}, .help = app.help()};
    } catch (const CLI::ParseError& problem) {
        std::string text = problem.what();
        return std::unexpected(text + ": see 'gocontainer parent --help'");
    }
    if (!wrong.empty())
        return std::unexpected(std::move(wrong));
    auto spec = finish(std::move(draft), std::move(command));
    if (!spec)
        return std::unexpected(std::move(spec).error());
    return ParentCommand{.spec = std::move(*spec), .help = {}};
}

} // namespace cli
