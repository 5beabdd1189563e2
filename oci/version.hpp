// What we are called, and when it is.
#pragma once

#include <string>

namespace oci {

inline constexpr const char* kVersion = "0.3.0";
/// The version of the specification that is spoken.
inline constexpr const char* kSpecVersion = "1.3.0";

/// `--version`: "gocontainer version X" (or "runc version X", when called by that name: go-runc
/// wants it), the commit if it was built from a checkout, the specification's, libseccomp's.
std::string version(const std::string& program);

} // namespace oci
