// Version and time, as text.
#include "oci/version.hpp"

#include <seccomp.h>

#include <chrono>
#include <cstdio>

namespace oci {

namespace {

/// Of the checkout that this was built from; empty: it was none.
constexpr const char kCommit[] =
#include "commit.inc"
    ;

} // namespace

std::string version(const std::string& program) {
    std::string name = program.substr(program.rfind('/') + 1) == "runc" ? "runc" : "gocontainer";
    std::string commit = kCommit;
    if (!commit.empty())
        commit.insert(0, "\ncommit: ");
    return name + " version " + kVersion + commit + "\nspec: " + kSpecVersion +
           "\nlibseccomp: " + std::to_string(SCMP_VER_MAJOR) + "." +
           std::to_string(SCMP_VER_MINOR) + "." + std::to_string(SCMP_VER_MICRO) + "\n";
}

std::string rfc3339_now() {
    using namespace std::chrono;
    auto now = system_clock::now();
    auto day = floor<days>(now);
    year_month_day date{day};
    hh_mm_ss time{floor<nanoseconds>(now - day)};
    char text[64];
    (void)snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", int{date.year()},
                   unsigned{date.month()}, unsigned{date.day()},
                   static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                   static_cast<int>(time.seconds().count()),
                   static_cast<int>(time.subseconds().count()));
    return text;
}

} // namespace oci
