// Every command that README.md prints is run, as printed.
//
//   ```sh        each line in bash, in a copy of the source; all must succeed
//   ```console   a session on a terminal: what follows "$ " and "/ # " is typed, and the lines
//                between are what must appear ("unknown" stands for itself; columns may differ)
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"
#include "tests/support/process.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>

namespace {

using namespace support;
namespace fs = std::filesystem;

struct Block {
    std::string kind;
    Strings lines;
};

std::vector<Block> blocks_of(const std::string& path) {
    std::vector<Block> blocks;
    std::istringstream text(slurp(path));
    std::string line;
    bool inside = false;
    while (std::getline(text, line)) {
        if (line.starts_with("```")) {
            inside = !inside;
            if (inside)
                blocks.push_back({line.substr(3), {}});
        } else if (inside) {
            blocks.back().lines.push_back(line);
        }
    }
    return blocks;
}

/// Words, however far apart.
Strings words(const std::string& line) {
    std::istringstream text(line);
    return {std::istream_iterator<std::string>(text), {}};
}

class Readme : public testing::Test {
protected:
    std::vector<Block> blocks = blocks_of(source() + "/README.md");
    Scratch scratch;
    fs::path here = scratch.folder("gocontainer"); // the source, but with a rootfs of its own
    void SetUp() override {
        for (const auto& entry : fs::directory_iterator(source()))
            if (entry.path().filename() != "rootfs")
                fs::create_symlink(entry.path(), here / entry.path().filename());
        Ended made = run({.argv = {source() + "/rootfs-scripts/busybox", here / "rootfs"}});
        ASSERT_EQ(made.status, 0) << made.err;
    }
};

TEST_F(Readme, EverySessionGoesAsPrinted) {
    int typed = 0;
    for (const Block& block : blocks) {
        if (block.kind != "console")
            continue;
        Terminal shell({.argv = {"bash", "--norc", "--noprofile", "-i"},
                        .env = {"PS1=$ ", "PS2=> ", "TERM=dumb"},
                        .cwd = here});
        shell.until("$ ");
        for (std::size_t i = 0; i < block.lines.size(); ++i) {
            const std::string& line = block.lines[i];
            std::string command;
            if (line.starts_with("$ "))
                command = line.substr(2);
            else if (line.starts_with("/ # "))
                command = line.substr(4);
            else
                continue;
            shell.type(command + "\n");
            shell.until(command); // its echo
            Strings expected;
            std::string prompt = "$ ";
            for (std::size_t next = i + 1; next < block.lines.size(); ++next) {
                const std::string& following = block.lines[next];
                if (following.starts_with("$ "))
                    break;
                if (following.starts_with("/ # ")) {
                    prompt = "/ # ";
                    break;
                }
                for (std::string& word : words(following))
                    expected.push_back(std::move(word));
            }
            std::string shown = shell.take(prompt);
            // Lines of ours may come first: a machine without slirp4netns says so.
            Strings got = words(shown.substr(std::min(shown.size(), shown.find('\n'))));
            // Typed before the prompt was there, it is shown by the terminal and by the shell.
            Strings echo = words(command);
            while (got.size() >= echo.size() && std::equal(echo.begin(), echo.end(), got.begin()))
                got.erase(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(echo.size()));
            if (!command.starts_with("./gocontainer")) {
                EXPECT_EQ(got, expected) << command;
            }
            ++typed;
        }
        shell.type("exit\n");
        EXPECT_EQ(shell.wait().status, 0);
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
            Ended ended = run({.argv = {"bash", "-euo", "pipefail", "-c", line}, .cwd = here});
            EXPECT_EQ(ended.status, 0) << line << "\n" << ended.out << ended.err;
            ++ran;
        }
    }
    EXPECT_GT(ran, 20);
}

} // namespace
