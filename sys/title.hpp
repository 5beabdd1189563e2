// What `ps` shows of us.
#pragma once

#include <string_view>

namespace sys {

/// main()'s, where the kernel reads what /proc/PID/cmdline shows (proc(5)).
void keep_arguments(int count, char** arguments);

/// Show `title` instead of them, as much of it as has room.
void set_title(std::string_view title);

} // namespace sys
