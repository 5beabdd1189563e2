// gtest's own main, but for the child of a launch (real.hpp).
#include "run/child.hpp"

#include <gtest/gtest.h>

#include <string_view>

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "child") {
        std::string wrong = run::child_main({argv + 2, argv + argc});
        (void)fprintf(stderr, "%s\n", wrong.c_str());
        return 125;
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
