// Starting, awaiting and ending slirp4netns or pasta.
#include "stages/causes.hpp"
#include "stages/net.hpp"
#include "stages/stages.hpp"
#include "stages/waiting.hpp"
#include "sys/path.hpp"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace stages::net {

namespace {

constexpr std::int64_t kMostSaid = 16384;

/// Memory for what the program prints, of a fixed size: past that its writes fail. A pipe would
/// need a reader, or kill it with SIGPIPE, for as long as the container lives.
Result<Fd> log_of(const std::string& name) {
    Fd memory = TRY(sys::memfd_create(name));
    TRY(sys::ftruncate(memory.get(), kMostSaid));
    TRY(sys::seal_size(memory.get()));
    return memory;
}

std::string read_log(const Fd& said) {
    std::array<char, kMostSaid> buffer{};
    if (!sys::lseek_start(said.get()))
        return {};
    std::size_t length = sys::read(said.get(), buffer).value_or(0);
    return {buffer.data(), strnlen(buffer.data(), length)};
}

/// "exit status 1", "SIGKILL".
std::string how_it_ended(int status) {
    if (WIFEXITED(status))
        return "exit status " + std::to_string(WEXITSTATUS(status));
    return sys::signal_name(WTERMSIG(status));
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

std::string last_words(std::string_view said) {
    std::string_view best;
    while (!said.empty()) {
        std::string_view line = said.substr(0, said.find('\n'));
        said.remove_prefix(std::min(line.size() + 1, said.size()));
        // An option that it does not know is followed by all those that it does.
        if (contains(line, "unrecognized option"))
            return std::string(line);
        // What it says after it has given up, and what pasta says where nobody reads its log.
        bool aftermath = line.empty() || line.starts_with("child failed(") ||
                         line.starts_with("parent failed") || line.starts_with("do_slirp") ||
                         line.starts_with("create_sandbox failed") ||
                         line.starts_with("enable_seccomp failed") ||
                         line.starts_with("Failed to sandbox process") ||
                         line.starts_with("Failed to send ");
        if (!aftermath)
            best = line;
    }
    return std::string(best);
}

Result<Helper> start(Launch& launch, sys::Strings arguments, int ready_fd,
                     std::vector<std::pair<int, int>> fds) {
    Helper helper;
    helper.name = arguments.front().substr(arguments.front().rfind('/') + 1);
    helper.said = TRY(log_of(helper.name));
    auto [ready, ready_theirs] = TRY(sys::pipe());
    helper.ready = std::move(ready);
    sys::Spawn spawn;
    spawn.argv = std::move(arguments);
    spawn.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    spawn.fds = std::move(fds);
    spawn.fds.emplace_back(ready_theirs.get(), ready_fd);
    spawn.fds.emplace_back(helper.said.get(), STDERR_FILENO);
    // What slirp4netns says on its standard output is good news only, and arrives last.
    Fd null = TRY(sys::openat(AT_FDCWD, "/dev/null", O_WRONLY));
    if (ready_fd != STDOUT_FILENO)
        spawn.fds.emplace_back(null.get(), STDOUT_FILENO);
    spawn.note = &launch.ledger->helper;
    // It serves the container, and where that outlives us, so does it: then run::tend_network ends
    // it.
    spawn.death_signal = launch.facts.orphan ? 0 : SIGKILL;
    // Root's slirp4netns puts its sandbox together on /tmp, which on many machines is a mount
    // that is shared with the namespace around it: without this one, everybody's /tmp is covered.
    // An ordinary user's is in the container's user namespace, from which no mount reaches ours.
    spawn.own_mounts = helper.name == "slirp4netns" && sys::geteuid() == 0;
    launch.ledger->helper_started = 0;
    auto started = sys::start(spawn);
    if (!started && spawn.own_mounts && started.error().code == EPERM)
        started.error().hint = causes::no_sandbox();
    pid_t pid = TRY(std::move(started));
    launch.ledger->helper_started = TRY(sys::start_time(pid));
    return helper;
}

Result<void> wait(Launch& launch, Helper& helper, std::string (*make_hint)(const std::string&)) {
    TRY(wait_readable(launch, helper.ready.get(), helper.name));
    std::array<char, 16> word{};
    if (TRY(sys::read(helper.ready.get(), word)) != 0)
        return {};
    // Nobody has the other end any more. If it is not on its way out, it may not stay; if it is,
    // the signal changes nothing of how it ended.
    (void)sys::kill(launch.ledger->helper, SIGKILL); // our child, not waited for: it is there
    auto [pid, status] = TRY(sys::waitpid(launch.ledger->helper, 0));
    launch.ledger->helper = 0;
    std::string said = read_log(helper.said);
    std::string words = last_words(said);
    return sys::wrong(helper.name + " ended before the network was up (" + how_it_ended(status) +
                          ")" + (words.empty() ? "" : ": \"" + words + "\""),
                      make_hint(said));
}

namespace {

void end_helper(const Ledger& ledger) {
    pid_t pid = ledger.helper;
    auto state = sys::waitpid(pid, WNOHANG);
    if (state && state->first == pid)
        return;                        // it had ended by itself
    auto pidfd = sys::pidfd_open(pid); // first: from here on the number can't change its meaning
    if (!pidfd)
        return;
    // The keeper is not its parent, so the number may be another's by now; unless the launcher was
    // killed before it could note the time, which was a moment ago.
    bool ours = state || ledger.helper_started == 0 ||
                sys::start_time(pid).value_or(0) == ledger.helper_started;
    // Neither program has anything to put in order: its end is the end of its connections.
    if (!ours || !sys::pidfd_send_signal(pidfd->get(), SIGKILL))
        return;
    pollfd ended{.fd = pidfd->get(), .events = POLLIN, .revents = 0};
    (void)sys::poll(std::span(&ended, 1)); // one valid descriptor: can't fail
    (void)sys::waitpid(pid, 0);            // ECHILD in the keeper
}

} // namespace

void undo(Ledger& ledger) {
    if (ledger.helper != 0)
        end_helper(ledger);
    ledger.helper = 0;
    remove_scratch(ledger);
}

} // namespace stages::net
