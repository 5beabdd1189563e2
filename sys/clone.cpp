// clone3 for a child that shares our memory until it execs, as vfork's does.
//
// A fork copies the page tables, and both sides then fault on every page that they write: a tenth
// of a whole launch. A child with CLONE_VM and a stack of its own costs none of that. libc offers
// no clone3 with a stack, and a C function can't return on another stack than it was called on,
// so the child's first steps are four instructions here.
#include "sys/kernel.hpp"

#include "sys/flags.hpp"
#include "sys/structures.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <climits>

namespace sys {

namespace {

// ASan keeps books on every stack; it gets a fork. So does an architecture without its lines here,
// and who is listened to: a listener allocates, on both sides at once.
#if defined(__SANITIZE_ADDRESS__)
#elif defined(__x86_64__)
#define ON_A_STACK
long clone3_onto(clone_args* args, void (*run)(void*), void* argument) {
    long result = SYS_clone3;
    register void (*to)(void*) asm("r12") = run;
    register void* with asm("r13") = argument;
    asm volatile("syscall\n\t"
                 "test %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "xor %%ebp, %%ebp\n\t" // the outermost frame
                 "mov %%r13, %%rdi\n\t"
                 "call *%%r12\n\t"
                 "ud2\n" // run() must not return
                 "1:"
                 : "+a"(result)
                 : "D"(args), "S"(sizeof *args), "r"(to), "r"(with)
                 : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
#define ON_A_STACK
long clone3_onto(clone_args* args, void (*run)(void*), void* argument) {
    register long number asm("x8") = SYS_clone3;
    register long result asm("x0") = reinterpret_cast<long>(args);
    register long size asm("x1") = sizeof *args;
    register void (*to)(void*) asm("x19") = run;
    register void* with asm("x20") = argument;
    asm volatile("svc #0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x29, #0\n\t" // the outermost frame
                 "mov x0, x20\n\t"
                 "blr x19\n\t"
                 "brk #0\n" // run() must not return
                 "1:"
                 : "+r"(result)
                 : "r"(number), "r"(size), "r"(to), "r"(with)
                 : "memory", "x30");
    return result;
}
#endif

[[maybe_unused]] constexpr std::size_t kStack =
    std::size_t{256} * 1024; // only what is touched of it exists

} // namespace

namespace {

Result<pid_t> clone3_forking(clone_args args, void (*run)(void*), void* argument) {
    return static_cast<pid_t>(TRY(invoke(
        "clone3",
        [&] {
            long pid = syscall(SYS_clone3, &args, sizeof args);
            if (pid == 0) {
                listener = nullptr; // who hears us need not hear a copy of us
                run(argument);
            }
            return pid;
        },
        Heard{Flags{args.flags, names::clone}, [&](long result) { return show(args, result > 0); }},
        also([] { return std::to_string(sizeof(clone_args)); }))));
}

} // namespace

Result<pid_t> clone3(clone_args args, void (*run)(void*), void* argument) {
#ifdef ON_A_STACK
    if (listener == nullptr) [[likely]] {
        // Not given back: the child may be on it as long as it lives, and we start few.
        void* stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED)
            return detail::failed("mmap(NULL, " + std::to_string(kStack) + ")", errno);
        args.stack = reinterpret_cast<std::uint64_t>(stack);
        args.stack_size = kStack;
        args.flags |= CLONE_VM;
        return static_cast<pid_t>(TRY(invoke(
            "clone3",
            [&]() -> long {
                long pid = clone3_onto(&args, run, argument);
                if (pid >= 0)
                    return pid;
                errno = static_cast<int>(-pid);
                return -1;
            },
            Flags{args.flags, names::clone})));
    }
#endif
    return clone3_forking(args, run, argument);
}

} // namespace sys
