// One attempt: what there is to reach is laid out, an escape is started, and what came of it is
// looked at from outside.
//
//   lab ── fork ──► host: a session of its own, with prey: a file, a process, sockets
//                     ├── the process whose name is the word
//                     └── run::launch ──► the container, whose command is the escape
//
// Without a container ("bare") the host is one of the lab's own: new mount and network namespaces,
// for who is not root in a new user namespace, so that what succeeds hits nobody.
#include "teach/lab.hpp"

#include "run/parent.hpp"
#include "stages/caps.hpp"
#include "stages/mounting.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"
#include "sys/reach.hpp"
#include "teach/lab_folder.hpp"

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

constexpr std::size_t kWord = 16; // of /proc/PID/comm, with its end
// At the same address in whoever is a fork of us.
char kept_word[kWord];

/// What escapes reach for, and what is seen of it.
class Host {
public:
    static Result<Host> make(const std::string& folder, const std::string& word);
    Prey prey;
    std::string word;
    Fd listener;
    Fd datagrams;
    Fd hold;   ///< the process lives until this is closed
    Fd leaked; ///< and this is left open for whoever executes something

    /// Has the process been killed? It ends, either way.
    Result<bool> process_was_killed();
};

Result<Host> Host::make(const std::string& folder, const std::string& word) {
    Host host;
    host.word = word;
    host.prey.folder = folder;
    host.prey.socket = "gocontainer-" + TRY(sys::random_hex(8));
    host.listener = TRY(sys::listen_abstract(host.prey.socket));
    auto [datagrams, port] = TRY(sys::udp_on_loopback());
    host.datagrams = std::move(datagrams);
    host.prey.port = port;
    auto [wait, hold] = TRY(sys::pipe());
    auto [made, make] = TRY(sys::pipe());
    host.prey.process = TRY(sys::fork());
    if (host.prey.process == 0) {
        hold.close();
        memcpy(kept_word, word.c_str(), std::min(word.size() + 1, sizeof kept_word));
        (void)stages::die_with_parent();
        (void)sys::prctl(PR_SET_NAME, "PR_SET_NAME", reinterpret_cast<unsigned long>(kept_word));
        // Where Yama lets nobody trace but parents (EINVAL: there is no Yama).
        (void)sys::prctl(PR_SET_PTRACER, "PR_SET_PTRACER", PR_SET_PTRACER_ANY);
        make.close(); // it is as it is to be found
        char never = 0;
        (void)sys::read(wait.get(), std::span(&never, 1));
        sys::exit_now(0);
    }
    host.hold = std::move(hold);
    make.close();
    char never = 0;
    TRY(sys::read(made.get(), std::span(&never, 1))); // until the other side has closed it
    host.prey.address = reinterpret_cast<std::uint64_t>(&kept_word);
    Fd open = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    host.leaked = TRY(sys::dup_above(open.get(), 20));
    TRY(sys::set_cloexec(host.leaked.get(), false));
    return host;
}

Result<bool> Host::process_was_killed() {
    hold.close();
    int status = TRY(sys::waitpid(prey.process, 0)).second;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1;
}

std::vector<std::string> words_for(const Escape& escape, const Prey& prey) {
    return {"escape",
            escape.name,
            prey.folder,
            std::to_string(prey.process),
            std::to_string(prey.address),
            prey.socket,
            std::to_string(prey.port)};
}

spec::Spec container(const Escape& escape, const Weakness& weakness, const Host& host,
                     const std::string& program, bool pids_limited) {
    spec::Spec spec;
    spec.quiet = true;
    for (std::size_t i = 0; i < spec::kStageCount; ++i)
        if (weakness.without.has(static_cast<spec::Stage>(i)))
            spec.stages.remove(static_cast<spec::Stage>(i));
    spec.root.path = host.prey.folder + "/rootfs";
    spec.root.masked = spec::default_masked_paths();
    spec.root.readonly = spec::default_readonly_paths();
    auto usual = spec::default_capabilities();
    spec.capabilities.bounding = spec.capabilities.permitted = spec.capabilities.effective = usual;
    spec.net.mode = spec.stages.has(spec::Stage::net) ? spec::NetMode::none : spec::NetMode::host;
    if (spec.stages.has(spec::Stage::cgroup) && pids_limited)
        spec.cgroup.resources.pids = 32;
    if (!spec.stages.has(spec::Stage::mount))
        spec.stages.remove(spec::Stage::root); // there is nothing of its own to change to
    bool changes_root = spec.stages.has(spec::Stage::root);
    if (weakness.chroot)
        spec.root.mode = spec::RootMode::chroot;
    if (weakness.umount)
        spec.replacements.push_back({spec::Stage::root, host.prey.folder + "/pivot"});
    std::string name = program;
    if (spec.stages.has(spec::Stage::mount)) {
        spec.root.mounts.push_back({.type = "bind",
                                    .source = program,
                                    .destination = "/gocontainer",
                                    .attributes = MOUNT_ATTR_RDONLY,
                                    .recursive = false});
        if (changes_root)
            name = "/gocontainer";
    }
    // What the launcher itself has executed in there.
    if (escape.name == std::string_view("proc-self-exe"))
        name = "/proc/self/exe";
    spec.process.args = words_for(escape, host.prey);
    spec.process.args.insert(spec.process.args.begin(), name);
    return spec;
}

/// In a child, whose output is what the escape prints: the container, or the escape alone.
[[noreturn]] void start(const Escape& escape, const Weakness& weakness, const Host& host,
                        const std::string& program, bool pids_limited, const Fd& out) {
    (void)sys::dup2(out.get(), 1);
    auto say = [](const sys::Error& error) { (void)sys::write(1, "none " + to_line(error)); };
    if (weakness.bare) {
        auto argv = words_for(escape, host.prey);
        argv.insert(argv.begin(), program);
        say(sys::execve(program, argv, {}));
        sys::exit_now(1);
    }
    spec::Spec spec = container(escape, weakness, host, program, pids_limited);
    if (std::string wrong = spec::validate(spec); !wrong.empty()) {
        say(sys::wrong(wrong).error());
    } else if (auto ended = run::launch(std::move(spec), [](const std::string&) {}); !ended) {
        say(ended.error());
    }
    sys::exit_now(0);
}

Result<std::string> told_in(const Fd& memory) {
    TRY(sys::lseek_start(memory.get()));
    std::string text(4096, '\0');
    text.resize(TRY(sys::read(memory.get(), text)));
    return text;
}

/// Is something mounted on the folder, as this process sees it?
bool is_mounted(const std::string& folder) {
    return sys::read_file("/proc/self/mountinfo", 1 << 22)
        .value_or("")
        .contains(" " + folder + " ");
}

/// Has it worked? `said` is what it has told, `claims` whether it says that it has.
Result<bool> proven(const Escape& escape, Host& host, const std::string& said, bool claims) {
    bool killed = TRY(host.process_was_killed());
    switch (escape.proof) {
    case Proof::word:
        return claims && said.contains(host.word);
    case Proof::killed:
        return killed;
    case Proof::connection:
        return sys::has_visitor(host.listener.get());
    case Proof::datagram:
        return TRY(sys::next_datagram(host.datagrams.get())).port == 1;
    case Proof::mount:
        return is_mounted(host.prey.folder);
    case Proof::claim:
        return claims;
    }
    return false;
}

/// A host of the lab's own, in the place of the machine.
Result<void> make_practice_host() {
    TRY(become_root_in({.rootfs = {}, .own_user = sys::geteuid() != 0},
                       CLONE_NEWNS | CLONE_NEWNET));
    TRY(keep_mounts_private());
    TRY(stages::set_propagation(AT_FDCWD, "/", MS_SHARED, AT_RECURSIVE)); // as under systemd
    return sys::link_up("lo");
}

Result<std::string> own_copy(const std::string& program, const std::string& folder) {
    std::string path = folder + "/gocontainer";
    Fd from = TRY(sys::openat(AT_FDCWD, program, O_RDONLY));
    Fd to = TRY(sys::openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0755));
    TRY(sys::copy_file(to.get(), from.get()));
    return path;
}

/// What is started; and what else of ours stands in the folder for it.
Result<std::string> program_for(const Escape& escape, const Weakness& weakness,
                                const std::string& folder) {
    std::string program = TRY(sys::readlinkat(AT_FDCWD, "/proc/self/exe"));
    if (weakness.umount) {
        Fd at = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
        TRY(sys::replace_file(at.get(), "pivot", "#!" + program + " pivot-no-umount\n", 0755));
    }
    if (weakness.bare && escape.name == std::string_view("proc-self-exe"))
        return own_copy(program, folder); // as if we had installed it
    return program;
}

Result<Attempt> attempt_in(const std::string& folder, const std::string& word, const Escape& escape,
                           const Weakness& weakness, bool pids_limited) {
    std::string program = TRY(program_for(escape, weakness, folder));
    TRY(sys::setsid()); // what is signalled as our group is ours
    if (weakness.bare)
        TRY(make_practice_host());
    Host host = TRY(Host::make(folder, word));
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1); // for us, the launcher and the escape, but not for the prey
    (void)TRY(sys::sigprocmask(SIG_BLOCK, blocked));
    Fd out = TRY(sys::memfd_create("gocontainer-escape"));
    pid_t child = TRY(sys::fork());
    if (child == 0)
        start(escape, weakness, host, program, pids_limited, out);
    int status = TRY(sys::waitpid(child, 0)).second;
    std::string said = TRY(told_in(out));
    bool claims = said.starts_with("got ");
    Attempt result{.outcome = Outcome::safe,
                   .evidence = said.substr(std::min<std::size_t>(4, said.size()))};
    if (TRY(proven(escape, host, said, claims))) {
        result.outcome = Outcome::risk;
        if (result.evidence == word)
            result.evidence = "it has read a secret of the host's: " + word;
    } else if (claims) {
        result.evidence += ", and nothing of it has come to the host";
    } else if (said.starts_with("none ")) {
        result = {.outcome = Outcome::not_run, .evidence = said.substr(5)};
    }
    if (said.empty())
        result.evidence = WIFSIGNALED(status)
                              ? "it was ended by " + sys::signal_name(WTERMSIG(status))
                              : "it said nothing";
    return result;
}

/// In a new folder of the lab's: the word, and an empty root filesystem.
Result<void> lay_out(const std::string& folder, const std::string& word) {
    TRY(sys::mkdirat(AT_FDCWD, folder + "/rootfs", 0755));
    Fd at = TRY(sys::openat(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY));
    Fd rootfs = TRY(sys::openat(at.get(), "rootfs", O_RDONLY | O_DIRECTORY));
    TRY(sys::fchmod(rootfs.get(), 0755));
    TRY(sys::replace_file(at.get(), "secret", word, 0644));
    if (sys::geteuid() != 0)
        return {};
    TRY(sys::replace_file(at.get(), "members", word, 0040));
    return sys::fchownat(at.get(), "members", 0, kGroup);
}

/// One that is under way, in a folder of its own.
struct Trial {
    LabFolder folder;
    Telling telling;
};

Result<Trial> begin(const Escape& escape, const Weakness& weakness, bool pids_limited) {
    LabFolder folder = TRY(LabFolder::make());
    std::string word = "lab" + TRY(sys::random_hex(6));
    TRY(stages::hint(lay_out(folder.path(), word), elsewhere));
    Telling telling = TRY(Telling::start([&] {
        auto result = attempt_in(folder.path(), word, escape, weakness, pids_limited);
        nlohmann::json json = {
            {"outcome", static_cast<int>(result ? result->outcome : Outcome::not_run)},
            {"evidence", result ? result->evidence : to_line(result.error())}};
        return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }));
    return Trial{.folder = std::move(folder), .telling = std::move(telling)};
}

Result<Attempt> end(Trial trial) {
    auto told = trial.telling.finish();
    TRY(trial.folder.remove());
    auto read = nlohmann::json::parse(TRY(std::move(told)), nullptr, /*allow_exceptions=*/false);
    if (!read.is_object())
        return sys::wrong("the attempt told nothing");
    return Attempt{
        .outcome = static_cast<Outcome>(read.value("outcome", static_cast<int>(Outcome::not_run))),
        .evidence = read.value("evidence", std::string())};
}

/// Why it is not even tried; "" when it is.
std::string pointless(const Escape& escape, const Weakness& weakness, bool pids_limited) {
    bool bomb = escape.name == std::string_view("fork-bomb");
    if (bomb && !pids_limited && !weakness.bare && !weakness.without.has(spec::Stage::cgroup))
        return "this host can't limit processes: see 'gocontainer doctor'";
    if (escape.needs_root && sys::geteuid() != 0 && weakness.bare)
        return "it is a risk for root alone";
    return {};
}

} // namespace

const char* name_of(Outcome outcome) {
    switch (outcome) {
    case Outcome::safe:
        return "SAFE";
    case Outcome::risk:
        return "RISK";
    case Outcome::not_run:
        return "-";
    }
    return "";
}

std::vector<Attempt> attempts(const Escape& escape, const std::vector<Weakness>& weaknesses,
                              bool pids_limited) {
    // Who ends us has to wait until everything is put away.
    auto before = sys::sigprocmask(SIG_BLOCK, sys::ending_signals());
    std::vector<Result<Trial>> trials;
    for (const Weakness& weakness : weaknesses) {
        std::string why = pointless(escape, weakness, pids_limited);
        trials.push_back(why.empty() ? begin(escape, weakness, pids_limited) : sys::wrong(why));
    }
    std::vector<Attempt> out;
    for (Result<Trial>& trial : trials) {
        auto ended = trial ? end(std::move(*trial)) : std::unexpected(std::move(trial).error());
        out.push_back(
            ended ? std::move(*ended)
                  : Attempt{.outcome = Outcome::not_run, .evidence = to_line(ended.error())});
    }
    if (before)
        (void)sys::sigprocmask(SIG_SETMASK, *before);
    return out;
}

// In the container, its tree put together on the rootfs, the host's still around it.
std::string pivot_main(const std::vector<std::string>& args) {
    const char* rootfs = getenv("GOCONTAINER_ROOTFS");
    const char* next = getenv("GOCONTAINER_NEXT");
    if (args.empty() || rootfs == nullptr || next == nullptr)
        return "this is started by 'gocontainer lab' alone";
    auto changed = [&]() -> Result<void> {
        TRY(sys::chdir(rootfs));
        return sys::pivot_root(".", "."); // and no umount2(".", MNT_DETACH)
    }();
    if (!changed)
        return to_line(changed.error());
    std::vector<std::string> argv{next};
    argv.insert(argv.end(), args.begin() + 1, args.end());
    return to_line(sys::execve(next, argv, {}));
}

Answer escape_main(const std::vector<std::string>& args) {
    const Escape* escape = args.size() == 6 ? escape_named(args[0]) : nullptr;
    if (escape == nullptr)
        return {.text = "none this is started by 'gocontainer lab' alone\n", .status = 125};
    auto number = [](const std::string& text, auto value) {
        (void)std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    Prey prey{.folder = args[1],
              .process = number(args[2], pid_t{0}),
              .address = number(args[3], std::uint64_t{0}),
              .socket = args[4],
              .port = number(args[5], std::uint16_t{0})};
    auto got = escape->run(prey);
    return {.text = got ? "got " + *got : "not " + to_line(got.error()), .status = 0};
}

} // namespace teach
