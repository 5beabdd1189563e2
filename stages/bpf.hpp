// Writing a classic BPF program for seccomp, from its last instruction to its first.
//
// Jumps only go forward, and only 255 instructions far. Written backwards, where a jump leads is
// known when it is written, and one that is too far gets a stepping stone there and then.
#pragma once

#include <linux/filter.h>
#include <seccomp.h>

#include <cstdint>
#include <map>
#include <vector>

namespace stages::seccomp {

/// struct sock_filter, eight bytes each as the kernel wants them.
using Bpf = std::vector<std::uint64_t>;

class Backwards {
public:
    /// A place in the program, counted from its end.
    using Label = std::size_t;

    /// End with `verdict`; one instruction serves all who are near.
    Label ret(std::uint32_t verdict);
    /// A = word at `offset` of struct seccomp_data, then `next`.
    Label load(std::uint32_t offset, Label next);
    /// A &= `mask`, then `next`.
    Label mask(std::uint32_t mask, Label next);
    /// On A against `value`: BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET.
    Label branch(std::uint16_t test, std::uint32_t value, Label yes, Label no);
    /// A comparison of an argument in all its bits: 64, or the lower 32, which is what a 32-bit
    /// program can pass (x32 can more, but nothing looks at it).
    Label compare(const scmp_arg_cmp& arg, unsigned bits, Label yes, Label no);

    /// The program, first instruction first.
    Bpf finish() const;

private:
    Label push(sock_filter instruction);
    Label jump(Label to);
    std::size_t distance(Label to) const { return code_.size() - to; }
    Label equal(unsigned arg, unsigned bits, std::uint64_t mask, std::uint64_t value, Label yes,
                Label no);
    Label above(unsigned arg, unsigned bits, std::uint16_t test, std::uint64_t value, Label yes,
                Label no);

    std::vector<sock_filter> code_; // last instruction first
    std::map<std::uint32_t, Label> rets_;
};

} // namespace stages::seccomp
