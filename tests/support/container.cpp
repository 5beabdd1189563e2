// Starting containers and finding their processes.
#include "tests/support/container.hpp"

#include "tests/support/proc.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace support {

namespace {

std::string setting(const char* variable, const char* otherwise) {
    const char* value = getenv(variable);
    return std::filesystem::absolute(value != nullptr ? value : otherwise).lexically_normal();
}

/// After each test: whatever it started is gone, and so is what that started. What was there
/// before is its suite's.
class NothingLeft : public testing::EmptyTestEventListener {
    std::vector<pid_t> before_;
    void OnTestStart(const testing::TestInfo&) override { before_ = children_of(getpid()); }
    void OnTestEnd(const testing::TestInfo& info) override {
        if (std::string left = strays(kPatience, before_); !left.empty())
            ADD_FAILURE() << info.name() << " has left behind\n" << left;
    }
};
class Watch : public testing::Environment {
    void SetUp() override { testing::UnitTest::GetInstance()->listeners().Append(new NothingLeft); }
};
[[maybe_unused]] testing::Environment* const kWatch = testing::AddGlobalTestEnvironment(new Watch);

} // namespace

std::string gocontainer() {
    return setting("GOCONTAINER", "gocontainer");
}
std::string rootfs() {
    return setting("GOCONTAINER_ROOTFS", "rootfs");
}
std::string source() {
    return setting("GOCONTAINER_SRC", ".");
}

Strings lent() {
    static const Scratch scratch;
    static const Strings options = [] {
        Strings made{"--rootfs", scratch.rootfs()};
        for (const char* folder : {"/usr", "/lib", "/lib64"})
            if (std::filesystem::exists(folder)) {
                scratch.folder(std::string("rootfs") + folder);
                made.insert(made.end(), {"-v", std::string(folder) + ":" + folder + ":ro"});
            }
        return made;
    }();
    return options;
}

Strings parent_words(const Strings& options, const Strings& command) {
    auto names = [&](std::initializer_list<const char*> any) {
        return std::ranges::any_of(any, [&](const char* option) {
            return std::ranges::find(options, option) != options.end();
        });
    };
    Strings words{gocontainer(), "parent"};
    // A learner's program is put in the stage's place wherever the stage runs (gocontainer lab
    // check).
    const char* stand_in = getenv("GOCONTAINER_REPLACE");
    const std::string replaced =
        stand_in == nullptr ? "" : std::string(stand_in).substr(0, std::string(stand_in).find('='));
    auto only = std::ranges::find(options, "--only");
    auto runs = [&](const char* stage) {
        bool named = only == options.end() || only + 1 == options.end() ||
                     (only + 1)->find(stage) != std::string::npos;
        return named && !names({("--no-" + std::string(stage)).c_str()});
    };
    // Who has neither stage has no use for one, and the launcher says so.
    bool used = runs("mount") || runs("root");
    if (used && !names({"--rootfs"})) {
        Strings usual{"--rootfs", rootfs()};
        if (replaced == "caps" || replaced == "seccomp")
            usual = lent();
        words.insert(words.end(), usual.begin(), usual.end());
    }
    if (!names({"--net", "--no-net", "--only"}))
        words.insert(words.end(), {"--net", "none"});
    if (stand_in != nullptr && !names({"--only", "--replace", ("--no-" + replaced).c_str()}))
        words.insert(words.end(), {"--replace", stand_in});
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

Ended launch(const Strings& options, const Strings& command, Command with) {
    with.argv = parent_words(options, command);
    with.input_ends = true;
    return Process(std::move(with)).wait();
}

std::pair<pid_t, pid_t> find_container(pid_t launcher, const Strings& command) {
    for (pid_t child : children_of(launcher)) {
        std::vector<pid_t> line = descendants_of(child);
        line.insert(line.begin(), child);
        for (pid_t pid : line) {
            auto words = try_slurp("/proc/" + std::to_string(pid) + "/cmdline");
            std::string wanted;
            for (const std::string& word : command)
                wanted += word + '\0';
            if (words == wanted)
                return {child, pid};
        }
    }
    return {-1, -1};
}

Container::Container(const Strings& options, Command with) {
    Strings shell{"/bin/sh", "-s", token()};
    with.argv = parent_words(options, shell);
    launcher_ = std::make_unique<Process>(std::move(with));
    (void)ask("true"); // so that the command has been executed
    std::tie(first_, command_) = find_container(launcher_->pid(), shell);
    if (command_ < 0)
        throw std::runtime_error("the command runs, but is no descendant of its launcher");
}

Container::~Container() = default;

Container::Answer Container::ask(const std::string& line) {
    std::string mark = token();
    launcher_->type("{ " + line + "\n} </dev/null; echo " + mark + ":$?\n");
    Answer answer;
    answer.out = launcher_->take(mark + ":");
    answer.status = std::stoi(launcher_->take("\n"));
    return answer;
}

Ended Container::end(int status) {
    launcher_->type("exit " + std::to_string(status) + "\n");
    return launcher_->wait();
}

bool shares(pid_t pid, const std::string& name) {
    return namespace_of(pid, name) == namespace_of(getpid(), name);
}

Strings own_namespaces(pid_t pid) {
    Strings out;
    for (const std::string& name : kNamespaces)
        if (!shares(pid, name))
            out.push_back(name);
    return out;
}

Strings lines(const std::string& text) {
    Strings out;
    std::istringstream in(text);
    std::string line;
    while (std::getline(in, line))
        out.push_back(line);
    return out;
}

} // namespace support
