// Whole files. What can't be read or written throws, with its name.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>

namespace site {

inline std::optional<std::string> read_if_there(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::string read(const std::string& path) {
    auto text = read_if_there(path);
    if (!text)
        throw std::runtime_error("\"" + path + "\" can't be read");
    return *text;
}

inline void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file)
        throw std::runtime_error("\"" + path + "\" can't be written");
}

} // namespace site
