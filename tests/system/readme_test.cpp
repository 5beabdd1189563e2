// Every command that README.md prints is run, as printed.
//
//   ```sh        each line in bash, in a copy of the source; all must succeed
//   ```console   a session on a terminal: tests/support/session.hpp says how it is compared
//
// What is in ```shell blocks needs an engine or an image, and is run by other tests. The table that
// compares runtimes is true of this one.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"
#include "tests/support/session.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

namespace {

using namespace support;

class Readme : public testing::Test {
protected:
    std::vector<Block> blocks = blocks_of(source() + "/README.md");
    Checkout here;
};

TEST_F(Readme, EverySessionGoesAsPrinted) {
    int typed = 0;
    for (const Block& block : blocks) { // each with a shell of its own
        Played played = play("README.md", {block}, here.path());
        for (const std::string& difference : played.differences)
            ADD_FAILURE() << difference;
        typed += played.typed;
    }
    EXPECT_GT(typed, 8);
}

TEST_F(Readme, EveryShellCommandSucceeds) {
    int ran = 0;
    for (const Block& block : blocks) {
        if (block.kind != "sh")
            continue;
        for (const std::string& line : block.lines) {
            if (line.empty())
                continue;
            Ended ended =
                run({.argv = {"bash", "-euo", "pipefail", "-c", line}, .cwd = here.path()});
            EXPECT_EQ(ended.status, 0) << line << "\n" << ended.out << ended.err;
            ++ran;
        }
    }
    EXPECT_GT(ran, 20);
}

TEST(ReadmeText, NamesEveryOption) {
    std::string text = slurp(source() + "/README.md");
    std::istringstream help(run({.argv = {gocontainer(), "parent", "--help"}}).out);
    int found = 0;
    // "  -w,--workdir DIR", "      --rootfs DIR"; a --no-STAGE for each is told of as such.
    for (std::string line; std::getline(help, line);) {
        std::size_t start = line.find_first_not_of(' ');
        if (start == std::string::npos || line[start] != '-' || start > 6)
            continue;
        std::istringstream names(line.substr(start, line.find(' ', start) - start));
        bool named = false;
        for (std::string name; std::getline(names, name, ',');)
            for (std::size_t at = text.find(name); !named && at != std::string::npos;
                 at = text.find(name, at + 1))
                named = (text[at - 1] == '`' || text[at - 1] == ' ') &&
                        std::string_view(" `\n").contains(text[at + name.size()]);
        EXPECT_TRUE(named || line.find("--no-user") != std::string::npos) << line;
        ++found;
    }
    EXPECT_GT(found, 45);
}

TEST(ReadmeText, NamesFilesThatAreThere) {
    std::string text = slurp(source() + "/README.md");
    const std::regex path("`([a-z]+/[a-z_/-]+\\.(cpp|hpp|c))`");
    int found = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), path), end; at != end; ++at, ++found)
        EXPECT_TRUE(std::filesystem::exists(source() + "/" + at->str(1))) << at->str(1);
    EXPECT_GT(found, 20);
}

/// The first two cells of each row of the table that begins with `heading`.
std::map<std::string, std::string> column_of(const std::string& heading) {
    std::map<std::string, std::string> rows;
    std::istringstream text(slurp(source() + "/README.md"));
    bool inside = false;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with(heading)) {
            inside = true;
        } else if (inside && line.starts_with("| ")) {
            std::size_t first = line.find(" | ");
            std::size_t second = line.find(" | ", first + 3);
            rows[line.substr(2, first - 2)] = line.substr(first + 3, second - first - 3);
        } else if (!line.starts_with('|')) {
            inside = false;
        }
    }
    return rows;
}

TEST(ReadmeTable, SaysWhatFeaturesSay) {
    Ended said = run({.argv = {gocontainer(), "features"}});
    ASSERT_EQ(said.status, 0) << said.err;
    auto features = nlohmann::json::parse(said.out);
    const auto& linux_ = features["linux"];
    auto has = [](const nlohmann::json& list, const char* item) {
        return std::find(list.begin(), list.end(), item) != list.end();
    };
    auto helps = [](const char* command, const char* with) {
        return run({.argv = {gocontainer(), command, "--help"}}).out.find(with) !=
               std::string::npos;
    };
    const std::map<std::string, bool> truth = {
        {"time namespace", has(linux_["namespaces"], "time")},
        {"idmapped mounts", linux_["mountExtensions"]["idmap"]["enabled"]},
        {"recursive mount options, `rro`", has(features["mountOptions"], "rro")},
        {"`tmpcopyup`", has(features["mountOptions"], "tmpcopyup")},
        {"network devices", linux_["netDevices"]["enabled"]},
        {"memory policy", !linux_["memoryPolicy"]["modes"].empty()},
        {"seccomp notify", has(linux_["seccomp"]["actions"], "SCMP_ACT_NOTIFY")},
        {"new system calls answer ENOSYS", linux_["seccomp"]["enabled"]}, // tests/unit/seccomp_*
        {"AppArmor", linux_["apparmor"]["enabled"]},
        {"SELinux labels", linux_["selinux"]["enabled"]},
        {"Landlock", has(features["potentiallyUnsafeConfigAnnotations"], "org.gocontainer.")},
        {"rdma limits", linux_["cgroup"]["rdma"]},
        {"Intel RDT", linux_["intelRdt"]["enabled"]},
        {"cgroup v1", linux_["cgroup"]["v1"]},
        {"maps ids without root by itself", true}, // RunIds.ComeFromSubuidWhereConfigHasNone
        {"image layouts as bundles", helps("create", "OCI image layout")},
        {"a network for a bundle", helps("run", "--net")},
    };
    std::map<std::string, std::string> told;
    for (const auto& [row, answer] : truth)
        told[row] = answer ? "yes" : "no";
    EXPECT_EQ(column_of("| | gocontainer | runc 1.5"), told);
    for (const char* command : {"checkpoint", "restore"}) // "It doesn't checkpoint or restore"
        EXPECT_NE(run({.argv = {gocontainer(), command, "--help"}}).status, 0);
}

} // namespace
