// Written for somebody who has never made a container, and who sees the calls below.
#include "teach/why.hpp"

#include <algorithm>

namespace teach {

namespace {

using run::Half;
using spec::Stage;

struct Reason {
    Stage stage;
    Half half;
    const char* text;
};

constexpr Reason kReasons[] = {
    {Stage::user, Half::prepare,
     "Which user ids will the container have? As many as /etc/subuid gives to the caller, or the "
     "caller's own as the container's 0."},
    {Stage::user, Half::parent,
     "In its new user namespace the child is nobody (65534) until somebody outside writes which id "
     "inside is which id outside. The parent does, while the child waits: an exec without a map "
     "would cost the child its capabilities."},
    {Stage::user, Half::enter,
     "The map is there: the child becomes user 0 of its namespace. It is root over the namespaces "
     "that were made with this one, and over nothing else."},
    {Stage::user, Half::child,
     "The namespace was made by clone3, and the parent has written its id maps: nothing is left "
     "to do."},
    {Stage::cgroup, Half::prepare,
     "A cgroup is a directory: making one makes a group, and writing a number into its files is a "
     "limit. The parent looks for a place where it may, and makes a leaf."},
    {Stage::cgroup, Half::parent, "The limits are written, before the child can use anything."},
    {Stage::cgroup, Half::child,
     "Whatever cgroup a process is in when it unshares becomes the root of what it sees. The child "
     "is in its leaf already, so the leaf becomes \"/\"."},
    {Stage::cgroup, Half::meanwhile, "A filter of devices is attached to the leaf."},
    {Stage::cgroup, Half::undo,
     "The leaf is empty now: the directory goes, and the limits with it."},
    {Stage::net, Half::undo, "The helper ends with the network that it served."},
    {Stage::mount, Half::undo, "What the overlay's work directory still holds is removed."},
    {Stage::net, Half::prepare,
     "An ordinary user can't connect a network namespace to the host's network. A helper can carry "
     "packets between a tap device inside and sockets outside: which one is there?"},
    {Stage::net, Half::parent,
     "A tap device is made in the child's network namespace, and a helper outside serves it: what "
     "the container sends, the helper sends as an ordinary program of yours."},
    {Stage::net, Half::child,
     "A new network namespace has nothing but a loopback device, and that is down: even 127.0.0.1 "
     "does not answer until it is up."},
    {Stage::uts, Half::child,
     "The new UTS namespace began with the host's names. Root of the namespace may change its own "
     "copy; the host's name stays."},
    {Stage::ipc, Half::child,
     "Made by clone3, and empty: message queues, semaphores and shared memory of the host can't be "
     "named from in here. Nothing is left to do."},
    {Stage::time, Half::child,
     "The clocks that count from boot get an offset. It must be written before anybody is in the "
     "new time namespace, so it is made, written, and only then entered."},
    {Stage::mount, Half::prepare, "Is the root filesystem a directory that can be used as one?"},
    {Stage::mount, Half::parent,
     "The child's ids can't reach what only root may search, so the parent opens it for the "
     "child."},
    {Stage::mount, Half::child,
     "The new mount namespace is a copy of the host's mounts. First they are made private, so that "
     "nothing mounted here shows up there. Then the root filesystem is bound, and gets a /dev, a "
     "/sys and volumes of its own."},
    {Stage::pid, Half::child,
     "clone3 has made the child number 1 of a new PID namespace. /proc shows the processes of the "
     "namespace that mounts it, so the container needs one of its own; and it must come while "
     "the host's is still in sight, or the kernel refuses."},
    {Stage::root, Half::prepare, "Is there a root filesystem?"},
    {Stage::root, Half::child,
     "chroot would only move what \"/\" means, and there are ways out. pivot_root exchanges the "
     "mount at \"/\" for the new root, and a umount lets go of the old one: no path leads to it "
     "any more."},
    {Stage::caps, Half::child,
     "Root's power is 41 capabilities. Those a container has no use for are dropped from the "
     "bounding set, for good; the rest is set, and no_new_privs keeps setuid programs from "
     "bringing any back."},
    {Stage::seccomp, Half::prepare,
     "The filter program is read and compiled, if it is not the usual one."},
    {Stage::seccomp, Half::child,
     "A small program in the kernel looks at the number of every system call from now on, and "
     "refuses those that containers don't need. It comes last, since we ourselves needed some."},
    {Stage::init, Half::child,
     "PID 1 has two duties: to wait for orphans, and to pass on signals, since the kernel shields "
     "it from those that it has no handler for. So the child forks: it stays as PID 1, and the "
     "command is its child."},
};

struct Other {
    Half half;
    const char* title;
    const char* text;
};
constexpr Other kOthers[] = {
    {Half::clone, "the birth of the child",
     "One call makes the child and its namespaces at once. The child is in them from its first "
     "moment, and waits until the parent has done its part from outside."},
    {Half::re_exec, "the child executes this program again",
     "A fresh start as \"gocontainer child\", with nothing of the parent's memory, and no "
     "descriptor but those that it needs. The binary is opened so that nobody inside can ever "
     "write to the host's copy."},
    {Half::settle, "what the command finds",
     "Owners of its streams, limits, working directory: all that must be done while we still may."},
    {Half::command, "the command",
     "Nothing of us is left in the process but what was done to it: execve puts the command in "
     "our place."},
};

const Other* other(Half half) {
    auto found = std::ranges::find(kOthers, half, &Other::half);
    return found == std::end(kOthers) ? nullptr : &*found;
}

} // namespace

std::string title(const run::Step& step) {
    if (step.stage != nullptr)
        return std::string(name_of(step.stage->id));
    const Other* found = other(step.half);
    return found != nullptr ? found->title : "";
}

std::string where(run::Half half) {
    switch (half) {
    case Half::prepare:
        return "in the parent, before the clone";
    case Half::parent:
        return "in the parent, the child waits";
    case Half::meanwhile:
        return "in the parent, meanwhile";
    case Half::clone:
        return "in the parent";
    case Half::undo:
        return "in the parent, afterwards";
    case Half::enter:
    case Half::re_exec:
        return "in the child, before its re-exec";
    default:
        return "in the child";
    }
}

std::string why(const run::Step& step) {
    if (step.stage == nullptr) {
        const Other* found = other(step.half);
        return found != nullptr ? found->text : "";
    }
    for (const Reason& reason : kReasons)
        if (reason.stage == step.stage->id && reason.half == step.half)
            return reason.text;
    return step.stage->summary;
}

} // namespace teach
