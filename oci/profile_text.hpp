// linux.seccomp as text, without reading it: three quarters of what an engine writes is the same
// profile each time, and a filter that was compiled of that very text is kept (seccomp_cache.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oci {

struct ProfileText {
    std::string rest;    ///< the document with "{}", no profile, in its place
    std::string profile; ///< an object, as it stands there
};

/// Nothing: there is none, or it takes a parser to say what it is (a key that is there twice, or is
/// spelled with a backslash). What is found may still be no JSON: nothing but brackets and quotes
/// is looked at.
std::optional<ProfileText> profile_text(std::string_view document);

} // namespace oci
