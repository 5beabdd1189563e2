// Children that are thrown away, and what they find.
#include "teach/doctor_probe.hpp"

#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <optional>

namespace teach {

using stages::causes::Cause;
using sys::Error;
using sys::Fd;
using sys::Result;

namespace {

constexpr std::chrono::milliseconds kPatience{30'000};

nlohmann::json to_json(const Error& error, const Cause& cause) {
    return {{"call", error.call},  {"code", error.code}, {"detail", error.detail},
            {"hint", error.hint},  {"name", cause.name}, {"what", cause.what},
            {"why", cause.why},    {"fix", cause.fix},   {"command", cause.command},
            {"opens", cause.opens}};
}

/// What no row of the table explains, in the error's own words.
Cause cause_of(const Error& error) {
    Error bare = error;
    bare.stage.clear();
    bare.hint.clear();
    return {.name = "other", .what = sys::to_line(bare), .fix = error.hint, .opens = "nothing"};
}

/// In the child: the error, and the last row that was found, if it is what the error's hint is of.
std::string report_of(const std::function<Result<void>()>& work) {
    std::optional<Cause> last;
    stages::causes::Ear ear([&](const Cause& cause) { last = cause; });
    auto done = work();
    if (done)
        return {};
    const Error& error = done.error();
    bool told = last && (error.hint == last->hint() || error.hint == last->fix ||
                         error.hint.empty()); // a launch would have gone on without
    return to_json(error, told ? *last : cause_of(error)).dump();
}

Finding lost(std::string name, Error error) {
    Cause cause = cause_of(error);
    return {.probe = std::move(name),
            .works = false,
            .error = std::move(error),
            .cause = std::move(cause)};
}

Finding read_report(std::string name, const std::string& text) {
    if (text.empty())
        return {.probe = std::move(name), .works = true, .error = {}, .cause = {}};
    auto read = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!read.is_object())
        return lost(std::move(name),
                    sys::wrong("the child that tried it could not tell what it found").error());
    auto word = [&](const char* key) { return read.value(key, std::string()); };
    return {.probe = std::move(name),
            .works = false,
            .error = {.stage = {},
                      .call = word("call"),
                      .code = read.value("code", 0),
                      .detail = word("detail"),
                      .hint = word("hint")},
            .cause = {.name = word("name"),
                      .what = word("what"),
                      .why = word("why"),
                      .fix = word("fix"),
                      .command = word("command"),
                      .opens = word("opens")}};
}

/// All of it; not by a path below /proc, which the child may have mounted anew.
Result<std::string> text_of(const Fd& memory) {
    TRY(sys::lseek_start(memory.get()));
    return sys::read_all(memory.get());
}

/// The wait status of a child, when it has ended; nothing: it would not.
Result<std::optional<int>> wait_for(pid_t child) {
    Fd pidfd = TRY(sys::pidfd_open(child)); // ours, and not waited for: it is there
    pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    bool in_time = TRY(sys::poll(std::span(&ended, 1), kPatience)) > 0;
    if (!in_time)
        TRY(sys::pidfd_send_signal(pidfd.get(), SIGKILL));
    int status = TRY(sys::waitpid(child, 0)).second;
    return in_time ? std::optional(status) : std::nullopt;
}

} // namespace

Result<Telling> Telling::start(const std::function<std::string()>& work) {
    Telling it;
    // Memory rather than a pipe: whatever the child leaves running for a moment may hold it.
    it.memory_ = TRY(sys::memfd_create("gocontainer-told"));
    it.child_ = TRY(sys::fork());
    if (it.child_ == 0) {
        (void)stages::die_with_parent();
        std::string text = work();
        auto told = sys::write(it.memory_.get(), text);
        sys::exit_now(told && *told == text.size() ? 0 : 1);
    }
    return it;
}

Result<std::string> Telling::finish() {
    auto status = TRY(wait_for(child_));
    if (!status)
        return sys::wrong("the child that tried it had no answer after half a minute");
    if (*status != 0)
        return sys::wrong("the child that tried it was ended");
    return text_of(memory_);
}

Finding try_in_child(const std::string& name, const std::function<Result<void>()>& work) {
    auto told = [&]() -> Result<std::string> {
        Telling child = TRY(Telling::start([&] { return report_of(work); }));
        return child.finish();
    }();
    return told ? read_report(name, *told) : lost(name, std::move(told).error());
}

Result<void> become_root_in(const Ground& ground, std::uint64_t namespaces) {
    auto kind = [](std::uint64_t flag) {
        for (const stages::Stage& stage : stages::table())
            if (stage.clone_flag == flag)
                return std::string(stage.ns);
        return std::string();
    };
    auto make = [&](std::uint64_t flag) {
        return stages::hint(sys::unshare(flag), [&](const Error& error) {
            return stages::causes::no_namespace(kind(flag), error.code);
        });
    };
    if (ground.own_user) {
        std::string uid = std::to_string(sys::geteuid());
        std::string gid = std::to_string(sys::getgid());
        TRY(make(CLONE_NEWUSER));
        auto powerless = [](const Error& error) {
            return stages::causes::powerless_root(error.code);
        };
        TRY(stages::hint(sys::write_proc("/proc/self/setgroups", "deny"), powerless));
        TRY(stages::hint(sys::write_proc("/proc/self/uid_map", "0 " + uid + " 1"), powerless));
        TRY(stages::hint(sys::write_proc("/proc/self/gid_map", "0 " + gid + " 1"), powerless));
    }
    for (std::uint64_t flag = 1; flag != 0 && flag <= namespaces; flag <<= 1U)
        if ((namespaces & flag) != 0)
            TRY(make(flag));
    return {};
}

Result<void> keep_mounts_private() {
    return stages::hint(
        stages::set_propagation(AT_FDCWD, "/", MS_PRIVATE, AT_RECURSIVE),
        [](const Error& error) { return stages::causes::powerless_root(error.code); });
}

Rehearsal::All::All(run::Keeper made)
    : keeper(std::move(made)), launch{.spec = spec, .ledger = &keeper.ledger()} {
    launch.keep = [this] { return keeper.start(); };
    launch.say = [this](const std::string&) { said = true; };
}

Result<Rehearsal> Rehearsal::make() {
    auto all = std::make_unique<All>(TRY(run::Keeper::make()));
    all->spec.name = "doctor-" + TRY(sys::random_hex(4));
    return Rehearsal(std::move(all));
}

Rehearsal::~Rehearsal() {
    if (all_ == nullptr)
        return;
    run::undo(all_->keeper.ledger());
    all_->hold.close();
    if (all_->launch.child != 0)
        (void)sys::waitpid(all_->launch.child, 0); // it ends by itself now
}

Result<void> Rehearsal::start_child(const Ground& ground, std::uint64_t namespaces) {
    stages::Launch& launch = all_->launch;
    if (!ground.own_user)
        all_->spec.stages.remove(spec::Stage::user);
    auto [made_read, made_write] = TRY(sys::pipe());
    auto [hold_read, hold_write] = TRY(sys::pipe());
    pid_t child = TRY(sys::fork());
    if (child == 0) {
        hold_write.close(); // else we would never see the parent's end
        auto done = sys::unshare(namespaces | (ground.own_user ? CLONE_NEWUSER : 0U));
        char code = static_cast<char>(done ? 0 : done.error().code);
        (void)sys::write(made_write.get(), std::string_view(&code, 1)); // then it hears our end
        (void)sys::read(hold_read.get(), std::span(&code, 1));
        sys::exit_now(0);
    }
    launch.child = child;
    all_->hold = std::move(hold_write);
    made_write.close();
    char code = 0;
    if (TRY(sys::read(made_read.get(), std::span(&code, 1))) != 1)
        return sys::wrong("the child was ended");
    if (code != 0) {
        Error error{.stage = {}, .call = "unshare", .code = code, .detail = {}, .hint = {}};
        error.hint = stages::causes::no_namespace("user", code);
        return std::unexpected(std::move(error));
    }
    launch.pidfd = TRY(sys::pidfd_open(child));
    if (!ground.own_user)
        return {};
    TRY(stages::user::prepare(launch));
    return stages::user::parent(launch);
}

} // namespace teach
