// Paths as text.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace spec {

/// "/a/b" of "//a/./b/", "" of "/". What ".." leads to, only the file system knows.
inline std::string plain_path(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        std::string_view name = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(name.size() + 1, path.size()));
        if (!name.empty() && name != ".")
            out.append("/").append(name);
    }
    return out;
}

/// The same, but "/" stays "/", and what is relative stays so: "a/b" of "a//./b/".
inline std::string clean(std::string_view path) {
    std::string plain = plain_path(path);
    if (!path.starts_with('/'))
        return plain.empty() ? "" : plain.substr(1);
    return plain.empty() ? "/" : plain;
}

} // namespace spec
