// Finding what a learner has written, and building it.
#include "teach/candidate.hpp"

#include "run/replace.hpp"
#include "sys/path.hpp"
#include "teach/lesson_text.hpp"

#include <sys/wait.h>

#include <charconv>
#include <cstdlib>

namespace teach {

using sys::Fd;
using sys::Result;
using sys::Strings;

namespace {

constexpr const char* kProgram = "mine";
constexpr const char* kLinked = "gocontainer";

bool is_source(const std::string& name) {
    return name.ends_with(".cpp");
}

/// A skeleton that nobody has touched is no work yet.
bool is_untouched(const Place& place, const std::string& name) {
    auto ours = sys::read_file(sys::join(place.folder, "skeleton/" + name));
    auto theirs = sys::read_file(sys::join(place.folder, name));
    return ours && theirs && *ours == *theirs;
}

/// What to check, and what it is built of.
struct Found {
    std::string name;
    bool to_build = false;
    std::int64_t changed = 0; ///< nanoseconds
};

/// The newest of what can be run, and of C++.
Result<Found> newest(const Place& place) {
    Found best;
    Fd folder = TRY(sys::openat(AT_FDCWD, place.folder, O_RDONLY | O_DIRECTORY));
    for (const sys::Entry& entry : TRY(sys::entries(folder.get()))) {
        if (!is_candidate(entry.name))
            continue;
        auto info = sys::fstatat(folder.get(), entry.name, 0);
        bool source = is_source(entry.name);
        if (!info || !S_ISREG(info->st_mode) || (!source && (info->st_mode & 0111) == 0) ||
            (source && is_untouched(place, entry.name)))
            continue;
        std::int64_t changed = info->st_mtim.tv_sec * 1'000'000'000 + info->st_mtim.tv_nsec;
        if (best.name.empty() || changed > best.changed)
            best = {source ? entry.name == "mine.cpp" ? kProgram : kLinked : entry.name, source,
                    changed};
    }
    return best;
}

/// A program that can't be run: most often a file that was saved without its x bit.
std::string unrunnable(const Place& place) {
    for (const char* name : {"mine.sh", "mine.py"}) {
        std::string path = sys::join(place.folder, name);
        if (sys::faccessat(AT_FDCWD, path, R_OK) && !sys::faccessat(AT_FDCWD, path, X_OK))
            return path;
    }
    return "";
}

/// By `make`, which says itself what is wrong with it.
Result<void> build(const Place& place, const std::string& name,
                   const std::function<void(const std::string&)>& show) {
    const std::string make = sys::find_program("make");
    if (make.empty())
        return sys::wrong("there is no make to build yours with", "install make and g++");
    show("building " + name + "\n");
    sys::Spawn spawn{.argv = {"make", "--no-print-directory", "-s", "-C", place.top,
                              name == kProgram ? "mine-program" : "mine-stages",
                              "DIR=" + place.folder},
                     .path = make,
                     .env = {},
                     .fds = {{STDERR_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}},
                     .death_signal = SIGTERM};
    for (const char* variable : {"PATH", "HOME", "TMPDIR", "LANG", "CXX"})
        if (const char* value = getenv(variable); value != nullptr)
            spawn.env.push_back(std::string(variable) + "=" + value);
    pid_t pid = TRY(sys::start(spawn));
    int status = TRY(sys::waitpid(pid, 0)).second;
    if (status != 0)
        return sys::wrong("yours can't be built: the compiler says why");
    return {};
}

} // namespace

bool is_candidate(const std::string& name) {
    if (name.ends_with("~") || name.ends_with(".swp") || name.ends_with(".bak"))
        return false; // an editor's
    return name == kLinked || name == kProgram || name.starts_with("mine.") || is_source(name);
}

Result<Place> place_of(const Strings& args) {
    const bool tries = args[0] == "check" || args[0] == "watch"; // a program
    for (std::size_t i = 1; i < args.size(); ++i)
        if (args[i].starts_with('-') || i > (tries ? 2 : 1))
            return sys::wrong(
                "lab " + args[0] + ": \"" + args[i] +
                    (args[i].starts_with('-') ? "\" is no option" : "\" is one word too many"),
                "'gocontainer lab --help'");
    unsigned number = ~0U;
    const char* end = args.size() > 1 ? args[1].data() + args[1].size() : nullptr;
    bool whole = end != nullptr && std::from_chars(args[1].data(), end, number).ptr == end;
    const Exercise* exercise = whole ? exercise_of(number) : nullptr;
    if (exercise == nullptr)
        return sys::wrong("lab " + args[0] + ": name a lesson: 0 to " +
                          std::to_string(exercises().back().lesson));
    std::string all = TRY(lessons_folder());
    for (const Lesson& lesson : TRY(load_lessons(all)))
        if (lesson.number == number)
            return Place{exercise, sys::join(all, lesson.folder), all.substr(0, all.rfind('/'))};
    return sys::wrong("lesson " + args[1] + " is not in \"" + all + "\"");
}

Result<Candidate> candidate_at(const Place& place, const std::string& path) {
    if (is_source(path))
        return sys::wrong("\"" + path + "\" is not built",
                          "name what 'make mine' makes of it, or nothing: 'gocontainer lab check " +
                              std::to_string(place.exercise->lesson) + "' builds what is in \"" +
                              place.folder + "\"");
    Candidate out{.path = path.starts_with('/') ? path : sys::join(TRY(sys::getcwd()), path),
                  .binary = path.substr(path.rfind('/') + 1) == kLinked};
    TRY(run::check_program(out.path, "lab check"));
    if (out.binary && place.exercise->linked == nullptr)
        return sys::wrong("\"" + path + "\": this exercise is a program of its own: mine.cpp");
    return out;
}

Result<Candidate> find_candidate(const Place& place,
                                 const std::function<void(const std::string&)>& show) {
    Found best = TRY(newest(place));
    const std::string number = std::to_string(place.exercise->lesson);
    if (best.name.empty())
        if (std::string path = unrunnable(place); !path.empty())
            return sys::wrong("\"" + path + "\" can't be executed", "chmod +x " + path);
    if (best.name.empty())
        return sys::wrong("there is nothing of yours in \"" + place.folder + "\" yet",
                          "'gocontainer lab start " + number + "' puts a skeleton there");
    if (best.to_build)
        TRY(build(place, best.name, show));
    return candidate_at(place, sys::join(place.folder, best.name));
}

} // namespace teach
