// Starting hooks.
#include "run/hooks.hpp"

#include "run/command.hpp"
#include "sys/path.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace run {

using sys::Fd;
using sys::Result;

namespace {

/// Room for what a hook prints: memory is taken only as it does. `sh -x` says much, but one that
/// never ends must not take all there is: beyond this it can't write.
constexpr std::int64_t kMostOutput = 16 << 20;

/// A file in memory with `text` in it, read from its start.
Result<Fd> with_text(const char* name, std::string_view text) {
    Fd file = TRY(sys::memfd_create(name));
    TRY(sys::write_all(file.get(), text));
    TRY(sys::lseek_start(file.get()));
    return file;
}

/// The last lines of what a hook has printed into `file`, behind which there are zeros.
std::string printed(const Fd& file) {
    constexpr std::size_t most = 1024;
    std::string text;
    if (!sys::lseek_start(file.get()))
        return text;
    std::array<char, 1 << 14> buffer{};
    for (bool end = false; !end;) {
        std::string_view part(buffer.data(), sys::read(file.get(), buffer).value_or(0));
        end = part.empty() || part.back() == '\0';
        text.append(part.substr(0, part.find_last_not_of('\0') + 1));
        text.erase(0, text.size() - std::min(text.size(), most));
    }
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    for (std::size_t end = 0; (end = text.find('\n', end)) != std::string::npos;)
        text.replace(end, 1, "; "); // ours is one line
    return text;
}

/// Why the program at `path` could not be started, and what to do.
std::string no_start(const std::string& path, int code) {
    auto info = sys::fstatat(AT_FDCWD, path, 0);
    if (code == ENOENT && info)
        return "it is there, but its loader \"" + loader_of(path) + "\" is not";
    if (code == ENOENT)
        return "startContainer's are programs in the container, all others the host's";
    if (code == EACCES && info)
        return S_ISDIR(info->st_mode) ? "it is a directory: name a program" : "'chmod +x' it";
    return code == ENOEXEC ? "it is no program, and a script's first line starts with #!" : "";
}

/// Wait for `pid`; its wait status. Who still runs after `timeout` seconds, or when the process
/// that the pidfd `first` is of has ended, is killed.
Result<int> wait_for(pid_t pid, std::optional<int> timeout, int first) {
    using std::chrono::milliseconds;
    using std::chrono::steady_clock;
    bool limited = timeout && *timeout > 0;
    if (!limited && first < 0)
        return TRY(sys::waitpid(pid, 0)).second;
    Fd process = TRY(sys::pidfd_open(pid));
    auto deadline = steady_clock::now() + std::chrono::seconds(limited ? *timeout : 0);
    std::string why;
    while (why.empty()) {
        std::array ends{pollfd{.fd = process.get(), .events = POLLIN, .revents = 0},
                        pollfd{.fd = first, .events = POLLIN, .revents = 0}}; // -1: passed over
        auto left = std::max(std::chrono::ceil<milliseconds>(deadline - steady_clock::now()),
                             milliseconds(0));
        TRY(limited ? sys::poll(ends, left) : sys::poll(ends));
        if (ends[0].revents != 0)
            return TRY(sys::waitpid(pid, 0)).second;
        if (ends[1].revents != 0)
            why = "killed, since the container's first process has ended";
        else if (limited && left.count() == 0)
            why = "still ran after its timeout of " + std::to_string(*timeout) + " s: killed";
    }
    (void)sys::kill(-pid, SIGKILL); // it leads a group, and may have started others
    (void)sys::waitpid(pid, 0);
    return sys::wrong(why);
}

/// A file of the caller's choice, else `otherwise`.
Result<Fd> output_file(const std::string& path, const Fd& otherwise) {
    return path.empty() ? sys::dup_above(otherwise.get(), 3)
                        : sys::openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_APPEND, 0600);
}

/// Another working directory for as long as this lives.
class Elsewhere {
public:
    static Result<Elsewhere> enter(const std::string& directory) {
        Elsewhere out;
        if (directory.empty())
            return out;
        Fd here = TRY(sys::openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY));
        TRY(sys::chdir(directory));
        out.back_ = std::move(here);
        return out;
    }
    Elsewhere(Elsewhere&& other) noexcept = default;
    ~Elsewhere() {
        if (back_.valid())
            (void)sys::fchdir(back_.get()); // where we have been: can't fail
    }
    Elsewhere(const Elsewhere&) = delete;
    Elsewhere& operator=(const Elsewhere&) = delete;
    Elsewhere& operator=(Elsewhere&&) = delete;

private:
    Elsewhere() = default;
    Fd back_;
};

Result<void> run_hook(const spec::Hooks& all, const spec::Hook& hook, const std::string& state,
                      int first) {
    Fd input = TRY(with_text("hook-state", state));
    Fd output = TRY(sys::memfd_create("hook-output"));
    TRY(sys::ftruncate(output.get(), kMostOutput));
    TRY(sys::seal_size(output.get()));
    Fd out = TRY(output_file(all.stdout_file, output));
    Fd err = TRY(output_file(all.stderr_file, output));
    sys::Spawn spawn;
    spawn.path = hook.path;
    spawn.argv = hook.args.empty() ? sys::Strings{hook.path} : hook.args;
    spawn.env = hook.env;
    spawn.fds = {{input.get(), 0}, {out.get(), 1}, {err.get(), 2}};
    spawn.death_signal = SIGKILL;
    auto started = sys::start(spawn);
    if (!started && started.error().call.starts_with("execve("))
        started.error().hint = no_start(hook.path, started.error().code);
    auto status = wait_for(TRY(std::move(started)), hook.timeout, first);
    if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0)
        return {};
    std::string how = !status ? status.error().detail
                      : WIFSIGNALED(*status)
                          ? "ended by " + sys::signal_name(WTERMSIG(*status))
                          : "exit status " + std::to_string(WEXITSTATUS(*status));
    if (how.empty())
        return std::unexpected(std::move(status).error());
    std::string said = printed(output);
    return sys::wrong(how + (said.empty() ? "" : ": " + said));
}

} // namespace

std::string with_status(const std::string& state, std::string_view status, pid_t pid) {
    std::string out = state.substr(0, state.rfind('}'));
    out += out.size() > 1 ? ",\"status\":\"" : "\"status\":\"";
    out.append(status) += "\"";
    if (pid != 0)
        out += ",\"pid\":" + std::to_string(pid);
    return out + "}";
}

Result<void> run_hooks(const spec::Hooks& all, const std::vector<spec::Hook>& hooks,
                       std::string_view kind, const std::string& state,
                       const std::string& directory, int first) {
    if (hooks.empty())
        return {};
    for (const spec::Hook& hook : hooks) {
        auto done = [&]() -> Result<void> {
            Elsewhere elsewhere = TRY(Elsewhere::enter(directory));
            return run_hook(all, hook, state, first);
        }();
        if (!done) {
            done.error().stage = std::string(kind) + " hook \"" + hook.path + "\"";
            return done;
        }
    }
    return {};
}

} // namespace run
