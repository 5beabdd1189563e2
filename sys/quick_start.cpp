// Process start without asking what the processor can do.
//
// glibc's start of a static program executes CPUID some seventy times, to choose between variants
// of memcpy and to size them for the caches. On a virtual machine every one of them is a trap into
// the hypervisor: 0.3 ms of a start that takes 0.1 ms without, twice per container. Nothing here
// copies enough to notice; with no features known, glibc takes the variants for any x86-64.
//
// It also makes ready for a dlopen: finds its own path, parses the kernel's vDSO as the first of
// the shared objects, allocates the list of the directories that others would be searched in. That
// is half of what is left, and nothing here loads anything. Without the vDSO the clock is read by
// a system call.
//
// Nor does it compare each variable of the environment with each of glibc's tunables (MALLOC_*,
// GLIBC_TUNABLES): they keep their defaults. That is 19000 instructions of 55000 that `start`
// takes.
//
// So this stands in for csu/libc-start.c and elf/dl-support.c of the one glibc that they were read
// from, and does all that they do for a static program at a fixed address, but for this. With any
// other libc the file is empty. Only programs that are linked statically may have it.
#include <features.h>

#if defined(__x86_64__) && defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ == 36 &&        \
    !defined(__SANITIZE_ADDRESS__)

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

// NOLINTBEGIN(bugprone-reserved-identifier): these are its names
extern "C" {

using Initializer = void (*)(int, char**, char**);
using Finalizer = void (*)();

extern Initializer __preinit_array_start[], __preinit_array_end[];
extern Initializer __init_array_start[], __init_array_end[];
extern Finalizer __fini_array_start[], __fini_array_end[];
extern const Elf64_Rela __rela_iplt_start[], __rela_iplt_end[];
extern void* __libc_stack_end;
extern int __libc_enable_secure;
extern void* _dl_random;
extern const Elf64_Phdr* _dl_phdr;
extern std::size_t _dl_phnum;
extern std::size_t _dl_pagesize;
extern Elf64_Word _dl_stack_flags;
extern int __libc_argc;
extern char** __libc_argv;

void _dl_aux_init(Elf64_auxv_t* vector);
void __libc_setup_tls();
void __libc_early_init(bool initial);
void __libc_init_first(int argc, char** argv, char** env);
void __init_misc(int argc, char** argv, char** env);
void __libc_check_standard_fds();
int __cxa_atexit(void (*function)(void*), void* argument, void* object);
void _init();
void _fini();

// What memcpy and memset look at: sysdeps/x86/cacheinfo.h's values for a processor that says
// nothing, and the thresholds that dl_init_cacheinfo makes of them.
long __x86_data_cache_size_half = 16L * 1024;
long __x86_data_cache_size = 32L * 1024;
long __x86_shared_cache_size_half = 512L * 1024;
long __x86_shared_cache_size = 1024L * 1024;
long __x86_shared_non_temporal_threshold = 768L * 1024;
long __x86_rep_movsb_threshold = 2048;
long __x86_rep_stosb_threshold = 2048;
long __x86_rep_movsb_stop_threshold = 768L * 1024;
int __x86_string_control = 0;

namespace {

// What _dl_non_dynamic_init() does that isn't for a dlopen: the tables of addresses that no code
// writes to any more become read-only (ld(1), -z relro), and a thread's stack gets the program's
// protection.
void protect() {
    for (const Elf64_Phdr* part = _dl_phdr; part < _dl_phdr + _dl_phnum; ++part) {
        if (part->p_type == PT_GNU_STACK)
            _dl_stack_flags = part->p_flags;
        if (part->p_type != PT_GNU_RELRO)
            continue;
        Elf64_Addr start = part->p_vaddr & -_dl_pagesize;
        Elf64_Addr end = (part->p_vaddr + part->p_memsz) & -_dl_pagesize;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the linker has left numbers
        if (mprotect(reinterpret_cast<void*>(start), end - start, PROT_READ) != 0)
            abort(); // as glibc does
    }
}

} // namespace

// No canary of its own: it is what sets the canary up.
[[noreturn, gnu::optimize("no-stack-protector")]] int
__libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*)(), void (*)(),
                  void (*)(), void* stack_end) {
    char** env = argv + argc + 1;
    __environ = env;
    __libc_stack_end = stack_end;
    char** end = env;
    while (*end != nullptr)
        ++end;
    _dl_aux_init(reinterpret_cast<Elf64_auxv_t*>(end + 1));
    // Each resolver answers with the variant for a processor without features.
    // NOLINTBEGIN(performance-no-int-to-ptr): the linker has left numbers
    for (const Elf64_Rela* rela = __rela_iplt_start; rela < __rela_iplt_end; ++rela)
        *reinterpret_cast<Elf64_Addr*>(rela->r_offset) =
            reinterpret_cast<Elf64_Addr (*)()>(rela->r_addend)();
    // NOLINTEND(performance-no-int-to-ptr)
    __libc_setup_tls();
    // tcbhead_t's stack_guard and pointer_guard. A canary begins with a null byte, so that no
    // string that runs over it can carry it.
    std::uintptr_t guard = 0, pointer_guard = 0;
    memcpy(&guard, _dl_random, sizeof guard);
    memcpy(&pointer_guard, static_cast<char*>(_dl_random) + sizeof guard, sizeof pointer_guard);
    guard &= ~std::uintptr_t{0xff};
    asm volatile("mov %0, %%fs:0x28" : : "r"(guard));
    asm volatile("mov %0, %%fs:0x30" : : "r"(pointer_guard));
    auto finish = [](void*) {
        for (auto i = __fini_array_end - __fini_array_start; i-- > 0;)
            __fini_array_start[i]();
        _fini();
    };
    __cxa_atexit(finish, nullptr, nullptr);
    __libc_early_init(true);
    if (__libc_enable_secure != 0) { // set-user-ID: there is more to do, and nobody waits for it
        __libc_init_first(argc, argv, env);
        __libc_check_standard_fds();
    } else {
        __libc_argc = argc;
        __libc_argv = argv;
        protect();
        __init_misc(argc, argv, env);
    }
    for (Initializer* call = __preinit_array_start; call < __preinit_array_end; ++call)
        (*call)(argc, argv, env);
    _init();
    for (Initializer* call = __init_array_start; call < __init_array_end; ++call)
        (*call)(argc, argv, env);
    exit(main(argc, argv, env));
}

} // extern "C"
// NOLINTEND(bugprone-reserved-identifier)

#endif
