// XML from texts that anybody may have written: host names, command lines, mount points.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace teach {

/// `text` between tags or quotes of XML and HTML: markup is escaped; what is no UTF-8, no character
/// of XML 1.0, or turns the direction of writing is replaced by U+FFFD.
std::string xml(std::string_view text);

/// `text` in lines of at most `width` columns, broken at blanks, else after / , : ; or anywhere. At
/// most `most` lines: then the last one ends with "…".
std::vector<std::string> broken(std::string_view text, std::size_t width, std::size_t most);

} // namespace teach
