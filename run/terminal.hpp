// The caller's terminal in raw mode, and the bytes between it and the container's pty. Where the
// caller has no terminal, but a pipe or a file, its bytes go the same ways.
#pragma once

#include "sys/kernel.hpp"

#include <optional>
#include <string>

namespace run {

/// Has the caller's terminal another process group in its foreground: is this a background job?
bool in_background();

/// Give a new pty the size (unless it has one, `sized`) and the modes of the caller's terminal, if
/// there is one: with `background`, its character set alone, since the rest is another's (a shell
/// has it in raw mode while it edits a line). In the child, whose streams are still the caller's:
/// what the command makes of its terminal, from its first moment on, nobody changes again behind
/// its back.
sys::Result<void> match_terminal(const sys::Fd& master, bool sized, bool background);

class Terminal {
public:
    Terminal() = default;
    ~Terminal() { restore(); }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// `master` has come from the child: go raw.
    sys::Result<void> attach(sys::Fd master);
    bool attached() const { return master_.valid(); }
    int master() const { return master_.get(); }

    /// Raw, or as the caller had it (before a stop, and at the end). In the background neither:
    /// to touch its modes, or to read, would stop us as a whole (SIGTTOU, SIGTTIN of termios(3)).
    sys::Result<void> make_raw();
    /// The job may have come to the foreground, or left it.
    void look_again();
    void restore();
    void copy_size();

    /// What to wait for: fill three entries, for stdin, the master and stdout.
    void interest(std::span<pollfd, 3> fds) const;
    /// Move bytes. The returned ones were typed: the caller looks for ^C among them.
    sys::Result<std::string> relay(std::span<const pollfd, 3> fds);
    /// Write what the command has written so far.
    void flush();
    /// The command has ended: what it wrote last, and the caller's modes again.
    void finish();

    /// The signal that the pty's line discipline makes of `character` now; 0 for none.
    int signal_of(char character) const;
    /// Foreground process group of the pty, as seen from here.
    pid_t foreground() const;
    /// Leader of the session that the pty belongs to, likewise.
    pid_t session() const;

private:
    bool behind() const;
    void end_input();
    void end_input_again();

    sys::Fd master_;
    int shown_on_ = -1; ///< the first of our streams that is a terminal, stdin if it is; -1: none
    std::optional<termios> outer_; ///< the caller's modes, while we are raw
    sys::Fd arrivals_; ///< in the background: tells that something was typed, to whomever
    std::string to_inner_;
    std::string to_outer_;
    bool input_open_ = true;
    bool unfinished_ = false; ///< what was typed last is no whole line
    bool output_open_ = true;
    bool end_may_be_lost_ = false; ///< ^D was for the line discipline, and nobody may have read it
};

} // namespace run
