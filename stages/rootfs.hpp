// The root filesystem as the host sees it: can it be used, and overlayfs's work directory.
#pragma once

#include "stages/stage.hpp"

namespace stages {

/// There, a directory, searchable, on a file system that can hold it; else the way to mend it.
Result<void> check_rootfs(const spec::Spec& spec);

/// overlayfs wants an empty directory on the same file system as `upper`: ".NAME.work" beside where
/// that really is, whatever links or dots lead there.
Result<std::string> work_directory(const Fd& upper);
Result<void> make_work_directory(Launch& launch);
void remove_work_directory(Ledger& ledger);

namespace mount {
/// Volumes whose destination lies below /proc.
Result<void> mount_below_proc(Inside& inside);
} // namespace mount

} // namespace stages
