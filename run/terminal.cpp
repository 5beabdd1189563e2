// Relay between two terminals, or files and one, without ever blocking on one while the other
// waits.
#include "run/terminal.hpp"

#include "sys/watch.hpp"

#include <array>
#include <cerrno>

namespace run {

using sys::Fd;
using sys::Result;

namespace {
constexpr std::size_t kChunk = 1 << 14;
constexpr std::size_t kFull = 1 << 16; // past this we stop reading until it is written
/// The first of our streams that is a terminal, or -1.
int first_terminal() {
    for (int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (sys::isatty(stream))
            return stream;
    return -1;
}

/// 0: the group is outside of our PID namespace, so nobody can say. An error: the terminal is not
/// that of our session, where there are no jobs.
bool others(int terminal) {
    auto group = sys::tcgetpgrp(terminal);
    return group && *group != 0 && *group != sys::getpgrp();
}

} // namespace

bool in_background() {
    int terminal = first_terminal();
    return terminal >= 0 && others(terminal);
}

Result<void> match_terminal(const Fd& master, bool sized, bool background) {
    int outer = first_terminal();
    if (outer < 0)
        return {};
    if (auto size = sys::get_winsize(outer); size && !sized)
        (void)sys::set_winsize(master.get(), *size); // an odd size is no reason to stop
    // The inner line discipline takes over what the outer one did for the caller: its erase
    // character, its UTF-8.
    termios modes = TRY(sys::tcgetattr(outer));
    if (background) {
        tcflag_t utf8 = modes.c_iflag & IUTF8;
        modes = TRY(sys::tcgetattr(master.get()));
        modes.c_iflag |= utf8;
    }
    return sys::tcsetattr(master.get(), modes);
}

Result<void> Terminal::attach(Fd master) {
    master_ = std::move(master);
    shown_on_ = first_terminal();
    TRY(sys::set_nonblocking(master_.get()));
    return make_raw();
}

Result<void> Terminal::make_raw() {
    if (shown_on_ != STDIN_FILENO)
        return {}; // nobody types here, but somebody may want to end us by ^C
    if (behind()) {
        if (!arrivals_.valid())
            arrivals_ = TRY(sys::watch_arrivals(STDIN_FILENO));
        return {};
    }
    arrivals_.close();
    termios mode = TRY(sys::tcgetattr(STDIN_FILENO));
    if (!outer_)
        outer_ = mode;
    cfmakeraw(&mode);
    return sys::tcsetattr(STDIN_FILENO, mode);
}

void Terminal::restore() {
    if (outer_ && !behind())
        (void)sys::tcsetattr(STDIN_FILENO, *outer_); // the terminal may be gone by now
    outer_.reset();
}

bool Terminal::behind() const {
    return shown_on_ == STDIN_FILENO && others(STDIN_FILENO);
}

void Terminal::look_again() {
    if (!attached() || shown_on_ != STDIN_FILENO || !input_open_)
        return;
    if (arrivals_.valid())
        (void)sys::drain_arrivals(arrivals_.get()); // a valid descriptor: can't fail
    if (behind() == arrivals_.valid())
        return;
    if (!make_raw())
        end_input(); // it is gone
    copy_size();
}

void Terminal::copy_size() {
    if (shown_on_ < 0)
        return;
    if (auto size = sys::get_winsize(shown_on_))
        (void)sys::set_winsize(master_.get(), *size); // an odd size is no reason to stop
}

/// A terminal that hangs up ends in SIGHUP. A pipe that ends is told as a person would tell it, by
/// ^D (termios(3), VEOF), and once more behind an unfinished line: a pty has no other end of input.
void Terminal::end_input() {
    input_open_ = false;
    if (shown_on_ == STDIN_FILENO)
        return;
    auto mode = sys::tcgetattr(master_.get());
    if (!mode || mode->c_cc[VEOF] == 0)
        return;
    to_inner_.append(unfinished_ ? 2 : 1, static_cast<char>(mode->c_cc[VEOF]));
    end_may_be_lost_ = (mode->c_lflag & ICANON) != 0;
}

/// Who edits lines itself takes ICANON away before its first prompt, and the end that waited there
/// with it (Linux's n_tty makes a zero byte of it): then it is typed once more, to the prompt.
void Terminal::end_input_again() {
    auto mode = sys::tcgetattr(master_.get());
    if (!mode || (mode->c_lflag & ICANON) != 0)
        return;
    to_inner_ += static_cast<char>(mode->c_cc[VEOF]);
    end_may_be_lost_ = false;
}

void Terminal::interest(std::span<pollfd, 3> fds) const {
    bool on = attached();
    auto events = [](bool read, bool write) {
        return static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
    };
    bool read_input = on && input_open_ && to_inner_.size() < kFull;
    bool read_output = on && output_open_ && to_outer_.size() < kFull;
    bool write_inner = on && output_open_ && !to_inner_.empty();
    bool write_outer = on && !to_outer_.empty();
    int input = arrivals_.valid() ? arrivals_.get() : STDIN_FILENO;
    fds[0] = {.fd = read_input ? input : -1, .events = events(true, false), .revents = 0};
    fds[1] = {.fd = read_output || write_inner ? master_.get() : -1,
              .events = events(read_output, write_inner),
              .revents = 0};
    fds[2] = {.fd = write_outer ? STDOUT_FILENO : -1, .events = events(false, true), .revents = 0};
}

Result<std::string> Terminal::relay(std::span<const pollfd, 3> fds) {
    std::array<char, kChunk> buffer;
    std::string typed;
    if (fds[0].revents != 0)
        look_again();
    if (fds[0].revents != 0 && !arrivals_.valid() && input_open_) {
        auto got = sys::read(STDIN_FILENO, buffer);
        if (got && *got > 0) {
            typed.assign(buffer.data(), *got);
            to_inner_ += typed;
            unfinished_ = typed.back() != '\n';
        } else if (!got && got.error().code == EAGAIN) {
            // somebody made our stdin non-blocking, and was quicker
        } else {
            end_input();
        }
    }
    if ((fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        auto got = sys::read(master_.get(), buffer);
        if (got && *got > 0)
            to_outer_.append(buffer.data(), *got);
        else if (!got && got.error().code != EAGAIN)
            output_open_ = false; // EIO: no process has the slave open
        if (end_may_be_lost_ && output_open_)
            end_input_again();
    }
    if (!to_inner_.empty() && output_open_) {
        auto put = sys::write(master_.get(), to_inner_);
        if (put)
            to_inner_.erase(0, *put);
        else if (put.error().code != EAGAIN)
            to_inner_.clear();
    }
    if ((fds[2].revents & POLLOUT) != 0) {
        auto put = sys::write(STDOUT_FILENO, std::string_view(to_outer_).substr(0, 1024));
        if (put)
            to_outer_.erase(0, *put);
        else if (put.error().code != EAGAIN)
            return std::unexpected(std::move(put).error());
    } else if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) {
        to_outer_.clear();
    }
    return typed;
}

void Terminal::flush() {
    std::array<char, kChunk> buffer;
    while (attached() && output_open_) {
        auto got = sys::read(master_.get(), buffer);
        if (!got || *got == 0)
            break; // EIO at the end, EAGAIN when there is no more for now
        to_outer_.append(buffer.data(), *got);
    }
    while (!to_outer_.empty()) {
        pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
        auto ready = sys::poll(std::span(&out, 1));
        auto put = sys::write(STDOUT_FILENO, std::string_view(to_outer_).substr(0, 1024));
        if (!ready || (!put && put.error().code != EAGAIN))
            break; // the terminal is gone
        if (put)
            to_outer_.erase(0, *put);
    }
}

void Terminal::finish() {
    flush();
    master_.close();
    restore();
}

int Terminal::signal_of(char character) const {
    auto mode = sys::tcgetattr(master_.get());
    if (!mode || (mode->c_lflag & ISIG) == 0)
        return 0;
    auto typed = static_cast<cc_t>(character);
    if (typed == 0)
        return 0;
    if (typed == mode->c_cc[VINTR])
        return SIGINT;
    if (typed == mode->c_cc[VQUIT])
        return SIGQUIT;
    return typed == mode->c_cc[VSUSP] ? SIGTSTP : 0;
}

pid_t Terminal::session() const {
    return sys::tcgetsid(master_.get()).value_or(0);
}

pid_t Terminal::foreground() const {
    return sys::tcgetpgrp(master_.get()).value_or(0);
}

} // namespace run
