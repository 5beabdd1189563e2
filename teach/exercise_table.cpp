// The exercises, a lesson's each.
#include "teach/exercise.hpp"

#include <algorithm>

namespace teach {

namespace {

// What isn't asked of a learner is left out by name: modes and options beside the stage's point.
constexpr const char* kUts = "Uts.*-Uts.NamesAreThoseAskedFor";
constexpr const char* kMount =
    "Mount.TheRootfsIsAMountOfItsOwn:Mount.NothingInsideIsSharedWithAnybody:"
    "Mount.TheHostsMountsAreAsTheyWere:Mount.TheRootfsThroughASymlinkAndByARelativePath";
constexpr const char* kRoot = "RootStage.PivotLeavesNoWayBack:RootStage.FilesOfTheHostAreNotThere:"
                              "RootStage.TheWorkingDirectoryIsInside";
constexpr const char* kPid = "Pid.*-Pid.BindShowsTheOuterProcesses:Pid.NoneLeavesItEmpty";
constexpr const char* kNet = "Net.NoneHasLoopbackAlone:Net.LoopbackInsideWorks";
// A program is told nothing of another user, or of --new-privs.
constexpr const char* kSets =
    "Caps.DockersFourteenByDefault:Caps.AddAndDrop:Caps.WhatIsDroppedCannotBeUsed:"
    "Caps.MountingNeedsTheCapabilityThatOnlyAddingGives:Caps.RootByNumberIsRoot:"
    "Caps.TheFirstProcessOfInitHasNoMore";

constexpr Exercise kExercises[] = {
    {0,
     "a look at a process's namespaces",
     nullptr,
     "exercise",
     "Differences.*",
     nullptr,
     {"Each link in /proc/PID/ns has a text like \"uts:[4026531838]\". When are two of them the "
      "same namespace?",
      "Compare readlink of /proc/PID/ns/NAME with that of your own, for each of the eight names. "
      "pid_for_children and time_for_children are about children.",
      "for name in cgroup ipc mnt net pid time user uts; do [ \"$(readlink /proc/$1/ns/$name)\" = "
      "\"$(readlink /proc/$$/ns/$name)\" ] || echo $name; done, and an error when there is no "
      "/proc/$1."}},
    {1,
     "a launcher",
     nullptr,
     "exercise",
     "Launcher.*",
     nullptr,
     {"unshare(1) has an option for each namespace; in C++ it is one call with four flags.",
      "Only a child is in the new pid namespace, so somebody stays and waits for it. Who is killed "
      "leaves his child behind, unless the child has asked for a signal then.",
      "exec unshare --user --map-root-user --mount --uts --pid --fork --kill-child \"$@\". In C++: "
      "unshare, the maps, fork, and in the child prctl(PR_SET_PDEATHSIG, SIGKILL)."}},
    {2,
     "the user stage's parent half",
     nullptr,
     "exercise",
     "Map.*",
     nullptr,
     {"A line of a map is three numbers: the first id inside, the first id outside, how many.",
      "Who writes another's ids needs a privilege: newuidmap(1) has it, and looks into "
      "/etc/subuid whether they are yours. A map can be written once, so all of its lines go into "
      "one call. And groups have a map, too.",
      "newuidmap \"$1\" 0 \"$(id -u)\" 1 1 FIRST COUNT, and newgidmap \"$1\" 0 \"$(id -g)\" 1 1 "
      "FIRST COUNT, with your line of /etc/subuid and /etc/subgid, NAME:FIRST:COUNT."}},
    {3,
     "the uts stage",
     "uts",
     "stage",
     kUts,
     kUts,
     {"There is one system call for it, and one command: both are in hostname(1)'s neighbourhood.",
      "The name that was asked for is in $GOCONTAINER_HOSTNAME, in C++ in inside.spec.uts.hostname "
      "(or, if that is empty, inside.spec.name).",
      "hostname \"$GOCONTAINER_HOSTNAME\" || exit 1. In C++: TRY(sys::sethostname(…))."}},
    {4,
     "the mount stage",
     "mount",
     "stage",
     kMount,
     kMount,
     {"Two things, in this order: let nothing that you mount reach the host, then make the root "
      "filesystem a mount.",
      "Propagation is a property of each mount, so the first one must be recursive. pivot_root "
      "wants its new root to be a mount point: a directory can be mounted on itself.",
      "mount --make-rprivate /, then mount --rbind \"$GOCONTAINER_ROOTFS\" "
      "\"$GOCONTAINER_ROOTFS\"."}},
    {5,
     "an escape from a chroot",
     nullptr,
     "exercise",
     "Escape.*",
     nullptr,
     {"chroot changes where \"/\" is. What else of a process is a place in the tree?",
      "Where is your working directory, after a second chroot into a folder below? \"..\" stops at "
      "the root, and nowhere else.",
      "mkdir(\"/tmp/below\"), chdir(\"/\"), chroot(\"/tmp/below\"), chdir(\"..\") some sixty "
      "times, chroot(\".\")."}},
    {6,
     "the root stage",
     "root",
     "stage",
     kRoot,
     kRoot,
     {"chroot is not enough. Which call exchanges the mount at \"/\"?",
      "pivot_root(2) has a section NOTES about both arguments being \".\": the old root is then on "
      "top of the new one. What is on top can be taken off, but somebody may be using it.",
      "cd \"$GOCONTAINER_ROOTFS\"; pivot_root . .; umount -l .; cd /"}},
    {7,
     "the pid stage",
     "pid",
     "stage",
     kPid,
     kPid,
     {"The process numbers are right already. What do ps and ls /proc read?",
      "A proc file system shows the PID namespace of who mounts it.",
      "mount -t proc proc \"$GOCONTAINER_ROOTFS/proc\""}},
    {8,
     "an init",
     nullptr,
     "exercise",
     "Init.*",
     nullptr,
     {"Number 1 has no default actions: a signal that it has no handler for does nothing. And "
      "nobody else waits for orphans.",
      "In a shell: trap the signals, start the command in the background (a signal may come before "
      "its number is known), wait. What does wait return when a trap has interrupted it? And which "
      "input has a command in the background? In "
      "C++: block all signals, and wait for them.",
      "trap 'kill -TERM $command' TERM, \"$@\" <&3 &, and wait again as long as kill -0 $command "
      "works. In C++: sigprocmask, fork, then sigwaitinfo in a loop: SIGCHLD means "
      "waitpid(-1, …, WNOHANG) until there is no more, any other kill(command, signal)."}},
    {9,
     "the net stage's child half",
     "net",
     "stage",
     kNet,
     kNet,
     {"ip link shows one device. What is its state?",
      "netdevice(7): the flags of a device are read by SIOCGIFFLAGS and written by SIOCSIFFLAGS.",
      "ip link set lo up"}},
    {10,
     "the net stage's parent half",
     nullptr,
     "exercise",
     "Slirp.*",
     nullptr,
     {"slirp4netns runs beside the command, so it goes into the background. When may the command "
      "start?",
      "slirp4netns writes to the descriptor that --ready-fd names, when all is done. A pipe (in a "
      "shell: mkfifo) is something that one can wait at.",
      "slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=3 \"$pid\" "
      "\"$device\" 3>ready & head -c 1 ready; run the command; kill it, and exit with the "
      "command's status."}},
    {11,
     "the cgroup stage's child half",
     "cgroup",
     "stage",
     "Cgroup.*",
     "Cgroup.*",
     {"The child is in its leaf already. What does it see in /proc/self/cgroup, and what should "
      "it?",
      "A cgroup namespace's root is the cgroup that its maker is in at that moment: unshare(2).",
      "exec unshare --cgroup \"$GOCONTAINER_NEXT\" \"$@\""}},
    {12,
     "the caps stage",
     "caps",
     "stage",
     kSets,
     "Caps.*",
     {"First the bounding set, while you still may; then (in C++, as a part of gocontainer) the "
      "user; then the sets.",
      "A change from uid 0 empties the permitted set, and clears PR_SET_PDEATHSIG. What a setuid "
      "program could bring back, no_new_privs keeps away.",
      "/usr/bin/setpriv --bounding-set -all,+chown,… --inh-caps -all --ambient-caps -all "
      "--no-new-privs, with the names of $GOCONTAINER_CAPABILITIES. In C++: "
      "sys::bound_capabilities, become_user, sys::set_capabilities, PR_SET_NO_NEW_PRIVS, "
      "die_with_parent, in this order."}},
    {13,
     "the seccomp stage",
     "seccomp",
     "exercise",
     "Filter.*",
     nullptr,
     {"Everything may pass but three calls, and two of those only with a certain flag.",
      "CLONE_NEWUSER is one bit among others: compare under a mask. clone3's flags lie in memory, "
      "where a filter can't look: what does libc do when the kernel has no such call?",
      "seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1, "
      "SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)), the same for clone, and "
      "SCMP_ACT_ERRNO(ENOSYS) for clone3. In Python: load offset 0, compare with the three "
      "numbers, load offset 16, test the bit."}},
    {14,
     "layers: commit and apply",
     nullptr,
     "exercise",
     "Layer.*",
     nullptr,
     {"Look at an upper folder with ls -l: a deleted file is a character device 0, 0. A folder "
      "that was made anew looks like any other; getfattr -dm- shows what is different.",
      "commit: an empty .wh.NAME for each whiteout, and an empty .wh..wh..opq in each opaque "
      "folder. apply: what they name goes first, since the opaque folder's new contents are in "
      "the same archive; they themselves must not stay.",
      "os.lstat(path).st_rdev == 0 and S_ISCHR; os.getxattr(folder, \"user.overlay.opaque\") == "
      "b\"y\" (trusted.overlay.opaque for root). When applying, walk all names once for the "
      "signs, and unpack the others after that."}},
    {15,
     "a way in",
     nullptr,
     "exercise",
     "Join.*",
     nullptr,
     {"nsenter(1) has an option for each namespace. Which of them are the container's own? Compare "
      "the links, as in lesson 0.",
      "A namespace that you are in already can't be entered again without a privilege over it: "
      "name only those that differ. The pid namespace is for children.",
      "nsenter --target \"$pid\" --user --mount … --preserve-credentials \"$@\". In C++: "
      "setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS | …), all at once, then fork, exec and wait."}},
};

} // namespace

std::span<const Exercise> exercises() {
    return kExercises;
}

const Exercise* exercise_of(unsigned lesson) {
    auto found = std::ranges::find(kExercises, lesson, &Exercise::lesson);
    return found == std::end(kExercises) ? nullptr : &*found;
}

} // namespace teach
