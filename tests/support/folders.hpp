// Directories that come and go while a test looks at them, as cgroups do.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace support {

/// All directories below a folder, by their paths. Of one that goes meanwhile only what is below it
/// may be missing: the standard library's recursive iterator ends there, and leaves out all others.
inline std::set<std::string> folders_below(const std::string& folder) {
    namespace fs = std::filesystem;
    std::set<std::string> out;
    std::error_code gone;
    for (fs::directory_iterator at(folder, gone), end; at != end; at.increment(gone)) {
        std::error_code unknown;
        if (at->is_symlink(unknown) || !at->is_directory(unknown))
            continue;
        out.insert(at->path().string());
        out.merge(folders_below(at->path().string()));
    }
    return out;
}

} // namespace support
