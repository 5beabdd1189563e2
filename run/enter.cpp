// The child's first half: wait, enter, re-exec.
#include "run/reexec.hpp"

#include "run/binary.hpp"
#include "run/child.hpp"
#include "run/guard.hpp"
#include "run/handshake.hpp"
#include "run/supervise.hpp"
#include "run/watch.hpp"
#include "stages/caps.hpp"
#include "stages/stages.hpp"

#include <linux/close_range.h>

namespace run {

using stages::Stage;

Error at(const Stage& stage, Error error) {
    if (error.stage.empty())
        error.stage = name_of(stage.id);
    return error;
}

[[noreturn]] void fail(const Fd& socket, const Error& error, Slate&& slate) {
    slate.write(error); // first: what follows may be denied to us, or be our end
    // When the parent is gone there is nobody left to tell.
    (void)say_failed(socket, error);
    sys::exit_now(error.status);
}

namespace {

// Out of the way of the numbers that are given out to what the re-exec keeps.
constexpr int kHigh = 64;

/// The binary, for the re-exec: with a mount namespace of our own, out of the container's reach.
Result<Fd> own_binary(const Entering& with) {
    if (with.binary >= 0)
        return sys::dup_above(with.binary, kHigh);
    if (!with.spec.stages.has(spec::Stage::mount))
        return sys::openat(AT_FDCWD, "/proc/self/exe", O_PATH);
    return protected_binary();
}

/// Of a binary that is a mount of ours, the descriptor that must outlive the exec (Inside::binary).
int goes_with_old_root(const Entering& with, const Fd& binary) {
    const spec::Spec& spec = with.spec;
    bool mounted = with.binary < 0 && spec.stages.has(spec::Stage::mount);
    bool pivots = spec.stages.has(spec::Stage::root) && spec.root.mode == spec::RootMode::pivot;
    return mounted && pivots ? binary.get() : -1;
}

/// Become `gocontainer child`. What it keeps lies at known numbers behind the caller's preserved
/// descriptors; the rest, ours or leaked to us, ends with the exec.
Result<void> re_exec(const Entering& with, const Fd& socket, const Fd& binary) {
    int next = kFirst + static_cast<int>(with.spec.process.preserved_fds);
    int high = kHigh + next;
    Fd own = TRY(sys::dup_above(binary.get(), high));
    std::vector<Fd> kept; // all moved away before the first is put where another may still be
    for (int fd : {socket.get(), with.gate, with.joins.time(), goes_with_old_root(with, binary)})
        kept.push_back(fd < 0 ? Fd() : TRY(sys::dup_above(fd, high)));
    sys::Strings argv{kSelf, kChild};
    for (const Fd& fd : kept) {
        argv.push_back(fd.valid() ? std::to_string(next) : "-");
        if (fd.valid())
            TRY(sys::dup2(fd.get(), next++));
    }
    TRY(sys::close_range(static_cast<unsigned>(next), ~0U, CLOSE_RANGE_CLOEXEC));
    return std::unexpected(sys::execveat(own.get(), argv, {}));
}

Result<void> become_root() {
    // Only groups that are allowed to can be dropped; what stays is the joined namespace's affair.
    (void)sys::setgroups({});
    TRY(sys::setresgid(0));
    return sys::setresuid(0);
}

} // namespace

// Standing: in the new namespaces already, but with the host's root, mounts and /proc; nobody
// (65534) with all capabilities of the user namespace, until the map is written. In the parent's
// memory: nothing but system calls before "go", after which the parent waits for our exec.
void enter(void* entering) {
    const Entering& with = *static_cast<const Entering*>(entering);
    if (with.listener != nullptr)
        sys::listener = with.listener;
    Fd(with.parents_socket).close(); // else we would never see the parent's end as EOF
    // Looked at while the parent writes the id maps. Who listens takes memory for it, which the
    // parent may be at just now.
    bool elsewhere = with.listener == nullptr && !with.spec.inside_already &&
                     surely_elsewhere(with.spec, with.parents_namespaces);
    char go = 0;
    auto heard = sys::read(with.socket, std::span(&go, 1));
    if (!heard || *heard != 1 || go != static_cast<char>(Said::go))
        sys::exit_now(125); // the parent is gone, or has failed and says so itself
    auto moved = sys::dup_above(with.socket, kHigh);
    if (!moved)
        fail(Fd(with.socket), moved.error());
    Fd socket = std::move(*moved);
    auto entered = [&]() -> Result<void> {
        if (!with.spec.inside_already && !elsewhere)
            TRY(check_namespaces(with.spec, with.parents_namespaces));
        // So that the kernel ends us with the parent from now on. Was it gone already?
        // child_main() asks once more, after the last time this is said.
        TRY(stages::die_with_parent());
        if (with.joins.any() &&
            (with.facts.born_late || !with.joins.need_joiner(stages::clone_flags(with.spec))))
            TRY(with.joins.join_first());
        for (const Stage* stage : with.order) {
            if (stage->enter == nullptr)
                continue;
            auto done = step({.half = Half::enter, .stage = stage}, 0,
                             [&] { return stage->enter(with.spec, with.facts); });
            if (!done)
                return std::unexpected(at(*stage, std::move(done).error()));
        }
        TRY(with.saboteur->struck_in(Half::enter));
        if (with.joins.has(CLONE_NEWUSER))
            TRY(become_root());
        return step({.half = Half::re_exec}, 0, [&]() -> Result<void> {
            Fd binary = TRY(own_binary(with));
            TRY(with.joins.join_rest(with.facts.born_late));
            TRY(stages::die_with_parent()); // becoming uid 0 has cleared it
            if (with.facts.default_signals)
                sys::default_signals();
            TRY(restore_signals(with.facts.signal_mask));
            return re_exec(with, socket, binary);
        });
    }();
    fail(socket, entered.error());
}

Result<bool> is_command(pid_t child) {
    const std::string path = "/proc/" + std::to_string(child) + "/cmdline";
    const std::string ours = std::string(kSelf) + '\0' + kChild + '\0';
    std::string start(ours.size(), '\0');
    Fd file = TRY(sys::openat(AT_FDCWD, path, O_RDONLY));
    start.resize(TRY(sys::read(file.get(), std::span(start))));
    return !start.empty() && start != ours; // of one that is ending, nothing is left to read
}

} // namespace run
