// The instructions, one by one.
#include "stages/bpf.hpp"

#include <linux/seccomp.h>

#include <bit>
#include <cstddef>

namespace stages::seccomp {

namespace {

constexpr std::size_t kFarthest = 255;

/// Where the halves of an argument are in struct seccomp_data.
struct Halves {
    std::uint32_t low, high;
};
constexpr Halves halves(unsigned arg) {
    auto at = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + std::size_t{8} * arg);
    return std::endian::native == std::endian::little ? Halves{at, at + 4} : Halves{at + 4, at};
}
constexpr std::uint32_t low(std::uint64_t value) {
    return static_cast<std::uint32_t>(value);
}
constexpr std::uint32_t high(std::uint64_t value) {
    return static_cast<std::uint32_t>(value >> 32);
}

} // namespace

Backwards::Label Backwards::push(sock_filter instruction) {
    code_.push_back(instruction);
    return code_.size();
}

Backwards::Label Backwards::jump(Label to) {
    return push(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(distance(to))));
}

Backwards::Label Backwards::ret(std::uint32_t verdict) {
    auto found = rets_.find(verdict);
    // Half the way, so that whoever asks can still write some code of its own in between.
    if (found == rets_.end() || distance(found->second) > kFarthest / 2)
        found = rets_.insert_or_assign(verdict, push(BPF_STMT(BPF_RET | BPF_K, verdict))).first;
    return found->second;
}

Backwards::Label Backwards::load(std::uint32_t offset, Label next) {
    if (distance(next) != 0)
        (void)jump(next); // which is what follows now
    return push(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

Backwards::Label Backwards::mask(std::uint32_t mask, Label next) {
    if (distance(next) != 0)
        (void)jump(next); // which is what follows now
    return push(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
}

Backwards::Label Backwards::branch(std::uint16_t test, std::uint32_t value, Label yes, Label no) {
    if (distance(no) >= kFarthest) // one less: the next line may write an instruction
        no = jump(no);
    if (distance(yes) > kFarthest)
        yes = jump(yes);
    return push(sock_filter{static_cast<std::uint16_t>(BPF_JMP | test | BPF_K),
                            static_cast<std::uint8_t>(distance(yes)),
                            static_cast<std::uint8_t>(distance(no)), value});
}

Backwards::Label Backwards::equal(unsigned arg, unsigned bits, std::uint64_t mask_of,
                                  std::uint64_t value, Label yes, Label no) {
    auto half = [&](std::uint32_t offset, std::uint32_t of, std::uint32_t want, Label then) {
        if (of == 0)
            return want == 0 ? then : no;
        Label next = branch(BPF_JEQ, want, then, no);
        if (of != UINT32_MAX)
            next = mask(of, next);
        return load(offset, next);
    };
    auto [low_at, high_at] = halves(arg);
    Label upper = half(high_at, bits == 32 ? 0 : high(mask_of), high(value), yes);
    return half(low_at, low(mask_of), low(value), upper);
}

// The high half decides, unless it is equal.
Backwards::Label Backwards::above(unsigned arg, unsigned bits, std::uint16_t test,
                                  std::uint64_t value, Label yes, Label no) {
    auto [low_at, high_at] = halves(arg);
    if (bits == 32 && high(value) != 0)
        return no;
    Label lower = load(low_at, branch(test, low(value), yes, no));
    if (bits == 32)
        return lower;
    Label equal_or_less = branch(BPF_JEQ, high(value), lower, no);
    return load(high_at, branch(BPF_JGT, high(value), yes, equal_or_less));
}

Backwards::Label Backwards::compare(const scmp_arg_cmp& arg, unsigned bits, Label yes, Label no) {
    switch (arg.op) {
    case SCMP_CMP_NE:
        return equal(arg.arg, bits, UINT64_MAX, arg.datum_a, no, yes);
    case SCMP_CMP_EQ:
        return equal(arg.arg, bits, UINT64_MAX, arg.datum_a, yes, no);
    case SCMP_CMP_MASKED_EQ:
        return equal(arg.arg, bits, arg.datum_a, arg.datum_b, yes, no);
    case SCMP_CMP_GT:
        return above(arg.arg, bits, BPF_JGT, arg.datum_a, yes, no);
    case SCMP_CMP_GE:
        return above(arg.arg, bits, BPF_JGE, arg.datum_a, yes, no);
    case SCMP_CMP_LE:
        return above(arg.arg, bits, BPF_JGT, arg.datum_a, no, yes);
    case SCMP_CMP_LT:
        return above(arg.arg, bits, BPF_JGE, arg.datum_a, no, yes);
    default:
        return no; // the reader makes no others
    }
}

Bpf Backwards::finish() const {
    Bpf out;
    out.reserve(code_.size());
    for (std::size_t i = code_.size(); i-- > 0;)
        out.push_back(std::bit_cast<std::uint64_t>(code_[i]));
    return out;
}

} // namespace stages::seccomp
