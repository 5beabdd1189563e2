// Moments, as people and machines write them.
#pragma once

#include <ctime>
#include <string>

namespace sys {

enum class Fraction { nanoseconds, none };

/// In UTC, as RFC 3339 has it: "2026-11-26T22:40:00.123456789Z", or without the fraction.
std::string rfc3339(const timespec& when, Fraction fraction = Fraction::nanoseconds);
std::string rfc3339_now(Fraction fraction = Fraction::nanoseconds);

} // namespace sys
