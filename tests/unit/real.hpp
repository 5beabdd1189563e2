// A launch of a Spec for real, from within this program: what stages do, seen from outside, for
// what no option asks for.
//
//   Ran ran = unit::run(spec);         // the container's output, its status, what was said
//
// The program re-executes itself as `child`, as gocontainer does (main.cpp here).
#pragma once

#include "spec/spec.hpp"

#include <string>

namespace unit {

struct Ran {
    int status = -1;
    std::string out; ///< both streams; after an error, its line
};

Ran run(const spec::Spec& spec);

/// A bundle's Spec: `script` for /bin/sh in the tests' rootfs, all namespaces but user and net,
/// /proc and a tmpfs on /dev as the only mounts.
spec::Spec bundle(const std::string& script);

} // namespace unit
