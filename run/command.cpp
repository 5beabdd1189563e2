// Becoming the command.
#include "run/command.hpp"

#include "stages/causes.hpp"
#include "stages/passwd.hpp"
#include "stages/stage.hpp"
#include "sys/path.hpp"

#include <elf.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <map>

namespace run {

using sys::Error;
using sys::Fd;
using sys::Result;

namespace {

std::string path_of(const sys::Strings& env) {
    for (const std::string& variable : env)
        if (variable.starts_with("PATH="))
            return variable.substr(5);
    return kDefaultPath; // as execvp(3), which has a default too
}

Error not_found(const std::string& command, std::string hint) {
    return Error{.stage = {},
                 .call = {},
                 .detail =
                     "exec: \"" + command + "\": " +
                     (command.find('/') == std::string::npos ? "executable file not found in $PATH"
                                                             : "no such file or directory"),
                 .hint = std::move(hint),
                 .status = 127};
}

/// A path that names nothing. Who types one may mean this machine's.
Error no_such(const std::string& command) {
    return not_found(command, "a path is the container's: copy it into the root filesystem, or "
                              "bring it in as a volume");
}

Error not_executable(const std::string& command, int code, std::string hint) {
    return Error{.stage = {},
                 .call = "execve(" + sys::show(command) + ")",
                 .code = code,
                 .detail = {},
                 .hint = std::move(hint),
                 .status = 126};
}

/// Of which word or words execve(2) takes no more.
std::string too_much(const sys::Strings& args, const sys::Strings& env) {
    constexpr std::size_t most = 131071; // MAX_ARG_STRLEN without the end
    std::size_t longest = 0, all = 0;
    for (const sys::Strings* words : {&args, &env})
        for (const std::string& word : *words) {
            longest = std::max(longest, word.size());
            all += word.size() + 1;
        }
    if (longest > most)
        return "an argument or a variable of it has " + std::to_string(longest) +
               " bytes, and Linux takes " + std::to_string(most) +
               " of each: hand it over in a file";
    return "its arguments and variables have " + std::to_string(all) +
           " bytes, and Linux takes a quarter of what the stack may have ('ulimit -s'), and no "
           "more than 6 MiB: hand them over in a file";
}

/// Why execve of a file that is there failed.
Error explain(const std::string& path, int code) {
    auto info = sys::fstatat(AT_FDCWD, path, 0);
    if (!info && info.error().code == EACCES) {
        std::string closed = stages::causes::closed_on_the_way(path);
        return not_executable(path, EACCES,
                              "the container's user may not search \"" + closed + "\": 'chmod " +
                                  stages::causes::search_right(closed) +
                                  "' it in the root filesystem, or use another -u");
    }
    if (!info)
        return no_such(path);
    if (code == ENOENT || code == ENOTDIR) {
        std::string loader = loader_of(path);
        std::string fix = "copy the loader and its libraries into the root filesystem, or use a "
                          "static program";
        if (loader.ends_with('\r'))
            fix = "its first line ends in CR LF, as on Windows: sed -i 's/\\r$//' " + path;
        return Error{.stage = {},
                     .call = {},
                     .detail = "exec: \"" + path +
                               "\": no such file or directory: it is there, but "
                               "its loader \"" +
                               loader + "\" is not",
                     .hint = std::move(fix),
                     .status = 127};
    }
    if (S_ISDIR(info->st_mode))
        return not_executable(path, code, "it is a directory: name a program in it");
    if (code == EACCES) {
        auto where = sys::statfs(path);
        if (where && (where->f_flags & ST_NOEXEC) != 0)
            return not_executable(path, code,
                                  "its file system is mounted noexec: leave noexec out, or copy "
                                  "it elsewhere");
        return not_executable(path, code, "'chmod +x' it in the root filesystem");
    }
    if (code == ENOEXEC)
        return not_executable(path, code,
                              "it is neither a program of this machine's architecture nor a script "
                              "that starts with #!: build it for this one, or give the script "
                              "such a first line");
    return not_executable(path, code, "");
}

/// Every place where execvp(3) would look for `command`.
sys::Strings candidates(const std::string& command, const std::string& path) {
    if (command.find('/') != std::string::npos)
        return {command};
    sys::Strings out;
    std::size_t start = 0;
    while (start <= path.size()) {
        std::size_t end = std::min(path.find(':', start), path.size());
        std::string directory = path.substr(start, end - start);
        start = end + 1;
        out.push_back(sys::join(directory.empty() ? "." : directory, command));
    }
    return out;
}

Error nowhere(const std::string& command, const std::string& path) {
    return not_found(command, "PATH in the container is \"" + path +
                                  "\": install it in the root filesystem, or name its path there");
}

const char* asked(const spec::Spec& spec, const char* option, const char* property) {
    return spec.naming == spec::Naming::options ? option : property;
}

std::string beyond_hard_limit(const spec::Rlimit& limit) {
    auto now = sys::getrlimit(limit.resource);
    std::string most = now ? std::to_string(now->rlim_max) : "?";
    return "raising a hard limit takes CAP_SYS_RESOURCE outside of any user namespace: ask for no "
           "more than the caller's own, " +
           most + ", or have that raised in /etc/security/limits.conf";
}

} // namespace

std::string loader_of(const std::string& path) {
    auto file = sys::openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
    std::string head(4096, '\0');
    auto length = file ? sys::read(file->get(), std::span(head)) : Result<std::size_t>(0);
    if (!length)
        return {};
    head.resize(*length);
    if (head.starts_with("#!")) {
        std::size_t start = head.find_first_not_of(" \t", 2);
        return start == std::string::npos
                   ? ""
                   : head.substr(start, head.find_first_of(" \t\n", start) - start);
    }
    auto search = [&]<class Header, class Program>() -> std::string {
        Header header;
        if (head.size() < sizeof header)
            return {};
        memcpy(&header, head.data(), sizeof header);
        for (unsigned i = 0; i < header.e_phnum; ++i) {
            Program program;
            std::size_t where = header.e_phoff + i * sizeof program;
            if (where > head.size() || head.size() - where < sizeof program)
                return {};
            memcpy(&program, head.data() + where, sizeof program);
            if (program.p_type != PT_INTERP || program.p_offset >= head.size())
                continue;
            return std::string(
                head.data() + program.p_offset,
                strnlen(head.data() + program.p_offset,
                        std::min<std::size_t>(program.p_filesz, head.size() - program.p_offset)));
        }
        return {};
    };
    if (!head.starts_with(ELFMAG) || head.size() < EI_NIDENT)
        return {};
    return head[EI_CLASS] == ELFCLASS64 ? search.operator()<Elf64_Ehdr, Elf64_Phdr>()
                                        : search.operator()<Elf32_Ehdr, Elf32_Phdr>();
}

/// Ours first (of a bundle's only HOME, as every runtime does), then what was asked for; of one
/// name the last wins, in its first place.
sys::Strings environment(const spec::Spec& spec) {
    const std::string home = "HOME=" + stages::home_of(sys::geteuid());
    sys::Strings all{home};
    if (!spec.process.exact_env) {
        all.insert(all.begin(), std::string("PATH=") + kDefaultPath);
        all.emplace_back("container=gocontainer");
    }
    if (!spec.process.exact_env && spec.stages.has(spec::Stage::uts))
        all.push_back("HOSTNAME=" + (spec.uts.hostname.empty() ? spec.name : spec.uts.hostname));
    all.insert(all.end(), spec.process.env.begin(), spec.process.env.end());
    sys::Strings out;
    std::map<std::string, std::size_t> places;
    for (std::string& variable : all) {
        std::string name = variable.substr(0, variable.find('='));
        auto [place, fresh] = places.try_emplace(name, out.size());
        if (fresh)
            out.push_back(std::move(variable));
        else
            out[place->second] = std::move(variable);
    }
    if (std::string& said = out[places["HOME"]]; spec.process.exact_env && said == "HOME=")
        said = home; // empty is as good as not said
    return out;
}

Result<void> set_limits(const spec::Spec& spec) {
    for (const spec::Rlimit& limit : spec.process.rlimits) {
        auto set =
            sys::prlimit(0, limit.resource, rlimit{limit.soft, limit.hard}, limit.name.c_str());
        if (!set && set.error().code == EPERM)
            set.error().hint = beyond_hard_limit(limit);
        TRY(stages::asked_by(asked(spec, "--ulimit", "process.rlimits"), std::move(set)));
    }
    return {};
}

Result<void> enter_directory(const spec::Spec& spec) {
    const std::string& wanted = spec.process.cwd;
    if (!wanted.empty()) {
        auto there = sys::chdir(wanted);
        bool ours = spec.stages.has(spec::Stage::root) && spec.root.mode != spec::RootMode::chdir;
        if (!there && there.error().code == ENOENT && ours) {
            // The root is ours now, so following its links leads nowhere else.
            Fd root = TRY(sys::openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
            auto made = sys::in_root(root.get(), wanted, sys::Want::directory);
            there = made ? sys::fchdir(made->get()) : std::unexpected(std::move(made).error());
            there = stages::hint(std::move(there), [&](const Error& error) {
                return error.code == ENOTDIR ? ""
                                             : "\"" + wanted +
                                                   "\" can't be made: name a "
                                                   "directory that is there";
            });
        }
        there = stages::hint(std::move(there), [&](const Error& error) -> std::string {
            if (error.code == ENOTDIR)
                return "name a directory";
            if (error.code == ENOENT)
                return spec.inside_already
                           ? "make it first: it is the container's"
                           : "make it first: without a root of the container's own it is this "
                             "machine's";
            if (error.code != EACCES)
                return "";
            std::string closed = stages::causes::closed_on_the_way(wanted + "/");
            return "the container's user may not search \"" + closed + "\": 'chmod " +
                   stages::causes::search_right(closed) + "' it, or use another -u";
        });
        TRY(stages::asked_by(asked(spec, "-w", "process.cwd"), std::move(there)));
    }
    // --root chdir leaves us in the rootfs of a root that is not ours; getcwd finds that fine.
    TRY(sys::getcwd());
    return {};
}

Result<Fd> outer_console() {
    return sys::openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY);
}

Result<void> size_terminal(const spec::Process& process, const Fd& master) {
    if (!process.console_size)
        return {};
    return sys::set_winsize(master.get(), winsize{.ws_row = process.console_size->height,
                                                  .ws_col = process.console_size->width,
                                                  .ws_xpixel = 0,
                                                  .ws_ypixel = 0});
}

Result<void> lead_session(const spec::Process& process, const sys::Word& word) {
    auto own = sys::setsid(word);
    if (process.terminal) {
        TRY(std::move(own));
        return stages::hint(
            sys::make_controlling_terminal(0, word), [](const Error& error) -> std::string {
                return error.code == EIO
                           ? "the other end of the terminal is closed: who gets it by "
                             "--console-socket has to keep it open"
                           : "";
            });
    }
    if (!own && !sys::leads_session())
        return std::unexpected(std::move(own).error());
    return {};
}

Result<void> take_terminal(const spec::Spec& spec, const Fd& slave) {
    // A person's `2>log` stays with the log; an engine wants back what it gave us.
    bool all = spec.naming == spec::Naming::properties || spec.inside_already;
    for (int stream : {0, 1, 2})
        if (stream != 2 || all || sys::isatty(2))
            TRY(sys::dup2(slave.get(), stream));
    return {};
}

Result<void> find_command(const spec::Spec& spec) {
    if (spec.process.args.empty())
        return {}; // then it is never started
    const std::string& command = spec.process.args.front();
    std::string path = path_of(environment(spec));
    std::string found;
    for (const std::string& candidate : candidates(command, path)) {
        auto info = sys::fstatat(AT_FDCWD, candidate, 0);
        if (!info && (info.error().code == ENOENT || info.error().code == ENOTDIR))
            continue;
        if (sys::faccessat(AT_FDCWD, candidate, X_OK) && info && !S_ISDIR(info->st_mode))
            return {};
        found = candidate;
    }
    return std::unexpected(found.empty() ? command.find('/') != std::string::npos
                                               ? no_such(command)
                                               : nowhere(command, path)
                                         : explain(found, EACCES));
}

bool filters_as_asked(const spec::Spec& spec) {
    return spec.seccomp.mode == spec::SeccompMode::file ||
           spec.seccomp.mode == spec::SeccompMode::text;
}

Result<void> close_the_rest(const spec::Spec& spec, const Fd& socket,
                            std::initializer_list<int> kept) {
    // The caller's preserved descriptors come before it.
    int first = 3 + static_cast<int>(spec.process.preserved_fds);
    if (socket.get() != first)
        return sys::wrong("the handshake's socket has moved");
    Result<void> closed;
    auto close = [&](int from, unsigned to) {
        auto done = sys::close_range(static_cast<unsigned>(from), to, 0);
        // A profile that is older than this call (Linux 5.9) refuses it: the exec closes them then.
        if (!done && !filters_as_asked(spec))
            closed = std::move(done);
    };
    for (int fd : kept) {
        if (++first < fd)
            close(first, static_cast<unsigned>(fd) - 1);
        first = fd;
    }
    close(first + 1, ~0U);
    return closed;
}

Error become_command(const spec::Spec& spec, const Fd& socket, const sys::Strings& env,
                     Slate& slate) {
    const std::string& command = spec.process.args.front();
    // Nothing but the streams and the socket, which the exec closes: closed for real, for
    // whoever looks into /proc before the exec.
    if (auto closed = close_the_rest(spec, socket); !closed)
        return closed.error();

    slate.set_filtered(false);
    std::string path = path_of(env);
    std::string found;
    int code = ENOENT;
    bool searched = command.find('/') == std::string::npos;
    for (const std::string& candidate : candidates(command, path)) {
        int failed = sys::execve(candidate, spec.process.args, env).code;
        // As execvp(3): a directory that can't be searched is not the last word.
        if (searched && failed == ENOENT && !sys::exists(candidate))
            continue;
        if (searched && failed == ENOTDIR)
            continue;
        found = candidate;
        code = failed;
        if (failed != EACCES)
            break;
    }
    if (found.empty())
        return nowhere(command, path);
    if (code == E2BIG)
        return not_executable(found, code, too_much(spec.process.args, env));
    return explain(found, code);
}

} // namespace run
