// The kernel puts all arguments in a row.
#include "sys/title.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace sys {

namespace {
std::span<char> room;
}

void keep_arguments(int count, char** arguments) {
    if (count > 0)
        room = {arguments[0], arguments[count - 1] + strlen(arguments[count - 1])};
}

void set_title(std::string_view title) {
    // The byte behind the room stays null: by another one the kernel would take the environment
    // for more of it.
    std::ranges::fill(room, '\0');
    std::ranges::copy(title.substr(0, room.size()), room.begin());
}

} // namespace sys
