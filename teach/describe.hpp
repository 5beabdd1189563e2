// A snapshot, and what two of them differ in, for a person: 80 columns of text.
#pragma once

#include "teach/diff.hpp"
#include "teach/paint.hpp"
#include "teach/snapshot.hpp"

#include <string>
#include <vector>

namespace teach {

/// Grouped as a student meets it: the process, its namespaces and what is in each, its cgroup, its
/// rights. As much as lsns(8), findmnt(8) and capsh(1) would show.
std::string describe(const Snapshot& snapshot, const Paint& paint);
/// The same under its headings: "process", "namespaces", "names and clocks" …
struct Part {
    std::string name, text;
};
std::vector<Part> parts_of(const Snapshot& snapshot, const Paint& paint);

/// "hostname: vm → box", "+ mount /proc: …". One line that says so when there is nothing.
std::string describe(const std::vector<Change>& changes, const Paint& paint,
                     std::size_t width = 80);

/// What came or went together as one: 27 capabilities, and those in several sets at once.
std::vector<Change> grouped(const std::vector<Change>& changes);

// The parts that pictures have in common with the text.

/// What a process says of itself must not reach the terminal as it is.
std::string clean(std::string_view text);
/// With a blank, where wrapped() can break it, behind a slash of each word of more than `width`
/// columns: a path.
std::string breakable(const std::string& text, std::size_t width);
/// "0-65535 are 100000-165535 here"
std::string describe(const IdRange& range, const std::string& here);
/// "12.3 MiB"; "max" and what is no number stay as they are.
std::string human_bytes(const std::string& number);
/// Of `of`'s cgroup file `name`; "" when it has none.
std::string cgroup_file(const Snapshot& of, std::string_view name);
/// "no more than 50 % of one CPU" for cpu.max's "50000 100000"; "" for no limit.
std::string describe_cpu_max(const std::string& text);
/// "memory at most 1 GiB for all of /a": what a cgroup above has.
std::string describe(const CgroupLimit& limit);
/// "filter (2 filters)"
std::string describe_seccomp(const Snapshot& of);
/// The title of a process: its command line, or its name in brackets, as ps(1) has it.
std::string title(const Snapshot& of);
/// Of the first process in a namespace, as lsns(8): its user's name, or number; its command line.
std::string first_user(const Namespace& space);
std::string first_command(const Namespace& space);
/// "mount" for "mnt".
std::string spoken(const std::string& type);
/// Lines of proc_pid_mountinfo in the order of a tree, each with how deep it is.
std::vector<std::pair<const Mount*, std::size_t>> mount_tree(const Snapshot& of);
/// "/dev/vda[/a/rootfs]", as findmnt(8) writes it.
std::string source_of(const Mount& mount);

} // namespace teach
