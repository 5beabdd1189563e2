// Each snapshot becomes a list of facts, a name and a value; names that both lists have are
// compared, the others were added or are gone. A name may come more than once, as mounts on top of
// each other do: then the first belongs to the first.
#include "teach/diff.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace teach {

namespace {

struct Fact {
    std::string what, value;
    std::string key = what; ///< by which it is found again
};

/// One fact of many of a kind, each of which is there or not.
struct Facts {
    std::vector<Fact> single;
    std::vector<Fact> members; ///< "effective capabilities": "cap_chown"
};

std::string joined(const auto& list, const char* between, auto text) {
    std::string out;
    for (const auto& one : list)
        out += (out.empty() ? "" : between) + text(one);
    return out;
}

std::string to_text(const std::string& text) {
    return text;
}
std::string to_text(std::integral auto number) {
    return std::to_string(number);
}

std::string to_text(const Ids& ids) {
    if (ids == Ids{ids.real, ids.real, ids.real, ids.real})
        return std::to_string(ids.real);
    return std::to_string(ids.real) + ", effective " + std::to_string(ids.effective) + ", saved " +
           std::to_string(ids.saved) + ", for files " + std::to_string(ids.filesystem);
}

std::string to_text(const IdRange& range) {
    return std::to_string(range.inside) + " is " + std::to_string(range.outside) + " here" +
           (range.count == 1 ? "" : ", " + std::to_string(range.count) + " ids");
}

std::string to_text(const Mount& mount) {
    return mount.type + " " + mount.source + (mount.root == "/" ? "" : "[" + mount.root + "]") +
           " " + mount.options + " " + mount.propagation;
}

std::string to_text(const Link& link) {
    return (link.up ? std::string("up") : std::string("down")) +
           (link.kind.empty() ? "" : " " + link.kind) + (link.mac.empty() ? "" : " " + link.mac) +
           joined(link.addresses, "", [](const std::string& one) { return " " + one; });
}

std::string seccomp(const Snapshot& of) {
    constexpr const char* kModes[] = {"none", "strict", "filter"};
    std::string out = of.seccomp_mode < std::size(kModes) ? kModes[of.seccomp_mode]
                                                          : std::to_string(of.seccomp_mode);
    if (of.seccomp_filters != 0)
        out += ", " + std::to_string(of.seccomp_filters) +
               (of.seccomp_filters == 1 ? " filter" : " filters");
    return out;
}

std::string namespace_name(const std::string& type) {
    return (type == "mnt" ? "mount" : type) + std::string(" namespace");
}

/// Is it a limit or a weight, rather than what is used of one?
bool is_setting(const std::string& file) {
    return !file.ends_with(".current") && !file.ends_with(".peak") && file != "cpu.stat" &&
           !file.ends_with(".effective");
}

void add_process(const Snapshot& of, Facts& to) {
    auto text = [](const auto& one) { return to_text(one); };
    to.single = {{"name", of.name},
                 {"command line", joined(of.command, " ", text)},
                 {"executable", of.executable},
                 {"uid", to_text(of.uid)},
                 {"gid", to_text(of.gid)},
                 {"groups", joined(of.groups, " ", text)}};
    if (of.pids.size() > 1)
        to.single.push_back(
            {"pid inside", joined(std::vector(of.pids.begin() + 1, of.pids.end()), " ", text)});
    for (const Namespace& space : of.namespaces) {
        std::string name = namespace_name(space.type);
        to.single.push_back({name, std::to_string(space.inode)});
        if (space.for_children != 0)
            to.single.push_back({name + " of its children", std::to_string(space.for_children)});
    }
    to.single.push_back({"uid map", joined(of.uid_map, "; ", text)});
    to.single.push_back({"gid map", joined(of.gid_map, "; ", text)});
    to.single.push_back({"setgroups", of.setgroups});
}

/// What a mount is, wherever it stands: numbers are used again, for other file systems.
std::string identity(const Mount& mount) {
    return "mount " + std::to_string(mount.id) + " " + mount.device + mount.root + " " + mount.type;
}

/// In one mount namespace a mount is found again by its number, wherever it has come to stand.
bool mounts_have_numbers(const Snapshot& one, const Snapshot& other) {
    const Namespace* first = one.space("mnt");
    const Namespace* second = other.space("mnt");
    return first != nullptr && second != nullptr && first->inode != 0 &&
           first->inode == second->inode;
}

void add_surroundings(const Snapshot& of, bool by_id, Facts& to) {
    to.single.push_back({"hostname", of.hostname});
    to.single.push_back({"domain name", of.domainname});
    for (const Link& link : of.links)
        to.single.push_back({"network link " + link.name, to_text(link)});
    for (const TimeOffset& offset : of.time_offsets)
        to.single.push_back({"time offset " + offset.clock,
                             std::to_string(offset.seconds) + "." +
                                 std::to_string(1'000'000'000ULL + offset.nanoseconds).substr(1) +
                                 " s"});
    for (const Mount& mount : of.mounts)
        to.single.push_back({"mount " + mount.point, to_text(mount),
                             by_id ? identity(mount) : "mount " + mount.point});
    to.single.push_back({"root", of.root});
    to.single.push_back({"working directory", of.cwd});
    for (const Cgroup& cgroup : of.cgroups)
        to.single.push_back(
            {"cgroup" + (cgroup.controllers.empty() ? "" : " " + cgroup.controllers), cgroup.path});
    for (const CgroupLimit& limit : of.cgroup_above)
        to.single.push_back({"limit " + limit.name + " of " + limit.path, limit.text});
    for (const CgroupFile& file : of.cgroup_files)
        if (is_setting(file.name))
            to.single.push_back({"limit " + file.name, file.text});
}

void add_rights(const Snapshot& of, Facts& to) {
    auto all = [&](const char* what, const Strings& names) {
        for (const std::string& name : names)
            to.members.push_back({what, name});
    };
    all("permitted capabilities", of.capabilities.permitted);
    all("effective capabilities", of.capabilities.effective);
    all("inheritable capabilities", of.capabilities.inheritable);
    all("bounding capabilities", of.capabilities.bounding);
    all("ambient capabilities", of.capabilities.ambient);
    to.single.push_back({"seccomp", seccomp(of)});
    to.single.push_back({"no new privileges", of.no_new_privs ? "yes" : "no"});
    to.single.push_back({"security label", of.label});
    for (const Limit& limit : of.limits)
        to.single.push_back({"limit " + limit.name, limit.soft + ", at most " + limit.hard});
    to.single.push_back({"oom score adjustment", std::to_string(of.oom_score_adj)});
}

/// Which facts are wanting when `what` of Snapshot's `unread` is.
bool belongs_to(const std::string& fact, const std::string& what) {
    if (what == "namespaces")
        return fact.find(" namespace") != std::string::npos;
    if (what == "mounts")
        return fact.starts_with("mount ") && !fact.starts_with("mount namespace");
    if (what == "network links")
        return fact.starts_with("network link ");
    if (what == "hostname")
        return fact == "hostname" || fact == "domain name";
    if (what == "cgroup's files")
        return fact.starts_with("limit ") && fact.find('.') != std::string::npos;
    if (what == "time offsets")
        return fact.starts_with("time offset");
    return fact == what;
}

Facts facts_of(const Snapshot& of, const Snapshot& other) {
    Facts out;
    add_process(of, out);
    add_surroundings(of, mounts_have_numbers(of, other), out);
    add_rights(of, out);
    auto wanting = [&](const Fact& fact) {
        auto is = [&](const Unread& unread) { return belongs_to(fact.what, unread.what); };
        return std::ranges::any_of(of.unread, is) || std::ranges::any_of(other.unread, is);
    };
    std::erase_if(out.single, wanting);
    return out;
}

/// `what` with a number behind it from its second time on.
std::vector<std::string> keys(const std::vector<Fact>& facts) {
    std::map<std::string, int> seen;
    std::vector<std::string> out;
    out.reserve(facts.size());
    for (const Fact& fact : facts)
        out.push_back(fact.key + "\n" + std::to_string(seen[fact.key]++));
    return out;
}

void compare_single(const std::vector<Fact>& before, const std::vector<Fact>& after,
                    std::vector<Change>& changes) {
    std::vector<std::string> old_keys = keys(before);
    std::vector<std::string> new_keys = keys(after);
    std::map<std::string, std::size_t> found;
    for (std::size_t i = 0; i < after.size(); ++i)
        found[new_keys[i]] = i;
    for (std::size_t i = 0; i < before.size(); ++i) {
        auto same = found.find(old_keys[i]);
        std::string now = same == found.end() ? "" : after[same->second].value;
        if (now != before[i].value)
            changes.push_back({same == found.end() ? before[i].what : after[same->second].what,
                               before[i].value, now});
        if (same != found.end())
            found.erase(same);
    }
    for (std::size_t i = 0; i < after.size(); ++i)
        if (found.contains(new_keys[i]) && !after[i].value.empty())
            changes.push_back({after[i].what, "", after[i].value});
}

void compare_members(const std::vector<Fact>& before, const std::vector<Fact>& after,
                     std::vector<Change>& changes) {
    auto in = [](const Fact& fact, const std::vector<Fact>& list) {
        return std::ranges::any_of(list, [&](const Fact& other) {
            return other.what == fact.what && other.value == fact.value;
        });
    };
    for (const Fact& fact : before)
        if (!in(fact, after))
            changes.push_back({fact.what, fact.value, ""});
    for (const Fact& fact : after)
        if (!in(fact, before))
            changes.push_back({fact.what, "", fact.value});
}

/// pivot_root(2) and its like: the same mounts at other paths. Those that came along with the one
/// that they are below are a number.
void compare_places(const Snapshot& before, const Snapshot& after, std::vector<Change>& changes) {
    if (!mounts_have_numbers(before, after))
        return;
    std::map<std::string, const Mount*> now;
    for (const Mount& mount : after.mounts)
        now[identity(mount)] = &mount;
    struct Moved {
        const std::string& from;
        const std::string& to;
        int below = 0;
    };
    std::vector<Moved> moved;
    for (const Mount& mount : before.mounts) {
        auto found = now.find(identity(mount));
        if (found == now.end() || found->second->point == mount.point)
            continue;
        const std::string& to = found->second->point;
        auto above = std::ranges::find_if(moved, [&](const Moved& one) {
            return mount.point.starts_with(one.from + "/") &&
                   to == (one.to == "/" ? "" : one.to) + mount.point.substr(one.from.size());
        });
        if (above != moved.end())
            ++above->below;
        else
            moved.push_back({mount.point, to});
    }
    for (const Moved& one : moved)
        changes.push_back(
            {"place of mount " + one.from, one.from,
             one.to +
                 (one.below == 0 ? "" : ", with the " + std::to_string(one.below) + " below it")});
}

} // namespace

std::vector<Change> diff(const Snapshot& before, const Snapshot& after) {
    std::vector<Change> changes;
    Facts old_facts = facts_of(before, after);
    Facts new_facts = facts_of(after, before);
    compare_places(before, after, changes);
    compare_single(old_facts.single, new_facts.single, changes);
    compare_members(old_facts.members, new_facts.members, changes);
    for (const Unread& unread : before.unread)
        if (after.why_unread(unread.what) == nullptr)
            changes.push_back({unread.what, "not readable: " + unread.why, "readable"});
    for (const Unread& unread : after.unread)
        if (before.why_unread(unread.what) == nullptr)
            changes.push_back({unread.what, "readable", "not readable: " + unread.why});
    return changes;
}

nlohmann::ordered_json to_json(const std::vector<Change>& changes) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const Change& change : changes)
        out.push_back({{"what", change.what}, {"before", change.before}, {"after", change.after}});
    return out;
}

} // namespace teach
