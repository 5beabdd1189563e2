// Signals are blocked in the parent until the command runs; a wait must look for them itself.
#include "stages/waiting.hpp"

#include <array>

namespace stages {

Result<void> wait_readable(const Launch& launch, int fd, const std::string& for_what) {
    Fd signals = TRY(sys::signalfd(sys::ending_signals()));
    std::array<pollfd, 3> fds{};
    fds[0] = {.fd = fd, .events = POLLIN, .revents = 0};
    fds[1] = {.fd = launch.pidfd.get(), .events = POLLIN, .revents = 0};
    fds[2] = {.fd = signals.get(), .events = POLLIN, .revents = 0};
    TRY(sys::poll(fds));
    if (fds[0].revents != 0)
        return {};
    if (fds[1].revents != 0)
        return sys::wrong("the container's first process ended while we waited for " + for_what);
    auto signal = TRY(sys::read_signal(signals.get()));
    return std::unexpected(
        Error{.stage = {},
              .call = {},
              .detail = sys::signal_name(signal.number) + " came while we waited for " + for_what,
              .hint = {},
              .status = 128 + signal.number});
}

} // namespace stages
