// One poll loop: changes, signals, and the end of a check.
//
// Editors write by a temporary file and a rename, or in several steps: so the folder is watched,
// and not the file; what has changed is seen by comparing, and not by what the kernel tells; and a
// check waits until nothing has been told for a moment. All of that serves where nothing is told,
// too.
#include "teach/lab_watch.hpp"

#include "run/orphans.hpp"
#include "stages/caps.hpp"
#include "sys/path.hpp"
#include "sys/watch.hpp"
#include "teach/lab_folder.hpp"
#include "teach/paint.hpp"

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

using Show = std::function<void(const std::string&)>;
using std::chrono::milliseconds;

constexpr milliseconds kQuiet{100}; ///< between two steps of an editor that saves there is less
constexpr milliseconds kLook{500};  ///< where nobody tells

/// When and what a file was: inode, size, mode, time.
using Mark = std::tuple<ino_t, off_t, mode_t, time_t, long>;
using Files = std::map<std::string, Mark>;

Result<Files> files_of(const Watched& watched) {
    Files out;
    Fd folder = TRY(sys::openat(AT_FDCWD, watched.folder, O_RDONLY | O_DIRECTORY));
    for (const sys::Entry& entry : TRY(sys::entries(folder.get()))) {
        if (watched.only.empty() ? !is_candidate(entry.name) : entry.name != watched.only)
            continue;
        if (auto info = sys::fstatat(folder.get(), entry.name, 0))
            out[entry.name] = {info->st_ino, info->st_size, info->st_mode, info->st_mtim.tv_sec,
                               info->st_mtim.tv_nsec};
    }
    return out;
}

/// What is in `now`, and was not or was another in `before`. Nobody checks what is gone.
sys::Strings changes(const Files& before, const Files& now) {
    sys::Strings out;
    for (const auto& [name, mark] : now)
        if (auto old = before.find(name); old == before.end() || old->second != mark)
            out.push_back(name);
    return out;
}

/// What tells of changes; an invalid Fd: nothing does, as `how` says.
Fd teller(const Watched& watched, std::string& how) {
    how = "by looking twice a second";
    if (watched.poll)
        return {};
    if (auto silent = sys::silent_file_system(watched.folder); silent && !silent->empty()) {
        how += ": it is on " + *silent + ", where inotify hears not all";
        return {};
    }
    auto watch = sys::watch_directory(watched.folder);
    if (!watch) {
        how += ": " + to_line(watch.error());
        return {};
    }
    how = "by inotify";
    return std::move(*watch);
}

class Watcher {
public:
    Watcher(const Watched& watched, Fd teller, Fd signals, const Show& show,
            const std::function<void(bool)>& check)
        : watched_(watched), teller_(std::move(teller)), signals_(std::move(signals)), show_(show),
          check_(check), paint_(Paint::for_stream(STDOUT_FILENO, watched.plain)) {}

    /// The signal that has ended it.
    Result<int> go() {
        checked_ = TRY(files_of(watched_));
        if (auto signal = TRY(check(/*first=*/true)))
            return *signal;
        for (;;) {
            if (auto signal = TRY(until_changed()))
                return *signal;
            Files now = TRY(files_of(watched_));
            if (!teller_.valid() && now != checked_)
                if (auto signal = TRY(settle(now)))
                    return *signal;
            sys::Strings names = changes(checked_, now);
            checked_ = std::move(now);
            if (names.empty())
                continue;
            show_("\n" + paint_.bold(sys::printable(names.front()) + " has changed") + "\n");
            if (auto signal = TRY(check(/*first=*/false)))
                return *signal;
        }
    }

private:
    /// Wait for `other` to be readable, or for `most`; a signal that is to end us comes first.
    Result<std::optional<int>> wait(const Fd& other, std::optional<milliseconds> most,
                                    bool& ready) {
        std::array<pollfd, 2> fds{{{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = other.get(), .events = POLLIN, .revents = 0}}};
        TRY(most ? sys::poll(fds, *most) : sys::poll(fds));
        ready = fds[1].revents != 0;
        if (fds[0].revents != 0)
            return TRY(sys::read_signal(signals_.get())).number;
        return std::nullopt;
    }

    Result<std::optional<int>> until_changed() {
        bool told = false;
        if (!teller_.valid())
            return wait(teller_, kLook, told); // poll(2) passes over a negative descriptor
        if (auto signal = TRY(wait(teller_, std::nullopt, told)))
            return signal;
        while (told) {
            TRY(sys::drain_watch(teller_.get()));
            if (auto signal = TRY(wait(teller_, kQuiet, told)))
                return signal;
        }
        return std::nullopt;
    }

    /// Where nobody tells: look until nothing changes for a moment any more.
    Result<std::optional<int>> settle(Files& now) {
        for (bool told = false;;) {
            if (auto signal = TRY(wait(teller_, kQuiet, told)))
                return signal;
            Files before = std::exchange(now, TRY(files_of(watched_)));
            if (now == before)
                return std::nullopt;
        }
    }

    /// What was built meanwhile is no change; what else was, shows at the next look.
    void leave_out_built(const Files& now) {
        for (const char* built : {"mine", "gocontainer"})
            if (auto found = now.find(built); found != now.end())
                checked_[built] = found->second;
    }

    Result<std::optional<int>> check(bool first) {
        pid_t child = TRY(sys::fork());
        if (child == 0) {
            (void)stages::die_with_parent();
            (void)sys::sigprocmask(SIG_UNBLOCK, sys::ending_signals());
            check_(first);
            sys::exit_now(0);
        }
        Fd pidfd = TRY(sys::pidfd_open(child)); // ours, and not waited for: it is there
        bool ended = false;
        std::optional<int> signal = TRY(wait(pidfd, std::nullopt, ended));
        if (signal)
            (void)sys::pidfd_send_signal(pidfd.get(), SIGKILL);
        TRY(sys::waitpid(child, 0));
        run::end_orphans({}); // what it has started ends with it, and fills its folder no more
        if (signal)
            clear_lab_folders();
        else if (auto now = files_of(watched_); now && watched_.only.empty())
            leave_out_built(*now);
        return signal;
    }

    const Watched& watched_;
    Fd teller_, signals_;
    const Show& show_;
    const std::function<void(bool)>& check_;
    Paint paint_;
    Files checked_; ///< as they were when they were checked last
};

} // namespace

Result<Answer> watch(const Watched& watched, const Show& show,
                     const std::function<void(bool first)>& check) {
    TRY(run::adopt_orphans());
    TRY(sys::sigprocmask(SIG_BLOCK, sys::ending_signals()));
    Fd signals = TRY(sys::signalfd(sys::ending_signals()));
    std::string how;
    Fd told = teller(watched, how);
    show("watching \"" + sys::printable(watched.folder) + "\"\n" +
         wrapped(how + "; ^C ends it", 0));
    int signal = TRY(Watcher(watched, std::move(told), std::move(signals), show, check).go());
    return Answer{.text = "\n", .status = signal == SIGINT ? 0 : 128 + signal};
}

} // namespace teach
