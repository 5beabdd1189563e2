// Taking apart what sys/seam.cpp has put together.
#include "teach/calls.hpp"

#include <algorithm>
#include <charconv>

namespace teach {

namespace {

/// Which arguments are descriptors, where they are any.
struct Places {
    std::string_view call;
    std::vector<std::size_t> at;
};
const std::vector<Places>& places() {
    static const std::vector<Places> all = {
        {"openat", {0}},
        {"openat2", {0}},
        {"mkdirat", {0}},
        {"symlinkat", {1}},
        {"readlinkat", {0}},
        {"unlinkat", {0}},
        {"fstat", {0}},
        {"fstatat", {0}},
        {"fstatfs", {0}},
        {"read", {0}},
        {"write", {0}},
        {"open_tree", {0}},
        {"fchown", {0}},
        {"fchmod", {0}},
        {"fchownat", {0}},
        {"move_mount", {0, 2}},
        {"fsconfig", {0}},
        {"fsmount", {0}},
        {"setns", {0}},
        {"mount_setattr", {0}},
        {"fchdir", {0}},
        {"fcntl", {0}},
        {"dup2", {0}},
        {"execveat", {0}},
        {"flock", {0}},
        {"ioctl", {0}},
        {"faccessat", {0}},
        {"getdents64", {0}},
        {"lseek", {0}},
        {"mknodat", {0}},
        {"sendmsg", {0}},
        {"recvmsg", {0}},
        {"ftruncate", {0}},
        {"connect", {0}},
        {"pidfd_send_signal", {0}},
    };
    return all;
}

int number(std::string_view text) {
    int value = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : -1;
}

} // namespace

std::vector<std::string> arguments_of(std::string_view text) {
    std::vector<std::string> out;
    std::size_t open = text.find('(');
    if (open == std::string_view::npos || !text.ends_with(')'))
        return out;
    std::string_view inside = text.substr(open + 1, text.size() - open - 2);
    std::string argument;
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < inside.size(); ++i) {
        char c = inside[i];
        if (quoted && c == '\\' && i + 1 < inside.size()) {
            argument += c;
            c = inside[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '[' || c == '{')) {
            ++depth;
        } else if (!quoted && (c == ']' || c == '}')) {
            --depth;
        } else if (!quoted && depth == 0 && c == ',') {
            out.push_back(std::exchange(argument, ""));
            if (i + 1 < inside.size() && inside[i + 1] == ' ')
                ++i;
            continue;
        }
        argument += c;
    }
    if (!argument.empty() || !out.empty())
        out.push_back(argument);
    return out;
}

std::string unquoted(std::string_view argument) {
    if (argument.size() < 2 || argument.front() != '"' || argument.back() != '"')
        return std::string(argument);
    std::string out;
    for (std::size_t i = 1; i + 1 < argument.size(); ++i) {
        bool escaped = argument[i] == '\\' && i + 2 < argument.size();
        if (escaped)
            ++i;
        char c = argument[i];
        out += escaped && c == 'n' ? '\n' : escaped && c == 't' ? '\t' : c;
    }
    return out;
}

std::string Descriptors::what(int fd) const {
    auto found = known_.find(fd);
    return found == known_.end() ? "" : found->second;
}

std::string Descriptors::path(std::string_view at, std::string_view name) const {
    if (name.starts_with('/') || at == "AT_FDCWD")
        return std::string(name);
    std::string directory = what(number(at));
    if (directory.empty())
        directory = "descriptor " + std::string(at);
    if (name.starts_with("./"))
        name.remove_prefix(2);
    return name.empty() || name == "."
               ? directory
               : directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

void Descriptors::note(const run::Called& call) {
    if (!call.result || *call.result < 0)
        return;
    auto args = arguments_of(call.text);
    int fd = static_cast<int>(*call.result);
    auto arg = [&](std::size_t i) { return i < args.size() ? unquoted(args[i]) : std::string(); };
    if (call.name == "openat" || call.name == "openat2")
        known_[fd] = path(arg(0), arg(1));
    else if (call.name == "open_tree")
        known_[fd] =
            (arg(2).contains("OPEN_TREE_CLONE") ? "a copy of " : "") + path(arg(0), arg(1));
    else if (call.name == "fsopen")
        known_[fd] = arg(0) + " to be";
    else if (call.name == "fsmount") {
        std::string type = what(number(arg(0)));
        known_[fd] = "a new " + type.substr(0, type.find(' '));
    } else if (call.name == "fcntl" && arg(1).starts_with("F_DUPFD"))
        known_[fd] = what(number(arg(0)));
    else if (call.name == "dup2")
        known_[number(arg(1))] = what(number(arg(0)));
    else if (call.name == "memfd_create")
        known_[fd] = "memory \"" + arg(0) + "\"";
    else if (call.name == "socket")
        known_[fd] = "a socket";
    else if (call.name == "pidfd_open")
        known_[fd] = "process " + arg(0);
    else if (call.name == "signalfd")
        known_[fd] = "signals";
    else if (call.name == "pipe2" || call.name == "socketpair") {
        const std::string ends = arg(call.name == "pipe2" ? 0 : 3);
        const bool pipe = call.name == "pipe2";
        known_[number(std::string_view(ends).substr(1, ends.find(',') - 1))] =
            pipe ? "a pipe's end to read" : "a socket of a pair";
        known_[number(
            std::string_view(ends).substr(ends.find(' ') + 1, ends.size() - ends.find(' ') - 2))] =
            pipe ? "its end to write" : "a socket of a pair";
    } else if (std::size_t at = call.text.find("pidfd=["); at != std::string::npos)
        known_[number(std::string_view(call.text).substr(
            at + 7, call.text.find(']', at) - at - 7))] = "process " + std::to_string(fd);
    else if (call.name == "move_mount") // what was nowhere is somewhere now
        known_[number(arg(0))] = path(arg(2), arg(3));
}

std::string Descriptors::annotated(const run::Called& call) const {
    const auto& all = places();
    auto found = std::ranges::find(all, call.name, &Places::call);
    if (found == all.end())
        return call.text;
    auto args = arguments_of(call.text);
    std::string out = call.name + "(";
    for (std::size_t i = 0; i < args.size(); ++i) {
        out += (i > 0 ? ", " : "") + args[i];
        if (std::ranges::find(found->at, i) == found->at.end())
            continue;
        if (std::string name = what(number(args[i])); !name.empty())
            out += "<" + name + ">";
    }
    return out + ")";
}

} // namespace teach
