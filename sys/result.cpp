// How an Error reads.
#include "sys/result.hpp"

#include <cstring>

namespace sys {

std::unexpected<Error> wrong(std::string detail, std::string hint) {
    return std::unexpected(
        Error{.stage = {}, .call = {}, .detail = std::move(detail), .hint = std::move(hint)});
}

std::string errno_name(int code) {
    const char* name = strerrorname_np(code);
    return name != nullptr ? name : "errno " + std::to_string(code);
}

std::string to_line(const Error& error) {
    std::string line;
    auto add = [&line](const std::string& part) {
        if (part.empty())
            return;
        if (!line.empty())
            line += ": ";
        // One line, whatever a path or a message from elsewhere holds.
        for (char c : part)
            line += (static_cast<unsigned char>(c) < ' ' || c == 0x7f) ? '?' : c;
    };
    add(error.stage);
    add(error.call);
    if (error.code != 0)
        add(errno_name(error.code) + " (" + strerrordesc_np(error.code) + ")");
    add(error.detail);
    add(error.hint);
    return line;
}

} // namespace sys
