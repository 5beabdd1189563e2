// Putting down what must be known again, and picking it up.
#include "run/replace.hpp"

#include "run/command.hpp"
#include "run/handshake.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>

namespace run {

using nlohmann::json;

namespace {

const Stage* stage_of(spec::Stage id) {
    auto found = std::ranges::find(stages::table(), id, &Stage::id);
    return found == stages::table().end() ? nullptr : &*found;
}

/// Why nobody can stand in for this stage's child half; "": somebody can.
std::string irreplaceable(const Stage& stage) {
    if (stage.id == spec::Stage::user)
        return "the parent writes its map, and the child becomes root before its re-exec (lesson 2 "
               "has the parent's half as a program of its own)";
    if (stage.id == spec::Stage::init)
        return "it forks, and only one of the two could come back (an init of your own is a "
               "command: lesson 8)";
    return stage.child == nullptr ? "clone3 makes all of it" : "";
}

// A shell's redirections go to 9, its own copies begin at 10: what is ours lies above.
constexpr int kOutOfTheWay = 100;

/// Open over the exec, out of the way.
Result<Fd> over_the_exec(const Fd& fd) {
    auto high = sys::dup_above(fd.get(), kOutOfTheWay);
    if (!high && high.error().code == EINVAL) // RLIMIT_NOFILE is as low as that
        high = sys::dup_above(fd.get(), 10);
    if (high)
        TRY(sys::set_cloexec(high->get(), false));
    return high;
}

/// The same: its number, and device and inode, by which it is known again. null: there is none.
Result<json> kept_open(const Fd& fd) {
    if (!fd.valid())
        return json();
    Fd high = TRY(over_the_exec(fd));
    struct stat is = TRY(sys::fstat(high.get()));
    return json::array({high.release(), is.st_dev, is.st_ino});
}

Result<json> kept_open(const std::vector<Fd>& fds) {
    json out = json::array();
    for (const Fd& fd : fds)
        out.push_back(TRY(kept_open(fd)));
    return out;
}

/// Another one in its place could be executed for it, or mounted into.
Result<Fd> ours_again(const json& kept) {
    if (!kept.is_array())
        return Fd();
    int number = kept[0];
    auto is = sys::fstat(number);
    if (!is || is->st_dev != kept[1].get<dev_t>() || is->st_ino != kept[2].get<ino_t>())
        return sys::wrong("descriptor " + std::to_string(number) +
                              " was closed or replaced by the program that stood in",
                          "it is not that program's: leave alone what is open from " +
                              std::to_string(kOutOfTheWay) + " on");
    TRY(sys::set_cloexec(number, true));
    return Fd(number);
}

Result<std::vector<Fd>> all_ours_again(const json& kept) {
    std::vector<Fd> out;
    for (const json& one : kept)
        out.push_back(TRY(ours_again(one)));
    return out;
}

/// How far the walk is, and what it holds open.
Result<json> put_down(const Inside& inside, const Progress& progress) {
    return json{{"at", name_of(progress.at)},
                {"awaited", progress.awaited},
                {"settled", progress.settled},
                {"passed", progress.passed},
                {"rootfs", TRY(kept_open(inside.rootfs))},
                {"empty", TRY(kept_open(inside.empty))},
                {"console", TRY(kept_open(inside.console))},
                {"landlock", TRY(kept_open(inside.landlock))},
                {"trees", TRY(kept_open(inside.trees))},
                {"readOnlyLater", TRY(kept_open(inside.read_only_later))}};
}

/// What a stage needs to know, for a program that knows none of our structures.
sys::Strings environment(const Inside& inside, const std::string& next) {
    const spec::Spec& spec = inside.spec;
    sys::Strings env{std::string("PATH=") + kDefaultPath,
                     "GOCONTAINER_NEXT=" + next,
                     "GOCONTAINER_NAME=" + spec.name,
                     "GOCONTAINER_HOSTNAME=" +
                         (spec.uts.hostname.empty() ? spec.name : spec.uts.hostname),
                     "GOCONTAINER_DOMAINNAME=" + spec.uts.domainname,
                     "GOCONTAINER_ROOTFS=" + spec.root.path};
    std::string names;
    for (const std::string& name : spec.capabilities.bounding)
        names += (names.empty() ? "" : ",") + name;
    env.push_back("GOCONTAINER_CAPABILITIES=" + names);
    return env;
}

/// A script whose interpreter's name the kernel would read with a CR at its end, and not find.
bool written_on_windows(const std::string& program) {
    auto file = sys::openat(AT_FDCWD, program, O_RDONLY | O_NONBLOCK);
    std::array<char, 256> buffer; // BINPRM_BUF_SIZE: what the kernel looks at
    auto got = file ? sys::read(file->get(), buffer) : 0;
    std::string_view start(buffer.data(), got.value_or(0));
    std::size_t end = std::min(start.find('\n'), start.size());
    return start.starts_with("#!") && start.substr(0, end).ends_with('\r');
}

} // namespace

Result<void> check_program(const std::string& program, const std::string& named) {
    if (auto there = sys::faccessat(AT_FDCWD, program, X_OK); !there) {
        there.error().stage = named;
        if (there.error().code == EACCES)
            there.error().hint = "chmod +x " + program;
        if (there.error().code == ENOENT)
            there.error().hint = "there is no such program: name it by its path from here";
        return there;
    }
    if (sys::openat(AT_FDCWD, program, O_PATH | O_DIRECTORY))
        return sys::wrong(named + ": that is a folder", "name a program in it");
    if (written_on_windows(program))
        return sys::wrong(named + ": its first line ends in CR LF, as on Windows",
                          "sed -i 's/\\r$//' " + program);
    return {};
}

Result<void> check_replacements(const spec::Spec& spec) {
    for (const spec::Replacement& one : spec.replacements) {
        const std::string name(name_of(one.stage));
        const std::string option = "--replace " + name + "=" + one.program;
        const Stage* stage = stage_of(one.stage);
        if (!spec.stages.has(one.stage))
            return sys::wrong(option + ": the " + name + " stage is left out");
        if (std::string why = stage != nullptr ? irreplaceable(*stage) : "?"; !why.empty())
            return sys::wrong(option + ": nothing can stand in for " + name + ": " + why);
        if (std::ranges::count(spec.replacements, one.stage, &spec::Replacement::stage) > 1)
            return sys::wrong(option + ": one program a stage");
        TRY(check_program(one.program, option));
    }
    return {};
}

Result<Replacements> Replacements::open(const spec::Spec& spec) {
    Replacements out;
    for (const spec::Replacement& one : spec.replacements)
        out.programs_.push_back(
            {one.stage, one.program, TRY(sys::openat(AT_FDCWD, one.program, O_PATH))});
    return out;
}

bool Replacements::has(spec::Stage stage) const {
    return std::ranges::find(programs_, stage, &Program::stage) != programs_.end();
}

Error Replacements::become(const Stage& stage, Inside& inside, const Fd& socket,
                           const Progress& progress, const std::string& packed) {
    auto became = [&]() -> Result<void> {
        auto program = std::ranges::find(programs_, stage.id, &Program::stage);
        Fd binary = TRY(sys::openat(AT_FDCWD, "/proc/self/exe", O_PATH));
        const json kept_binary = TRY(kept_open(binary));
        json programs = json::array();
        for (const Program& one : programs_)
            programs.push_back({name_of(one.stage), one.path, TRY(kept_open(one.file))});
        json state = TRY(put_down(inside, progress));
        state["programs"] = programs;
        state["binary"] = kept_binary;
        Fd memory = TRY(sys::memfd_create("gocontainer-walk"));
        TRY(sys::write_all(memory.get(), state.dump() + "\n" + packed));
        TRY(sys::seal(memory.get()));
        Fd kept_memory = TRY(over_the_exec(memory));
        Fd kept_socket = TRY(over_the_exec(socket));
        TRY(say_replaced(socket, std::string(name_of(stage.id)) + "=" + program->path));
        sys::Strings argv{program->path, "child", std::to_string(kept_socket.get()), "-",
                          "-",           "-",     std::to_string(kept_memory.get())};
        const std::string next = "/proc/self/fd/" + std::to_string(kept_binary[0].get<int>());
        // Open over the exec, it is what the kernel tells a script's interpreter to read.
        const json& itself = programs[static_cast<std::size_t>(program - programs_.begin())][2];
        Error error = sys::execveat(itself[0].get<int>(), argv, environment(inside, next));
        if (error.code == ENOENT)
            error.hint = "it is there: so its interpreter is not, in the tree that is in sight by "
                         "now";
        if (error.code == ENOEXEC)
            error.hint = "a script's first line says what runs it: #!/bin/sh";
        return std::unexpected(std::move(error));
    }();
    return std::move(became).error();
}

Result<Resumed> Resumed::from(const Fd& state) {
    TRY(sys::lseek_start(state.get()));
    std::string text = TRY(sys::read_all(state.get()));
    std::size_t line = text.find('\n');
    json known = json::parse(text.substr(0, line), nullptr, /*allow_exceptions=*/false);
    auto at = spec::stage_named(known.is_object() ? known.value("at", "") : "");
    if (!at)
        return sys::wrong("what the child was can't be read any more");
    Resumed out;
    out.progress = {.at = *at,
                    .awaited = known["awaited"],
                    .settled = known["settled"],
                    .passed = known["passed"]};
    out.packed = text.substr(line + 1);
    for (const json& one : known["programs"])
        out.replacements.programs_.push_back(
            {spec::stage_named(one[0].get<std::string>()).value_or(spec::Stage::user), one[1],
             TRY(ours_again(one[2]))});
    out.rootfs = TRY(ours_again(known["rootfs"]));
    out.empty = TRY(ours_again(known["empty"]));
    out.console = TRY(ours_again(known["console"]));
    out.landlock = TRY(ours_again(known["landlock"]));
    out.trees = TRY(all_ours_again(known["trees"]));
    out.read_only_later = TRY(all_ours_again(known["readOnlyLater"]));
    (void)ours_again(known["binary"]); // closed, if it is still there: it has done its service
    return out;
}

Result<void> Resumed::restore(Inside& inside) {
    inside.rootfs = std::move(rootfs);
    inside.empty = std::move(empty);
    inside.console = std::move(console);
    inside.landlock = std::move(landlock);
    inside.trees = std::move(trees);
    inside.read_only_later = std::move(read_only_later);
    // Mounted by the program, whoever that was: what lies at the path now is the root to be.
    if (progress.at == spec::Stage::mount)
        inside.rootfs = TRY(sys::openat(AT_FDCWD, inside.spec.root.path, O_PATH | O_DIRECTORY));
    return {};
}

} // namespace run
