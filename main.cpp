// gocontainer: the table of subcommands, nothing else. What it doesn't know is the OCI runtime's.
#include "cli/completion.hpp"
#include "cli/parent.hpp"
#include "oci/runtime.hpp"
#include "run/child.hpp"
#include "run/describe.hpp"
#include "run/keeper.hpp"
#include "run/parent.hpp"
#include "sys/path.hpp"
#include "sys/title.hpp"
#include "teach/doctor.hpp"
#include "teach/grade.hpp"
#include "teach/inspect.hpp"
#include "teach/lab.hpp"
#include "teach/lesson.hpp"
#include "teach/lines.hpp"
#include "teach/narrator.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Args = std::vector<std::string>;

constexpr int kOurFailure = 125;

int unsaid = 0; // errno of what could not be printed

void print(FILE* stream, const std::string& text) {
    bool printed = fwrite(text.data(), 1, text.size(), stream) == text.size();
    printed &= fflush(stream) == 0;
    if (!printed && stream == stdout) // of stderr there is nobody left to tell
        unsaid = errno;
}

int complain(const std::string& line) {
    print(stderr, teach::message("gocontainer: " + sys::printable(line)));
    return kOurFailure;
}

/// For std::bad_alloc, which nobody catches. Nothing can be allocated to say it with.
[[noreturn]] void out_of_memory() {
    constexpr std::string_view line =
        "gocontainer: there is no memory left for it: raise 'ulimit -v'\n";
    (void)fwrite(line.data(), 1, line.size(), stderr); // of stderr there is nobody left to tell
    sys::exit_now(kOurFailure);
}

/// Half a text must not pass for all of it, as in `inspect --json >FILE` on a full disk.
int unless_unsaid(int status, int failure) {
    if (unsaid == 0)
        return status;
    (void)complain(sys::to_line({.stage = {},
                                 .call = "write(1)",
                                 .code = unsaid,
                                 .detail = {},
                                 .hint = "not all of the output is where it was to go"}));
    return status == 0 ? failure : status;
}

int parent(const Args& args) {
    auto read = [](const std::string& path) -> std::expected<std::string, std::string> {
        auto text = sys::read_given(path);
        return text ? std::move(*text)
                    : std::expected<std::string, std::string>(std::unexpect,
                                                              sys::to_line(text.error()));
    };
    auto command = cli::parse_parent(args, read);
    if (!command)
        return complain(command.error());
    if (command->help) {
        print(stdout, *command->help);
        return 0;
    }
    spec::Spec& spec = command->spec;
    spec.process.terminal = sys::isatty(0) && sys::isatty(1);
    std::unique_ptr<teach::Narrator> narrator;
    if (command->watching.any()) {
        auto made = teach::Narrator::make(command->watching, spec,
                                          [](const std::string& text) { print(stderr, text); });
        if (!made)
            return complain(sys::to_line(made.error()));
        narrator = std::move(*made);
    }
    auto status = run::launch(spec, [&spec](const std::string& line) {
        if (!spec.quiet)
            (void)complain(line);
    });
    if (!status) {
        (void)complain(sys::to_line(status.error()));
        return status.error().status;
    }
    return *status;
}

int child(const Args& args) {
    return complain(run::child_main(args));
}

int keeper(const Args& args) {
    return complain(run::keeper_main(args));
}

int stages(const Args& args) {
    if (args.empty()) {
        print(stdout, run::describe_stages());
        return 0;
    }
    if (teach::asks_for_help(args)) {
        print(stdout,
              "Usage: gocontainer stages [--json]\n\nWhat happens on the way to a container, "
              "in its order, and the lesson on it.\n");
        return 0;
    }
    if (args.size() != 1 || args.front() != "--json")
        return complain("stages: \"" + (args.front() == "--json" ? args[1] : args.front()) +
                        "\" is not --json, which is all that it takes");
    print(stdout, run::describe_stages_json());
    return 0;
}

/// What the classroom's commands have to say, or why not.
int answer(const sys::Result<std::string>& said) {
    if (!said)
        return complain(sys::to_line(said.error()));
    print(stdout, *said);
    return 0;
}

int inspect(const Args& args) {
    return answer(teach::inspect(args, oci::find_process));
}

int diff(const Args& args) {
    return answer(teach::compare(args, oci::find_process));
}

int doctor(const Args& args) {
    auto found = teach::doctor(args);
    if (!found)
        return complain(sys::to_line(found.error()));
    print(stdout, found->text);
    return found->status;
}

int lesson(const Args& args) {
    auto done = teach::lesson(args, [](const std::string& text) { print(stdout, text); });
    return done ? 0 : complain(sys::to_line(done.error()));
}

int lab(const Args& args) {
    auto done = !args.empty() && !teach::asks_for_help(args) && teach::grades(args.front())
                    ? teach::grade(args, [](const std::string& text) { print(stdout, text); })
                    : teach::lab(args);
    if (!done)
        return complain(sys::to_line(done.error()));
    print(stdout, done->text);
    return done->status;
}

int escape(const Args& args) {
    teach::Answer tried = teach::escape_main(args);
    print(stdout, tried.text);
    return tried.status;
}

int pivot(const Args& args) {
    return complain(teach::pivot_main(args));
}

int help(const Args&);
int completion(const Args&);

struct Subcommand {
    const char* name;
    const char* summary; // nullptr: not for calling by hand
    int (*run)(const Args&);
};
constexpr Subcommand kSubcommands[] = {
    {"parent", "[OPTIONS] COMMAND…   run a command in a container", parent},
    {"stages", "[--json]             what happens on the way there", stages},
    {"inspect", "[OPTIONS] PID|ID    what the kernel says of a process", inspect},
    {"diff", "[OPTIONS] A B          what two processes differ in", diff},
    {"doctor", "[--json] [--plain]   what this machine can do, and why not", doctor},
    {"lesson", "[list|N]             learn how all this works", lesson},
    {"lab", "start|check|escape|…    write a stage; get out of a container", lab},
    {"completion", "                 completes words in bash", completion},
    {"escape", nullptr, escape},
    {"pivot-no-umount", nullptr, pivot},
    {"child", nullptr, child},
    {"keeper", nullptr, keeper},
    {"help", nullptr, help},
    {"--help", nullptr, help},
    {"-h", nullptr, help},
};

int help(const Args&) {
    std::string text =
        "gocontainer turns a command into a container, one visible stage at a time\n\n";
    for (const Subcommand& subcommand : kSubcommands)
        if (subcommand.summary != nullptr)
            text +=
                std::string("  gocontainer ") + subcommand.name + " " + subcommand.summary + "\n";
    text += "\nAs an OCI runtime:\n" + oci::describe_commands();
    print(stdout, text + "\n'gocontainer parent --help' lists its options, grouped by stage\n");
    return 0;
}

int completion(const Args& args) {
    if (teach::asks_for_help(args)) {
        print(stdout, "Usage: gocontainer completion\n\nA script by which bash completes options, "
                      "their values and stages:\n\n    source <(./gocontainer completion)\n");
        return 0;
    }
    if (!args.empty())
        return complain("completion: \"" + args.front() +
                        "\": it takes nothing, and prints a "
                        "script for bash");
    std::vector<std::string> names = oci::command_names();
    for (const Subcommand& subcommand : kSubcommands)
        if (subcommand.summary != nullptr)
            names.emplace_back(subcommand.name);
    print(stdout, cli::bash_completion(names));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    std::set_new_handler(out_of_memory);
    sys::keep_arguments(argc, argv);
    // A setuid copy of us would hand the host to whoever calls it (security: bubblewrap's history).
    if (sys::geteuid() != sys::getuid())
        return complain("this program must not be installed setuid: 'chmod u-s' it");
    // Else a descriptor of ours would become 0, 1 or 2, and what is printed would land in it.
    if (auto open = sys::open_standard_streams(); !open)
        return kOurFailure; // there is no stream to say it on
    if (argc < 2) {
        (void)help({});
        return kOurFailure;
    }
    std::string name = argv[1];
    // The runtime's option for where state is kept stands before its commands; these know it too.
    bool rooted = argc > 3 && name == "--root";
    std::string after = rooted ? argv[3] : "";
    if (after == "inspect" || after == "diff") {
        Args args(argv + 4, argv + argc);
        args.insert(args.begin(), {name, argv[2]});
        return unless_unsaid(after == "diff" ? diff(args) : inspect(args), kOurFailure);
    }
    for (const Subcommand& subcommand : kSubcommands)
        if (name == subcommand.name)
            return unless_unsaid(subcommand.run(Args(argv + 2, argv + argc)), kOurFailure);
    int status = oci::main(argv[0], Args(argv + 1, argv + argc),
                           {.out = [](const std::string& text) { print(stdout, text); },
                            .err =
                                [](const std::string& text) {
                                    print(stderr, teach::message(text.substr(0, text.rfind('\n'))));
                                }});
    return unless_unsaid(status, EXIT_FAILURE);
}
