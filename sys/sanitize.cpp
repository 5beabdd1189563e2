// How a build with sanitizers (make asan) is set up: here, since a container's processes have no
// environment of ours to take ASAN_OPTIONS from. LeakSanitizer attaches to its own process and
// looks into /proc, which they may not, or have not; who ends anyway has nothing to free.
#if defined(__SANITIZE_ADDRESS__)

// NOLINTBEGIN(bugprone-reserved-identifier): the runtime asks for it by this name
extern "C" const char* __asan_default_options();
const char* __asan_default_options() {
    return "detect_leaks=0";
}
// NOLINTEND(bugprone-reserved-identifier)

#endif
