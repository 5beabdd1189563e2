// What is done to a container that is there.
#include "oci/control.hpp"

#include "oci/inspect.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/cgroup_tree.hpp"
#include "sys/path.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>

namespace oci {

namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    return out;
}

/// Without a cgroup, by which all would be met at once.
Result<void> signal_others(pid_t first, int signal) {
    ino_t theirs = pid_namespace(first);
    for (pid_t pid : TRY(companions(first))) {
        if (pid == first)
            continue;
        auto process = sys::pidfd_open(pid);
        // Looked at only now: the number may have been another's when it was opened.
        if (process && pid_namespace(pid) != theirs)
            continue;
        auto sent = process ? sys::pidfd_send_signal(process->get(), signal)
                            : std::unexpected(std::move(process).error());
        if (!sent && sent.error().code != ESRCH)
            return sent;
    }
    return {};
}

} // namespace

std::optional<int> signal_named(std::string_view text) {
    int number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size())
        return number >= 0 && number < NSIG ? std::optional(number) : std::nullopt;
    std::string name = upper(text);
    if (!name.starts_with("SIG"))
        name = "SIG" + name;
    // Of signal(7)'s two names for one number, libc has one only.
    for (auto [other, usual] : {std::pair("SIGIO", SIGIO), {"SIGIOT", SIGIOT}, {"SIGCLD", SIGCLD}})
        if (name == other)
            return usual;
    for (int candidate = 1; candidate < NSIG; ++candidate)
        if (sys::signal_name(candidate) == name)
            return candidate;
    for (auto [prefix, base, sign] :
         {std::tuple("SIGRTMIN", SIGRTMIN, 1), {"SIGRTMAX", SIGRTMAX, -1}}) {
        if (!name.starts_with(prefix))
            continue;
        std::string_view rest = std::string_view(name).substr(8);
        if (rest.empty())
            return base;
        int offset = 0;
        auto read = std::from_chars(rest.data() + 1, rest.data() + rest.size(), offset);
        if (rest.front() == (sign > 0 ? '+' : '-') && read.ec == std::errc{} &&
            read.ptr == rest.data() + rest.size() && offset >= 0 && offset <= SIGRTMAX - SIGRTMIN)
            return base + sign * offset;
    }
    return std::nullopt;
}

Result<void> kill(const Global& global, const std::string& id, int signal, bool all) {
    Store store = TRY(Store::open(global.root, id));
    Progress progress = TRY(store.look());
    Now now = TRY(store.now(progress));
    bool has_leaf = progress.ledger.leaf[0] != '\0';
    // Its first process may be gone while others live, where they share somebody's PID namespace.
    std::optional<State> state = TRY(store.state());
    if (all || (signal == SIGKILL && state && state->shares_pids)) {
        if (has_leaf && stages::cgroup::is_ours(progress.ledger))
            return stages::cgroup::kill_all(progress.ledger.leaf, signal);
        if (now.status == Status::stopped && all)
            return {};
    }
    Fd process = now.status == Status::stopped ? Fd() : first_process(progress.ledger);
    if (!process.valid())
        return sys::wrong("container not running");
    if (all && !has_leaf)
        TRY(signal_others(now.pid, signal)); // before the first, with which they would end
    auto sent = sys::pidfd_send_signal(process.get(), signal);
    if (!sent && sent.error().code == ESRCH)
        return sys::wrong("container not running");
    TRY(std::move(sent));
    // For the `delete` that follows on the same line.
    if (constexpr int kEnding[] = {SIGTERM, SIGKILL, SIGINT, SIGQUIT, SIGHUP};
        std::ranges::find(kEnding, signal) != std::end(kEnding))
        return store.set_ending();
    return {};
}

Result<void> pause(const Global& global, const std::string& id) {
    Store store = TRY(Store::open(global.root, id));
    TRY(store.lock());
    Now now = TRY(store.now());
    if (now.status == Status::paused)
        return sys::wrong("container paused");
    if (now.status != Status::running && now.status != Status::created)
        return sys::wrong("container not running");
    Progress progress = TRY(store.look());
    return stages::cgroup::freeze(TRY(leaf_of(progress, "pause")));
}

Result<void> resume(const Global& global, const std::string& id) {
    Store store = TRY(Store::open(global.root, id));
    TRY(store.lock());
    if (TRY(store.now()).status != Status::paused)
        return sys::wrong("container not paused");
    Progress progress = TRY(store.look());
    return stages::cgroup::thaw(TRY(leaf_of(progress, "resume")));
}

} // namespace oci
