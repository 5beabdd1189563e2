// The runtime's command line up to a command, and what it says when that has failed.
#include "oci/runtime.hpp"

#include "oci/commands.hpp"
#include "oci/store.hpp"
#include "oci/version.hpp"
#include "sys/clock.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace oci {

using nlohmann::json;

namespace {

// clang-format off
constexpr OptionRow kGlobalRows[] = {
    {"root", 0, "DIR", "Where the state of containers is kept"},
    {"log", 0, "FILE", "Write errors there too"},
    {"log-format", 0, "FORMAT", "text (default) or json"},
    {"debug", 0, nullptr, "Say more than errors, on standard error"},
    {"systemd-cgroup", 0, nullptr, "cgroupsPath is SLICE:PREFIX:NAME, for systemd"},
    {"cgroup-manager", 0, "MANAGER", "cgroupfs (default), systemd or disabled"},
    {"rootless", 0, "WHEN", "Do without a cgroup that is refused: true, false or auto (default)"},
    {"version", 'v', nullptr, "Print the version"},
    {"help", 'h', nullptr, "This text"},
};
// clang-format on

Result<int> help_for(const Command& command, const Output& output) {
    output.out(std::string("Usage: gocontainer [GLOBAL OPTIONS] ") + command.name + " [OPTIONS] " +
               command.usage + "\n\n" + command.summary + "\n\n" + describe(command.rows));
    return 0;
}

/// Are we root of a user namespace, not of the machine?
bool in_user_namespace() {
    auto text = sys::read_file("/proc/self/uid_map", 1 << 16).value_or("");
    return text.find("4294967295") == std::string::npos;
}

Result<Global> global_options(const Arguments& arguments, const Output& output) {
    Global out;
    out.in_user_namespace = in_user_namespace();
    out.root = arguments.value("root", default_root(out.in_user_namespace));
    if (!out.root.starts_with('/'))
        out.root = sys::join(TRY(sys::getcwd()), out.root);
    std::string manager = arguments.value("cgroup-manager", "cgroupfs");
    if (manager != "cgroupfs" && manager != "systemd" && manager != "disabled")
        return sys::wrong("--cgroup-manager \"" + manager + "\": cgroupfs, systemd or disabled");
    out.systemd_cgroup = arguments.has("systemd-cgroup") || manager == "systemd";
    out.no_cgroups = manager == "disabled";
    std::string rootless = arguments.value("rootless", "auto");
    if (rootless != "true" && rootless != "false" && rootless != "auto")
        return sys::wrong("--rootless \"" + rootless + "\": true, false or auto");
    if (rootless != "auto")
        out.refused = rootless == "true" ? spec::Refused::accepted : spec::Refused::an_error;
    std::string format = arguments.value("log-format", "text");
    if (format != "text" && format != "json")
        return sys::wrong("--log-format \"" + format + "\": text or json");
    bool debug = arguments.has("debug");
    out.debug = [debug, &output](const std::string& line) {
        if (debug)
            output.err("gocontainer: " + sys::printable(line) + "\n");
    };
    out.say = [&output](const std::string& line) {
        output.err("gocontainer: " + sys::printable(line) + "\n");
    };
    return out;
}

/// Where errors are to stand as well; nothing when that is standard error alone.
std::string log_of(const Arguments& arguments) {
    std::string path = arguments.value("log");
    return path == "/dev/stderr" ? "" : path;
}

/// O_NONBLOCK: nobody may read from a FIFO.
Result<Fd> open_log(const std::string& path) {
    auto file = sys::openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_APPEND | O_NONBLOCK, 0644);
    if (!file)
        file.error().detail = "--log \"" + path + "\"";
    return file;
}

/// Before anything is done: whoever reads errors there would miss them. Closed again, since what
/// is open may be taken for a descriptor that --preserve-fds hands down.
Result<void> check_log(const Arguments& arguments) {
    if (std::string path = log_of(arguments); !path.empty())
        TRY(open_log(path));
    return {};
}

/// One object, or one line, with the error; containerd and podman read it back.
void log_error(const Arguments& arguments, const std::string& line) {
    std::string path = log_of(arguments);
    if (path.empty())
        return;
    json entry = {{"level", "error"}, {"msg", line}, {"time", sys::rfc3339_now()}};
    std::string text = arguments.value("log-format") == "json"
                           ? entry.dump(-1, ' ', false, json::error_handler_t::replace)
                           : "time=\"" + sys::rfc3339_now() + "\" level=error msg=" +
                                 json(line).dump(-1, ' ', false, json::error_handler_t::replace);
    if (auto file = open_log(path))
        (void)sys::write(file->get(), text + "\n"); // stderr has it too
}

Result<int> dispatch(const Arguments& global_arguments, const Output& output) {
    TRY(check_log(global_arguments));
    Global global = TRY(global_options(global_arguments, output));
    const std::vector<std::string>& rest = global_arguments.rest();
    auto command = std::ranges::find(commands(), rest.front(),
                                     [](const Command& row) { return std::string(row.name); });
    if (command == commands().end()) {
        output.err("gocontainer: \"" + sys::printable(rest.front()) +
                   "\" is no subcommand: see 'gocontainer help'\n");
        return Error{}.status; // no engine's mistake, but a person's
    }
    auto arguments =
        Arguments::parse({rest.begin() + 1, rest.end()}, command->rows, command->mixed);
    if (!arguments)
        return sys::wrong(std::string(command->name) + ": " + arguments.error(),
                          std::string("see 'gocontainer ") + command->name + " --help'");
    if (arguments->has("help"))
        return help_for(*command, output);
    std::size_t count = arguments->rest().size();
    if (count < command->least || count > command->most)
        return sys::wrong(std::string("usage: gocontainer ") + command->name + " [OPTIONS] " +
                          command->usage);
    return command->run(Call{global, *arguments, output});
}

} // namespace

sys::Result<pid_t> find_process(const std::string& root, const std::string& id) {
    std::string where = root.empty() ? default_root(in_user_namespace()) : root;
    if (!where.starts_with('/'))
        where = sys::join(TRY(sys::getcwd()), where);
    Store store = TRY(Store::open(where, id));
    Now now = TRY(store.now());
    if (now.pid == 0)
        return sys::wrong("container \"" + id + "\" is stopped: it has no process");
    return now.pid;
}

std::string describe_commands() {
    std::string out;
    for (const Command& command : commands()) {
        std::string left = std::string("  gocontainer ") + command.name + " " + command.usage;
        auto more = std::ranges::count_if(left, [](char c) { return (c & 0xc0) == 0x80; }); // "…"
        left.resize(std::max(left.size() + 2, 42 + static_cast<std::size_t>(more)), ' ');
        out += left + command.summary + "\n";
    }
    return out;
}

std::vector<std::string> command_names() {
    std::vector<std::string> out;
    for (const Command& command : commands())
        out.emplace_back(command.name);
    return out;
}

int main(const std::string& program, const std::vector<std::string>& args, const Output& output) {
    auto arguments = Arguments::parse(args, kGlobalRows, /*mixed=*/false);
    if (!arguments) {
        output.err("gocontainer: " + sys::printable(arguments.error()) + "\n");
        return kFailed;
    }
    if (arguments->has("version")) {
        output.out(version(program));
        return 0;
    }
    if (arguments->has("help") || arguments->rest().empty()) {
        output.out("Usage: gocontainer [GLOBAL OPTIONS] COMMAND\n\n" + describe_commands() + "\n" +
                   describe(kGlobalRows));
        return arguments->has("help") ? 0 : kFailed;
    }
    auto status = dispatch(*arguments, output);
    if (status)
        return *status;
    std::string line = sys::to_line(status.error());
    log_error(*arguments, sys::printable(line));
    output.err("gocontainer: " + sys::printable(line) + "\n");
    return status.error().status == kExecFailed ? kExecFailed : kFailed;
}

} // namespace oci
