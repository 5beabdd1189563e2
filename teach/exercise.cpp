// The exercises, and the tests' words for a learner.
#include "teach/exercise.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

namespace teach {

namespace {

// What isn't asked of a learner is left out by name: modes and options beside the stage's point.
constexpr Exercise kExercises[] = {
    {3,
     "uts",
     "Uts.*-Uts.NamesAreThoseAskedFor",
     true,
     {"There is one system call for it, and one command: both are in hostname(1)'s neighbourhood.",
      "The name that was asked for is in $GOCONTAINER_HOSTNAME, in C++ in inside.spec.uts.hostname "
      "(or, if that is empty, inside.spec.name).",
      "hostname \"$GOCONTAINER_HOSTNAME\" || exit 1. In C++: TRY(sys::sethostname(…))."}},
    {4,
     "mount",
     "Mount.TheRootfsIsAMountOfItsOwn:Mount.NothingInsideIsSharedWithAnybody:"
     "Mount.TheHostsMountsAreAsTheyWere:Mount.TheRootfsThroughASymlinkAndByARelativePath",
     true,
     {"Two things, in this order: let nothing that you mount reach the host, then make the root "
      "filesystem a mount.",
      "Propagation is a property of each mount, so the first one must be recursive. pivot_root "
      "wants its new root to be a mount point: a directory can be mounted on itself.",
      "mount --make-rprivate /, then mount --rbind \"$GOCONTAINER_ROOTFS\" "
      "\"$GOCONTAINER_ROOTFS\"."}},
    {6,
     "root",
     "RootStage.PivotLeavesNoWayBack:RootStage.FilesOfTheHostAreNotThere:"
     "RootStage.TheWorkingDirectoryIsInside",
     true,
     {"chroot is not enough. Which call exchanges the mount at \"/\"?",
      "pivot_root(2) has a section NOTES about both arguments being \".\": the old root is then on "
      "top of the new one. What is on top can be taken off, but somebody may be using it.",
      "cd \"$GOCONTAINER_ROOTFS\"; pivot_root . .; umount -l .; cd /"}},
    {7,
     "pid",
     "Pid.*-Pid.BindShowsTheOuterProcesses:Pid.NoneLeavesItEmpty",
     true,
     {"The process numbers are right already. What do ps and ls /proc read?",
      "A proc file system shows the PID namespace of who mounts it.",
      "mount -t proc proc \"$GOCONTAINER_ROOTFS/proc\""}},
    {9,
     "net",
     "Net.NoneHasLoopbackAlone:Net.LoopbackInsideWorks",
     true,
     {"ip link shows one device. What is its state?",
      "netdevice(7): the flags of a device are read by SIOCGIFFLAGS and written by SIOCSIFFLAGS.",
      "ip link set lo up"}},
    {11,
     "cgroup",
     "Cgroup.*",
     true,
     {"The child is in its leaf already. What does it see in /proc/self/cgroup, and what should "
      "it?",
      "A cgroup namespace's root is the cgroup that its maker is in at that moment: unshare(2).",
      "exec unshare --cgroup \"$GOCONTAINER_NEXT\" \"$@\""}},
    {12,
     "caps",
     "Caps.*",
     false,
     {"First the bounding set, while you still may; then the user; then the sets.",
      "A change from uid 0 empties the permitted set, and clears PR_SET_PDEATHSIG. What a setuid "
      "program could bring back, no_new_privs keeps away.",
      "sys::bound_capabilities, become_user, sys::set_capabilities, PR_SET_NO_NEW_PRIVS, "
      "die_with_parent, in this order."}},
};

} // namespace

std::span<const Exercise> exercises() {
    return kExercises;
}

const Exercise* exercise_of(unsigned lesson) {
    auto found = std::ranges::find(kExercises, lesson, &Exercise::lesson);
    return found == std::end(kExercises) ? nullptr : &*found;
}

std::string sentence_of(const std::string& test) {
    std::string out;
    for (char c : test) {
        bool capital = c >= 'A' && c <= 'Z';
        if (capital && !out.empty())
            out += ' ';
        out += static_cast<char>(capital ? c - 'A' + 'a' : c);
    }
    return out;
}

std::string compared(const std::string& message) {
    std::istringstream text(message);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        if (!line.empty())
            lines.push_back(line);
    auto value = [&](std::size_t at) { // "  expression", "    Which is: value"
        bool named = at + 1 < lines.size() && lines[at + 1].starts_with("    Which is: ");
        return named ? lines[at + 1].substr(14)
                     : lines[at].substr(lines[at].find_first_not_of(' '));
    };
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        // The first is what was found: these tests write EXPECT_EQ(found, expected).
        if (lines[i].starts_with("Expected equality") && i + 2 < lines.size()) {
            std::size_t second = i + 2;
            if (lines[second].starts_with("    Which is: ") && second + 1 < lines.size())
                ++second;
            out += "expected  " + value(second) + "\ngot       " + value(i + 1) + "\n";
            return out;
        }
        if (lines[i].starts_with("Expected: "))
            out += "expected  " + lines[i].substr(10) + "\n";
        else if (lines[i].starts_with("  Actual: "))
            out += "got       " + lines[i].substr(10) + "\n";
        else if (lines[i].starts_with("Value of: "))
            out += "of        " + lines[i].substr(10) + "\n";
    }
    if (!out.empty())
        return out;
    for (std::size_t i = 1; i < lines.size() && i < 6; ++i) // the first says where
        out += lines[i] + "\n";
    return out;
}

} // namespace teach
