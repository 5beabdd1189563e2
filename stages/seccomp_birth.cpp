// seccomp(2), "Filters": a classic BPF program over struct seccomp_data.
#include "stages/seccomp_birth.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstring>
#include <vector>

namespace stages::seccomp {

namespace {

/// A field of seccomp_data, of 32 bits, and what it must be.
using Test = std::pair<std::size_t, std::uint64_t>;

constexpr std::size_t argument(std::size_t number, bool upper) {
    return offsetof(seccomp_data, args) + 8 * number + (upper ? 4 : 0);
}

constexpr std::size_t kWord = 4; ///< the test of the first half, in the birth's program

/// A program that lets the call through which passes all tests; any other goes on to `filter`.
void put_before(std::string& filter, const std::vector<Test>& tests) {
    std::vector<sock_filter> program;
    for (auto [offset, value] : tests) {
        auto to_the_end = static_cast<std::uint8_t>(2 * tests.size() - program.size() - 1);
        program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
        program.push_back(
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(value), 0, to_the_end));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    filter.insert(0, reinterpret_cast<const char*>(program.data()),
                  program.size() * sizeof(sock_filter));
}

} // namespace

void let_pass(std::string& filter, const sys::Word& word) {
    auto native = [&](long call, std::size_t which, std::uint64_t value) -> std::vector<Test> {
        return {{offsetof(seccomp_data, arch), seccomp_arch_native()},
                {offsetof(seccomp_data, nr), call},
                {argument(which, false), value},
                {argument(which, true), 0},
                {argument(4, false), word[0] & UINT32_MAX},
                {argument(4, true), word[0] >> 32},
                {argument(5, false), word[1] & UINT32_MAX},
                {argument(5, true), word[1] >> 32}};
    };
    put_before(filter, native(SYS_ioctl, 1, TIOCSCTTY));
    put_before(filter, native(SYS_setsid, 0, 0));
    put_before(filter, native(SYS_clone, 0, sys::kSiblingFlags));
}

sys::Word word_of(const std::string& filter) {
    auto half = [&](std::size_t number) -> std::uint64_t {
        sock_filter one{};
        std::size_t at = (2 * (kWord + number) + 1) * sizeof one; // behind what it loads
        if (filter.size() >= at + sizeof one)
            memcpy(&one, filter.data() + at, sizeof one);
        return one.k;
    };
    return {half(1) << 32 | half(0), half(3) << 32 | half(2)};
}

} // namespace stages::seccomp
