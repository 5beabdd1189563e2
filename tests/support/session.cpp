// Typing what a text prints, and comparing what it prints next.
#include "tests/support/session.hpp"

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace support {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kAny = "…";
constexpr std::size_t kColumns = 78; // on a terminal of 80, a longer line is shown in part

// The shells' and that of `parent --pause`.
constexpr std::string_view kPrompts[] = {"$ ", "/ # ",
                                         "(look, diff, host, explain, shell, continue, quit) > "};

/// With one blank wherever there were some, and none at the ends.
std::string even(const std::string& line) {
    std::istringstream text(line);
    std::string out;
    for (std::string word; text >> word;)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

bool fits(std::string_view pattern, std::string_view text) {
    std::size_t any = pattern.find(kAny);
    if (any == std::string_view::npos)
        return pattern == text;
    if (text.substr(0, any) != pattern.substr(0, any))
        return false;
    std::string_view rest = pattern.substr(any + kAny.size());
    for (std::size_t at = any + 1; at <= text.size(); ++at)
        if (fits(rest, text.substr(at)))
            return true;
    return false;
}

bool fits_all(const Strings& printed, std::size_t p, const Strings& shown, std::size_t s) {
    if (p == printed.size())
        return s == shown.size();
    if (printed[p] == kAny) {
        for (std::size_t at = s; at <= shown.size(); ++at)
            if (fits_all(printed, p + 1, shown, at))
                return true;
        return false;
    }
    return s < shown.size() && fits(printed[p], shown[s]) && fits_all(printed, p + 1, shown, s + 1);
}

/// A message of ours that took more than one line of the terminal's 80 columns.
bool goes_on(const std::string& message, const std::string& line) {
    if (!message.starts_with("gocontainer: ") || !line.starts_with("  ") || line.size() < 3)
        return false;
    std::size_t last = message.size() - (message.rfind('\n') + 1);
    std::string_view word = std::string_view(line).substr(2, line.find(' ', 2) - 2);
    return !word.empty() && (word.front() == '\'' || last + 1 + word.size() > 80);
}

/// Lines as a person sees them: without escape sequences, blank ones left out; a message of ours is
/// one.
Strings seen(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
            i += 2;
            while (i < text.size() && (text[i] < '@' || text[i] > '~'))
                ++i;
        } else if (text[i] != '\r') {
            plain += text[i];
        }
    }
    Strings whole;
    for (const std::string& line : lines(plain))
        if (!whole.empty() && goes_on(whole.back(), line))
            whole.back() += "\n" + line;
        else
            whole.push_back(line);
    Strings out;
    for (const std::string& line : whole)
        if (std::string words = even(line); !words.empty())
            out.push_back(words);
    return out;
}

std::string shown_lines(const Strings& text) {
    std::string out;
    for (const std::string& line : text)
        out += "    " + line + "\n";
    return out;
}

struct Step {
    std::string place, terminal, prompt, then; ///< `then`: the prompt that comes next
    Strings typed;                             ///< more than one line: the others after "> "
    Strings printed;
};

std::vector<Step> steps_of(const std::string& name, const Block& block) {
    std::vector<Step> steps;
    int number = block.line;
    for (const std::string& line : block.lines) {
        std::string place = name + ":" + std::to_string(++number);
        const auto* prompt = std::ranges::find_if(
            kPrompts, [&](std::string_view one) { return line.starts_with(one); });
        if (prompt != std::end(kPrompts)) {
            steps.push_back({place,
                             block.fact("terminal", "1"),
                             std::string(*prompt),
                             "",
                             {line.substr(prompt->size())},
                             {}});
            continue;
        }
        if (steps.empty())
            throw std::runtime_error(place + ": printed before anything is typed");
        if (line.starts_with("> ") && steps.back().printed.empty())
            steps.back().typed.push_back(line.substr(2));
        else if (std::string words = even(line); !words.empty())
            steps.back().printed.push_back(words);
    }
    for (const Step& step : steps)
        for (const std::string& line : step.typed)
            if (step.prompt.size() + line.size() >= kColumns)
                throw std::runtime_error(step.place + ": too long for a terminal of 80 columns");
    return steps;
}

class Shell {
public:
    explicit Shell(const std::string& cwd)
        : terminal_({.argv = {"bash", "--norc", "--noprofile", "-i"},
                     .env = {"PS1=$ ", "PS2=> ", "TERM=dumb", "LC_ALL=C.UTF-8", "HISTFILE"},
                     .cwd = cwd}) {
        terminal_.until("$ ");
    }
    /// What the terminal shows of it before the next prompt.
    Strings type(const Step& step) {
        std::string text;
        for (std::size_t i = 0; i < step.typed.size(); ++i) {
            if (i > 0)
                terminal_.until("\n> ");
            terminal_.type(step.typed[i] + "\n");
            terminal_.until(step.typed[i]); // its echo
        }
        Strings shown = seen(terminal_.take("\n" + step.then));
        // Typed before the shell had set up its terminal, it is echoed twice.
        const std::string& last = step.typed.back();
        while (!shown.empty() &&
               (shown.front() == even(last) || shown.front() == even(step.prompt + last)))
            shown.erase(shown.begin());
        return shown;
    }
    Ended end() {
        terminal_.type("exit 0\n");
        return terminal_.wait();
    }

private:
    Terminal terminal_;
};

/// What differs from machine to machine and no text prints: what we could not do without being
/// asked to, and busybox's greeting.
void leave_out_ours(const Step& step, Strings& shown) {
    auto ours = [](const std::string& line) { return line.starts_with("gocontainer: "); };
    if (std::ranges::none_of(step.printed, ours))
        std::erase_if(shown, ours);
    if (step.then == "/ # ")
        std::erase_if(shown, [](const std::string& line) {
            return line.starts_with("BusyBox v") || line.starts_with("Enter 'help' for a list");
        });
}

} // namespace

std::string Block::fact(const std::string& name, const std::string& otherwise) const {
    auto found = facts.find(name);
    return found == facts.end() ? otherwise : found->second;
}

std::vector<Block> blocks_of(const std::string& path) {
    std::vector<Block> blocks;
    std::istringstream text(slurp(path));
    bool inside = false;
    int number = 0;
    for (std::string line; std::getline(text, line);) {
        ++number;
        if (line.starts_with("```")) {
            inside = !inside;
            if (!inside)
                continue;
            Block block{.kind = "", .facts = {}, .lines = {}, .line = number};
            std::istringstream words(line.substr(3));
            words >> block.kind;
            for (std::string word; words >> word;) {
                std::size_t sign = word.find('=');
                block.facts[word.substr(0, sign)] =
                    sign == std::string::npos ? "" : word.substr(sign + 1);
            }
            blocks.push_back(std::move(block));
        } else if (inside) {
            blocks.back().lines.push_back(line);
        }
    }
    return blocks;
}

std::string mismatch(const Strings& printed, const Strings& shown) {
    if (fits_all(printed, 0, shown, 0))
        return "";
    return "  the text prints\n" + shown_lines(printed) + "  the terminal shows\n" +
           shown_lines(shown);
}

Checkout::Checkout() : path_(scratch_.folder("gocontainer")) {
    for (const auto& entry : fs::directory_iterator(source()))
        if (entry.path().filename() != "rootfs")
            fs::create_symlink(entry.path(), fs::path(path_) / entry.path().filename());
    Ended made = run({.argv = {source() + "/rootfs-scripts/busybox", path_ + "/rootfs"}});
    if (made.status != 0)
        throw std::runtime_error("no root filesystem: " + made.err);
}

std::string lacks(const std::string& needs) {
    std::istringstream text(needs);
    for (std::string need; std::getline(text, need, ',');) {
        if (need == "user") {
            if (is_root())
                return "an ordinary user";
        } else if (need == "subids") {
            if (subordinate("/etc/subuid").count == 0)
                return "subordinate ids";
        } else if (need == "cgroup2") { // to be tried: who may write where is a long story
            if (run({.argv = parent_words({"-q", "--pids", "9"}, {"true"})}).status != 0)
                return "a cgroup v2 that was delegated to us";
        } else if (need == "no-cgroup2") {
            if (lacks("cgroup2").empty())
                return "a machine without cgroup v2 for us";
        } else if (need == "tun") {
            if (access("/dev/net/tun", R_OK | W_OK) != 0)
                return "/dev/net/tun";
        } else if (run({.argv = {"sh", "-c", "command -v \"$0\"", need}}).status != 0) {
            return "the program " + need;
        }
    }
    return "";
}

Played play(const std::string& name, const std::vector<Block>& blocks, const std::string& cwd) {
    Played played;
    std::vector<Step> steps;
    for (const Block& block : blocks) {
        if (block.kind != "console")
            continue;
        if (std::string missing = lacks(block.fact("needs")); !missing.empty()) {
            // What is for other machines alone is not missing here.
            if (!block.fact("needs").starts_with("no-"))
                played.left_out.push_back(name + ":" + std::to_string(block.line) + ": needs " +
                                          missing);
            continue;
        }
        for (Step& step : steps_of(name, block))
            steps.push_back(std::move(step));
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto next = std::find_if(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.end(),
                                 [&](const Step& s) { return s.terminal == steps[i].terminal; });
        steps[i].then = next == steps.end() ? "$ " : next->prompt;
    }
    std::map<std::string, std::unique_ptr<Shell>> shells;
    for (const Step& step : steps) {
        std::unique_ptr<Shell>& shell = shells[step.terminal];
        if (!shell)
            shell = std::make_unique<Shell>(cwd);
        std::string different;
        try {
            Strings shown = shell->type(step);
            leave_out_ours(step, shown);
            different = mismatch(step.printed, shown);
        } catch (const std::runtime_error& error) {
            different = error.what();
        }
        ++played.typed;
        if (!different.empty()) {
            played.differences.push_back(step.place + ": " + step.typed.front() + "\n" + different);
            return played;
        }
    }
    for (auto& [terminal, shell] : shells)
        if (Ended ended = shell->end(); ended.status != 0)
            played.differences.push_back(name + ": the shell of terminal " + terminal +
                                         " ended with " + std::to_string(ended.status) + "\n" +
                                         ended.out);
    return played;
}

} // namespace support
