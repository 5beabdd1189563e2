// The child's last act, and the change of who is the parent's child.
#include "run/newcomer.hpp"

#include "stages/caps.hpp"
#include "stages/seccomp_birth.hpp"
#include "stages/stages.hpp"

#include <sys/socket.h>

#include <charconv>

namespace run {

Result<void> change_line(const Fd& socket) {
    auto [theirs, ours] = TRY(sys::socketpair(SOCK_SEQPACKET));
    TRY(say_line(socket, theirs));
    TRY(sys::dup2(ours.get(), socket.get()));
    return sys::set_cloexec(socket.get(), true);
}

Result<Fd> other_line(const Fd& socket) {
    Message message = TRY(hear(socket));
    if (message.said == Said::failed)
        return std::unexpected(error_of(message));
    if (message.said != Said::line)
        return sys::wrong("the process that was to join the container was killed");
    return std::move(message.fd);
}

Result<void> permit_birth(stages::Facts& facts) {
    if (facts.seccomp_filter.empty()) // there is none, or our own default, under which all may fork
        return {};
    sys::Word word{};
    for (std::uint64_t& half : word)
        half = TRY(sys::getrandom());
    stages::seccomp::let_pass(facts.seccomp_filter, word);
    return {};
}

Result<Cord> Cord::make() {
    auto [end, held] = TRY(sys::pipe());
    return Cord{std::move(end), std::move(held)};
}

// Standing: in the container, but for its PID namespace; the command's user, capabilities and
// filter.
Result<void> be_born(const Fd& socket, const stages::Facts& facts, Cord cord) {
    const char go = 'G';
    const auto held = static_cast<unsigned>(cord.held.get());
    pid_t newcomer = TRY(sys::fork_sibling(stages::seccomp::word_of(facts.seccomp_filter)));
    if (newcomer != 0) {
        auto said = say_born(socket, newcomer);
        if (said && sys::write(cord.held.get(), std::string_view(&go, 1)))
            sys::exit_now(0);
        (void)sys::kill(newcomer, SIGKILL); // it would see our end as well
        return said ? sys::wrong("the new process can't be told to go on") : std::move(said);
    }
    // Held here too, it would have no end. Of the two calls a profile may know only one.
    if (!sys::close_range(held, held, 0))
        cord.held.close();
    (void)cord.held.release();
    char heard = 0;
    if (TRY(sys::read(cord.end.get(), std::span(&heard, 1))) != 1)
        sys::exit_now(125); // the child has failed, and says so itself
    if (!facts.orphan)
        (void)stages::die_with_parent(); // a fork clears it; without it, the command outlives us
    return {};
}

Result<void> adopt(stages::Launch& launch, const Message& born) {
    pid_t newcomer = 0;
    const std::string& text = born.text;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), newcomer);
    // Who has taken over the newcomer may say anything, but there is only one other child of ours.
    if (error != std::errc{} || newcomer <= 0 || newcomer == launch.child ||
        !sys::is_child(newcomer))
        return sys::wrong("the process that was born into the container is none of ours");
    Fd pidfd = TRY(sys::pidfd_open(newcomer)); // not waited for: still it
    TRY(sys::waitpid(launch.child, 0));
    launch.child = newcomer;
    launch.ledger->child = newcomer;
    launch.pidfd = std::move(pidfd);
    return {};
}

} // namespace run
