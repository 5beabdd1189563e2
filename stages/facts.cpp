// Questions about an id map.
#include "stages/facts.hpp"

#include <algorithm>

namespace stages {

bool maps(const std::vector<spec::IdMap>& map, std::uint32_t id) {
    return std::ranges::any_of(map, [id](const spec::IdMap& range) {
        return id >= range.inside && id - range.inside < range.count;
    });
}

} // namespace stages
