// Documents.
#include "oci/files.hpp"

#include "sys/nesting.hpp"
#include "sys/path.hpp"

#include <unistd.h>

namespace oci {

namespace {

constexpr std::size_t kMost = std::size_t{16} << 20;
constexpr std::size_t kDeepest = 100; ///< of the specification's own, nothing is below 10

} // namespace

sys::Result<nlohmann::json> parse_json(const std::string& text, const std::string& name) {
    if (std::size_t at = sys::too_deep(text, kDeepest); at != std::string_view::npos)
        return sys::wrong("\"" + name + "\" has more than " + std::to_string(kDeepest) +
                          " lists and objects in each other at byte " + std::to_string(at));
    // The parser takes one for the end, and what is behind it for nothing.
    if (std::size_t at = text.find('\0'); at != std::string::npos)
        return sys::wrong("\"" + name + "\" is not JSON: NUL at byte " + std::to_string(at));
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& problem) { // a number may be out of range as well
        return sys::wrong("\"" + name + "\" is not JSON: " + sys::parse_problem(problem.what()));
    }
}

sys::Result<std::string> read_text(const std::string& path) {
    return path == "-" ? sys::read_all(STDIN_FILENO, kMost) : sys::read_given(path, kMost);
}

} // namespace oci
