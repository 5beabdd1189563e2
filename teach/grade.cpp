// Starting the grader, and reading what it found.
#include "teach/grade.hpp"

#include "stages/passwd.hpp"
#include "sys/clock.hpp"
#include "sys/path.hpp"
#include "teach/candidate.hpp"
#include "teach/lab_folder.hpp"
#include "teach/lab_watch.hpp"
#include "teach/paint.hpp"
#include "teach/progress.hpp"
#include "teach/root_range.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

namespace teach {

using nlohmann::json;
using sys::Fd;
using sys::Result;
using sys::Strings;

namespace {

using Show = std::function<void(const std::string&)>;

/// What tells two versions of a file apart (FNV-1a): evidence, and no proof.
std::string fingerprint(const std::string& bytes) {
    std::uint64_t hash = 14695981039346656037U;
    for (char c : bytes)
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4)
        out += "0123456789abcdef"[hash >> shift & 15];
    return out;
}

// --- the tests -----------------------------------------------------------------------------------

Result<std::string> run_tests(const Place& place, const Candidate& candidate) {
    const Exercise& exercise = *place.exercise;
    const std::string tests = sys::join(place.top, std::string("build/tests/") + exercise.suite);
    if (!sys::exists(tests))
        return sys::wrong("the tests are not built", "'make lab' in \"" + place.top + "\"");
    LabFolder folder = TRY(LabFolder::make()); // what tests leave behind, that are ended, is in it
    Fd report = TRY(sys::memfd_create("report"));
    Fd silence = TRY(sys::openat(AT_FDCWD, "/dev/null", O_WRONLY));
    constexpr int kReport = 3;
    sys::Spawn spawn{.argv = {tests,
                              std::string("--gtest_filter=") +
                                  (candidate.binary ? exercise.linked : exercise.tests),
                              "--gtest_output=json:/proc/self/fd/" + std::to_string(kReport)},
                     .path = tests,
                     .env = {},
                     .fds = {{report.get(), kReport}, {silence.get(), 1}, {silence.get(), 2}},
                     .death_signal = SIGTERM};
    for (const char* name : {"PATH", "HOME", "USER", "LANG", "XDG_RUNTIME_DIR"})
        if (const char* value = getenv(name); value != nullptr)
            spawn.env.push_back(std::string(name) + "=" + value);
    spawn.env.push_back("TMPDIR=" + folder.path());
    spawn.env.push_back("GOCONTAINER_SRC=" + place.top);
    spawn.env.emplace_back("GOCONTAINER_PATIENCE=8000"); // milliseconds, for what never answers
    const char* rootfs = getenv("GOCONTAINER_ROOTFS");
    spawn.env.push_back("GOCONTAINER_ROOTFS=" +
                        (rootfs != nullptr ? rootfs : sys::join(place.top, "rootfs")));
    spawn.env.push_back("GOCONTAINER=" +
                        (candidate.binary ? candidate.path : sys::join(place.top, "gocontainer")));
    if (exercise.stage == nullptr)
        spawn.env.push_back("GOCONTAINER_MINE=" + candidate.path);
    else if (!candidate.binary)
        spawn.env.push_back(std::string("GOCONTAINER_REPLACE=") + exercise.stage + "=" +
                            candidate.path);
    pid_t pid = TRY(sys::start(spawn));
    (void)TRY(sys::waitpid(pid, 0)); // the report says how it went
    TRY(sys::lseek_start(report.get()));
    return sys::read_all(report.get());
}

struct Tally {
    unsigned passed = 0, failed = 0, skipped = 0;
    std::string text;
};

void indented(std::string& out, const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        out += "            " + sys::printable(line) + "\n";
}

Tally tally_of(const json& report, const Paint& paint) {
    Tally tally;
    for (const json& suite : report.value("testsuites", json::array()))
        for (const json& test : suite.value("testsuite", json::array())) {
            const std::string name = sentence_of(test.value("name", ""));
            if (test.value("result", "") == "SKIPPED") {
                ++tally.skipped;
                tally.text += "  " + paint.yellow("skipped") + "   " + name + "\n";
                for (const json& why : test.value("skipped", json::array())) {
                    const std::string message = why.value("message", "");
                    indented(tally.text, message.substr(message.find('\n') + 1));
                }
                continue;
            }
            const json failures = test.value("failures", json::array());
            ++(failures.empty() ? tally.passed : tally.failed);
            tally.text += "  " +
                          (failures.empty() ? paint.green("ok     ") : paint.red("FAILED ")) +
                          "   " + name + "\n";
            if (!failures.empty()) // the first tells most: those behind it often follow from it
                indented(tally.text, compared(failures.front().value("failure", "")));
        }
    return tally;
}

json& lesson_entry(json& progress, const Exercise& exercise) {
    json& entry = progress["lessons"][progress_key(exercise.lesson)];
    if (!entry.is_object())
        entry = json::object();
    return entry;
}

Result<void> note(const Place& place, const Candidate& candidate, const Tally& tally, bool passed) {
    const std::string bytes = TRY(sys::read_file(candidate.path, 64 << 20));
    const std::string now = sys::rfc3339_now(sys::Fraction::none);
    return update_progress([&](json& progress) {
        json& entry = lesson_entry(progress, *place.exercise);
        entry["checks"] = entry.value("checks", 0) + 1;
        if (!entry.contains("firstCheck"))
            entry["firstCheck"] = now;
        if (!passed)
            return;
        entry["passed"] = now;
        entry["evidence"] = {{"program", candidate.path},
                             {"fingerprint", fingerprint(bytes)},
                             {"tests", tally.passed},
                             {"skipped", tally.skipped}};
    });
}

// --- the commands --------------------------------------------------------------------------------

Result<Answer> check(const Strings& args, const Show& show) {
    Strings words = args;
    bool again = std::erase(words, "--again") > 0;
    bool plain = std::erase(words, "--plain") > 0;
    Place place = TRY(place_of(words));
    const std::string number = std::to_string(place.exercise->lesson);
    json progress = TRY(load_progress());
    bool named = words.size() > 2;
    if (json& entry = lesson_entry(progress, *place.exercise);
        !again && !named && entry.is_object() && entry.value("passed", json()).is_string())
        return Answer{.text = "lesson " + number + " was passed on " +
                              entry["passed"].get<std::string>() + "\n'gocontainer lab check " +
                              number + " --again' checks it once more\n",
                      .status = 0};
    Candidate candidate = TRY(named ? candidate_at(place, words[2]) : find_candidate(place, show));
    Paint paint = Paint::for_stream(STDOUT_FILENO, plain);
    show(wrapped("lesson " + number + ", " + place.exercise->what + ": " +
                     sys::printable(candidate.path) +
                     (candidate.binary                   ? ", with your stage linked in"
                      : place.exercise->stage != nullptr ? " stands in for it"
                                                         : ""),
                 0, paint.width()));
    if (root_has_range())
        TRY(hide_root_range());
    std::string text = TRY(run_tests(place, candidate));
    json report = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!report.is_object())
        return sys::wrong("the tests have ended without a report");
    Tally tally = tally_of(report, paint);
    bool passed = tally.failed == 0 && tally.passed > 0;
    TRY(note(place, candidate, tally, passed));
    std::string out = tally.text + "\n";
    if (passed)
        out += paint.bold("passed") + ": 'gocontainer lab solution " + number +
               "' shows how we wrote it\n";
    else if (tally.passed + tally.failed == 0)
        out += "this machine can try none of it: 'gocontainer doctor' says why\n";
    else
        out += std::to_string(tally.passed) + " of " + std::to_string(tally.passed + tally.failed) +
               ": 'gocontainer lab hint " + number + "' has a hint\n";
    return Answer{.text = out, .status = passed ? 0 : 1};
}

/// Everything that `check` says, errors too: they are the learner's to mend, and we go on.
void check_again(Strings words, bool first, const Show& show) {
    words.front() = "check";
    if (!first) // what has changed is to be checked, passed or not
        words.emplace_back("--again");
    auto checked = [&]() -> Result<Answer> {
        try {
            return check(words, show);
        } catch (const json::exception&) {
            return sys::wrong("\"" + TRY(progress_path()) + "\" is damaged");
        }
    }();
    show(checked ? checked->text : to_line(checked.error()) + "\n");
}

Result<Answer> watch_and_check(const Strings& args, const Show& show) {
    Strings words = args;
    bool poll = std::erase(words, "--poll") > 0;
    bool plain = std::erase(words, "--plain") > 0;
    Place place = TRY(place_of(words));
    Watched watched{.folder = place.folder, .only = {}, .poll = poll, .plain = plain};
    if (words.size() > 2) {
        Candidate named = TRY(candidate_at(place, words[2]));
        std::size_t slash = named.path.rfind('/');
        watched.folder = named.path.substr(0, slash);
        watched.only = named.path.substr(slash + 1);
    }
    if (plain)
        words.emplace_back("--plain");
    return watch(watched, show, [&](bool first) { check_again(words, first, show); });
}

Result<Answer> hint(const Strings& args) {
    Place place = TRY(place_of(args));
    std::size_t shown = 0;
    constexpr std::size_t most = std::size(Exercise{}.hints);
    TRY(update_progress([&](json& progress) {
        json& entry = lesson_entry(progress, *place.exercise);
        shown = std::min(entry.value("hints", std::size_t{0}), most - 1);
        entry["hints"] = shown + 1;
    }));
    return Answer{.text = wrapped("hint " + std::to_string(shown + 1) + " of " +
                                      std::to_string(most) + ": " + place.exercise->hints[shown],
                                  0),
                  .status = 0};
}

/// The files of a folder, by name.
Result<Strings> files_of(const std::string& folder) {
    Fd directory = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    Strings out;
    for (const sys::Entry& entry : TRY(sys::entries(directory.get())))
        out.push_back(entry.name);
    std::ranges::sort(out);
    return out;
}

Result<Answer> solution(const Strings& args) {
    Place place = TRY(place_of(args));
    json progress = TRY(load_progress());
    json& entry = lesson_entry(progress, *place.exercise);
    if (!entry.is_object() || !entry.value("passed", json()).is_string())
        return sys::wrong("lesson " + args[1] + " is not passed yet",
                          "'gocontainer lab hint " + args[1] + "' helps on");
    const std::string folder = sys::join(place.folder, "solution");
    std::string out;
    for (const std::string& name : TRY(files_of(folder)))
        out += "--- " + name + "\n" + TRY(sys::read_file(sys::join(folder, name))) + "\n";
    return Answer{.text = out, .status = 0};
}

Result<Answer> start(const Strings& args) {
    Place place = TRY(place_of(args));
    const std::string folder = sys::join(place.folder, "skeleton");
    std::string out;
    for (const std::string& name : TRY(files_of(folder))) {
        const std::string from = sys::join(folder, name), to = sys::join(place.folder, name);
        std::string text = TRY(sys::read_file(from));
        mode_t mode = TRY(sys::fstatat(AT_FDCWD, from, 0)).st_mode & 0777;
        auto file = sys::openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (!file && file.error().code == EEXIST) {
            out += wrapped("\"" + to + "\" is there already, and stays as it is", 0);
            continue;
        }
        Fd made = TRY(std::move(file));
        TRY(sys::write_all(made.get(), text));
        out += (out.empty() ? "write it in \"" : "or in \"") + to + "\"\n";
    }
    return Answer{.text = out + "then: gocontainer lab check " + args[1] + "\n", .status = 0};
}

std::string counted(const json& number, const std::string& what) {
    return number.dump() + " " + what + (number == 1 ? "" : "s");
}

std::string csv_quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
        text.insert(at, "\"");
    return "\"" + text + "\"";
}

Result<Answer> report(const Strings& args) {
    bool csv = args.size() == 2 && args[1] == "--csv";
    bool as_json = args.size() == 2 && args[1] == "--json";
    if (args.size() > 1 && !csv && !as_json)
        return sys::wrong("lab report takes --json or --csv, not \"" + args.back() + "\"");
    json progress = TRY(load_progress());
    const char* user = getenv("USER"); // one from LDAP stands in no file
    const std::string learner =
        stages::user_name(sys::getuid())
            .value_or(user != nullptr ? user : std::to_string(sys::getuid()));
    json rows = json::array();
    const json lessons = progress.value("lessons", json::object());
    for (const Exercise& exercise : exercises()) {
        const std::string lesson = progress_key(exercise.lesson);
        const json entry = lessons.value(lesson, json::object());
        rows.push_back(
            {{"learner", learner},
             {"lesson", lesson},
             {"exercise", exercise.what},
             {"sections", entry.value("section", 0)},
             {"firstCheck", entry.value("firstCheck", "")},
             {"passed",
              entry.value("passed", json()).is_string() ? entry["passed"].get<std::string>() : ""},
             {"checks", entry.value("checks", 0)},
             {"hints", entry.value("hints", 0)},
             {"evidence", entry.value("evidence", json())}});
    }
    if (as_json)
        return Answer{.text = rows.dump(2) + "\n", .status = 0};
    std::string out;
    if (csv) {
        out = "learner,lesson,sections,firstCheck,passed,checks,hints,fingerprint,tests,skipped\n";
        for (const json& row : rows) {
            const json evidence = row["evidence"].is_object() ? row["evidence"] : json::object();
            for (const char* key :
                 {"learner", "lesson", "sections", "firstCheck", "passed", "checks", "hints"})
                out += (row[key].is_string() ? csv_quoted(row[key]) : row[key].dump()) + ",";
            out += csv_quoted(evidence.value("fingerprint", "")) + "," +
                   std::to_string(evidence.value("tests", 0)) + "," +
                   std::to_string(evidence.value("skipped", 0)) + "\n";
        }
        return Answer{.text = out, .status = 0};
    }
    for (const json& row : rows) {
        const std::string passed = row["passed"];
        out += "lesson " + row["lesson"].get<std::string>() + ": " +
               (passed.empty() ? "not passed" : "passed " + passed) + ", " +
               counted(row["checks"], "check") + ", " + counted(row["hints"], "hint") + "\n";
    }
    out += wrapped("from \"" + TRY(progress_path()) +
                       "\", a file that its owner can write: it says what was done, and proves "
                       "nothing",
                   0);
    return Answer{.text = out, .status = 0};
}

} // namespace

bool grades(const std::string& name) {
    constexpr std::string_view kNames[] = {"start", "check", "watch", "hint", "solution", "report"};
    return std::ranges::find(kNames, name) != std::end(kNames);
}

Result<Answer> grade(const Strings& args, const Show& show) {
    const std::string& name = args.front();
    try {
        if (name == "check")
            return check(args, show);
        if (name == "watch")
            return watch_and_check(args, show);
        if (name == "hint")
            return hint(args);
        if (name == "solution")
            return solution(args);
        return name == "start" ? start(args) : report(args);
    } catch (const json::exception&) { // a number that is a text, say
        return sys::wrong("\"" + TRY(progress_path()) + "\" is damaged",
                          "mend it, or move it away and begin anew");
    }
}

} // namespace teach
