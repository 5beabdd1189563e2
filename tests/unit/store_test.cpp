// The state directory, where no container is needed to look into it.
#include "oci/store.hpp"
#include "tests/unit/temporary.hpp"

#include <gmock/gmock.h>

using oci::Status;
using oci::Store;

namespace {

// buildah takes "stopped" for the end, and asks while `create` is at it.
TEST(Store, AContainerIsBeingCreatedForAsLongAsSomebodyIsAtIt) {
    unit::Temporary here;
    auto creator = Store::create(here / "root", "box");
    ASSERT_TRUE(creator) << sys::to_line(creator.error());
    ASSERT_TRUE(creator->progress());
    auto status = [&] { return Store::open(here / "root", "box")->now()->status; };
    EXPECT_EQ(status(), Status::creating);
    EXPECT_EQ(creator->now()->status, Status::stopped) << "who has the lock knows better";
    creator->unlock();
    EXPECT_EQ(status(), Status::stopped) << "it was given up";
}

} // namespace
