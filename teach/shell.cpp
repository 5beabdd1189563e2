// Calls to commands: unshare(1), nsenter(1), mount(8), ip(8), setpriv(1), capsh(1) …
#include "teach/shell.hpp"

#include <algorithm>
#include <cctype>

namespace teach {

namespace {

using Args = std::vector<std::string>;

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("%+,-./:=@_").contains(c);
}

std::string at(const Args& args, std::size_t i) {
    return i < args.size() ? unquoted(args[i]) : std::string();
}

bool has(std::string_view flags, std::string_view flag) {
    while (!flags.empty()) {
        std::string_view one = flags.substr(0, flags.find('|'));
        if (one == flag)
            return true;
        flags.remove_prefix(std::min(one.size() + 1, flags.size()));
    }
    return false;
}

struct Word {
    std::string_view flag, word;
};

/// The words of those of `table` that `flags` has, each behind a blank.
template <std::size_t N>
std::string words(std::string_view flags, const Word (&table)[N]) {
    std::string out;
    for (const Word& row : table)
        if (has(flags, row.flag))
            out += " " + std::string(row.word);
    return out;
}

/// The value of a member of a structure: `b` of `{one=a, two=b}` for "two=".
std::string field(const std::string& structure, std::string_view member) {
    std::size_t from = structure.find(member);
    if (from == std::string::npos)
        return {};
    from += member.size();
    return structure.substr(from, structure.find_first_of(",}", from) - from);
}

constexpr Word kNamespaces[] = {
    {"CLONE_NEWUSER", "--user"}, {"CLONE_NEWNS", "--mount"},      {"CLONE_NEWPID", "--pid"},
    {"CLONE_NEWNET", "--net"},   {"CLONE_NEWUTS", "--uts"},       {"CLONE_NEWIPC", "--ipc"},
    {"CLONE_NEWTIME", "--time"}, {"CLONE_NEWCGROUP", "--cgroup"},
};
constexpr Word kMountAttributes[] = {
    {"MOUNT_ATTR_RDONLY", "ro"},
    {"MOUNT_ATTR_NOSUID", "nosuid"},
    {"MOUNT_ATTR_NODEV", "nodev"},
    {"MOUNT_ATTR_NOEXEC", "noexec"},
    {"MOUNT_ATTR_NOATIME", "noatime"},
    {"MOUNT_ATTR_STRICTATIME", "strictatime"},
    {"MOUNT_ATTR_NOSYMFOLLOW", "nosymfollow"},
};

Args attribute_options(std::string_view flags) {
    Args out;
    for (const Word& row : kMountAttributes)
        if (has(flags, row.flag))
            out.emplace_back(row.word);
    return out;
}

std::string joined(const Args& words, std::string_view between) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : std::string(between)) + word;
    return out;
}

/// An octal number without the zero in front that C wants.
std::string mode(const std::string& text) {
    return text.starts_with('0') && text.size() > 1 ? text.substr(1) : text;
}

/// A write to a file of the kernel's, as echo does it. Ordinary files are not what is taught.
std::string echo(const Args& args, const Descriptors& descriptors) {
    std::string path = descriptors.path(at(args, 0), "");
    bool kernels = path.starts_with("/proc/") || path.starts_with("/sys/") ||
                   path.contains("cgroup") || path.contains("/attr/");
    if (!kernels || at(args, 1).ends_with("...") || path.starts_with("descriptor "))
        return {};
    std::string text = at(args, 1);
    while (text.ends_with('\n'))
        text.pop_back();
    return "echo " + shell_quoted(text) + " > " + shell_quoted(path);
}

std::string prctl(const Args& args) {
    const std::string what = at(args, 0);
    if (what == "PR_SET_NO_NEW_PRIVS")
        return "setpriv --no-new-privs …";
    if (what == "PR_CAPBSET_DROP")
        return "capsh --drop=" + at(args, 1) + " -- …";
    return {};
}

/// `prlimit --pid $$ --nofile=64:64`, of RLIMIT_NOFILE.
std::string prlimit(const Args& args) {
    std::string name = at(args, 1).substr(at(args, 1).find('_') + 1);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    auto limit = [&](std::string_view member) {
        std::string number = field(at(args, 2), member);
        return number == "RLIM64_INFINITY" ? "unlimited" : number;
    };
    return "prlimit --pid " + (at(args, 0) == "0" ? "$$" : at(args, 0)) + " --" + name + "=" +
           limit("rlim_cur=") + ":" + limit("rlim_max=");
}

std::string ids(const std::string& call, const Args& args) {
    if (call == "setresuid")
        return "setpriv --reuid " + at(args, 0) + " …";
    if (call == "setresgid")
        return "setpriv --regid " + at(args, 0) + " …";
    std::string list = at(args, 1);
    std::erase_if(list, [](char c) { return c == '[' || c == ']' || c == ' '; });
    return list.empty() ? "setpriv --clear-groups …" : "setpriv --groups " + list + " …";
}

std::string files(const run::Called& call, const Args& args, const Descriptors& descriptors) {
    const std::string& name = call.name;
    if (name == "mkdirat")
        return "mkdir -m " + mode(at(args, 2)) + " " +
               shell_quoted(descriptors.path(at(args, 0), at(args, 1)));
    if (name == "symlinkat")
        return "ln -s " + shell_quoted(at(args, 0)) + " " +
               shell_quoted(descriptors.path(at(args, 1), at(args, 2)));
    if (name == "chmod")
        return "chmod " + mode(at(args, 1)) + " " + shell_quoted(at(args, 0));
    if (name == "chdir")
        return "cd " + shell_quoted(at(args, 0));
    if (name == "fchdir")
        return "cd " + shell_quoted(descriptors.path(at(args, 0), ""));
    if (name == "chroot")
        return "chroot " + shell_quoted(at(args, 0)) + " …";
    if (name == "umask")
        return "umask " + at(args, 0);
    return {};
}

std::string processes(const run::Called& call, const Args& args, const Descriptors& descriptors) {
    const std::string& name = call.name;
    if (name == "clone3") {
        std::string spaces = words(field(at(args, 0), "flags="), kNamespaces);
        return spaces.empty() ? "" : "unshare" + spaces + " --fork …";
    }
    if (name == "unshare")
        return "unshare" + words(at(args, 0), kNamespaces) + " …";
    if (name == "setns") {
        std::string word = words(at(args, 1), kNamespaces);
        const std::string of = descriptors.path(at(args, 0), "");
        if (of.starts_with("process "))
            return "nsenter --target " + of.substr(8) + word + " …";
        return word.empty() ? ""
                            : "nsenter" + word + "=" +
                                  shell_quoted(descriptors.path(at(args, 0), "")) + " …";
    }
    if (name == "prctl")
        return prctl(args);
    if (name == "setresuid" || name == "setresgid" || name == "setgroups")
        return ids(name, args);
    if (name == "setsid")
        return "setsid …";
    if (name == "prlimit")
        return prlimit(args);
    if (name == "execve") {
        std::string line = at(args, 1);
        Args words = arguments_of("(" + line.substr(1, line.size() - 2) + ")");
        std::ranges::transform(words, words.begin(), [](const std::string& word) {
            return shell_quoted(unquoted(word));
        });
        return line.size() < 2 ? "" : "exec " + joined(words, " ");
    }
    return {};
}

} // namespace

std::string shell_quoted(const std::string& text) {
    if (!text.empty() && std::ranges::all_of(text, is_plain))
        return text;
    std::string out = "'";
    for (char c : text)
        out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

std::string Shell::mount_command(const Tree& tree) const {
    std::string options =
        tree.options.empty() ? "" : " -o " + shell_quoted(joined(tree.options, ","));
    if (tree.bind)
        return std::string("mount ") + (tree.recursive ? "--rbind" : "--bind") + options + " " +
               shell_quoted(tree.source) + " " + shell_quoted(tree.place);
    return "mount -t " + tree.type + options + " " +
           shell_quoted(tree.source.empty() ? tree.type : tree.source) + " " +
           shell_quoted(tree.place);
}

std::string Shell::moved(const Args& args, const Descriptors& descriptors) {
    auto found = trees_.find(at(args, 0));
    std::string to = descriptors.path(at(args, 2), at(args, 3));
    if (found == trees_.end())
        return "mount --move " + shell_quoted(descriptors.path(at(args, 0), at(args, 1))) + " " +
               shell_quoted(to);
    found->second.place = to;
    return mount_command(found->second);
}

/// mount_setattr of a tree that is nowhere yet: its mount command will say it.
std::string Shell::attributes(const Args& args, const Descriptors& descriptors) {
    const std::string what = at(args, 3);
    const bool all = has(at(args, 2), "AT_RECURSIVE");
    Args options = attribute_options(field(what, "attr_set="));
    auto tree = trees_.find(at(args, 0));
    if (tree != trees_.end() && tree->second.place.empty() && at(args, 1).empty()) {
        std::ranges::copy(options, std::back_inserter(tree->second.options));
        return {};
    }
    const std::string place = shell_quoted(
        tree != trees_.end() ? tree->second.place : descriptors.path(at(args, 0), at(args, 1)));
    for (auto [flag, word] : {Word{"MS_PRIVATE", "private"}, Word{"MS_SLAVE", "slave"},
                              Word{"MS_SHARED", "shared"}, Word{"MS_UNBINDABLE", "unbindable"}})
        if (field(what, "propagation=") == flag)
            return "mount --make-" + std::string(all ? "r" : "") + std::string(word) + " " + place;
    if (options.empty())
        return {};
    return "mount -o remount,bind," + joined(options, ",") + " " + place;
}

std::string Shell::like(const run::Called& call, const Descriptors& descriptors) {
    if (call.result && *call.result < 0)
        return {};
    const std::string& name = call.name;
    Args args = arguments_of(call.text);
    const std::string result = std::to_string(call.result.value_or(0));
    if (name == "fsopen")
        trees_[result] = {.source = "", .type = at(args, 0), .options = {}, .place = ""};
    else if (name == "fsconfig" && at(args, 1) == "FSCONFIG_SET_STRING" && at(args, 2) == "source")
        trees_[at(args, 0)].source = at(args, 3);
    else if (name == "fsconfig" && at(args, 1) == "FSCONFIG_SET_STRING")
        trees_[at(args, 0)].options.push_back(at(args, 2) + "=" + at(args, 3));
    else if (name == "fsconfig" && at(args, 1) == "FSCONFIG_SET_FLAG")
        trees_[at(args, 0)].options.push_back(at(args, 2));
    else if (name == "fsmount") {
        Tree tree = trees_[at(args, 0)];
        std::ranges::copy(attribute_options(at(args, 2)), std::back_inserter(tree.options));
        trees_[result] = tree;
    } else if (name == "open_tree" && has(at(args, 2), "OPEN_TREE_CLONE"))
        trees_[result] = {.source = descriptors.path(at(args, 0), at(args, 1)),
                          .type = "",
                          .options = {},
                          .bind = true,
                          .recursive = has(at(args, 2), "AT_RECURSIVE"),
                          .place = ""};
    else if (name == "openat" || name == "openat2" || name == "open_tree")
        trees_.erase(result); // the number stands for something else now
    else if (name == "move_mount")
        return moved(args, descriptors);
    else if (name == "mount_setattr")
        return attributes(args, descriptors);
    else if (name == "umount2")
        return std::string("umount ") + (has(at(args, 1), "MNT_DETACH") ? "--lazy " : "") +
               shell_quoted(at(args, 0));
    else if (name == "pivot_root")
        return "pivot_root " + shell_quoted(at(args, 0)) + " " + shell_quoted(at(args, 1));
    else if (name == "sethostname")
        return "hostname " + shell_quoted(at(args, 0));
    else if (name == "setdomainname")
        return "domainname " + shell_quoted(at(args, 0));
    else if (name == "ioctl" && at(args, 1) == "SIOCSIFFLAGS")
        return "ip link set " + unquoted(field(at(args, 2), "ifr_name=")) + " up";
    else if (name == "write")
        return echo(args, descriptors);
    else if (std::string like = files(call, args, descriptors); !like.empty())
        return like;
    else
        return processes(call, args, descriptors);
    return {};
}

} // namespace teach
