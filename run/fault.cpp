// The faults, and leaving a call out.
#include "run/fault.hpp"

#include "stages/stages.hpp"

#include <algorithm>
#include <charconv>

namespace run {

namespace {

using enum spec::Stage;

// lessons/TEACHING.md tells each one's symptom and evidence.
constexpr Fault kFaults[] = {
    {"propagation", mount, Half::child, "mount_setattr", "{MS_PRIVATE}"},
    {"umount", root, Half::child, "umount2", "\".\", MNT_DETACH"},
    {"map", user, Half::parent, "", ""},
    {"loopback", net, Half::child, "ioctl", "SIOCSIFFLAGS, \"lo\""},
    {"no-new-privs", caps, Half::child, "prctl", "PR_SET_NO_NEW_PRIVS"},
    {"bounding", caps, Half::child, "prctl", "PR_CAPBSET_DROP"},
    {"hostname", uts, Half::child, "sethostname", ""},
    {"cgroup-namespace", cgroup, Half::child, "unshare", "CLONE_NEWCGROUP"},
    {"limit", cgroup, Half::parent, "write", "\"pids.max\""},
    {"groups", user, Half::enter, "setgroups", ""},
    {"descriptors", init, Half::command, "close_range", ""},
    {"read-only", pid, Half::child, "mount_setattr",
     "AT_RECURSIVE|AT_EMPTY_PATH, {set MOUNT_ATTR_RDONLY}"},
    {"directory", root, Half::child, "fchdir", ""},
};

/// By name or number; nullptr: there is none.
const Fault* fault_of(const std::string& text) {
    std::size_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size())
        return number >= 1 && number <= std::size(kFaults) ? &kFaults[number - 1] : nullptr;
    auto found = std::ranges::find(kFaults, std::string_view(text), &Fault::name);
    return found == std::end(kFaults) ? nullptr : &*found;
}

/// A descriptor that the call works on: its first argument, if that is a number; else -1.
long first_number(const sys::Call& call) {
    long fd = -1;
    const char* start = call.text.data() + std::min(call.name.size() + 1, call.text.size());
    (void)std::from_chars(start, call.text.data() + call.text.size(), fd);
    return fd;
}

/// What the kernel would have answered. write(2) tells how much it took: all, its last argument.
long success(const sys::Call& call) {
    long count = 0;
    if (call.name == "write") {
        std::size_t last = call.text.rfind(' ') + 1;
        (void)std::from_chars(call.text.data() + last, call.text.data() + call.text.size(), count);
    }
    return count;
}

} // namespace

std::span<const Fault> faults() {
    return kFaults;
}

Result<void> check_faults(const spec::Spec& spec) {
    for (const std::string& one : spec.faults) {
        const std::string option = "--break " + one;
        const Fault* fault = fault_of(one);
        if (fault == nullptr)
            return sys::wrong(option + ": there is no such fault",
                              "they are numbered from 1 to " + std::to_string(std::size(kFaults)) +
                                  "; lessons/TEACHING.md has them");
        if (fault->half != Half::command && !spec.stages.has(fault->stage))
            return sys::wrong(option + ": the " + std::string(name_of(fault->stage)) +
                              " stage is left out");
        if (!spec.replacements.empty())
            return sys::wrong(option + ": not together with --replace");
        // Only a user namespace of its own keeps the new mounts from spreading
        // (mount_namespaces(7)).
        if (fault->stage == mount && !spec.stages.has(user))
            return sys::wrong(option + ": without the user stage this machine would get the "
                                       "container's mounts, and keep them");
    }
    return {};
}

bool left_out(const spec::Spec& spec, Half half, const stages::Stage& stage) {
    return std::ranges::any_of(spec.faults, [&](const std::string& one) {
        const Fault* fault = fault_of(one);
        return fault != nullptr && fault->call.empty() && fault->half == half &&
               fault->stage == stage.id;
    });
}

Saboteur::Saboteur(const spec::Spec& spec) : next_(sys::listener) {
    for (const std::string& one : spec.faults)
        if (const Fault* fault = fault_of(one); fault != nullptr && !fault->call.empty())
            planned_.push_back({fault});
    if (!planned_.empty())
        sys::listener = this;
}

bool Saboteur::is(const Fault& fault, const sys::Call& call) const {
    if (call.name != fault.call)
        return false;
    if (call.text.find(fault.text) != std::string::npos)
        return true;
    auto file = std::ranges::find(opened_, first_number(call), &Opened::fd);
    return file != opened_.end() && file->call.find(fault.text) != std::string::npos;
}

std::optional<long> Saboteur::before(const sys::Call& call) {
    leaving_out_ = false;
    for (Planned& one : planned_)
        if (is(*one.fault, call)) {
            one.struck = leaving_out_ = true;
            return success(call);
        }
    return next_ != nullptr ? next_->before(call) : std::nullopt;
}

void Saboteur::after(const sys::Call& call, long result) {
    if (leaving_out_)
        return; // it was never made: nobody hears of it
    if (call.name.starts_with("openat") && result >= 0) {
        std::erase_if(opened_, [&](const Opened& one) { return one.fd == result; });
        opened_.push_back({result, call.text});
    }
    if (next_ != nullptr)
        next_->after(call, result);
}

Result<void> Saboteur::struck_in(Half half) const {
    for (const Planned& one : planned_)
        if (one.fault->half == half && !one.struck)
            return sys::wrong("--break " + std::string(one.fault->name) +
                              ": this launch has nothing that it could break");
    return {};
}

} // namespace run
