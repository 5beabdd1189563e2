// Asking about namespaces, and in them.
#include "sys/namespaces.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>

namespace sys {

Result<Fd> namespace_owner(int fd) {
    return descriptor(
        invoke("ioctl", [&] { return ::ioctl(fd, NS_GET_USERNS); }, fd, Shown{"NS_GET_USERNS"}));
}

Result<Fd> namespace_parent(int fd) {
    return descriptor(
        invoke("ioctl", [&] { return ::ioctl(fd, NS_GET_PARENT); }, fd, Shown{"NS_GET_PARENT"}));
}

Result<uid_t> namespace_owner_uid(int fd) {
    uid_t uid = 0;
    TRY(invoke(
        "ioctl", [&] { return ::ioctl(fd, NS_GET_OWNER_UID, &uid); }, fd, Shown{"NS_GET_OWNER_UID"},
        Out{&uid, sizeof uid}, filled([&](long) { return "[" + std::to_string(uid) + "]"; })));
    return uid;
}

Result<HostNames> host_names() {
    utsname names{};
    TRY(invoke(
        "uname", [&] { return ::uname(&names); }, Out{&names, sizeof names}, filled([&](long) {
            return "{nodename=" + show(names.nodename) + ", domainname=" + show(names.domainname) +
                   ", ...}";
        })));
    return HostNames{.host = names.nodename, .domain = names.domainname};
}

namespace {

/// "+ANSWER", or "-CODE\nCALL\nDETAIL\nHINT".
std::string to_message(const Result<std::string>& said) {
    if (said)
        return "+" + *said;
    const Error& error = said.error();
    return "-" + std::to_string(error.code) + "\n" + error.call + "\n" + error.detail + "\n" +
           error.hint;
}

Result<std::string> from_message(const std::string& message) {
    if (message.starts_with('+'))
        return message.substr(1);
    if (!message.starts_with('-'))
        return wrong("the process that was to look into the namespace has ended without a word");
    Error error;
    std::size_t start = message.find('\n');
    (void)std::from_chars(message.data() + 1, message.data() + message.size(), error.code);
    for (std::string* part : {&error.call, &error.detail, &error.hint}) {
        std::size_t end = std::min(message.find('\n', start + 1), message.size());
        if (start < message.size())
            *part = message.substr(start + 1, end - start - 1);
        start = end;
    }
    return std::unexpected(std::move(error));
}

[[noreturn]] void visit(std::span<const int> namespaces, int to,
                        const std::function<Result<std::string>()>& answer) {
    auto said = [&]() -> Result<std::string> {
        // In a user namespace its root may trace us, and we are still among the caller's files.
        TRY(prctl(PR_SET_DUMPABLE, "PR_SET_DUMPABLE", 0));
        for (int space : namespaces)
            TRY(setns(space, 0));
        return answer();
    }();
    std::string message = to_message(said);
    std::string_view rest = message;
    while (!rest.empty()) {
        auto written = write(to, rest);
        if (!written)
            break; // nobody hears us any more
        rest.remove_prefix(*written);
    }
    exit_now(0);
}

} // namespace

void namespace_texts(std::span<const char* const> names, std::span<NamespaceText> out) {
    int links = static_cast<int>(invoke_bare("openat", [] {
        return ::openat(AT_FDCWD, "/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }));
    if (links < 0)
        return;
    for (std::size_t i = 0; i < names.size(); ++i) {
        NamespaceText& text = out[i];
        long length = invoke_bare("readlinkat", [&] {
            return ::readlinkat(links, names[i], text.data(), text.size() - 1);
        });
        text[length < 0 ? 0 : static_cast<std::size_t>(length)] = '\0';
    }
    (void)invoke_bare("close", [&] { return ::close(links); });
}

Result<std::string> in_namespaces(std::span<const int> namespaces,
                                  const std::function<Result<std::string>()>& answer) {
    auto [from, to] = TRY(pipe());
    pid_t visitor = TRY(fork());
    if (visitor == 0)
        visit(namespaces, to.get(), answer);
    to.close();
    std::string message;
    Result<std::size_t> got = 0;
    for (char piece[4096]; (got = read(from.get(), piece)) && *got != 0;)
        message.append(piece, *got);
    TRY(waitpid(visitor, 0));
    TRY(std::move(got));
    return from_message(message);
}

} // namespace sys
