// The table of the runtime's commands.
#include "oci/runtime.hpp"

#include "oci/config.hpp"
#include "oci/control.hpp"
#include "oci/features.hpp"
#include "oci/inspect.hpp"
#include "oci/lifecycle.hpp"
#include "oci/options.hpp"
#include "oci/process.hpp"
#include "oci/spec_template.hpp"
#include "oci/version.hpp"
#include "run/binary.hpp"
#include "spec/net_options.hpp"
#include "spec/options.hpp"
#include "sys/clock.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace oci {

using nlohmann::json;

namespace {

constexpr int kFailed = 1;
constexpr int kExecFailed = 255; ///< exec's own, as runc's: 1 could be the command's

struct Call {
    const Global& global;
    const Arguments& arguments;
    const Output& output;
    const std::string& id() const { return arguments.rest().front(); }
};

struct Command {
    const char* name;
    const char* usage; ///< what comes after the options
    const char* summary;
    std::span<const OptionRow> rows;
    bool mixed;              ///< options may stand after the ID too
    std::size_t least, most; ///< of what is no option
    Result<int> (*run)(const Call&);
};

constexpr std::size_t kAny = ~std::size_t{0};

// clang-format off
constexpr OptionRow kGlobalRows[] = {
    {"root", 0, "DIR", "Where the state of containers is kept"},
    {"log", 0, "FILE", "Write errors there too"},
    {"log-format", 0, "FORMAT", "text (default) or json"},
    {"debug", 0, nullptr, "Write more than errors into the log"},
    {"systemd-cgroup", 0, nullptr, "cgroupsPath is SLICE:PREFIX:NAME, for systemd"},
    {"cgroup-manager", 0, "MANAGER", "cgroupfs (default), systemd or disabled"},
    {"rootless", 0, "WHEN", "true, false or auto (default)"},
    {"version", 'v', nullptr, "Print the version"},
    {"help", 'h', nullptr, "This text"},
};
#define CREATE_ROWS                                                                                \
    {"bundle", 'b', "DIR", "The bundle, or an OCI image layout (default: here)"},                                          \
    {"console-socket", 0, "PATH", "A socket that gets the terminal's master"},                     \
    {"pidfd-socket", 0, "PATH", "A socket that gets a pidfd of the first process"},                \
    {"pid-file", 0, "FILE", "Write the first process's pid there"},                                \
    {"preserve-fds", 0, "N", "Hand down N descriptors from 3 on"},                                 \
    {"no-pivot", 0, nullptr, "Move the root instead of pivot_root: for an initramfs"},             \
    {"no-new-keyring", 0, nullptr, "Keep the caller's session keyring"},                           \
    {"help", 'h', nullptr, "This text"}
constexpr OptionRow kCreateRows[] = {CREATE_ROWS};
constexpr OptionRow kRunRows[] = {
    CREATE_ROWS,
    {"detach", 'd', nullptr, "Don't wait for the container"},
    {"keep", 0, nullptr, "Don't delete it when it has ended"},
    {"no-subreaper", 0, nullptr, "Accepted: orphans go to the caller's subreaper anyway"},
    {"net", 0, "MODE", "slirp or pasta: a way out for its network namespace"},
    {"publish", 'p', "PORT", "[ADDR:]HOST:CONT[/udp], with --net"},
    {"dns", 0, "ADDR", "Resolver, with --net (default: as the host resolves)"},
    {"allow-host-loopback", 0, nullptr, "With --net: the host's 127.0.0.1 is at 10.0.2.2"},
    {"overlay", 0, nullptr, "A root filesystem to be written to, whose changes vanish with it"},
};
constexpr OptionRow kExecRows[] = {
    {"process", 'p', "FILE", "A process.json that says everything below"},
    {"console-socket", 0, "PATH", "A socket that gets the terminal's master"},
    {"pidfd-socket", 0, "PATH", "A socket that gets a pidfd of the process"},
    {"pid-file", 0, "FILE", "Write the process's pid there"},
    {"cwd", 0, "DIR", "Working directory"},
    {"env", 'e', "NAME=VALUE", "An environment variable more"},
    {"tty", 't', nullptr, "Give it a terminal"},
    {"user", 'u', "UID[:GID]", "Who it runs as"},
    {"additional-gids", 'g', "GID", "A supplementary group more"},
    {"detach", 'd', nullptr, "Don't wait for it"},
    {"process-label", 0, "LABEL", "SELinux label"},
    {"apparmor", 0, "PROFILE", "AppArmor profile"},
    {"no-new-privs", 0, nullptr, "No exec gives it more than it has"},
    {"cap", 'c', "NAME", "A capability more"},
    {"preserve-fds", 0, "N", "Hand down N descriptors from 3 on"},
    {"cgroup", 0, "PATH", "A cgroup below the container's own"},
    {"ignore-paused", 0, nullptr, "Also in a paused container, where it waits"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kKillRows[] = {
    {"all", 'a', nullptr, "All its processes, not only the first"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kDeleteRows[] = {
    {"force", 'f', nullptr, "Kill it first; fine if it isn't there"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kFormatRows[] = {
    {"format", 'f', "FORMAT", "table (default) or json"},
    {"quiet", 'q', nullptr, "IDs only"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kPsRows[] = {
    {"format", 'f', "FORMAT", "table (default) or json"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kEventsRows[] = {
    {"stats", 0, nullptr, "Statistics once, then end"},
    {"interval", 0, "TIME", "Between two (default: 5s)"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kSpecRows[] = {
    {"bundle", 'b', "DIR", "Where to write config.json (default: here)"},
    {"rootless", 0, nullptr, "For a caller who isn't root"},
    {"help", 'h', nullptr, "This text"},
};
constexpr OptionRow kPlainRows[] = {
    {"help", 'h', nullptr, "This text"},
};
// clang-format on

template <class T>
Result<T> good(std::expected<T, std::string> parsed, const char* option) {
    if (!parsed)
        return sys::wrong(std::string(option) + " " + parsed.error());
    return std::move(*parsed);
}

Result<unsigned> preserve_fds(const Arguments& arguments) {
    return good(spec::parse_number<std::uint32_t>(arguments.value("preserve-fds", "0")),
                "--preserve-fds");
}

Result<CreateOptions> create_options(const Arguments& arguments) {
    CreateOptions out;
    out.bundle = arguments.value("bundle", ".");
    out.pid_file = arguments.value("pid-file");
    out.console_socket = arguments.value("console-socket");
    out.pidfd_socket = arguments.value("pidfd-socket");
    out.preserve_fds = TRY(preserve_fds(arguments));
    out.no_pivot = arguments.has("no-pivot");
    out.no_new_keyring = arguments.has("no-new-keyring");
    out.detach = arguments.has("detach");
    out.keep = arguments.has("keep");
    out.overlay = arguments.has("overlay");
    if (arguments.given("net")) {
        out.own_net = true;
        std::string mode = arguments.value("net");
        if (mode != "slirp" && mode != "pasta")
            return sys::wrong("--net \"" + mode + "\": slirp or pasta");
        out.net = mode == "slirp" ? spec::NetMode::slirp : spec::NetMode::pasta;
    }
    for (const std::string& text : arguments.values("publish"))
        for (const spec::Port& port : TRY(good(spec::parse_port(text), "-p")))
            out.ports.push_back(port);
    for (const std::string& text : arguments.values("dns"))
        out.dns.push_back(TRY(good(spec::parse_dns(text), "--dns")));
    out.allow_host_loopback = arguments.has("allow-host-loopback");
    return out;
}

Result<int> do_create(const Call& call) {
    CreateOptions options = TRY(create_options(call.arguments));
    TRY(create(call.global, options, call.id()));
    return 0;
}

Result<int> do_run(const Call& call) {
    CreateOptions options = TRY(create_options(call.arguments));
    return run(call.global, options, call.id());
}

Result<int> do_start(const Call& call) {
    TRY(start(call.global, call.id()));
    return 0;
}

Result<ExecOptions> exec_options(const Arguments& arguments) {
    ExecOptions out;
    out.process = arguments.value("process");
    out.args.assign(arguments.rest().begin() + 1, arguments.rest().end());
    out.env = arguments.values("env");
    out.cwd = arguments.value("cwd");
    out.user = arguments.value("user");
    out.capabilities = arguments.values("cap");
    for (const std::string& text : arguments.values("additional-gids"))
        out.groups.push_back(
            TRY(good(spec::parse_number<std::uint32_t>(text), "--additional-gids")));
    out.apparmor = arguments.value("apparmor");
    out.selinux = arguments.value("process-label");
    out.no_new_privileges = arguments.has("no-new-privs");
    out.tty = arguments.has("tty");
    out.ignore_paused = arguments.has("ignore-paused");
    out.cgroup = arguments.value("cgroup");
    out.detach = arguments.has("detach");
    out.pid_file = arguments.value("pid-file");
    out.console_socket = arguments.value("console-socket");
    out.pidfd_socket = arguments.value("pidfd-socket");
    out.preserve_fds = TRY(preserve_fds(arguments));
    return out;
}

Result<int> do_exec(const Call& call) {
    auto status = [&]() -> Result<int> {
        TRY(run::protect_ourselves());
        return exec(call.global, TRY(exec_options(call.arguments)), call.id());
    }();
    if (!status)
        status.error().status = kExecFailed;
    return status;
}

Result<int> do_state(const Call& call) {
    call.output.out(TRY(state(call.global, call.id())));
    return 0;
}

Result<Format> format_of(const Arguments& arguments) {
    std::string text = arguments.value("format", "table");
    if (text != "table" && text != "json")
        return sys::wrong("invalid format option: \"" + text + "\": table or json");
    return text == "json" ? Format::json : Format::table;
}

Result<int> do_list(const Call& call) {
    Format format = TRY(format_of(call.arguments));
    call.output.out(TRY(list(call.global, format, call.arguments.has("quiet"))));
    return 0;
}

Result<int> do_ps(const Call& call) {
    Format format = TRY(format_of(call.arguments));
    std::vector<std::string> words; // engines give them as one argument
    for (auto arg = call.arguments.rest().begin() + 1; arg != call.arguments.rest().end(); ++arg)
        for (std::size_t at = 0; at < arg->size();) {
            std::size_t end = std::min(arg->find(' ', at), arg->size());
            if (end > at)
                words.push_back(arg->substr(at, end - at));
            at = end + 1;
        }
    call.output.out(TRY(ps(call.global, call.id(), format, words)));
    return 0;
}

Result<int> do_kill(const Call& call) {
    std::string text = call.arguments.rest().size() > 1 ? call.arguments.rest()[1] : "TERM";
    auto signal = signal_named(text);
    if (!signal)
        return sys::wrong("unknown signal \"" + text + "\"");
    TRY(kill(call.global, call.id(), *signal, call.arguments.has("all")));
    return 0;
}

Result<int> do_delete(const Call& call) {
    TRY(remove(call.global, call.id(), call.arguments.has("force")));
    return 0;
}

Result<int> do_pause(const Call& call) {
    TRY(pause(call.global, call.id()));
    return 0;
}

Result<int> do_resume(const Call& call) {
    TRY(resume(call.global, call.id()));
    return 0;
}

Result<int> do_update(const Call& call) {
    TRY(update(call.global, call.id(), call.arguments));
    return 0;
}

/// "5s", "500ms", "1m": Go's time.Duration, of one unit.
Result<std::chrono::milliseconds> duration(const std::string& text) {
    std::size_t digits = text.find_first_not_of("0123456789");
    auto number = spec::parse_number<std::uint32_t>(text.substr(0, digits));
    std::string unit = digits == std::string::npos ? "" : text.substr(digits);
    std::int64_t each = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    if (!number || *number == 0 || each == 0)
        return sys::wrong("--interval \"" + text + "\": a time, as 500ms, 5s or 1m");
    return std::chrono::milliseconds(*number * each);
}

Result<int> do_events(const Call& call) {
    auto interval = TRY(duration(call.arguments.value("interval", "5s")));
    TRY(events(call.global, call.id(), call.arguments.has("stats"), interval, call.output.out));
    return 0;
}

Result<int> do_spec(const Call& call) {
    std::string folder = call.arguments.value("bundle", ".");
    Fd directory = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    auto file =
        sys::openat(directory.get(), "config.json", O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0666);
    if (!file && file.error().code == EEXIST)
        return sys::wrong("file config.json exists. Remove it first");
    Fd open = TRY(std::move(file));
    std::string text = default_config(Template{
        .rootless = call.arguments.has("rootless"), .uid = sys::geteuid(), .gid = sys::getgid()});
    TRY(sys::write_all(open.get(), text));
    return 0;
}

Result<int> do_features(const Call& call) {
    call.output.out(features(kVersion).dump(4) + "\n");
    return 0;
}

const Command kCommands[] = {
    {"create", "ID", "make a container, ready to start", kCreateRows, true, 1, 1, do_create},
    {"start", "ID", "start what create has made", kPlainRows, true, 1, 1, do_start},
    {"run", "ID", "create, start, wait, delete", kRunRows, true, 1, 1, do_run},
    {"exec", "ID COMMAND [ARG…]", "one more process in a container", kExecRows, false, 1, kAny,
     do_exec},
    {"state", "ID", "its state, as JSON", kPlainRows, true, 1, 1, do_state},
    {"list", "", "all containers", kFormatRows, true, 0, 0, do_list},
    {"kill", "ID [SIGNAL]", "send a signal (default: TERM)", kKillRows, true, 1, 2, do_kill},
    {"delete", "ID", "undo everything", kDeleteRows, true, 1, 1, do_delete},
    {"ps", "ID [PS-OPTIONS]", "its processes", kPsRows, false, 1, kAny, do_ps},
    {"pause", "ID", "stop its processes where they are", kPlainRows, true, 1, 1, do_pause},
    {"update", "ID", "change its limits", update_rows(), true, 1, 1, do_update},
    {"events", "ID", "what it uses, as JSON", kEventsRows, true, 1, 1, do_events},
    {"resume", "ID", "let them go on", kPlainRows, true, 1, 1, do_resume},
    {"spec", "", "write a config.json to start from", kSpecRows, true, 0, 0, do_spec},
    {"features", "", "what of the specification is there, as JSON", kPlainRows, true, 0, 0,
     do_features},
};

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
    out.rootless = rootless == "true" ||
                   (rootless == "auto" && (sys::geteuid() != 0 || out.in_user_namespace));
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

/// One object, or one line, with the error; containerd and podman read it back.
void log_error(const Arguments& arguments, const std::string& line) {
    std::string path = arguments.value("log");
    if (path.empty() || path == "/dev/stderr")
        return;
    json entry = {{"level", "error"}, {"msg", line}, {"time", sys::rfc3339_now()}};
    std::string text = arguments.value("log-format") == "json"
                           ? entry.dump(-1, ' ', false, json::error_handler_t::replace)
                           : "time=\"" + sys::rfc3339_now() + "\" level=error msg=" +
                                 json(line).dump(-1, ' ', false, json::error_handler_t::replace);
    auto file = sys::openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_APPEND, 0644);
    if (file)
        (void)sys::write(file->get(), text + "\n"); // stderr has it too
}

Result<int> dispatch(const Arguments& global_arguments, const Output& output) {
    Global global = TRY(global_options(global_arguments, output));
    const std::vector<std::string>& rest = global_arguments.rest();
    const auto* command = std::ranges::find(
        kCommands, rest.front(), [](const Command& row) { return std::string(row.name); });
    if (command == std::end(kCommands)) {
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
    for (const Command& command : kCommands) {
        std::string left = std::string("  gocontainer ") + command.name + " " + command.usage;
        auto more = std::ranges::count_if(left, [](char c) { return (c & 0xc0) == 0x80; }); // "…"
        left.resize(std::max(left.size() + 2, 42 + static_cast<std::size_t>(more)), ' ');
        out += left + command.summary + "\n";
    }
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
