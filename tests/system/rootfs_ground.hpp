// The ground on which the rootfs scripts are tested: users, processes, and a folder to work in.
// A test runs as the caller; root runs some of them as an ordinary user too. GOCONTAINER_SRC names
// the repository (default: the current directory).
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace rootfs_ground {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;
using Words = std::vector<std::string>;
using Names = std::set<std::string>;

inline std::mt19937& dice() {
    static std::mt19937 generator{std::random_device{}()};
    return generator;
}

inline std::string random_token() {
    std::ostringstream text;
    text << "token-" << std::hex << dice()() << dice()();
    return text.str();
}

inline fs::path source_folder() {
    const char* named = getenv("GOCONTAINER_SRC");
    return named != nullptr ? fs::path(named) : fs::current_path();
}

/// Empty where it can't be read: a process may end between the open of its file and the read
/// (ESRCH), which the iterators of a stream throw and << swallows.
inline std::string contents(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

inline void write_file(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
}

inline struct stat look(const fs::path& path) {
    struct stat info = {};
    if (lstat(path.c_str(), &info) != 0)
        ADD_FAILURE() << path << ": " << strerror(errno);
    return info;
}

// --- Who runs a script ---------------------------------------------------------------------------

using Ranges = std::vector<std::pair<uid_t, uid_t>>; // FIRST and COUNT

struct User {
    std::string name;
    uid_t uid;
    gid_t gid;
    Ranges uids, gids; // of the host, which are 0, 1, … in a container of this user

    uid_t outside_uid(uid_t inside) const { return outside(uids, inside); }
    gid_t outside_gid(gid_t inside) const { return outside(gids, inside); }

private:
    static uid_t outside(const Ranges& ranges, uid_t inside) {
        for (auto [first, count] : ranges) {
            if (inside < count)
                return first + inside;
            inside -= count;
        }
        return ranges.front().first; // with one id, every file is the user's
    }
};

inline Ranges ranges_of(const char* file, const std::string& name, uid_t uid) {
    Ranges ranges;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string who, first, count;
        std::getline(fields, who, ':') && std::getline(fields, first, ':') &&
            std::getline(fields, count);
        if (who == name || who == std::to_string(uid))
            ranges.emplace_back(std::stoul(first), std::stoul(count));
    }
    return ranges;
}

inline User describe(const passwd& entry) {
    User user{entry.pw_name, entry.pw_uid, entry.pw_gid,
              ranges_of("/etc/subuid", entry.pw_name, entry.pw_uid),
              ranges_of("/etc/subgid", entry.pw_name, entry.pw_uid)};
    if (user.uids.empty() || user.gids.empty())
        user.uids = user.gids = {};
    if (user.uid != 0) {
        user.uids.insert(user.uids.begin(), {user.uid, 1});
        user.gids.insert(user.gids.begin(), {user.gid, 1});
    } else if (user.uids.empty()) {
        user.uids = user.gids = {{0, ~uid_t{0}}};
    }
    return user;
}

/// The caller, or for root that asks for an "ordinary" user the first one with subordinate ids.
inline std::optional<User> find_user(const std::string& kind) {
    if (geteuid() != 0 || kind == "root") {
        const passwd* entry = getpwuid(geteuid());
        return entry != nullptr ? std::optional(describe(*entry)) : std::nullopt;
    }
    std::ifstream lines("/etc/subuid");
    for (std::string line; std::getline(lines, line);) {
        const passwd* entry = getpwnam(line.substr(0, line.find(':')).c_str());
        if (entry != nullptr && entry->pw_uid != 0)
            return describe(*entry);
    }
    return std::nullopt;
}

using Kinds = std::vector<const char*>;
inline const Kinds caller{geteuid() == 0 ? "root" : "ordinary"};
inline const Kinds caller_and_ordinary = geteuid() == 0 ? Kinds{"root", "ordinary"} : caller;
inline const Kinds ordinary_caller = geteuid() == 0 ? Kinds{} : caller;

// --- Processes -----------------------------------------------------------------------------------

struct Outcome {
    int status = 0; // of waitpid
    std::string out, err;
    Milliseconds took{};

    bool succeeded() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
    int exit_status() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
    bool died_of(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

/// On one line, since a log that is cut short keeps the first ones of a failure.
inline std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
    if (WIFSIGNALED(outcome.status))
        stream << "ended by signal " << WTERMSIG(outcome.status);
    else
        stream << "status " << WEXITSTATUS(outcome.status);
    for (std::string text : {"; stdout: " + outcome.out, "; stderr: " + outcome.err}) {
        std::ranges::replace(text, '\n', '|');
        stream << text;
    }
    return stream;
}

struct Setting {
    fs::path folder = "/";
    std::map<std::string, std::string> environment;
    const User* user = nullptr; // nobody: the caller
    mode_t mask = 077;          // a mean one, which no rootfs may show
};

/// A command in a process group of its own, like a job of an interactive shell.
class Process {
public:
    Process(const Words& command, const Setting& setting) : start_(Clock::now()) {
        int out[2], err[2];
        if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
            throw std::runtime_error("pipe");
        pid_ = fork();
        if (pid_ == 0) {
            dup2(out[1], 1);
            dup2(err[1], 2);
            become(command, setting);
        }
        setpgid(pid_, pid_);
        close(out[1]);
        close(err[1]);
        streams_ = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
    }
    Process(const Process&) = delete;
    ~Process() {
        if (!waited_) {
            kill(-pid_, SIGKILL);
            finish();
        }
        for (auto& stream : streams_)
            close(std::abs(stream.fd));
    }

    pid_t pid() const { return pid_; }

    /// Reads until stderr holds `text`; false at its end.
    bool says(const std::string& text) {
        while (outcome_.err.find(text) == std::string::npos)
            if (!read_some())
                return false;
        return true;
    }

    Outcome finish() {
        while (read_some()) {
        }
        waitpid(pid_, &outcome_.status, 0);
        waited_ = true;
        outcome_.took = std::chrono::duration_cast<Milliseconds>(Clock::now() - start_);
        return outcome_;
    }

private:
    [[noreturn]] static void become(const Words& command, const Setting& setting) {
        setpgid(0, 0);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, 0);
        for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
            ::signal(signal, SIG_DFL);
        umask(setting.mask);
        if (setting.user != nullptr && geteuid() == 0 && setting.user->uid != 0)
            if (initgroups(setting.user->name.c_str(), setting.user->gid) != 0 ||
                setgid(setting.user->gid) != 0 || setuid(setting.user->uid) != 0)
                _exit(124);
        if (chdir(setting.folder.c_str()) != 0)
            _exit(124);
        for (const auto& [name, value] : setting.environment)
            setenv(name.c_str(), value.c_str(), 1);
        std::vector<char*> words;
        for (const auto& word : command)
            words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        execvp(words[0], words.data());
        _exit(127);
    }

    bool read_some() {
        if (streams_[0].fd < 0 && streams_[1].fd < 0)
            return false;
        poll(streams_.data(), 2, -1);
        for (auto& stream : streams_) {
            if (stream.fd < 0 || stream.revents == 0)
                continue;
            char buffer[4096];
            ssize_t length = read(stream.fd, buffer, sizeof buffer);
            if (length > 0) {
                auto& text = &stream == streams_.data() ? outcome_.out : outcome_.err;
                text.append(buffer, static_cast<std::size_t>(length));
            } else if (length == 0) {
                stream.fd = -stream.fd; // poll passes over it
            }
        }
        return true;
    }

    Clock::time_point start_;
    pid_t pid_ = -1;
    bool waited_ = false;
    std::vector<pollfd> streams_;
    Outcome outcome_;
};

inline Outcome run(const Words& command, const Setting& setting = {}) {
    return Process(command, setting).finish();
}

inline bool have(const std::string& program) {
    return run({"sh", "-c", "type \"$1\"", "sh", program}).succeeded();
}

/// Processes whose command line names `folder`, or that are in it.
inline Words processes_about(const fs::path& folder) {
    Words found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::string line = contents(entry.path() / "cmdline");
        std::ranges::replace(line, '\0', ' ');
        // One that is ending has lost its words before its locks, and its directory after them.
        std::error_code gone;
        std::string where = fs::read_symlink(entry.path() / "cwd", gone).string();
        if (line.contains(folder.string()) || where.starts_with(folder.string()))
            found.push_back(entry.path().filename().string() + ": " + line);
    }
    return found;
}

/// What is still there of them when they have had time to end: who is killed with its group may be
/// gone for its parent and its pipes, and not yet for /proc.
inline Words processes_left(const fs::path& folder) {
    Words found = processes_about(folder);
    for (auto until = Clock::now() + 60s; !found.empty() && Clock::now() < until;
         found = processes_about(folder))
        std::this_thread::sleep_for(5ms);
    return found;
}

/// Waits until nothing of what was killed in `folder` is left: no process, and no lock on a partial
/// tree, which one of another user's ids, whose directory can't be read, may still hold.
inline void await_end(const fs::path& folder) {
    auto locked = [&] {
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (!entry.path().filename().string().contains(".partial."))
                continue;
            int lock = open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            bool held = flock(lock, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
            close(lock);
            if (held)
                return true;
        }
        return false;
    };
    while (!processes_about(folder).empty() || locked())
        std::this_thread::sleep_for(5ms);
}

// --- The tests' ground ---------------------------------------------------------------------------

/// A folder with a blank in its path: scripts/ (a copy that every user can read), work/, home/.
class Ground : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        auto found = find_user(GetParam());
        if (!found)
            GTEST_SKIP() << "no ordinary user has subordinate ids in /etc/subuid";
        user = *found;
        char name[] = "/tmp/rootfs test XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        ground = name;
        ASSERT_EQ(chmod(name, 0755), 0);
        fs::copy(source_folder() / "rootfs-scripts", ground / "scripts");
        ASSERT_EQ(run({"chmod", "-R", "a+rX", ground / "scripts"}).exit_status(), 0);
        work = ground / "work";
        for (const fs::path& folder : {work, ground / "home"}) {
            fs::create_directory(folder);
            ASSERT_EQ(chown(folder.c_str(), user.uid, user.gid), 0);
            ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
        }
        setting.folder = work;
        setting.user = &user;
        setting.environment = {{"HOME", ground / "home"}, {"USER", user.name}};
    }

    void TearDown() override {
        if (ground.empty())
            return;
        EXPECT_EQ(processes_left(ground), Words{});
        // What the scripts made may belong to subordinate ids, so let them remove it.
        for (const auto& entry : fs::directory_iterator(work)) {
            std::istringstream lines(entry.path().extension() == ".gocontainer"
                                         ? contents(entry.path())
                                         : std::string());
            for (std::string line; std::getline(lines, line);)
                if (line.starts_with("script="))
                    script(line.substr(7), {"--remove", entry.path().stem()});
        }
        std::error_code ignored; // what can't be removed shows in /tmp
        fs::remove_all(ground, ignored);
    }

    Words command(const std::string& name, const Words& arguments) const {
        Words words{ground / "scripts" / name};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return words;
    }

    Outcome script(const std::string& name, const Words& arguments) {
        return run(command(name, arguments), setting);
    }

    /// Runs a command as that user with `folder` as its root.
    Outcome inside(const fs::path& folder, const Words& words) {
        Words all{"chroot", folder};
        if (user.uid != 0)
            all.insert(all.begin(), {"unshare", "--map-root-user"});
        all.insert(all.end(), words.begin(), words.end());
        Setting here = setting;
        here.environment["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin";
        return run(all, here);
    }

    Names left() const {
        Names names;
        for (const auto& entry : fs::directory_iterator(work))
            names.insert(entry.path().filename());
        return names;
    }

    /// A PATH with all programs of this machine except `missing`.
    std::string path_without(const std::string& missing) {
        fs::path folder = ground / ("without " + missing);
        fs::create_directory(folder);
        for (const char* from : {"/usr/bin", "/bin", "/usr/sbin", "/sbin"})
            for (const auto& entry : fs::directory_iterator(from)) {
                std::error_code exists;
                if (entry.path().filename() != missing)
                    fs::create_symlink(entry.path(), folder / entry.path().filename(), exists);
            }
        chmod(folder.c_str(), 0755);
        return folder;
    }

    /// Starts the script, and sends `signal` after a while to its whole group (as Ctrl-C does) or
    /// to the script only (as kill does).
    Outcome interrupt(const Words& words, int signal, Milliseconds after, bool group) {
        Process process(words, setting);
        std::this_thread::sleep_for(after);
        kill(group ? -process.pid() : process.pid(), signal);
        return process.finish();
    }

    User user;
    fs::path ground, work;
    Setting setting;
};

inline const auto name_of_user = [](const auto& info) { return std::string(info.param); };

inline Milliseconds random_delay(Milliseconds most) {
    return Milliseconds(std::uniform_int_distribution<long>(0, most.count())(dice()));
}

/// A target of the busybox script.
class BusyboxGround : public Ground {
protected:
    void SetUp() override {
        Ground::SetUp();
        if (IsSkipped())
            return;
        for (const char* path : {"/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"})
            if (access(path, X_OK) == 0)
                return;
        GTEST_SKIP() << "no busybox: apt install busybox-static";
    }

    bool complete(const fs::path& tree) {
        return fs::is_symlink(tree / "bin/sh") && fs::exists(tree / "etc/profile") &&
               inside(tree, {"/bin/true"}).succeeded();
    }

    fs::path target() const { return work / "root fs"; }
    const Names both{"root fs", "root fs.gocontainer"};
};

} // namespace rootfs_ground
