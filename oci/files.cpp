// Documents.
#include "oci/files.hpp"

#include "sys/path.hpp"

namespace oci {

namespace {
constexpr std::size_t kMost = std::size_t{16} << 20;
} // namespace

sys::Result<nlohmann::json> parse_json(const std::string& text, const std::string& name) {
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error& problem) {
        std::string what = problem.what(); // "[json.exception.parse_error.101] parse error at …"
        std::size_t end = what.find("] ");
        return sys::wrong("\"" + name + "\" is not JSON: " +
                          (end == std::string::npos ? what : what.substr(end + 2)));
    }
}

sys::Result<std::string> read_text(const std::string& path) {
    return sys::read_file(path == "-" ? "/proc/self/fd/0" : path, kMost);
}

} // namespace oci
