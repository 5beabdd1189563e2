// A folder of the lab's own, below TMPDIR: gone when the lab is done with it, and when the lab was
// killed, by the next one.
//
// Who makes one holds a lock on it (flock(2)), which the kernel lets go of however he ends. So one
// that can be locked belongs to nobody any more.
#pragma once

#include "sys/kernel.hpp"

#include <string>

namespace teach {

class LabFolder {
public:
    /// A new one, mode 0755. Those of the same user that were left behind are removed first.
    static sys::Result<LabFolder> make();
    ~LabFolder();
    LabFolder(LabFolder&& other) noexcept;
    LabFolder& operator=(LabFolder&&) = delete;
    LabFolder(const LabFolder&) = delete;
    LabFolder& operator=(const LabFolder&) = delete;

    const std::string& path() const { return path_; }
    /// At once, to hear whether it went well.
    sys::Result<void> remove();

private:
    LabFolder() = default;
    std::string path_; ///< empty: it is gone
    sys::Fd lock_;
};

/// What to do when one can't be made, or written to.
std::string elsewhere(const sys::Error& error);

/// Remove what labs of this user have left behind.
void clear_lab_folders();

} // namespace teach
