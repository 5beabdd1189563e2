// A text as an error shows what the user wrote, or an object of its own.
#pragma once

#include <string>
#include <string_view>

namespace spec {

inline std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

} // namespace spec
