// Commands at the prompt, each with its first letter.
#include "teach/pause.hpp"

#include "run/visit.hpp"
#include "sys/path.hpp"
#include "teach/describe.hpp"
#include "teach/lines.hpp"
#include "teach/why.hpp"

#include <algorithm>
#include <cerrno>

namespace teach {

namespace {

/// Which of the child's namespaces are its own, as nsenter(1)'s options.
std::string nsenter_line(const Snapshot& of) {
    constexpr std::pair<const char*, const char*> kOptions[] = {
        {"user", "--user"}, {"mnt", "--mount"}, {"uts", "--uts"},       {"ipc", "--ipc"},
        {"net", "--net"},   {"pid", "--pid"},   {"cgroup", "--cgroup"}, {"time", "--time"},
    };
    std::string options;
    for (auto [type, option] : kOptions)
        if (const Namespace* space = of.space(type); space != nullptr && space->own())
            options += std::string(" ") + option;
    // Where the caller's groups can't be dropped, or no id is there to become, it must not try.
    if (options.contains("--user") && (of.setgroups == "deny" || of.uid_map.empty()))
        options += " --preserve-credentials";
    return "nsenter --target " + std::to_string(of.pid) + options + " /bin/sh";
}

} // namespace

std::span<const Pause::Command> Pause::commands() {
    static constexpr Command kCommands[] = {
        {"look", "what the kernel shows of the child now; \"look mounts\": a part", &Pause::look},
        {"diff", "what has changed since the last stop", &Pause::differ},
        {"host", "how it differs from this program, on the host", &Pause::compare_with_host},
        {"explain", "go on, and say what is done from here", &Pause::explain},
        {"shell", "a shell in the half-made container", &Pause::shell},
        {"continue", "go on (so does Enter)", &Pause::go_on},
        {"quit", "end the launch; nothing of it stays", &Pause::quit},
        {"help", "this list", &Pause::help},
    };
    return kCommands;
}

void Pause::complain(const sys::Error& error) {
    print_(paint_.red(sys::to_line(error)) + "\n");
}

std::optional<Pause::Answer> Pause::look(const run::Step&, pid_t child) {
    auto now = snapshot(child);
    if (!now) {
        complain(now.error());
        return std::nullopt;
    }
    count_members(*now);
    std::string shown, names;
    for (const Part& part : parts_of(*now, paint_)) {
        names += (names.empty() ? "" : ", ") + part.name;
        if (part.name.starts_with(part_))
            shown += part.text;
    }
    print_(shown);
    auto lines = static_cast<std::size_t>(std::ranges::count(shown, '\n'));
    if (shown.empty())
        print_(wrapped("There is no such part: " + names, 0, terminal_width()));
    else if (part_.empty() && terminal_height() != 0 && lines >= terminal_height())
        print_(wrapped("These were " + std::to_string(lines) +
                           " lines. \"look mounts\" shows a part; "
                           "the parts are: " +
                           names,
                       0, terminal_width()));
    return std::nullopt;
}

std::optional<Pause::Answer> Pause::differ(const run::Step&, pid_t child) {
    auto now = snapshot(child);
    if (!now)
        complain(now.error());
    else if (!last_)
        print_("this is the first stop: \"host\" compares with this program\n");
    else
        print_(teach::describe(diff(*last_, *now), paint_));
    return std::nullopt;
}

std::optional<Pause::Answer> Pause::compare_with_host(const run::Step&, pid_t child) {
    auto now = snapshot(child);
    auto host = snapshot(sys::getpid());
    if (now && host)
        print_(teach::describe(diff(*host, *now), paint_));
    else
        complain(now ? host.error() : now.error());
    return std::nullopt;
}

std::optional<Pause::Answer> Pause::explain(const run::Step&, pid_t) {
    return Answer::explain;
}
std::optional<Pause::Answer> Pause::go_on(const run::Step&, pid_t) {
    return Answer::go_on;
}
std::optional<Pause::Answer> Pause::quit(const run::Step&, pid_t) {
    return Answer::quit;
}

std::optional<Pause::Answer> Pause::shell(const run::Step& step, pid_t child) {
    if (auto now = snapshot(child); now && now->uid_map.empty()) {
        print_(wrapped("There is no root yet to open a shell as: in its user namespace no id is "
                       "mapped, which is what the user stage does. Continue, and try again at the "
                       "next stop; by the nsenter line above you enter it as nobody (65534).",
                       0, terminal_width()));
        return std::nullopt;
    }
    spec::Process process;
    process.args = {"/bin/sh"};
    process.terminal = sys::isatty(STDIN_FILENO) && sys::isatty(STDERR_FILENO);
    process.env = {"PS1=(before " + title(step) + ") # "};
    if (const char* term = getenv("TERM"); term != nullptr)
        process.env.push_back(std::string("TERM=") + term);
    process.new_privileges = true; // it gets no filter, and keeps what root of the namespace has
    if (auto status = run::visit(child, std::move(process)); !status)
        complain(status.error());
    else
        print_("back from the shell, which ended with " + std::to_string(*status) + "\n");
    return std::nullopt;
}

std::optional<Pause::Answer> Pause::help(const run::Step&, pid_t) {
    std::string out;
    for (const Command& command : commands()) {
        std::string name = command.name;
        out += "  " + paint_.bold(name) + std::string(10 - name.size(), ' ') + command.help + "\n";
    }
    print_(out + "The first letter is enough.\n");
    return std::nullopt;
}

void Pause::ask_again() {
    print_(paint_.bold("(look, diff, host, explain, shell, continue, quit) > "));
}

/// Byte by byte: what follows the line is the command's, when it is no terminal that we read.
Result<std::optional<std::string>> Pause::read_line() {
    sigset_t set = sys::ending_signals(); // blocked while we launch, and so is ^Z's
    (void)sigaddset(&set, SIGTSTP);       // a valid number
    sys::Fd signals = TRY(sys::signalfd(set));
    ask_again();
    std::string line;
    for (;;) {
        pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                        {.fd = signals.get(), .events = POLLIN, .revents = 0}};
        TRY(sys::poll(fds));
        if (fds[1].revents != 0) {
            // Taken: it shall not come a second time, when we no longer block it.
            if (TRY(sys::read_signal(signals.get())).number != SIGTSTP)
                return std::nullopt;
            TRY(sys::kill(sys::getpid(), SIGSTOP));
            line.clear(); // the terminal has thrown it away (termios(3), NOFLSH)
            ask_again();
            continue;
        }
        char byte = 0;
        if (TRY(sys::read(STDIN_FILENO, std::span(&byte, 1))) == 0)
            return std::nullopt;
        if (byte == '\n')
            return line;
        line += byte;
    }
}

Result<Pause::Answer> Pause::ask(const run::Step& step, pid_t child) {
    auto now = snapshot(child);
    std::string stop = "stopped before the " + title(step) + " stage: " + step.stage->summary;
    std::string number = std::to_string(child);
    const std::size_t width = terminal_width();
    std::string head = wrapped(stop, paint_.plain() ? 0 : 2, width);
    if (!paint_.plain())
        head.replace(0, 2, "▌ ");
    print_("\n" + paint_.bold(head) +
           wrapped("The child is process " + number + " here, and waits. From another terminal:", 2,
                   width) +
           pasteable("ls -l /proc/" + number + "/ns", width, paint_));
    if (now)
        print_(pasteable(nsenter_line(*now), width, paint_));
    for (;;) {
        std::optional<std::string> line = TRY(read_line());
        if (!line) {
            print_("\n");
            return Answer::quit;
        }
        std::size_t from = line->find_first_not_of(" \t");
        std::string word = from == std::string::npos ? "continue" : line->substr(from);
        word.resize(word.find_last_not_of(" \t\r") + 1);
        std::size_t blank = std::min(word.find(' '), word.size());
        part_ = word.substr(std::min(word.find_first_not_of(' ', blank), word.size()));
        const Command* chosen = nullptr;
        for (const Command& command : commands())
            if (std::string_view(command.name).starts_with(word.substr(0, blank)) &&
                (part_.empty() || command.run == &Pause::look))
                chosen = chosen == nullptr ? &command : chosen;
        if (chosen == nullptr) {
            print_("\"" + sys::printable(word) + "\" is none of the commands:\n");
            (void)help(step, child);
            continue;
        }
        if (auto answer = (this->*chosen->run)(step, child)) {
            if (now)
                last_ = std::move(*now);
            return *answer;
        }
    }
}

} // namespace teach
