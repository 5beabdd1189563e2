// Lesson 14: `mine commit UPPER LAYER` makes a layer (a tar archive) of an overlay's upper folder,
// and `mine apply LAYER FOLDER` unpacks one over a folder.
#include "tests/exercise/mine.hpp"
#include "tests/support/session.hpp"

#include <gmock/gmock.h>

#include <filesystem>

using namespace exercise;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

class Layer : public testing::Test {
protected:
    Scratch scratch;
    std::string kept = token(), gone = token(), made = token(), word = token();
    std::string lower = scratch.folder("lower"), upper = scratch.folder("upper");
    std::string layer = scratch / "layer.tar";

    /// lower/etc/KEPT, lower/etc/GONE, lower/anew/GONE
    void SetUp() override {
        scratch.folder("lower/etc");
        scratch.folder("lower/anew");
        for (const std::string& name :
             {"lower/etc/" + kept, "lower/etc/" + gone, "lower/anew/" + gone, "lower/anew/" + kept})
            scratch.file(name, name);
    }
    void run_mine(const Strings& words) {
        Ended ended = run({.argv = mine(words)});
        ASSERT_EQ(ended.status, 0) << testing::PrintToString(words) << ": " << ended.err;
    }
    /// Done by a container whose upper folder is kept.
    bool change(const std::string& line) {
        std::string tree = scratch.rootfs();
        for (const char* name : {"etc", "anew"})
            fs::copy(lower + "/" + name, tree + "/" + name,
                     fs::copy_options::recursive | fs::copy_options::overwrite_existing);
        Ended ended = launch({"-q", "--rootfs", tree, "--upper", upper}, {"sh", "-ec", line});
        why_ = ended.err;
        return ended.status == 0;
    }
    Strings names() {
        Ended listed = run({.argv = {"tar", "-tf", layer}});
        EXPECT_EQ(listed.status, 0) << listed.err;
        Strings out;
        for (std::string name : lines(listed.out)) {
            if (name.starts_with("./"))
                name.erase(0, 2);
            if (name.ends_with("/"))
                name.pop_back();
            out.push_back(name);
        }
        return out;
    }
    std::string why_;
};

} // namespace

TEST_F(Layer, ADeletedFileIsAWhiteout) {
    if (!change("rm /etc/" + gone + "; echo " + word + " >/etc/" + made))
        GTEST_SKIP() << "no overlay here: " << why_;
    run_mine({"commit", upper, layer});
    EXPECT_THAT(names(), Contains("etc/.wh." + gone));
    EXPECT_THAT(names(), Not(Contains("etc/" + gone)));
    EXPECT_THAT(names(), Contains("etc/" + made));
}

TEST_F(Layer, AFolderMadeAnewIsOpaque) {
    if (!change("rm -r /anew; mkdir /anew; echo " + word + " >/anew/" + made))
        GTEST_SKIP() << "no overlay here: " << why_;
    run_mine({"commit", upper, layer});
    EXPECT_THAT(names(), Contains("anew/.wh..wh..opq"));
    EXPECT_THAT(names(), Contains("anew/" + made));
}

TEST_F(Layer, AppliedItIsWhatTheContainerSaw) {
    if (!change("rm /etc/" + gone + "; echo " + word + " >/etc/" + made +
                "; rm -r /anew; mkdir /anew; echo " + word + " >/anew/" + made))
        GTEST_SKIP() << "no overlay here: " << why_;
    run_mine({"commit", upper, layer});
    run_mine({"apply", layer, lower});
    EXPECT_FALSE(fs::exists(lower + "/etc/" + gone)) << "what was deleted is still there";
    EXPECT_FALSE(fs::exists(lower + "/etc/.wh." + gone)) << "a whiteout is no file of the tree";
    EXPECT_EQ(slurp(lower + "/etc/" + kept), "lower/etc/" + kept);
    EXPECT_EQ(slurp(lower + "/etc/" + made), word + "\n");
    Strings anew;
    for (const auto& entry : fs::directory_iterator(lower + "/anew"))
        anew.push_back(entry.path().filename());
    EXPECT_EQ(anew, Strings{made});
}

TEST_F(Layer, OneThatSomebodyElseMadeIsApplied) {
    scratch.folder("other/etc");
    scratch.folder("other/anew");
    scratch.file("other/etc/.wh." + gone, "");
    scratch.file("other/anew/.wh..wh..opq", "");
    scratch.file("other/anew/" + made, word);
    ASSERT_EQ(run({.argv = {"tar", "-C", scratch / "other", "-cf", layer, "."}}).status, 0);
    run_mine({"apply", layer, lower});
    EXPECT_FALSE(fs::exists(lower + "/etc/" + gone)) << "what was deleted is still there";
    EXPECT_TRUE(fs::exists(lower + "/etc/" + kept)) << "what was kept is gone";
    EXPECT_FALSE(fs::exists(lower + "/anew/" + kept)) << "an opaque folder shows what it hides";
    EXPECT_FALSE(fs::exists(lower + "/anew/.wh..wh..opq")) << "the mark is no file of the tree";
    EXPECT_EQ(slurp(lower + "/anew/" + made), word);
}
