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
               "has "
               "the parent's half as a program of its own)";
    if (stage.id == spec::Stage::init)
        return "it forks, and only one of the two could come back (an init of your own is a "
               "command: "
               "lesson 8)";
    return stage.child == nullptr ? "clone3 makes all of it" : "";
}

/// Open over the exec, and its number; -1 for none.
int kept_open(const Fd& fd) {
    return fd.valid() && sys::set_cloexec(fd.get(), false) ? fd.get() : -1;
}

json kept_open(const std::vector<Fd>& fds) {
    json out = json::array();
    for (const Fd& fd : fds)
        out.push_back(kept_open(fd));
    return out;
}

Fd ours_again(const json& number) {
    int fd = number.is_number_integer() ? number.get<int>() : -1;
    return fd >= 0 && sys::set_cloexec(fd, true) ? Fd(fd) : Fd();
}

std::vector<Fd> all_ours_again(const json& numbers) {
    std::vector<Fd> out;
    for (const json& number : numbers)
        out.push_back(ours_again(number));
    return out;
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

} // namespace

bool written_on_windows(const std::string& program) {
    auto file = sys::openat(AT_FDCWD, program, O_RDONLY | O_NONBLOCK);
    std::array<char, 256> buffer; // BINPRM_BUF_SIZE: what the kernel looks at
    auto got = file ? sys::read(file->get(), buffer) : 0;
    std::string_view start(buffer.data(), got.value_or(0));
    std::size_t end = std::min(start.find('\n'), start.size());
    return start.starts_with("#!") && start.substr(0, end).ends_with('\r');
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
        if (auto there = sys::faccessat(AT_FDCWD, one.program, X_OK); !there) {
            there.error().detail = option;
            if (there.error().code == EACCES)
                there.error().hint = "chmod +x " + one.program;
            return there;
        }
        if (written_on_windows(one.program))
            return sys::wrong(option + ": its first line ends in CR LF, as on Windows",
                              "sed -i 's/\\r$//' " + one.program);
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
        TRY(sys::set_cloexec(binary.get(), false));
        json programs = json::array();
        for (const Program& one : programs_)
            programs.push_back({name_of(one.stage), one.path, kept_open(one.file)});
        json state = {{"at", name_of(stage.id)},
                      {"awaited", progress.awaited},
                      {"settled", progress.settled},
                      {"passed", progress.passed},
                      {"programs", programs},
                      {"rootfs", kept_open(inside.rootfs)},
                      {"empty", kept_open(inside.empty)},
                      {"console", kept_open(inside.console)},
                      {"landlock", kept_open(inside.landlock)},
                      {"trees", kept_open(inside.trees)},
                      {"readOnlyLater", kept_open(inside.read_only_later)},
                      {"binary", binary.get()}};
        Fd memory = TRY(sys::memfd_create("gocontainer-walk"));
        TRY(sys::write_all(memory.get(), state.dump() + "\n" + packed));
        TRY(sys::seal(memory.get()));
        TRY(sys::set_cloexec(memory.get(), false));
        TRY(sys::set_cloexec(socket.get(), false));
        TRY(say_replaced(socket, std::string(name_of(stage.id)) + "=" + program->path));
        sys::Strings argv{program->path, "child", std::to_string(socket.get()),
                          "-",           "-",     std::to_string(memory.get())};
        const std::string next = "/proc/self/fd/" + std::to_string(binary.release());
        Error error = sys::execveat(program->file.get(), argv, environment(inside, next));
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
             ours_again(one[2])});
    out.rootfs = ours_again(known["rootfs"]);
    out.empty = ours_again(known["empty"]);
    out.console = ours_again(known["console"]);
    out.landlock = ours_again(known["landlock"]);
    out.trees = all_ours_again(known["trees"]);
    out.read_only_later = all_ours_again(known["readOnlyLater"]);
    (void)ours_again(known["binary"]); // closed: it has done its service
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
