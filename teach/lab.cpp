// `gocontainer lab`: its arguments, and the gauntlet.
#include "teach/lab.hpp"

#include "stages/stages.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"
#include "teach/paint.hpp"

#include <algorithm>
#include <unistd.h>

namespace teach {

using sys::Result;

namespace {

bool can_limit_processes() {
    return try_in_child("limit-pids",
                        [] { return try_pids_limit({.rootfs = {}, .own_user = true}); })
        .works;
}

constexpr const char* kLabUsage =
    R"(Usage: gocontainer lab start N             what is to be written for lesson N
       gocontainer lab check N [PROGRAM] [--again] [--plain]
                                           try what you have written; when that
                                           has passed, only with --again
       gocontainer lab watch N [PROGRAM] [--poll] [--plain]
                                           the same at each change, until ^C
       gocontainer lab hint N              a hint; the next one each time
       gocontainer lab solution N          ours, when yours has passed
       gocontainer lab report [--json|--csv]
                                           who has passed what, and when

       gocontainer lab escape --list       the ways out of a container
       gocontainer lab escape NAME [--without STAGE]... [--chroot] [--plain]
                                           try one, with a stage left out or not
       gocontainer lab gauntlet [--svg FILE] [--json] [--plain]
                                           all of them, each stage left out in
                                           turn
)";
constexpr const char* kSeeHelp = "'gocontainer lab --help'";

std::string list() {
    std::string text;
    for (const Escape& escape : escapes()) {
        std::string name = escape.name;
        name.resize(17, ' ');
        text += name + escape.summary + "\n";
    }
    return text + "Each is one file in teach/escapes/\n";
}

std::string source_of(const Escape& escape) {
    std::string name = escape.name;
    std::ranges::replace(name, '-', '_');
    return "teach/escapes/" + name + ".cpp";
}

/// "in a container without the user and pid stages"
std::string described(const Weakness& weakness) {
    if (weakness.bare)
        return "without any container, on a host of the lab's own";
    if (weakness.chroot)
        return "in a container whose root is changed by chroot";
    std::string stages;
    for (const stages::Stage& stage : stages::table())
        if (weakness.without.has(stage.id))
            stages += (stages.empty() ? "the " : " and ") + std::string(name_of(stage.id));
    if (!stages.empty())
        stages += stages.contains(" and ") ? " stages" : " stage";
    if (weakness.umount)
        stages += (stages.empty() ? "" : ", and ") + std::string("the umount of its old root");
    return stages.empty() ? "in a container with all stages" : "in a container without " + stages;
}

Result<Answer> escape(const std::vector<std::string>& args) {
    if (args == std::vector<std::string>{"--list"})
        return Answer{.text = list(), .status = 0};
    const Escape* which = nullptr;
    Weakness weakness;
    bool plain = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i] == "--plain") {
            plain = true;
        } else if (args[i] == "--chroot") {
            weakness.chroot = true;
        } else if (args[i] == "--without") {
            if (i + 1 == args.size())
                return sys::wrong("lab escape: --without wants a stage", kSeeHelp);
            const std::string& name = args[++i];
            auto stage = spec::stage_named(name);
            if (!stage && name != "container" && name != "umount")
                return sys::wrong(
                    "lab escape: --without \"" + name + "\" is no stage: see 'gocontainer stages'",
                    "or --without container, for none of them, or umount, for the second half of "
                    "pivot_root");
            if (stage)
                weakness.without.add(*stage);
            weakness.bare |= name == "container";
            weakness.umount |= name == "umount";
            weakness.name += (weakness.name.empty() ? "" : ",") + name;
        } else if (const Escape* named = escape_named(args[i]);
                   which == nullptr && named != nullptr) {
            which = named;
        } else {
            return sys::wrong("lab escape: \"" + args[i] + "\" is no escape and no option",
                              "'gocontainer lab escape --list' names them");
        }
    }
    if (which == nullptr)
        return sys::wrong("lab escape wants a name", "'gocontainer lab escape --list' names them");
    Attempt done = attempts(*which, {weakness}, can_limit_processes()).front();
    Paint paint = Paint::for_stream(STDOUT_FILENO, plain);
    std::string verdict = done.outcome == Outcome::risk   ? paint.red("RISK")
                          : done.outcome == Outcome::safe ? paint.green("SAFE")
                                                          : paint.yellow("not run");
    std::string text = wrapped(std::string(which->name) + " tries to " + which->summary + ", " +
                                   described(weakness),
                               0) +
                       paint.bold(verdict) + "\n" + wrapped(sys::printable(done.evidence), 2) +
                       "What stops it: " + which->stops + "\nHow it works: " + source_of(*which) +
                       "\n";
    int status = done.outcome == Outcome::safe ? 0 : done.outcome == Outcome::risk ? 1 : 125;
    return Answer{.text = std::move(text), .status = status};
}

Result<Answer> gauntlet(const std::vector<std::string>& args) {
    std::string svg;
    bool json = false;
    bool plain = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i] == "--json")
            json = true;
        else if (args[i] == "--plain")
            plain = true;
        else if (args[i] != "--svg")
            return sys::wrong("lab gauntlet: \"" + args[i] + "\" is no option", kSeeHelp);
        else if (i + 1 < args.size())
            svg = args[++i];
        else
            return sys::wrong("lab gauntlet: --svg wants a file", kSeeHelp);
    }
    std::size_t slash = svg.rfind('/');
    std::string name = slash == std::string::npos ? svg : svg.substr(slash + 1);
    // Before all that takes long.
    sys::Fd folder =
        TRY(sys::openat(AT_FDCWD, slash == std::string::npos ? "." : svg.substr(0, slash + 1),
                        O_RDONLY | O_DIRECTORY));
    Gauntlet all = run_gauntlet();
    if (!svg.empty())
        TRY(sys::replace_file(folder.get(), name, to_svg(all), 0644));
    bool safe = std::ranges::none_of(
        all.rows, [](const Row& row) { return row.cells.front().outcome == Outcome::risk; });
    return Answer{.text = json ? to_json(all) : to_text(all, plain), .status = safe ? 0 : 1};
}

std::vector<Weakness> weaknesses() {
    std::vector<Weakness> out{{.name = {}, .without = {}}};
    for (const stages::Stage& stage : stages::table()) {
        if (!stage.on_by_default)
            continue;
        Weakness one{.name = std::string(name_of(stage.id)), .without = {}};
        one.without.add(stage.id);
        out.push_back(std::move(one));
    }
    out.push_back({.name = "chroot", .without = {}, .chroot = true});
    out.push_back({.name = "container", .without = {}, .bare = true});
    return out;
}

} // namespace

Gauntlet run_gauntlet() {
    Gauntlet out{.weaknesses = weaknesses(), .rows = {}};
    bool limited = can_limit_processes();
    for (const Escape& escape : escapes()) {
        std::vector<Weakness> all = out.weaknesses;
        // The root stage done wrong: for this one, in its own way.
        for (Weakness& one : all)
            if (one.chroot && escape.run == pivot_no_umount) {
                one.chroot = false;
                one.umount = true;
            }
        out.rows.push_back({.escape = &escape, .cells = attempts(escape, all, limited)});
    }
    return out;
}

Result<Answer> lab(const std::vector<std::string>& args) {
    if (args.empty() || asks_for_help(args))
        return Answer{.text = kLabUsage, .status = 0};
    std::vector<std::string> rest(args.begin() + 1, args.end());
    if (args.front() == "escape")
        return escape(rest);
    if (args.front() == "gauntlet")
        return gauntlet(rest);
    return sys::wrong("lab: what is \"" + args.front() + "\"?", kSeeHelp);
}

} // namespace teach
