// How arguments are spelled, and the end of every failed call.
#include "sys/seam.hpp"

#include <fcntl.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace sys {

std::string show(const char* text) {
    if (text == nullptr)
        return "NULL";
    std::string out = "\"";
    for (const char* p = text; *p != '\0'; ++p) {
        if (*p == '\n') {
            out += "\\n";
            continue;
        }
        if (*p == '"' || *p == '\\')
            out += '\\';
        out += *p;
    }
    return out + '"';
}

std::string show(const Named& named) {
    for (const FlagName& one : named.names)
        if (one.value == named.value)
            return one.name;
    return std::to_string(named.value);
}

std::string show(Signal signal) {
    const char* name = sigabbrev_np(signal.number);
    return name != nullptr ? "SIG" + std::string(name) : std::to_string(signal.number);
}

std::string show(Mode mode) {
    char text[16];
    (void)snprintf(text, sizeof text, "%#o", mode.value); // can't fail: 16 bytes hold 32 bits
    return text;
}

std::string show(At at) {
    return at.fd == AT_FDCWD ? "AT_FDCWD" : std::to_string(at.fd);
}

std::string show(const Flags& flags) {
    if (flags.value == 0)
        return flags.none;
    std::string out;
    std::uint64_t rest = flags.value;
    for (const FlagName& flag : flags.names) {
        if (flag.value == 0 || (rest & flag.value) != flag.value)
            continue;
        rest &= ~flag.value;
        out += (out.empty() ? "" : "|") + std::string(flag.name);
    }
    if (rest != 0) {
        char text[24];
        (void)snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(rest));
        out += (out.empty() ? "" : "|") + std::string(text);
    }
    return out;
}

namespace detail {

std::string spell(std::string_view name, std::initializer_list<std::string> args) {
    std::string out(name);
    out += '(';
    const char* separator = "";
    for (const std::string& arg : args) {
        if (arg.empty())
            continue;
        out += separator + arg;
        separator = ", ";
    }
    return out + ')';
}

std::unexpected<Error> failed(std::string text, int code) {
    return std::unexpected(
        Error{.stage = {}, .call = std::move(text), .code = code, .detail = {}, .hint = {}});
}

} // namespace detail
Result<void> done(Result<long> result) {
    if (!result)
        return std::unexpected(std::move(result).error());
    return {};
}

Result<Fd> descriptor(Result<long> result) {
    if (!result)
        return std::unexpected(std::move(result).error());
    return Fd(static_cast<int>(*result));
}

} // namespace sys
