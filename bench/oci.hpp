// gocontainer as an OCI runtime, against crun and runc, on the same bundles.
#pragma once

#include "report.hpp"

namespace bench {

struct OciOptions {
    size_t rounds, warm_up, traced;
    size_t most_containers; ///< at once
    std::string gocontainer, rootfs, floor;
    bool peers_only;
};

/// From here on we are in a mount namespace of our own. As an ordinary user: one Report that says
/// why there is nothing.
Result<std::vector<Report>> measure_oci(const OciOptions& options);

} // namespace bench
