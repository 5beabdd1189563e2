// The last steps before, and the exec of, the command itself.
#pragma once

#include "run/slate.hpp"
#include "spec/spec.hpp"
#include "sys/kernel.hpp"

namespace run {

/// Where a command is looked for that nobody has said a PATH for.
inline constexpr const char* kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What "#!" or the ELF header names as the program's loader; "" if it names none.
std::string loader_of(const std::string& path);

sys::Result<void> set_limits(const spec::Spec& spec);

/// Change to the working directory, making it when it is missing, and prove that it is inside the
/// root (CVE-2024-21626).
sys::Result<void> enter_directory(const spec::Spec& spec);

/// A pty of the surrounding /dev, when there is no /dev of our own.
sys::Result<sys::Fd> outer_console();

/// As config.json wants it to begin with.
sys::Result<void> size_terminal(const spec::Process& process, const sys::Fd& master);

/// Is there a command that can be executed? What becoming it would answer, as far as a look tells.
sys::Result<void> find_command(const spec::Spec& spec);

/// A session of our own, with the terminal that is our standard input to control it, or without
/// one: the caller's terminal may be a standard stream, and in a session without one nobody can
/// push input into it (TIOCSTI, CVE-2017-5226). Its signals come to the parent, which forwards
/// them. `word`: of a filter that lets that pass (stages/seccomp_birth.hpp).
sys::Result<void> lead_session(const spec::Process& process, const sys::Word& word = {});

/// A pty's side as standard streams.
sys::Result<void> take_terminal(const spec::Spec& spec, const sys::Fd& slave);

/// All descriptors but the streams, those that the caller preserves, the socket, and `kept`, in
/// rising order.
sys::Result<void> close_the_rest(const spec::Spec& spec, const sys::Fd& socket,
                                 std::initializer_list<int> kept = {});

/// The command's, with the HOME of who we are.
sys::Strings environment(const spec::Spec& spec);

/// Is the filter somebody's own, who may have forgotten what we call under it?
bool filters_as_asked(const spec::Spec& spec);

/// Replace this process by the command. Only returns the reason why it could not; the slate no
/// longer says "filtered" then.
sys::Error become_command(const spec::Spec& spec, const sys::Fd& socket, const sys::Strings& env,
                          Slate& slate);

} // namespace run
