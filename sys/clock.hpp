// Moments, as people and machines write them.
#pragma once

#include <string>

namespace sys {

/// Now, in UTC, as RFC 3339 has it: "2026-11-26T22:40:00.123456789Z", or without the fraction.
enum class Fraction { nanoseconds, none };
std::string rfc3339_now(Fraction fraction = Fraction::nanoseconds);

} // namespace sys
