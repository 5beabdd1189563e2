// The words between a Teller and who hears it.
#include "run/watch.hpp"

#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace run {

using nlohmann::json;

namespace {

/// The handshake is the watcher's own wire; a listing of it would be about itself.
bool is_wire(const sys::Call& call, const Fd& socket) {
    const std::string start = std::string(call.name) + "(" + std::to_string(socket.get());
    if (!call.text.starts_with(start))
        return false;
    char next = call.text.size() > start.size() ? call.text[start.size()] : ')';
    return (next == ',' || next == ')') &&
           (call.name == "sendmsg" || call.name == "recvmsg" || call.name == "recv");
}

} // namespace

std::optional<long> Teller::before(const sys::Call& call) {
    if (call.name == "execve")
        say(call, std::nullopt);
    if (call.name == "seccomp" && silent_after_filter_) {
        say(call, std::nullopt);
        silent_ = true;
    }
    return std::nullopt;
}

void Teller::after(const sys::Call& call, long result) {
    say(call, result);
}

void Teller::say(const sys::Call& call, std::optional<long> result) {
    if (silent_ || talking_ || is_wire(call, socket_))
        return;
    talking_ = true;
    json told = {{"pid", sys::getpid()}, {"name", call.name}, {"text", call.whole}};
    if (result)
        told["result"] = *result;
    (void)say_called(socket_, told.dump(-1, ' ', false, json::error_handler_t::replace)); // who has
    // gone hears nothing, and the child finds that out where it matters
    talking_ = false;
}

Result<void> Teller::say_and_wait(Said said, const Step& step) {
    if (silent_)
        return {};
    talking_ = true;
    json told = {{"half", std::string(1, static_cast<char>(step.half))}, {"empty", step.empty}};
    if (step.stage != nullptr)
        told["stage"] = name_of(step.stage->id);
    auto answered = [&]() -> Result<void> {
        TRY(say_step(socket_, said, told.dump()));
        if (TRY(hear(socket_)).said != Said::proceed)
            sys::exit_now(125); // the parent is gone, or has ended the launch
        return {};
    }();
    talking_ = false;
    return answered;
}

Step step_of(const Message& message) {
    json told = json::parse(message.text, nullptr, /*allow_exceptions=*/false);
    Step step;
    if (!told.is_object())
        return step;
    step.half = static_cast<Half>(told.value("half", "c").front());
    step.empty = told.value("empty", false);
    auto id = spec::stage_named(told.value("stage", ""));
    auto found = std::ranges::find_if(
        stages::table(), [&](const stages::Stage& stage) { return id && stage.id == *id; });
    if (found != stages::table().end())
        step.stage = &*found;
    return step;
}

Called called_of(const Message& message) {
    json told = json::parse(message.text, nullptr, /*allow_exceptions=*/false);
    Called call;
    if (!told.is_object())
        return call;
    call.pid = told.value("pid", 0);
    call.name = told.value("name", "");
    call.text = told.value("text", "");
    if (told.contains("result"))
        call.result = told.value("result", 0L);
    return call;
}

} // namespace run
