// The command lines of `inspect` and `diff`.
#include "teach/inspect.hpp"

#include "sys/nesting.hpp"
#include "sys/path.hpp"
#include "teach/describe.hpp"
#include "teach/page.hpp"
#include "teach/picture.hpp"
#include "teach/proc_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace teach {

using nlohmann::ordered_json;

namespace {

constexpr const char* kInspectHelp = R"(Usage: gocontainer inspect [OPTIONS] PID|ID|self|FILE

What the kernel says of a process: its namespaces and what is in them, its
cgroup, its rights. ID is a container of gocontainer's; a container of Docker's
is found by its process (docker inspect -f '{{.State.Pid}}' NAME). FILE is what
--json has written.

  --json            JSON instead of text
  --plain           No colours and drawn lines, for a log or a screen reader
  --svg FILE        Draw a picture of it beside the host, instead
  --html FILE       The same on a page, with everything in words
  --recording FILE  Instead of a process: what 'parent --record FILE' has
                    written, and what changed with each step; with --html, a
                    page with a slider over them
  --root DIR        Where the state of containers is kept
  --help            This text
)";

constexpr const char* kDiffHelp = R"(Usage: gocontainer diff [OPTIONS] A B
       gocontainer diff [OPTIONS] --recording FILE STAGE [LAST-STAGE]

What two processes differ in, each a PID, a container's ID, self, or a file that
'gocontainer inspect --json' has written: earlier, perhaps, of the same process.
Or what a stage has changed, or several, by what 'parent --record FILE' wrote.
What changes by itself, as the memory in use, is left out.

  --json            JSON instead of text
  --plain           No colours and drawn lines, for a log or a screen reader
  --recording FILE  What 'parent --record FILE' has written
  --root DIR        Where the state of containers is kept
  --help            This text
)";

struct Words {
    std::map<std::string, std::string> options; ///< a flag has an empty value
    Strings rest;
    bool has(const char* name) const { return options.contains(name); }
    std::string value(const char* name) const {
        auto found = options.find(name);
        return found == options.end() ? "" : found->second;
    }
};

/// "--x V", "--x=V" and "--flag", wherever they stand.
Result<Words> take_apart(const Strings& args, const Strings& flags, const Strings& valued) {
    Words out;
    auto knows = [](const Strings& names, const std::string& name) {
        return std::ranges::find(names, name) != names.end();
    };
    for (std::size_t i = 0; i < args.size(); ++i) {
        std::size_t equals = args[i].find('=');
        std::string name = args[i].substr(0, equals);
        if (!args[i].starts_with('-') || args[i] == "-") {
            out.rest.push_back(args[i]);
        } else if (equals == std::string::npos && knows(flags, name)) {
            out.options[name] = "";
        } else if (!knows(valued, name)) {
            return sys::wrong("there is no option \"" + args[i] + "\"", "see --help");
        } else if (equals != std::string::npos) {
            out.options[name] = args[i].substr(equals + 1);
        } else if (i + 1 < args.size()) {
            out.options[name] = args[++i];
        } else {
            return sys::wrong(name + " wants a value", "see --help");
        }
    }
    return out;
}

Result<ordered_json> read_json(const std::string& path) {
    constexpr std::size_t kMost = 256 << 20;
    std::string text = TRY(sys::read_given(path, kMost));
    // nlohmann-json copies what is in an object that grows, by calls of itself.
    constexpr std::size_t kDeepest = 64;
    if (sys::too_deep(text, kDeepest) != std::string::npos)
        return sys::wrong("\"" + path + "\" is nested too deep");
    auto json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded())
        return sys::wrong("\"" + path + "\" is no JSON");
    return json;
}

Result<Snapshot> from_file(const std::string& path) {
    ordered_json json = TRY(read_json(path));
    auto read = from_json(json);
    if (!read)
        read.error().detail = "\"" + path + "\": " + read.error().detail;
    return read;
}

/// A number is a process, what has a slash in it a file, anything else a container, or if there is
/// none, a file here.
Result<Snapshot> find_one(const std::string& word, const std::string& root,
                          const FindContainer& find) {
    if (word.find('/') != std::string::npos)
        return from_file(word);
    Result<pid_t> pid = sys::getpid();
    if (auto number = parse_number(word))
        pid = *number;
    else if (word != "self")
        pid = find(root, word);
    if (!pid && sys::exists(word))
        return from_file(word);
    if (!pid && pid.error().hint.empty())
        pid.error().hint =
            "'gocontainer list' tells ours; one of Docker's is found by its process, "
            "docker inspect -f '{{.State.Pid}}' NAME";
    pid_t which = TRY(std::move(pid));
    Snapshot found = TRY(snapshot(which));
    count_members(found);
    return found;
}

std::string dump(const ordered_json& json) {
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

/// The whole file, anew.
Result<void> write_whole(const std::string& path, std::string_view text) {
    sys::Fd file = TRY(sys::output_file(path));
    return sys::write_all(file.get(), text);
}

/// What stands for the host beside `of`, if it may be looked at: it is no part of a file.
std::optional<Snapshot> host_beside(const Snapshot& of) {
    auto host = snapshot(host_pid());
    if (!host)
        return std::nullopt;
    if (std::ranges::any_of(of.namespaces, [](const Namespace& one) { return one.members != 0; }))
        count_members(*host);
    return std::move(*host);
}

/// --svg and --html: the last moment, and all of them.
Result<std::string> draw(const Words& words, const Recording& recording) {
    const Snapshot* host = recording.host ? &*recording.host : nullptr;
    if (words.has("--svg"))
        TRY(write_whole(words.value("--svg"),
                        picture_file(recording.frames.back().snapshot, host)));
    if (words.has("--html"))
        TRY(write_whole(words.value("--html"), page(recording)));
    return words.has("--json") ? dump(to_json(recording.frames.back().snapshot)) : "";
}

Result<std::string> replay(const Words& words) {
    std::string path = words.value("--recording");
    ordered_json json = TRY(read_json(path));
    auto recording = parse_recording(json);
    if (!recording) {
        recording.error().detail = "\"" + path + "\": " + recording.error().detail;
        return std::unexpected(std::move(recording).error());
    }
    if (words.has("--svg") || words.has("--html"))
        return draw(words, *recording);
    if (words.has("--json"))
        return dump(to_json(recording->frames.back().snapshot));
    Paint paint = Paint::for_stream(STDOUT_FILENO, words.has("--plain"));
    std::string out;
    for (std::size_t i = 1; i < recording->frames.size(); ++i) {
        const Frame& frame = recording->frames[i];
        out += (i == 1 ? "" : "\n") + paint.bold(clean(frame.title)) + "\n" +
               wrapped(clean(frame.summary), 2) +
               describe(diff(recording->frames[i - 1].snapshot, frame.snapshot), paint);
    }
    return out;
}

using Pair = std::pair<Snapshot, Snapshot>;

Result<Pair> two_moments(const Words& words) {
    std::string path = words.value("--recording");
    ordered_json json = TRY(read_json(path));
    auto found = around(json, words.rest.front(), words.rest.back());
    if (!found)
        found.error().detail = "\"" + path + "\": " + found.error().detail;
    return found;
}

Result<Pair> two_processes(const Words& words, const FindContainer& find) {
    Snapshot before = TRY(find_one(words.rest[0], words.value("--root"), find));
    Snapshot after = TRY(find_one(words.rest[1], words.value("--root"), find));
    return Pair{std::move(before), std::move(after)};
}

} // namespace

Result<std::string> inspect(const Strings& args, const FindContainer& find) {
    Words words = TRY(take_apart(args, {"--json", "--plain", "--help", "-h"},
                                 {"--root", "--svg", "--html", "--recording"}));
    if (words.has("--help") || words.has("-h"))
        return kInspectHelp;
    if (words.has("--recording") && words.rest.empty())
        return replay(words);
    if (words.rest.size() != 1 || words.has("--recording"))
        return sys::wrong("inspect wants one process", "see 'gocontainer inspect --help'");
    Snapshot found = TRY(find_one(words.rest.front(), words.value("--root"), find));
    if (words.has("--svg") || words.has("--html")) {
        Recording alone{.host = host_beside(found), .frames = {}};
        alone.frames.push_back({.title = "now", .summary = {}, .calls = {}, .snapshot = found});
        return draw(words, alone);
    }
    return words.has("--json")
               ? dump(to_json(found))
               : describe(found, Paint::for_stream(STDOUT_FILENO, words.has("--plain")));
}

Result<std::string> compare(const Strings& args, const FindContainer& find) {
    Words words =
        TRY(take_apart(args, {"--json", "--plain", "--help", "-h"}, {"--root", "--recording"}));
    if (words.has("--help") || words.has("-h"))
        return kDiffHelp;
    bool recorded = words.has("--recording") && !words.rest.empty() && words.rest.size() <= 2;
    if (!recorded && (words.rest.size() != 2 || words.has("--recording")))
        return sys::wrong("diff wants two processes", "see 'gocontainer diff --help'");
    auto pair = recorded ? two_moments(words) : two_processes(words, find);
    auto [before, after] = TRY(std::move(pair));
    std::vector<Change> changes = diff(before, after);
    return words.has("--json")
               ? dump(to_json(changes))
               : describe(changes, Paint::for_stream(STDOUT_FILENO, words.has("--plain")));
}

} // namespace teach
