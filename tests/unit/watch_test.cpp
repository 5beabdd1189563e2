// Where a change is not told: by the file system's type.
#include "sys/watch.hpp"
#include "tests/unit/recorder.hpp"

#include <gtest/gtest.h>
#include <linux/magic.h>

using unit::Recorder;

TEST(Watch, FileSystemsWithAnotherSideAreSilent) {
    for (auto [magic, name] : {std::pair<long, const char*>{V9FS_MAGIC, "9p"},
                               {FUSE_SUPER_MAGIC, "fuse"},
                               {NFS_SUPER_MAGIC, "nfs"},
                               {0xff534d42, "cifs"},
                               {0xfe534d42, "smb"},
                               {OVERLAYFS_SUPER_MAGIC, ""},
                               {TMPFS_MAGIC, ""}}) {
        Recorder kernel;
        kernel.type("/r", magic);
        EXPECT_EQ(sys::silent_file_system("/r").value(), name);
    }
    Recorder kernel;
    EXPECT_EQ(sys::silent_file_system("/home").value(), ""); // ext4
}

TEST(Watch, WithoutRoomForAnotherOneItIsAnError) {
    Recorder kernel;
    kernel.answer("inotify_add_watch", -ENOSPC);
    EXPECT_EQ(sys::watch_directory("/home").error().code, ENOSPC);
}
