// The table of the runtime's commands.
#include "oci/commands.hpp"

#include "oci/config.hpp"
#include "oci/control.hpp"
#include "oci/features.hpp"
#include "oci/inspect.hpp"
#include "oci/lifecycle.hpp"
#include "oci/process.hpp"
#include "oci/spec_template.hpp"
#include "oci/version.hpp"
#include "run/binary.hpp"
#include "spec/net_options.hpp"
#include "spec/options.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace oci {

namespace {

constexpr std::size_t kAny = ~std::size_t{0};

// clang-format off
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

/// What a process.json says already, so that nothing that was typed is left unheard. conmon says
/// --tty as well, which only adds to it.
Result<void> check_alone(const Arguments& arguments) {
    if (!arguments.given("process"))
        return {};
    for (const char* option : {"cwd", "env", "user", "additional-gids", "process-label", "apparmor",
                               "no-new-privs", "cap"})
        if (arguments.given(option))
            return sys::wrong(std::string("exec: --process says all of the process: leave out --") +
                              option);
    if (arguments.rest().size() > 1)
        return sys::wrong("exec: --process says all of the process: leave out the command");
    return {};
}

Result<ExecOptions> exec_options(const Arguments& arguments) {
    TRY(check_alone(arguments));
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
    return text == "json" ? Format::as_json : Format::as_table;
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

/// "5s", "500ms", "1m30s": Go's time.Duration, of whole numbers.
Result<std::chrono::milliseconds> duration(const std::string& text) {
    constexpr std::int64_t most = std::int64_t{366} * 24 * 3'600'000;
    std::int64_t all = 0;
    for (std::string_view rest = text; !rest.empty();) {
        std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        auto number = spec::parse_number<std::uint32_t>(std::string(rest.substr(0, digits)));
        rest.remove_prefix(digits);
        std::string_view unit = rest.substr(0, rest.find_first_of("0123456789"));
        rest.remove_prefix(unit.size());
        std::int64_t each = unit == "ms"  ? 1
                            : unit == "s" ? 1000
                            : unit == "m" ? 60'000
                            : unit == "h" ? 3'600'000
                                          : 0;
        all = number && each != 0 && all <= most ? all + *number * each : most + 1;
    }
    if (all == 0 || all > most)
        return sys::wrong("--interval \"" + text + "\": a time, as 500ms, 5s or 1m30s");
    return std::chrono::milliseconds(all);
}

Result<int> do_events(const Call& call) {
    auto interval = TRY(duration(call.arguments.value("interval", "5s")));
    TRY(events(call.global, call.id(), call.arguments.has("stats"), interval, call.output.out));
    return 0;
}

Result<int> do_spec(const Call& call) {
    std::string folder = call.arguments.value("bundle", ".");
    auto file = sys::openat(AT_FDCWD, sys::join(folder, "config.json"),
                            O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0666);
    if (!file && file.error().code == EEXIST)
        return sys::wrong("file config.json exists. Remove it first");
    if (!file)
        file.error().hint = "name a folder that you may write in: spec --bundle FOLDER";
    Fd open = TRY(std::move(file));
    std::string text = default_config(Template{
        .rootless = call.arguments.has("rootless"), .uid = sys::geteuid(), .gid = sys::getgid()});
    auto written = sys::write_all(open.get(), text);
    if (!written) // the first failure is the one to tell
        (void)sys::unlinkat(AT_FDCWD, sys::join(folder, "config.json"));
    TRY(std::move(written));
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
    {"features", "", "what it knows of OCI, as JSON", kPlainRows, true, 0, 0, do_features},
};

} // namespace

std::span<const Command> commands() {
    return kCommands;
}

} // namespace oci
