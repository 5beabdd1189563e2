// The version, as text.
#include "oci/version.hpp"

#include <seccomp.h>

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

} // namespace oci
