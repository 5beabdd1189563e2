// A directory of the test's own, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace unit {

class Temporary {
public:
    Temporary() {
        std::string name = (std::filesystem::temp_directory_path() / "gocontainer-unit.XXXXXX");
        path_ = mkdtemp(name.data());
    }
    ~Temporary() {
        std::error_code ignored; // a leftover in /tmp is no reason to fail
        std::filesystem::remove_all(path_, ignored);
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    void file(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
    }

private:
    std::filesystem::path path_;
};

} // namespace unit
