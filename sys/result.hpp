// The one error type and the one result type.
//
// Functions return errors or print them, never both; only main prints. An Error is plain data,
// because it also travels from the child to the parent over the handshake socket.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sys {

/// What went wrong, for a person: stage, call with its object, errno, cause, fix.
struct Error {
    std::string stage;  ///< name of the stage; the walker fills it in
    std::string call;   ///< the system call as written in C, or empty when none failed
    int code = 0;       ///< errno, or 0
    std::string detail; ///< what is wrong, found on this machine; lower case, no full stop
    std::string hint;   ///< what to do about it
    int status = 125;   ///< exit status: 125 ours, 126 not executable, 127 not found
};

template <class T>
using Result = std::expected<T, Error>;

/// An error without a failed call: `return sys::wrong("…", "…")`.
std::unexpected<Error> wrong(std::string detail, std::string hint = {});

/// `text` on one line, without the control characters that a terminal would obey, whatever a path
/// or a message from elsewhere holds.
std::string printable(std::string_view text);

/// One line: `STAGE: CALL: ENAME (text): detail: hint`, without what is empty.
std::string to_line(const Error& error);

/// `EPERM` for 1, and so on; `errno 4095` for a number without a name.
std::string errno_name(int code);

} // namespace sys

// Unwrap a Result or hand its error to the caller (the shape of SerenityOS's TRY).
#define TRY(...)                                                                                   \
    ({                                                                                             \
        auto&& result_of_try = (__VA_ARGS__);                                                      \
        if (!result_of_try) [[unlikely]]                                                           \
            return std::unexpected(std::move(result_of_try).error());                              \
        *std::move(result_of_try);                                                                 \
    })
