// linux.seccomp of a bundle, as the process finds it.
#include "tests/unit/real.hpp"

#include <gmock/gmock.h>

#include <unistd.h>

using spec::Spec;
using testing::AllOf;
using testing::HasSubstr;

namespace {

class BundleSeccomp : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0)
            GTEST_SKIP() << "without a user namespace it needs root";
    }
    static Spec with(const std::string& script, const std::string& filter) {
        Spec spec = unit::bundle(script);
        spec.stages.add(spec::Stage::seccomp);
        spec.stages.add(spec::Stage::caps);
        spec.seccomp = {.mode = spec::SeccompMode::text, .text = filter};
        return spec;
    }
};

constexpr const char* kNoMkdir = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18}]})"; // EXDEV

TEST_F(BundleSeccomp, FiltersAsTheTextSays) {
    EXPECT_EQ(unit::run(with("mkdir /dev/x 2>&1", kNoMkdir)).out,
              "mkdir: can't create directory '/dev/x': Invalid cross-device link\n");
    for (bool may : {false, true}) { // before the capabilities go, or after
        Spec spec =
            with("mkdir /dev/x 2>&1; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status", kNoMkdir);
        spec.process.new_privileges = may;
        EXPECT_THAT(unit::run(spec).out, AllOf(HasSubstr("cross-device"), HasSubstr("Seccomp:\t2"),
                                               HasSubstr(may ? "Privs:\t0" : "Privs:\t1")));
    }
}

TEST_F(BundleSeccomp, NamesWhatIsWrongWithIt) {
    EXPECT_THAT(unit::run(with("true", R"({"defaultAction": "SCMP_ACT_KILL"})")).out,
                HasSubstr("execve never passes"));
    EXPECT_THAT(unit::run(with("true", R"({"defaultAction": "SCMP_ACT_NO"})")).out,
                HasSubstr("linux.seccomp: defaultAction: "));
}

} // namespace
