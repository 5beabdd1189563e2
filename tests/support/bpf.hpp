// A machine for classic BPF as seccomp(2) has it: what would the kernel do with this call?
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

namespace support {

struct SystemCall {
    std::uint32_t arch = 0; ///< AUDIT_ARCH_*
    std::uint32_t number = 0;
    std::uint64_t args[6] = {};
};

/// The verdict (SECCOMP_RET_*) of `program` on `call`. Throws where the kernel would refuse to load
/// the program or the program would run wild; counts the instructions that it ran in `steps`.
inline std::uint32_t judge(std::span<const std::uint64_t> program, const SystemCall& call,
                           std::size_t* steps = nullptr) {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = call.arch;
    for (int i = 0; i < 6; ++i)
        data.args[i] = call.args[i];
    std::uint32_t a = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        auto step = std::bit_cast<sock_filter>(program[at]);
        if (steps != nullptr)
            ++*steps;
        auto jump = [&](bool yes) { at += yes ? step.jt : step.jf; };
        switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (step.k % 4 != 0 || step.k + 4 > sizeof data)
                throw std::runtime_error("load outside struct seccomp_data");
            memcpy(&a, reinterpret_cast<const char*>(&data) + step.k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= step.k;
            break;
        case BPF_JMP | BPF_JA:
            at += step.k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            jump(a == step.k);
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            jump(a > step.k);
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            jump(a >= step.k);
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            jump((a & step.k) != 0);
            break;
        case BPF_RET | BPF_K:
            return step.k;
        default:
            throw std::runtime_error("instruction that this machine does not know");
        }
    }
    throw std::runtime_error("fell off the end");
}

} // namespace support
