// Lists of small numbers, as the kernel and cpuset(7) write them: "0-3,7".
#pragma once

#include "sys/result.hpp"

#include <string_view>
#include <vector>

namespace sys {

/// Element N tells whether N is in `list`; as long as the largest makes it. A newline at the end is
/// no part of it; the empty list has nothing in it. Numbers go to 65535.
Result<std::vector<bool>> members_of(std::string_view list);

} // namespace sys
