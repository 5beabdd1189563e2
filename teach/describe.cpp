// The text of `inspect`.
#include "teach/describe.hpp"

#include "sys/capability.hpp"
#include "teach/proc_text.hpp"

#include <algorithm>

namespace teach {

namespace {

constexpr std::size_t kWidth = 80;

std::string pad(const std::string& text, std::size_t width) {
    std::size_t has = columns(text);
    return text + std::string(has < width ? width - has : 0, ' ');
}

/// No more than `width` columns of it.
std::string cut(const std::string& text, std::size_t width) {
    std::string out;
    for (char c : text) {
        bool starts = (c & 0xc0) != 0x80;
        if (starts && columns(out) == width)
            break;
        out += c;
    }
    return out;
}

std::string plural(std::size_t count, const std::string& one, const std::string& more) {
    return std::to_string(count) + " " + (count == 1 ? one : more);
}

class Page {
public:
    explicit Page(const Snapshot& of, const Paint& paint) : of_(of), paint_(paint) {}
    std::vector<Part> parts() {
        process();
        namespaces();
        ids();
        names();
        links();
        mounts();
        cgroups();
        capabilities();
        restrictions();
        limits();
        unread();
        return std::move(parts_);
    }

private:
    std::string& out() { return parts_.back().text; } // of the part that is being written
    void heading(const std::string& name, const std::string& note = {}) {
        parts_.push_back({name, ""});
        out() += "\n" + paint_.bold(name) + (note.empty() ? "" : "  " + paint_.dim(note)) + "\n";
    }
    /// "  name      value", wrapped below the value.
    void line(const std::string& name, const std::string& value) {
        constexpr std::size_t kIndent = 16;
        std::string text = wrapped(breakable(clean(value), kWidth - kIndent), kIndent, kWidth);
        if (text.empty())
            text = "\n";
        else
            text.erase(0, kIndent);
        out() += "  " + pad(name, kIndent - 2) + text;
    }
    /// What can't be read stands where it would be.
    bool told(const std::string& what, const std::string& name) {
        const std::string* why = of_.why_unread(what);
        if (why != nullptr)
            line(name, "not readable: " + *why);
        return why != nullptr;
    }

    void process();
    void namespaces();
    void ids();
    void names();
    void links();
    void mounts();
    void cgroups();
    void capabilities();
    void capability_lists();
    void restrictions();
    void limits();
    void unread();

    const Snapshot& of_;
    const Paint& paint_;
    std::vector<Part> parts_;
};

std::string describe_ids(const Ids& ids) {
    std::string out = std::to_string(ids.effective);
    if (ids != Ids{ids.real, ids.real, ids.real, ids.real})
        out += " (real " + std::to_string(ids.real) + ", saved " + std::to_string(ids.saved) +
               ", for files " + std::to_string(ids.filesystem) + ")";
    return out;
}

void Page::process() {
    parts_.push_back({"process", ""});
    out() += paint_.bold("process " + std::to_string(of_.pid)) + "  " + clean(of_.name) + "\n";
    line("command", title(of_));
    if (!told("executable", "executable"))
        line("executable", of_.executable);
    line("state", of_.state + ", child of process " + std::to_string(of_.parent));
    std::string inside;
    for (std::size_t i = 1; i < of_.pids.size(); ++i)
        inside += ", " + std::to_string(of_.pids[i]) +
                  (i + 1 == of_.pids.size() ? " to itself" : " in between");
    line("pid", std::to_string(of_.pid) + " here" + inside);
    line("user",
         "uid " + describe_ids(of_.uid) + ", gid " + describe_ids(of_.gid) + ", as counted here");
    std::string groups;
    for (std::uint32_t group : of_.groups)
        groups += (groups.empty() ? "" : " ") + std::to_string(group);
    line("other groups", groups.empty() ? "none" : groups);
    if (!told("root", "root"))
        line("root", of_.root);
    if (!told("working directory", "working in"))
        line("working in", of_.cwd);
}

void Page::namespaces() {
    heading("namespaces", "own, or shared with " + of_.host + ", which stands for the host");
    if (told("namespaces", "all"))
        return;
    bool counted = std::ranges::any_of(of_.namespaces, &Namespace::members);
    out() += paint_.dim(std::string("  type    whose   inode       owned by") +
                        (counted ? "    procs first   user     command" : "")) +
             "\n";
    constexpr std::size_t kUser = 8;
    constexpr std::size_t kCommand = 15; // what is left of 80 columns
    for (const Namespace& space : of_.namespaces) {
        std::string whose = pad(space.own() ? "own" : space.host == 0 ? "?" : "host's", 8);
        whose = space.own() ? paint_.green(whose) : space.host == 0 ? whose : paint_.yellow(whose);
        std::string row = "  " + pad(spoken(space.type), 8) + whose +
                          pad(std::to_string(space.inode), 12) +
                          pad(space.owner == 0 ? "-" : std::to_string(space.owner), 12);
        if (space.members != 0)
            row += pad(std::to_string(space.members), 6) + pad(std::to_string(space.first), 8) +
                   pad(cut(clean(first_user(space)), kUser), kUser + 1) +
                   cut(clean(first_command(space)), kCommand);
        while (row.ends_with(' '))
            row.pop_back();
        out() += row + "\n";
        if (space.for_children != 0)
            out() +=
                "          its children will be in " + std::to_string(space.for_children) + "\n";
    }
    const Namespace* user = of_.space("user");
    if (user != nullptr && user->owner_uid)
        out() +=
            wrapped("the user namespace was made by uid " + std::to_string(*user->owner_uid) +
                        (user->above.empty() ? ", and no parent of it is to be seen from here"
                                             : ", below " + std::to_string(user->above.front())),
                    2);
}

void Page::ids() {
    heading("ids", "inside of its user namespace, and here");
    auto map = [&](const char* what, const char* name, const std::vector<IdRange>& ranges) {
        if (told(what, name))
            return;
        if (ranges.empty())
            line(name, "none is mapped: every id is 65534, nobody");
        for (const IdRange& range : ranges)
            line(name, describe(range, "here"));
    };
    map("uid map", "uid", of_.uid_map);
    map("gid map", "gid", of_.gid_map);
    if (!told("setgroups", "setgroups"))
        line("setgroups", of_.setgroups);
}

void Page::names() {
    heading("names and clocks");
    if (!told("hostname", "host name")) {
        line("host name", of_.hostname);
        line("domain name", of_.domainname.empty() ? "none" : of_.domainname);
    }
    if (told("time offsets", "clocks"))
        return;
    for (const TimeOffset& offset : of_.time_offsets)
        if (offset.seconds != 0 || offset.nanoseconds != 0)
            line(offset.clock, std::to_string(offset.seconds) + " s and " +
                                   std::to_string(offset.nanoseconds) + " ns from the host's");
    if (std::ranges::all_of(of_.time_offsets, [](const auto& one) {
            return one.seconds == 0 && one.nanoseconds == 0;
        }))
        line("clocks", "as the host's");
}

void Page::links() {
    heading("network links");
    if (told("network links", "all"))
        return;
    if (of_.links.empty())
        out() += "  none\n";
    for (const Link& link : of_.links) {
        std::string text = link.up ? "up" : "down";
        for (const std::string& address : link.addresses)
            text += " " + address;
        text += (link.mac.empty() ? "" : " " + link.mac) +
                (link.kind.empty() ? "" : " (" + link.kind + ")") + " mtu " +
                std::to_string(link.mtu) + ", state " + link.state;
        line(clean(link.name), text);
    }
}

void Page::mounts() {
    heading("mounts", plural(of_.mounts.size(), "mount", "mounts") +
                          ", as a tree: type, options, propagation, source");
    if (told("mounts", "all"))
        return;
    constexpr std::size_t kPoint = 26;
    constexpr std::size_t kType = 9;
    for (const auto& [mount, depth] : mount_tree(of_)) {
        // Deep in, the tree would leave no room: from there on it is drawn no deeper.
        const std::size_t indent = 2 + std::min<std::size_t>(depth, 4);
        std::string left = wrapped(breakable(clean(mount->point), kWidth - indent), indent, kWidth);
        if (!left.empty())
            left.pop_back(); // the end of the line
        std::string rest = clean(mount->options + " " + mount->propagation +
                                 (source_of(*mount) == mount->type ? "" : " " + source_of(*mount)));
        rest = wrapped(breakable(rest, kWidth - kPoint - kType), kPoint + kType, kWidth);
        std::string type = pad(clean(mount->type), kType - 1) + " ";
        if (columns(left) >= kPoint || columns(type) > kType)
            out() += left + "\n" + std::string(kPoint, ' ') + type;
        else
            out() += pad(left, kPoint) + type;
        out() += columns(type) > kType ? "\n" + rest
                                       : rest.substr(std::min(rest.size(), kPoint + kType));
    }
}

void Page::cgroups() {
    heading("cgroup");
    if (told("cgroup", "all"))
        return;
    std::string at_top; // hierarchies of v1 in which it has no cgroup of its own
    for (const Cgroup& cgroup : of_.cgroups) {
        if (cgroup.controllers.empty())
            line("v2", cgroup.path);
        else if (cgroup.path == "/")
            at_top += (at_top.empty() ? "/ of " : ", ") + cgroup.controllers;
        else
            line("v1", cgroup.path + " of " + cgroup.controllers);
    }
    if (!at_top.empty())
        line("v1", at_top);
    if (told("cgroup's files", "limits"))
        return;
    if (!of_.cgroup_directory.empty()) {
        line("its files", of_.cgroup_directory);
        std::string controllers = cgroup_file(of_, "cgroup.controllers");
        line("controllers", controllers.empty() ? "none in v2" : controllers);
    }
    auto limited = [&](const char* name, const char* now, const char* most, auto text) {
        std::string used = cgroup_file(of_, now);
        std::string limit = cgroup_file(of_, most);
        if (used.empty() && limit.empty())
            return;
        line(name, (used.empty() ? "" : text(used) + " used, ") +
                       (limit.empty() || limit == "max" ? "no limit" : "at most " + text(limit)));
    };
    auto as_it_is = [](const std::string& text) { return text; };
    limited("memory", "memory.current", "memory.max", human_bytes);
    limited("swap", "memory.swap.current", "memory.swap.max", human_bytes);
    limited("processes", "pids.current", "pids.max", as_it_is);
    if (std::string most = cgroup_file(of_, "cpu.max"); !most.empty())
        line("cpu time",
             describe_cpu_max(most).empty() ? "no limit" : "at most " + describe_cpu_max(most));
    if (std::string weight = cgroup_file(of_, "cpu.weight"); !weight.empty())
        line("cpu weight", weight + (weight == "100" ? ", the usual" : ""));
    if (std::string cpus = cgroup_file(of_, "cpuset.cpus.effective"); !cpus.empty())
        line("cpus", cpus);
    if (std::string nodes = cgroup_file(of_, "cpuset.mems.effective"); !nodes.empty())
        line("memory nodes", nodes);
    if (std::string io = cgroup_file(of_, "io.max"); !io.empty())
        line("disks", io);
    for (const CgroupLimit& limit : of_.cgroup_above)
        line("above", describe(limit));
    if (cgroup_file(of_, "cgroup.freeze") == "1")
        line("frozen", "yes");
}

/// A line a set, for who does not see a grid.
void Page::capability_lists() {
    const Capabilities& caps = of_.capabilities;
    for (const auto& [name, set] : {std::pair{"effective", &caps.effective},
                                    {"permitted", &caps.permitted},
                                    {"inheritable", &caps.inheritable},
                                    {"bounding", &caps.bounding},
                                    {"ambient", &caps.ambient}}) {
        std::string all;
        for (const std::string& one : *set)
            all += (all.empty() ? "" : " ") + one;
        line(name,
             set->empty() ? "none" : plural(set->size(), "capability: ", "capabilities: ") + all);
    }
}

void Page::capabilities() {
    const Capabilities& caps = of_.capabilities;
    heading("capabilities",
            paint_.plain() ? "" : "Effective, Permitted, Inheritable, Bounding, Ambient");
    if (told("status", "all"))
        return;
    if (paint_.plain())
        return capability_lists();
    std::vector<std::string> cells;
    std::string none;
    Strings known = sys::all_capabilities();
    for (const Strings* set :
         {&caps.permitted, &caps.effective, &caps.inheritable, &caps.bounding, &caps.ambient})
        for (const std::string& one : *set) // of a newer kernel, or another machine
            if (std::ranges::find(known, one) == known.end())
                known.push_back(one);
    for (const std::string& name : known) {
        auto mark = [&, any = false](const Strings& set, char letter) mutable {
            return std::ranges::find(set, name) != set.end() ? letter : '-';
        };
        std::string marks{mark(caps.effective, 'E'), mark(caps.permitted, 'P'),
                          mark(caps.inheritable, 'I'), mark(caps.bounding, 'B'),
                          mark(caps.ambient, 'A')};
        if (marks == "-----")
            none += (none.empty() ? "" : " ") + clean(name);
        else
            cells.push_back("  " + pad(clean(name), 24) + " " + marks);
    }
    std::size_t rows = (cells.size() + 1) / 2;
    for (std::size_t i = 0; i < rows; ++i)
        out() += cells[i] + (i + rows < cells.size() ? "     " + cells[i + rows] : "") + "\n";
    if (!none.empty())
        line("in no set", none);
}

void Page::restrictions() {
    heading("restrictions");
    line("seccomp", describe_seccomp(of_));
    line("no new privs", of_.no_new_privs ? "yes: no program that it executes gets more rights"
                                          : "no: setuid programs give it their owner's rights");
    if (!told("security label", "label"))
        line("label", of_.label.empty() ? "none" : of_.label);
    line("oom score", "adjusted by " + std::to_string(of_.oom_score_adj));
}

void Page::limits() {
    heading("resource limits", "soft and hard; those that there are");
    if (told("limits", "all"))
        return;
    for (const Limit& limit : of_.limits)
        if (limit.soft != "unlimited" || limit.hard != "unlimited") {
            std::string name =
                clean(limit.name.starts_with("Max ") ? limit.name.substr(4) : limit.name);
            out() += "  " + pad(name, 20) + " " + clean(limit.soft) +
                     (limit.hard == limit.soft ? "" : ", hard " + clean(limit.hard)) + "\n";
        }
}

/// What has no place of its own above.
void Page::unread() {
    constexpr const char* kPlaced[] = {"executable",    "root",           "working directory",
                                       "namespaces",    "uid map",        "gid map",
                                       "setgroups",     "hostname",       "time offsets",
                                       "mounts",        "network links",  "cgroup",
                                       "limits",        "cgroup's files", "status",
                                       "security label"};
    bool first = true;
    for (const Unread& one : of_.unread) {
        if (std::ranges::find(kPlaced, one.what) != std::end(kPlaced))
            continue;
        if (std::exchange(first, false))
            heading("not readable");
        out() += wrapped(clean(one.what + ": " + one.why), 2);
    }
}

} // namespace

std::vector<Part> parts_of(const Snapshot& snapshot, const Paint& paint) {
    return Page(snapshot, paint).parts();
}

std::string describe(const Snapshot& snapshot, const Paint& paint) {
    std::string out;
    for (const Part& part : parts_of(snapshot, paint))
        out += part.text;
    return out;
}

} // namespace teach
