// The story of one launch, from the child's side: wait, enter, re-exec, child halves, execve.
#include "run/child.hpp"

#include "run/command.hpp"
#include "run/handshake.hpp"
#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/mounting.hpp"
#include "stages/stages.hpp"

#include <linux/close_range.h>
#include <sys/prctl.h>

#include <cerrno>
#include <charconv>

namespace run {

using stages::Facts;
using stages::Inside;
using stages::Stage;

namespace {

// Where the re-exec finds them; everything above is closed.
constexpr int kSocket = 3;
constexpr int kPacked = 4;

Error at(const Stage& stage, Error error) {
    if (error.stage.empty())
        error.stage = name_of(stage.id);
    return error;
}

[[noreturn]] void fail(const Fd& socket, const Error& error) {
    // When the parent is gone there is nobody left to tell.
    (void)say_failed(socket, error);
    sys::exit_now(error.status);
}

/// A copy of the binary in memory that nobody can write to, for where its mount can't be copied.
Result<Fd> sealed_copy() {
    Fd from = TRY(sys::openat(AT_FDCWD, "/proc/self/exe", O_RDONLY));
    Fd copy = TRY(sys::memfd_create("gocontainer"));
    std::vector<char> buffer(1 << 20);
    for (;;) {
        std::size_t got = TRY(sys::read(from.get(), buffer));
        if (got == 0)
            break;
        std::string_view part(buffer.data(), got);
        while (!part.empty())
            part.remove_prefix(TRY(sys::write(copy.get(), part)));
    }
    TRY(sys::seal(copy.get()));
    return copy;
}

/// The binary, for the re-exec. From inside, /proc/PID/exe leads to it: with a mount namespace of
/// our own it is a read-only copy of its mount, which goes away with this descriptor, so that
/// nothing in the container can ever open the host's file for writing (CVE-2019-5736).
Result<Fd> own_binary(const spec::Spec& spec) {
    if (!spec.stages.has(spec::Stage::mount))
        return sys::openat(AT_FDCWD, "/proc/self/exe", O_PATH);
    // The link itself leads into the parent's mount namespace, of which nothing can be copied;
    // the same path in ours leads to the same file, unless it was moved or covered meanwhile.
    struct stat running = TRY(sys::fstatat(AT_FDCWD, "/proc/self/exe", 0));
    std::string path = TRY(sys::readlinkat(AT_FDCWD, "/proc/self/exe"));
    auto binary = stages::clone_mount(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
    if (!binary)
        return sealed_copy();
    struct stat found = TRY(sys::fstat(binary->get()));
    if (found.st_dev != running.st_dev || found.st_ino != running.st_ino)
        return sealed_copy();
    auto sealed =
        stages::hint(stages::set_attributes(*binary, MOUNT_ATTR_RDONLY),
                     [](const Error& error) { return stages::causes::powerless_root(error.code); });
    if (!sealed) {
        sealed.error().stage = "mount";
        return std::unexpected(std::move(sealed).error());
    }
    return binary;
}

Result<void> restore_signals(std::uint64_t mask_bits) {
    sigset_t mask;
    sigemptyset(&mask);
    for (int number = 1; number < NSIG; ++number)
        if ((mask_bits >> (number - 1) & 1) != 0)
            (void)sigaddset(&mask, number); // fails for the two that libc keeps for itself
    TRY(sys::sigprocmask(SIG_SETMASK, mask));
    return {};
}

} // namespace

// Standing: in the new namespaces already, but with the host's root, mounts and /proc; nobody
// (65534) with all capabilities of the user namespace, until the map is written. In the parent's
// memory: nothing but system calls before "go", after which the parent waits for our exec.
void enter(void* entering) {
    const Entering& with = *static_cast<const Entering*>(entering);
    Fd(with.parents_socket).close(); // else we would never see the parent's end as EOF
    char go = 0;
    auto heard = sys::read(with.socket, std::span(&go, 1));
    if (!heard || *heard != 1 || go != static_cast<char>(Said::go))
        sys::exit_now(125); // the parent is gone, or has failed and says so itself
    // Out of the way of the two numbers that are given out below.
    auto moved = sys::dup_above(with.socket, 64);
    if (!moved)
        sys::exit_now(125);
    Fd socket = std::move(*moved);
    auto entered = [&]() -> Result<void> {
        // So that the kernel ends us with the parent from now on. Was it gone already?
        // child_main() asks once more, after the last time this is said.
        TRY(stages::die_with_parent());
        for (const Stage* stage : with.order)
            if (stage->enter != nullptr)
                if (auto done = stage->enter(with.spec, with.facts); !done)
                    return std::unexpected(at(*stage, std::move(done).error()));
        TRY(stages::die_with_parent()); // becoming uid 0 has cleared it
        TRY(restore_signals(with.facts.signal_mask));
        Fd binary = TRY(own_binary(with.spec));
        // The two that stay go to known places; the rest, ours or leaked to us, ends here.
        Fd high_packed = TRY(sys::dup_above(with.packed, 64));
        Fd high_binary = TRY(sys::dup_above(binary.get(), 64));
        TRY(sys::dup2(socket.get(), kSocket));
        TRY(sys::dup2(high_packed.get(), kPacked));
        TRY(sys::close_range(kPacked + 1, ~0U, CLOSE_RANGE_CLOEXEC));
        return std::unexpected(sys::execveat(
            high_binary.get(),
            {"/proc/self/exe", "child", std::to_string(kSocket), std::to_string(kPacked)}, {}));
    }();
    fail(socket, entered.error());
}

namespace {

/// The guard: no child half may run in a namespace of the parent's. A stage run by mistake on the
/// host renames the host.
Result<void> check_namespaces(const spec::Spec& spec, const Facts& facts) {
    std::size_t index = 0;
    for (const Stage& stage : stages::table()) {
        if (stage.ns == nullptr)
            continue;
        if (index == facts.host_namespaces.size())
            return sys::wrong("the parent has not said which namespaces are its own");
        std::uint64_t host = facts.host_namespaces[index++];
        // What a stage unshares itself does not exist yet.
        if ((stages::clone_flags(spec) & stage.clone_flag) == 0)
            continue;
        struct stat own = TRY(sys::fstatat(AT_FDCWD, std::string("/proc/self/ns/") + stage.ns, 0));
        if (own.st_ino == host)
            return std::unexpected(
                at(stage, Error{.stage = {},
                                .call = {},
                                .detail = std::string("still in the host's ") + stage.ns +
                                          " namespace, so nothing was done",
                                .hint = {}}));
    }
    return {};
}

/// Everything that the last stages would forbid, or that must be the last before them.
Result<void> settle(const spec::Spec& spec) {
    if (!spec.stages.has(spec::Stage::caps))
        TRY(stages::become_user(Inside{.spec = spec, .facts = {}}));
    TRY(set_limits(spec.process));
    TRY(enter_directory(spec));
    return stages::die_with_parent();
}

Result<void> walk(Inside& inside, const Fd& socket) {
    const spec::Spec& spec = inside.spec;
    TRY(check_namespaces(spec, inside.facts));
    bool settled = false;
    auto settle_once = [&]() -> Result<void> {
        if (std::exchange(settled, true))
            return {};
        if (spec.process.terminal && !inside.console.valid())
            inside.console = TRY(outer_console());
        return settle(spec);
    };
    for (const Stage* stage : stages::wanted(spec)) {
        if (stage->child == nullptr)
            continue;
        if (stage->restricts)
            TRY(settle_once());
        if (auto done = stage->child(inside); !done)
            return std::unexpected(at(*stage, std::move(done).error()));
    }
    TRY(settle_once());
    if (inside.console.valid()) {
        TRY(say_console(socket, inside.console));
        TRY(take_terminal(inside.console));
    }
    return {};
}

/// A descriptor number of the re-exec's command line, open and of the kind that we left there.
bool ours(const std::string& text, int expected, bool socket) {
    int number = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number != expected)
        return false;
    auto info = sys::fstat(number);
    return info && (socket ? S_ISSOCK(info->st_mode) : S_ISREG(info->st_mode));
}

} // namespace

// Standing: in the new namespaces, uid 0 of the user namespace with every capability in it, the
// host's root and mounts still around us, two descriptors of the parent's.
std::string child_main(const std::vector<std::string>& args) {
    if (args.size() != 2 || !ours(args[0], kSocket, true) || !ours(args[1], kPacked, false))
        return "child is what 'gocontainer parent' turns into inside the new namespaces, by "
               "executing /proc/self/exe: it is not for calling by hand; try 'gocontainer parent "
               "/bin/sh'";
    Fd socket(kSocket);
    Fd memfd(kPacked);
    (void)sys::set_cloexec(kSocket, true); // both are open: just looked at
    (void)sys::set_cloexec(kPacked, true);
    auto packed = unpack(memfd);
    if (!packed)
        fail(socket, packed.error());
    memfd.close();
    Inside inside{.spec = packed->spec, .facts = packed->facts};
    inside.note = [&socket](const std::string& line) { (void)say_note(socket, line); };
    if (packed->facts.idmapped_rootfs) {
        auto sent = hear(socket);
        if (!sent || sent->said != Said::rootfs)
            sys::exit_now(125); // the parent is gone
        inside.rootfs = std::move(sent->fd);
    }
    if (auto walked = walk(inside, socket); !walked)
        fail(socket, walked.error());
    inside.console.close();
    // PR_SET_PDEATHSIG tells nothing of a parent that died before it was said, or while a change
    // of credentials had cleared it. Its socket is closed before the kernel looks for children to
    // signal: so open now, it is not too late for one.
    if (auto gone = sys::at_end(socket.get()); !gone || *gone)
        sys::exit_now(125);
    fail(socket, become_command(packed->spec, socket));
}

} // namespace run
