// The parent's wait: messages, signals, the terminal, the end.
#pragma once

#include "run/handshake.hpp"
#include "run/slate.hpp"

#include <functional>

namespace run {

/// Signals held back from here to the end of its life; supervise() takes them from a signalfd.
class BlockedSignals {
public:
    BlockedSignals(sigset_t before, std::uint64_t bits) : before_(before), bits_(bits) {}
    BlockedSignals(BlockedSignals&& other) noexcept
        : before_(other.before_), bits_(other.bits_), active_(std::exchange(other.active_, false)) {
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    BlockedSignals& operator=(BlockedSignals&&) = delete;
    ~BlockedSignals() { restore(); }
    /// Before that: what has come meanwhile takes its effect.
    void restore();
    /// What was blocked before, bit N-1 for signal N: the command gets that back.
    std::uint64_t mask_bits() const { return bits_; }

private:
    sigset_t before_;
    std::uint64_t bits_;
    bool active_ = true;
};
Result<BlockedSignals> block_signals();
/// Block those of `mask_bits`, and no others.
Result<void> restore_signals(std::uint64_t mask_bits);

/// Another descriptor that is listened to meanwhile.
struct Beside {
    int fd = -1; ///< there is none
    std::function<void()> on_word;
};

/// Wait for the command's end, forwarding signals and, with a terminal, bytes both ways.
/// `console`: the pty's master, when the child has sent it already. `slate`: what it may write on
/// when it can't say it. `on_orphan`: called when another child of ours has ended.
/// The exit status, 128+N for signal N; the child's own Error when it failed before its exec.
Result<int> supervise(const spec::Spec& spec, pid_t child, const Fd& pidfd, const Fd& socket,
                      const std::function<void(const std::string&)>& say, Fd console = {},
                      const Slate& slate = {}, const std::function<void()>& on_orphan = {},
                      const Beside& beside = {});

/// SIGKILL is silent: of a command that `ended` by it, say what the leaf knows of killing for
/// memory.
void tell_of_memory(const Result<int>& ended, const std::string& leaf,
                    const std::function<void(const std::string&)>& say);

} // namespace run
