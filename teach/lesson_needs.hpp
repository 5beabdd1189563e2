// What a block of a lesson needs of the machine, as its `needs=` says.
#pragma once

#include <string>

namespace teach {

/// Of `needs` ("user,slirp4netns,tun"), in words, what is not here; "" when all of it is.
std::string missing(const std::string& needs);

} // namespace teach
