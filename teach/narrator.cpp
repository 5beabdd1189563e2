// Calls and steps to text and to JSON lines.
#include "teach/narrator.hpp"

#include "sys/path.hpp"
#include "teach/describe.hpp"
#include "teach/lines.hpp"
#include "teach/why.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace teach {

using nlohmann::ordered_json;
using run::Half;
using sys::Error;

namespace {

std::string jsonl(const ordered_json& line) {
    return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json names(const run::Step& step) {
    constexpr std::pair<Half, const char*> kHalves[] = {
        {Half::prepare, "prepare"}, {Half::parent, "parent"},       {Half::enter, "enter"},
        {Half::child, "child"},     {Half::meanwhile, "meanwhile"}, {Half::clone, "clone"},
        {Half::re_exec, "re-exec"}, {Half::settle, "settle"},       {Half::command, "command"},
        {Half::undo, "undo"},
    };
    ordered_json out;
    out["stage"] =
        step.stage != nullptr ? ordered_json(name_of(step.stage->id)) : ordered_json(nullptr);
    for (auto [half, name] : kHalves)
        if (half == step.half)
            out["half"] = name;
    return out;
}

bool is_childs(Half half) {
    return half == Half::child || half == Half::settle || half == Half::command;
}

/// What a call is, when it did not go through the handshake's teller.
run::Called called_here(const sys::Call& call, std::optional<long> result) {
    return {
        .pid = sys::getpid(), .name = std::string(call.name), .text = call.whole, .result = result};
}

/// A file that is written from its start, whatever it held; at a number that the child's re-exec,
/// which is told of too, has no use for.
Result<Fd> output(const std::string& path, const char* option) {
    constexpr int kOutOfTheWay = 100;
    auto file = sys::output_file(path, O_APPEND | O_NONBLOCK);
    if (!file) {
        file.error().stage = option;
        if (file.error().hint.empty())
            file.error().hint = "name a file that you may write, in a directory that is there";
        return file;
    }
    return sys::dup_above(file->get(), kOutOfTheWay);
}

} // namespace

Narrator::Narrator(spec::Watching watching, const spec::Spec& spec, Print print)
    : watching_(std::move(watching)), spec_(spec), print_(std::move(print)),
      paint_(Paint::for_stream(STDERR_FILENO, watching_.plain)), width_(terminal_width()),
      pause_(paint_, print_), self_(sys::getpid()) {}

Result<std::unique_ptr<Narrator>> Narrator::make(const spec::Watching& watching,
                                                 const spec::Spec& spec, Print print) {
    std::unique_ptr<Narrator> narrator(new Narrator(watching, spec, std::move(print)));
    if (!watching.trace.empty())
        narrator->trace_ = TRY(output(watching.trace, "--trace"));
    if (!watching.recording.empty())
        narrator->recording_ = TRY(output(watching.recording, "--record"));
    narrator->trace(jsonl({{"event", "begin"}})); // from here on what we call is told
    sys::listener = narrator.get();
    run::watcher = narrator.get();
    return narrator;
}

Narrator::~Narrator() {
    talking_ = true;
    if (recording_.valid())
        keep(recording_, "--record", recorded_.dump(1) + "\n");
    if (unkept_)
        print_(message("gocontainer: " + sys::to_line(*unkept_)));
    sys::listener = nullptr;
    run::watcher = nullptr;
}

/// A full disk is no reason to end the container, but one to say so when that has ended.
void Narrator::keep(const Fd& file, const char* option, const std::string& text) {
    auto kept = sys::write_all(file.get(), text);
    if (kept || unkept_)
        return;
    unkept_ = std::move(kept).error();
    unkept_->stage = option;
    unkept_->hint = "not all of it is in the file: make room, or name another";
}

void Narrator::trace(const std::string& line) {
    if (trace_.valid())
        keep(trace_, "--trace", line);
}

/// The heading of the step that is under way, once.
void Narrator::announce() {
    if (!watching_.explain || std::exchange(announced_, true))
        return;
    std::string name = title(*step_);
    std::string place = where(step_->half);
    if (paint_.plain()) {
        print_("\n" + std::string(step_->stage != nullptr ? "Stage " : "") + name + ", " + place +
               ".\n" + wrapped(why(*step_), 0, width_));
        return;
    }
    std::string line;
    for (std::size_t used = columns(name) + columns(place) + 8; used < width_; ++used)
        line += "─";
    print_("\n" + paint_.dim("── ") + paint_.bold(name) + " " +
           paint_.dim(line + " " + place + " ──") + "\n" + wrapped(why(*step_), 3, width_));
}

/// Whether a call that this process makes is a part of the story: its own steps are, and those of
/// the child until its re-exec, which is then a copy of us; waiting for the child is not.
bool Narrator::listens() const {
    if (talking_ || (step_ && is_childs(step_->half)))
        return false;
    bool copied = step_ && (step_->half == Half::enter || step_->half == Half::re_exec);
    return copied || starting_ || sys::getpid() == self_;
}

/// The number of the child in our /proc. Before its re-exec it is in there itself.
pid_t Narrator::seen(pid_t child) const {
    if (child != 0 || sys::getpid() == self_)
        return child;
    auto self = sys::readlinkat(AT_FDCWD, "/proc/self");
    return self ? static_cast<pid_t>(std::strtol(self->c_str(), nullptr, 10)) : 0;
}

void Narrator::record(const run::Step& step, const char* when, const Snapshot& of) {
    if (!recording_.valid())
        return;
    ordered_json entry = names(step);
    entry["when"] = when;
    entry["why"] = why(step);
    Snapshot counted = of;
    count_members(counted);
    entry["snapshot"] = to_json(counted);
    entry["calls"] = calls_;
    recorded_.push_back(std::move(entry));
}

Result<void> Narrator::pause(const run::Step& step, pid_t child) {
    if (step.stage == nullptr || !watching_.pauses.has(step.stage->id))
        return {};
    // Once a stage: before the child's half; where it has none, before the parent's.
    bool parents = step.stage->child == nullptr && step.stage->parent != nullptr;
    if (step.half != (parents ? Half::parent : Half::child))
        return {};
    switch (TRY(pause_.ask(step, child))) {
    case Pause::Answer::explain:
        watching_.explain = true;
        break;
    case Pause::Answer::quit:
        return std::unexpected(Error{.stage = {},
                                     .call = {},
                                     .detail = "ended before the " + title(step) +
                                               " stage, as you asked: nothing of it is left",
                                     .hint = {},
                                     .status = 130});
    case Pause::Answer::go_on:
        break;
    }
    return {};
}

Result<void> Narrator::before(const run::Step& step, pid_t child) {
    talking_ = true;
    auto told = [&]() -> Result<void> {
        trace(jsonl({{"event", "look"}})); // what comes next in this process is the narrator's
        TRY(pause(step, child));
        step_ = step;
        announced_ = false;
        calls_ = ordered_json::array();
        ordered_json line = names(step);
        line["event"] = "before";
        line["child"] = seen_ = seen(child);
        line["why"] = why(step);
        // A stage without such a half is told where nothing else is said of it. What the parent
        // does is told with its first call: for many stages it does nothing.
        bool made = step.empty && step.stage->parent != nullptr;
        if (is_childs(step.half) ? !made : step.half == Half::clone || step.half == Half::re_exec)
            announce();
        auto own = std::ranges::find(spec_.replacements,
                                     step.stage != nullptr ? step.stage->id : spec::Stage::user,
                                     &spec::Replacement::stage);
        if (watching_.explain && step.half == Half::child && own != spec_.replacements.end())
            print_(wrapped(sys::printable(own->program) +
                               " stands in for it, and makes its own calls: they are not heard "
                               "here, but what they change is told below, as the kernel shows it "
                               "before and after ('strace -f' in front of this command line shows "
                               "the calls)",
                           3, width_));
        replaced_ = step.half == Half::child && own != spec_.replacements.end();
        before_.reset();
        // The clone's own before is us: that is what the child is a copy of.
        pid_t whom = step.half == Half::clone ? self_ : seen_;
        if (auto now = whom != 0 ? snapshot(whom) : Result<Snapshot>(std::unexpect)) {
            before_ = std::move(*now);
            record(step, "before", *before_);
        }
        trace(jsonl(line)); // what comes next in this process is the step's
        return {};
    }();
    talking_ = false;
    return told;
}

/// What the step has changed, to the person and into the trace's line.
void Narrator::compare(const run::Step& step, pid_t child) {
    pid_t whom = seen(child);
    auto now = whom != 0 ? snapshot(whom) : Result<Snapshot>(std::unexpect);
    std::vector<Change> changes;
    if (now && before_) {
        record(step, "after", *now);
        changes = diff(*before_, *now);
    }
    if (replaced_) // it has executed us again: that is no doing of its own
        std::erase_if(changes, [](const Change& change) {
            return change.what == "name" || change.what == "command line";
        });
    ordered_json line = names(step);
    line["event"] = "changed";
    line["changed"] = to_json(changes);
    trace(jsonl(line));
    if (!watching_.explain || changes.empty())
        return;
    announce();
    std::string text = teach::describe(changes, paint_, width_ - 5);
    std::string out = "   " + paint_.bold("changed in the kernel's eyes") + "\n     ";
    for (char c : text.substr(0, text.size() - 1)) // its last newline comes back below
        out += c == '\n' ? "\n     " : std::string(1, c);
    print_(out + "\n");
}

Result<void> Narrator::after(const run::Step& step, pid_t child) {
    talking_ = true;
    ordered_json line = names(step);
    line["event"] = "after";
    line["child"] = child != 0 ? child : seen_; // nothing is asked before the step is over
    trace(jsonl(line));
    compare(step, child);
    step_.reset();
    talking_ = false;
    return {};
}

void Narrator::gone() {
    talking_ = true;
    if (auto call = std::exchange(pending_, std::nullopt))
        tell(*call, Maker::child);
    trace(jsonl({{"event", "gone"}}));
    step_.reset();
    if (watching_.explain)
        print_("\n");
    talking_ = false;
}

void Narrator::called(const run::Called& call) {
    talking_ = true;
    told(call);
    talking_ = false;
}

std::optional<long> Narrator::before(const sys::Call& call) {
    if (!listens())
        return std::nullopt;
    talking_ = true;
    // An exec does not come back to say how it went.
    if (call.name == "execveat")
        tell(called_here(call, std::nullopt), side());
    else if (side() == Maker::program && call.name == "execve")
        program_.push_back(called_here(call, std::nullopt));
    starting_ = starting_ || call.name == "vfork";
    talking_ = false;
    return std::nullopt;
}

void Narrator::after(const sys::Call& call, long result) {
    if (!listens())
        return;
    talking_ = true;
    const Maker maker = side();
    if (maker == Maker::program) {
        if (call.name == "execve") // it has come back
            program_.pop_back();
        program_.push_back(called_here(call, result));
    } else if (std::exchange(starting_, false) && !program_.empty()) {
        start(program_.front().pid);
        for (const run::Called& one : std::exchange(program_, {}))
            tell(one, Maker::program);
    } else {
        tell(called_here(call, result), maker);
    }
    talking_ = false;
}

/// Who makes the call that we hear.
Narrator::Maker Narrator::side() const {
    if (step_ && (step_->half == Half::enter || step_->half == Half::re_exec))
        return Maker::child;
    return starting_ && sys::getpid() != self_ ? Maker::program : Maker::parent;
}

/// A vfork has made `program`.
void Narrator::start(pid_t program) {
    programs_ = {.descriptors = ours_.descriptors, .shell = {}};
    tell({.pid = self_, .name = "vfork", .text = "vfork()", .result = program}, Maker::parent);
}

void Narrator::show(const run::Called& call, const std::string& text, const std::string& shell) {
    if (!watching_.explain || !step_)
        return;
    announce();
    std::string result = result_text(call);
    bool failed = call.result && *call.result < 0;
    std::string out = broken(text, width_);
    std::size_t last = columns(out.substr(out.rfind('\n') + 1));
    if (last + 1 + columns(result) > width_) {
        out += "\n";
        last = 0;
    }
    if (!result.empty())
        out += std::string(width_ - last - columns(result), ' ') +
               (failed ? paint_.red(result) : paint_.dim(result));
    out += "\n";
    if (!shell.empty())
        out += pasteable(shell, width_, paint_);
    print_(out);
}

void Narrator::told(const run::Called& call) {
    // An exec is told when it is known how it went: it has come back, or the child is gone.
    if (call.name == "execve" && !call.result) {
        pending_ = call;
        return;
    }
    pending_.reset();
    tell(call, Maker::child);
}

void Narrator::tell(const run::Called& call, Maker maker) {
    if (call.name.starts_with("cap_")) // libcap's arithmetic: the kernel hears nothing of it
        return;
    // Before its re-exec the child has the parent's descriptors, and after it none of them.
    Side& side = maker == Maker::program           ? programs_
                 : step_ && is_childs(step_->half) ? childs_
                                                   : ours_;
    std::string shell = side.shell.like(call, side.descriptors);
    if (maker == Maker::program && shell.starts_with("exec "))
        shell = shell.substr(5); // a shell makes a process for it, as we do
    if (trace_.valid() || recording_.valid()) {
        ordered_json line =
            step_ ? names(*step_) : ordered_json({{"stage", nullptr}, {"half", nullptr}});
        line["event"] = "call";
        line["side"] = maker == Maker::child     ? "child"
                       : maker == Maker::program ? "program"
                                                 : "parent";
        line["pid"] = call.pid;
        line["call"] = call.name;
        line["text"] = call.text;
        if (call.result)
            line["result"] = *call.result < 0 ? -1 : *call.result;
        if (call.result && *call.result < 0)
            line["errno"] = sys::errno_name(static_cast<int>(-*call.result));
        if (!shell.empty())
            line["shell"] = shell;
        trace(jsonl(line));
        if (recording_.valid())
            calls_.push_back(std::move(line));
    }
    std::string who =
        maker == Maker::program ? "[pid " + std::to_string(call.pid) + "] " : std::string();
    show(call, who + sys::printable(side.descriptors.annotated(call)), sys::printable(shell));
    side.descriptors.note(call);
    // The one process of a launch that does not tell: it makes its calls beside the parent's.
    bool keeper = call.name == "clone3" && call.result && *call.result > 0 && step_ &&
                  step_->half != Half::clone;
    if (keeper && watching_.explain)
        print_(wrapped("process " + std::to_string(*call.result) +
                           " is the keeper, one more of ours: it sleeps until the launcher ends "
                           "and, when that was killed, takes away what it has left. Its own calls "
                           "are not heard here ('strace -f' in front of this command line shows "
                           "them)",
                       5, width_));
}

} // namespace teach
