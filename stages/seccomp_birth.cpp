// seccomp(2), "Filters": a classic BPF program over struct seccomp_data.
#include "stages/seccomp_birth.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace stages::seccomp {

namespace {

constexpr std::size_t kTests = 8; ///< a load and a comparison each
constexpr std::size_t kInstructions = 2 * kTests + 1;
constexpr std::size_t kWord = 2 * 4 + 1; ///< the instruction that has its first half

using Program = std::array<sock_filter, kInstructions>;

constexpr std::uint32_t argument(std::size_t number, bool upper) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * number + (upper ? 4 : 0));
}

} // namespace

void let_pass(std::string& filter, const sys::CloneWord& word) {
    const std::pair<std::uint32_t, std::uint64_t> tests[kTests] = {
        {offsetof(seccomp_data, arch), seccomp_arch_native()},
        {offsetof(seccomp_data, nr), SYS_clone},
        {argument(0, false), sys::kSiblingFlags},
        {argument(0, true), 0},
        {argument(4, false), word[0] & UINT32_MAX},
        {argument(4, true), word[0] >> 32},
        {argument(5, false), word[1] & UINT32_MAX},
        {argument(5, true), word[1] >> 32}};
    Program program;
    std::size_t at = 0;
    for (auto [offset, value] : tests) {
        program[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
        auto other = static_cast<std::uint8_t>(kInstructions - at - 1);
        program[at++] =
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(value), 0, other);
    }
    program[at] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter.insert(0, reinterpret_cast<const char*>(program.data()), sizeof program);
}

sys::CloneWord word_of(const std::string& filter) {
    Program program{};
    if (filter.size() >= sizeof program)
        memcpy(program.data(), filter.data(), sizeof program);
    auto half = [&](std::size_t number) { return std::uint64_t{program[kWord + 2 * number].k}; };
    return {half(1) << 32 | half(0), half(3) << 32 | half(2)};
}

} // namespace stages::seccomp
