// The wall clock, in UTC.
#include "sys/clock.hpp"

#include <chrono>
#include <cstdio>

namespace sys {

std::string rfc3339(const timespec& when, Fraction fraction) {
    using namespace std::chrono;
    sys_time<nanoseconds> moment{seconds{when.tv_sec} + nanoseconds{when.tv_nsec}};
    auto day = floor<days>(moment);
    year_month_day date{day};
    hh_mm_ss time{moment - day};
    char text[64];
    int length = snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", int{date.year()},
        unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(time.hours().count()),
        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
    std::string out(text, static_cast<std::size_t>(length));
    if (fraction == Fraction::nanoseconds) {
        (void)snprintf(text, sizeof text, ".%09d", static_cast<int>(time.subseconds().count()));
        out += text; // nine digits fit
    }
    return out + "Z";
}

std::string rfc3339_now(Fraction fraction) {
    timespec now{};
    (void)timespec_get(&now, TIME_UTC); // the wall clock is always there
    return rfc3339(now, fraction);
}

} // namespace sys
