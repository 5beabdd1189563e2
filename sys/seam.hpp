// The seam: every system call of the product passes through invoke().
//
// With nobody listening it costs one null check. A listener sees each call spelled out, may
// answer in the kernel's place (the unit tests' recorder, fault injection), and hears the result
// (the narrator). A failed call becomes an Error that carries its own text and errno.
#pragma once

#include "sys/fd.hpp"
#include "sys/result.hpp"

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sys {

/// One system call, spelled as in C: name "mkdirat", text `mkdirat(5, "dev", 0755)`.
struct Call {
    std::string_view name;
    std::string text;    ///< for an error's one line: without what is Heard alone
    std::span<char> out; ///< what the kernel would fill in; empty for most calls
    std::string whole;   ///< as strace writes it: every argument; after the call, what it filled in
};

/// Who hears calls. Answers and results are the kernel's: a value, or -errno.
class Listener {
public:
    virtual ~Listener() = default;
    virtual std::optional<long> before(const Call&) { return std::nullopt; }
    virtual void after(const Call&, long) {}
};
inline Listener* listener = nullptr;

/// As long as it lives, nobody hears: for what is no part of the story that is told.
class Unheard {
public:
    Unheard() : before_(std::exchange(listener, nullptr)) {}
    ~Unheard() { listener = before_; }
    Unheard(const Unheard&) = delete;
    Unheard& operator=(const Unheard&) = delete;

private:
    Listener* before_;
};

/// As long as it lives, to fail with `code` is an answer like any other: such an Error carries the
/// number alone. To spell a call out takes longer than to make it.
class Expecting {
public:
    explicit Expecting(int code) : before_(std::exchange(expected_, code)) {}
    ~Expecting() { expected_ = before_; }
    Expecting(const Expecting&) = delete;
    Expecting& operator=(const Expecting&) = delete;
    static bool is(int code) { return code == expected_; }

private:
    static inline int expected_ = 0;
    int before_;
};

/// A flag argument that is spelled by name: `MS_REC|MS_PRIVATE`.
struct FlagName {
    std::uint64_t value;
    const char* name;
};
struct Flags {
    std::uint64_t value;
    std::span<const FlagName> names;
    const char* none = "0"; ///< how no flag is spelled
};
/// An argument of which each value has a name: `AF_INET`.
struct Named {
    std::uint64_t value;
    std::span<const FlagName> names;
};
/// A signal's number.
struct Signal {
    int number;
};
/// An octal argument (a file mode).
struct Mode {
    unsigned value;
};
/// An argument that only shows as text (a structure, a buffer).
struct Shown {
    std::string_view text;
};

/// An argument that an error spells briefly or not at all, for its line's sake, and a listener
/// hears whole: O_CLOEXEC, which all of ours have; a length; a structure that the call has filled
/// in. `whole(result)` spells it: with -1 before the call, and when it has failed.
template <class Brief, class Whole>
struct Heard {
    Brief brief;
    Whole whole;
};

/// Memory that the call fills in. It isn't spelled; who answers in the kernel's place fills it.
struct Out {
    void* memory;
    std::size_t size;
};

std::string show(const Flags& flags);
std::string show(const Named& named);
std::string show(Signal signal);
std::string show(Mode mode);
inline std::string show(Out) {
    return {};
}
inline std::string show(Shown shown) {
    return std::string(shown.text);
}
/// A C string in quotes; a null pointer as NULL; AT_FDCWD is spelled by the caller.
std::string show(const char* text);
inline std::string show(const std::string& text) {
    return show(text.c_str());
}
template <std::integral T>
std::string show(T number) {
    return std::to_string(number);
}
/// A directory descriptor: AT_FDCWD by name.
struct At {
    int fd;
};
std::string show(At at);

/// Text that is made when somebody reads it: of nearly every call, nobody does.
template <std::invocable Text>
std::string show(const Text& text) {
    return text();
}

template <class Brief, class Whole>
std::string show(const Heard<Brief, Whole>& heard) {
    return show(heard.brief);
}
/// What is only Heard: of every call, and of one that has filled something in.
template <class Whole>
auto also(Whole whole) {
    return Heard{Shown{}, [whole](long) { return std::string(whole()); }};
}
template <class Whole>
auto filled(Whole whole) {
    return Heard{Shown{}, [whole](long result) { return result < 0 ? "" : whole(result); }};
}

namespace detail {
/// `name(a, b)`; arguments without a spelling are left out.
std::string spell(std::string_view name, std::initializer_list<std::string> args);
std::unexpected<Error> failed(std::string text, int code);
template <class T>
std::string whole(const T& argument, long) {
    return show(argument);
}
template <class Brief, class Whole>
std::string whole(const Heard<Brief, Whole>& heard, long result) {
    return heard.whole(result);
}
template <class T>
inline constexpr bool is_heard = false;
template <class Brief, class Whole>
inline constexpr bool is_heard<Heard<Brief, Whole>> = true;
template <class T>
void note_out(Call&, const T&) {}
inline void note_out(Call& call, const Out& out) {
    call.out = {static_cast<char*>(out.memory), out.size};
}
} // namespace detail

/// Make one call. `kernel` is the call itself: it returns -1 and sets errno, as libc does.
template <class Kernel, class... Args>
Result<long> invoke(std::string_view name, Kernel kernel, const Args&... args) {
    auto spelled = [&] { return detail::spell(name, {show(args)...}); };
    if (listener == nullptr) [[likely]] {
        long result = kernel();
        if (result != -1) [[likely]]
            return result;
        int code = errno;
        return detail::failed(Expecting::is(code) ? std::string() : spelled(), code);
    }
    Call call{name, spelled(), {}, {}};
    auto spell_whole = [&]([[maybe_unused]] long result) {
        if constexpr ((detail::is_heard<Args> || ...))
            call.whole = detail::spell(name, {detail::whole(args, result)...});
        else
            call.whole = call.text;
    };
    (detail::note_out(call, args), ...);
    spell_whole(-1);
    long result = 0;
    if (auto answer = listener->before(call)) {
        result = *answer;
    } else {
        result = kernel();
        if (result == -1)
            result = -errno;
    }
    if (result >= 0)
        spell_whole(result);
    listener->after(call, result);
    if (result < 0 && result >= -4095)
        return detail::failed(std::move(call.text), static_cast<int>(-result));
    return result;
}

/// Make one call in a process that shares our memory (vfork): with nobody listening, nothing is
/// allocated. Returns as libc does, with errno set.
template <class Kernel, class... Args>
long invoke_bare(std::string_view name, Kernel kernel, const Args&... args) {
    if (listener == nullptr) [[likely]]
        return kernel();
    auto result = invoke(name, kernel, args...);
    if (!result)
        errno = result.error().code;
    return result ? *result : -1;
}

/// The result of a call of whose value nothing but success matters, and of one that opens
/// something.
Result<void> done(Result<long> result);
Result<Fd> descriptor(Result<long> result);

} // namespace sys
