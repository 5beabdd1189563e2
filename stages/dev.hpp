// /dev of the container, and the files that we put over the rootfs's own.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// A tmpfs with Docker's nodes and links, pts, shm, mqueue; console with a terminal of our own.
Result<Fd> mount_dev(Inside& inside);

/// The text that is the container's /etc/resolv.conf, bound over the rootfs's, or over what a
/// volume shows there. `tmpfs`: of ours, and mounted somewhere.
Result<void> bind_resolv_conf(Inside& inside, const Fd& tmpfs);

/// The same, where there is no /dev of our making.
Result<void> bind_resolv_conf(Inside& inside);

} // namespace stages
