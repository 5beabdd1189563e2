// The lessons' website (make site), looked at in a real browser, as on a phone (360 pixels) and on
// a desk (1280): nothing sticks out, no link or anchor is broken, nothing comes from elsewhere, all
// text stands out from its ground in both colour schemes. GOCONTAINER_SITE is the folder.
#include "tests/site/browser.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using site_tests::Browser;
using support::Strings;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string from_environment(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? "" : fs::absolute(value).lexically_normal().string();
}

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Every page of a folder, audited: what is wrong, "PAGE: what".
class Audit {
public:
    Audit(Browser& browser, const std::string& folder)
        : browser_(browser), top_("file://" + folder + "/"),
          script_(text_of(from_environment("GOCONTAINER_SRC") + "/tests/site/audit.js")) {
        for (const fs::directory_entry& one : fs::recursive_directory_iterator(folder))
            if (one.is_regular_file())
                files_.insert("file://" + one.path().string());
        for (const std::string& url : files_)
            if (url.ends_with(".html") || url.ends_with(".svg"))
                look_at(url);
        follow();
    }
    const Strings& complaints() const { return complaints_; }
    std::string in_lines() const {
        std::string out = std::to_string(complaints_.size()) + " complaints\n";
        for (std::size_t i = 0; i < std::min<std::size_t>(complaints_.size(), 50); ++i)
            out += complaints_[i] + "\n";
        return out;
    }
    std::size_t pages() const { return names_.size(); }
    std::size_t links() const { return links_; }

private:
    Strings ask(const std::string& function) {
        return browser_.value_of("(" + script_ + ")." + function + "()").get<Strings>();
    }
    void complain(const std::string& url, const std::string& what) {
        complaints_.push_back(url.substr(top_.size()) + ": " + what);
    }
    void complain(const std::string& url, const std::string& when, const Strings& what) {
        for (const std::string& one : what)
            complain(url, when + one);
    }

    void look_at(const std::string& url) {
        browser_.width(360);
        browser_.scheme("light");
        browser_.open(url);
        complain(url, "", ask("prepare"));
        bool page = url.ends_with(".html");
        if (page)
            complain(url, "at 360: ", ask("overflow"));
        complain(url, "light: ", ask("contrast"));
        browser_.scheme("dark");
        complain(url, "dark: ", ask("contrast"));
        browser_.width(1280);
        if (page)
            complain(url, "at 1280: ", ask("overflow"));
        for (const std::string& part : ask("parts"))
            if (!files_.contains(part) && !part.starts_with("data:"))
                complain(url, "needs " + part);
        Strings names = ask("names");
        names_[url] = {names.begin(), names.end()};
        for (const std::string& link : ask("links"))
            targets_[link].insert(url);
    }

    /// Links, when the names on all pages are known; and pages that nobody can get to.
    void follow() {
        std::set<std::string> reached{top_ + "index.html"};
        for (const auto& [link, pages] : targets_) {
            ++links_;
            std::size_t hash = std::min(link.find('#'), link.size());
            std::string file = link.substr(0, hash);
            std::string name = link.substr(std::min(hash + 1, link.size()));
            reached.insert(file);
            bool whole = link.starts_with("http://") || link.starts_with("https://") ||
                         (files_.contains(file) && (name.empty() || names_[file].contains(name)));
            if (!whole)
                complain(*pages.begin(), "a link to nowhere: " + link);
        }
        for (const auto& [url, names] : names_)
            if (!reached.contains(url))
                complain(url, "no page leads here");
    }

    Browser& browser_;
    std::string top_, script_;
    std::set<std::string> files_;
    std::map<std::string, std::set<std::string>> names_;   ///< of each page
    std::map<std::string, std::set<std::string>> targets_; ///< link, and pages that have it
    Strings complaints_;
    std::size_t links_ = 0;
};

class Site : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!Browser::program().empty())
            browser_ = std::make_unique<Browser>();
    }
    static void TearDownTestSuite() { browser_.reset(); }
    void SetUp() override {
        if (!browser_)
            GTEST_SKIP() << "there is no chromium";
    }
    inline static std::unique_ptr<Browser> browser_;
};

TEST_F(Site, IsWholeAndReadableOnAPhoneAndOnADesk) {
    std::string folder = from_environment("GOCONTAINER_SITE");
    ASSERT_TRUE(fs::exists(folder + "/index.html")) << "make site makes it";
    Audit audit(*browser_, folder);
    EXPECT_TRUE(audit.complaints().empty()) << audit.in_lines();
    EXPECT_GE(audit.pages(), 16U + 4U) << "sixteen lessons and the guides";
    EXPECT_GE(audit.links(), audit.pages());
}

// A run that was recorded is on its lesson's page, with its picture, and what changed where the
// lesson has a stage; one that the machine can't do is said to be so.
TEST_F(Site, ShowsOfEachLessonWhatWasRecorded) {
    std::string folder = from_environment("GOCONTAINER_SITE");
    std::size_t lessons = 0;
    for (const fs::directory_entry& one : fs::directory_iterator(folder)) {
        std::string name = one.path().filename();
        if (isdigit(name[0]) == 0 || name.starts_with("00-"))
            continue;
        ++lessons;
        std::string text = text_of(one.path());
        if (!fs::exists(folder + "/pictures/" + name)) {
            EXPECT_THAT(text, HasSubstr("The machine that made these pages can't do")) << name;
            continue;
        }
        EXPECT_THAT(text, HasSubstr("<svg ")) << name;
        bool of_a_stage = text.find("<p>Stage: none") == std::string::npos;
        EXPECT_EQ(text.find("<h3>after ") != std::string::npos, of_a_stage) << name;
    }
    EXPECT_EQ(lessons, 15U);
}

// What the machine that makes the pages is called is nobody's business.
TEST_F(Site, DoesNotTellWhereItWasMade) {
    std::string folder = from_environment("GOCONTAINER_SITE");
    std::string here = from_environment("GOCONTAINER_SRC");
    for (const fs::directory_entry& one : fs::recursive_directory_iterator(folder)) {
        if (one.is_regular_file()) {
            EXPECT_THAT(text_of(one.path()), testing::Not(HasSubstr(here))) << one.path();
        }
    }
}

std::string page(const std::string& body) {
    return "<!DOCTYPE html><html lang=\"en\"><meta name=\"viewport\" "
           "content=\"width=device-width\">"
           "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } "
           "p { color: #333 } .ok { color: #fff } }</style><body>" +
           body + "</body></html>";
}

/// What is said of one page that is alone in its folder.
Strings said_of(Browser& browser, const std::string& body) {
    support::Scratch folder;
    folder.file("index.html", page(body));
    return Audit(browser, folder.path()).complaints();
}

TEST_F(Site, TheCheckFindsNothingInAPageThatIsFine) {
    EXPECT_THAT(said_of(*browser_, "<h1 id=\"top\">Fine</h1><a class=\"ok\" href=\"#top\" "
                                   "style=\"background: #000; color: #fff\">up</a>"
                                   "<div style=\"overflow-x: auto\"><div style=\"width: 2000px\">"
                                   "scrolls</div></div>"),
                IsEmpty());
}

TEST_F(Site, TheCheckFindsLinksToNowhere) {
    EXPECT_THAT(said_of(*browser_, "<a href=\"gone.html\" style=\"color: inherit\">a</a>"),
                ElementsAre(HasSubstr("a link to nowhere")));
    EXPECT_THAT(said_of(*browser_, "<a href=\"#gone\" style=\"color: inherit\">a</a>"),
                ElementsAre(HasSubstr("a link to nowhere")));
    EXPECT_THAT(said_of(*browser_, "<img src=\"gone.png\" alt=\"gone\">"),
                Contains(HasSubstr("no image")));
}

TEST_F(Site, TheCheckFindsWhatSticksOut) {
    EXPECT_THAT(said_of(*browser_, "<div style=\"width: 400px\">wide</div>"),
                Contains(HasSubstr("at 360: div.: wide")));
    EXPECT_THAT(said_of(*browser_, "<div style=\"width: 1300px\">wide</div>"),
                Contains(HasSubstr("at 1280: div.: wide")));
}

TEST_F(Site, TheCheckFindsTextThatIsHardToRead) {
    EXPECT_THAT(said_of(*browser_, "<i style=\"color: #888; background: #fff\">grey</i>"),
                ElementsAre(HasSubstr("light: 3.54 of 4.5: \"grey\""),
                            HasSubstr("dark: 3.54 of 4.5: \"grey\"")));
    EXPECT_THAT(said_of(*browser_, "<p>dark on dark</p>"), ElementsAre(HasSubstr("dark: 1.")));
    EXPECT_THAT(said_of(*browser_, "<svg width=\"99\" height=\"20\"><rect width=\"99\" "
                                   "height=\"20\" fill=\"#777\"/><text y=\"15\" "
                                   "fill=\"#888\">drawn</text></svg>"),
                Contains(HasSubstr("\"drawn\"")));
}

TEST_F(Site, TheCheckFindsWhatComesFromElsewhere) {
    EXPECT_THAT(said_of(*browser_, "<script src=\"https://example.invalid/a.js\"></script>"),
                Contains(HasSubstr("needs https://example.invalid/a.js")));
    EXPECT_THAT(said_of(*browser_, "<style>@import url(https://example.invalid/a.css);</style>"),
                Contains(HasSubstr("needs https://example.invalid/a.css")));
}

} // namespace
