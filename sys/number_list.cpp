// Reading such a list.
#include "sys/number_list.hpp"

#include <charconv>
#include <string>

namespace sys {

Result<std::vector<bool>> members_of(std::string_view list) {
    constexpr unsigned most = 1 << 16;
    if (list.ends_with('\n'))
        list.remove_suffix(1);
    std::vector<bool> set;
    const char* at = list.data();
    const char* end = at + list.size();
    while (at != end) {
        unsigned first = 0;
        auto read = std::from_chars(at, end, first);
        unsigned last = first;
        if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-')
            read = std::from_chars(read.ptr + 1, end, last);
        if (read.ec != std::errc{} || last < first || last >= most ||
            (read.ptr != end && (*read.ptr != ',' || read.ptr + 1 == end)))
            return wrong("\"" + std::string(list) + "\" is not a list as \"0-3,7\"");
        if (set.size() <= last)
            set.resize(last + 1);
        for (unsigned number = first; number <= last; ++number)
            set[number] = true;
        at = read.ptr == end ? end : read.ptr + 1;
    }
    return set;
}

} // namespace sys
