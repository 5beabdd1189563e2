// What texts and pictures have in common.
#include "teach/describe.hpp"
#include "teach/proc_text.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <ranges>
#include <set>

namespace teach {

std::string clean(std::string_view text) {
    return sys::printable(text);
}

namespace {
/// How many bytes of `word` fit into `width` columns.
std::size_t fitting(std::string_view word, std::size_t width) {
    std::size_t end = 0;
    for (std::size_t wide = 0; end < word.size(); ++end) {
        wide += columns(word.substr(end, 1));
        if (wide > width)
            break;
    }
    return end;
}
} // namespace

std::string breakable(const std::string& text, std::size_t width) {
    std::string out;
    for (std::string_view rest = text; !rest.empty();) {
        std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(word.size());
        for (std::size_t end = 0; (end = fitting(word, width)) < word.size();) {
            std::size_t slash = word.rfind('/', end - 1);
            std::size_t part = slash == std::string_view::npos || slash == 0 ? end : slash + 1;
            out += std::string(word.substr(0, part)) + " ";
            word.remove_prefix(part);
        }
        out += word;
        while (rest.starts_with(' ')) {
            out += ' ';
            rest.remove_prefix(1);
        }
    }
    return out;
}

std::string describe(const IdRange& range, const std::string& here) {
    auto last = [&](std::uint32_t first) {
        return std::to_string(std::uint64_t{first} + std::max(range.count, 1U) - 1);
    };
    std::string inside = std::to_string(range.inside);
    std::string outside = std::to_string(range.outside);
    if (range.count == 1)
        return inside + " is " + outside + " " + here;
    return inside + "-" + last(range.inside) + " are " + outside + "-" + last(range.outside) + " " +
           here;
}

std::string human_bytes(const std::string& number) {
    std::uint64_t bytes = 0;
    for (char digit : number) {
        if (digit < '0' || digit > '9' || bytes > UINT64_MAX / 10 - 1)
            return number;
        bytes = bytes * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    std::size_t unit = 0;
    std::uint64_t scale = 1;
    while (unit + 1 < std::size(kUnits) && bytes / scale >= 1024) {
        scale *= 1024;
        ++unit;
    }
    std::string out = std::to_string(bytes / scale);
    std::uint64_t tenth = bytes % scale / (scale / 10 + (scale < 10 ? 1 : 0));
    if (unit > 0 && tenth > 0)
        out += "." + std::to_string(std::min<std::uint64_t>(tenth, 9));
    return number.empty() ? "" : out + " " + kUnits[unit];
}

std::string cgroup_file(const Snapshot& of, std::string_view name) {
    auto found = std::ranges::find(of.cgroup_files, name, &CgroupFile::name);
    return found == of.cgroup_files.end() ? "" : found->text;
}

std::string describe_cpu_max(const std::string& text) {
    auto fields = words(text);
    auto quota = fields.size() == 2 ? parse_number(fields[0]) : std::nullopt;
    auto period = fields.size() == 2 ? parse_number(fields[1]) : std::nullopt;
    if (!quota || !period || *period <= 0)
        return {};
    std::int64_t percent = std::int64_t{*quota} * 100 / *period;
    return std::to_string(percent) + " % of one CPU";
}

std::string describe(const CgroupLimit& limit) {
    bool bytes = limit.name.starts_with("memory");
    std::string text = limit.name == "cpu.max" ? describe_cpu_max(limit.text)
                       : bytes                 ? human_bytes(limit.text)
                                               : limit.text;
    std::string what = limit.name.substr(0, limit.name.rfind('.'));
    return (what == "pids" ? "processes" : what) + " at most " + text + " for all of " + limit.path;
}

std::string describe_seccomp(const Snapshot& of) {
    constexpr const char* kModes[] = {"none", "strict", "filter"};
    std::string out = of.seccomp_mode < std::size(kModes) ? kModes[of.seccomp_mode]
                                                          : std::to_string(of.seccomp_mode);
    if (of.seccomp_filters != 0)
        out += " (" + std::to_string(of.seccomp_filters) +
               (of.seccomp_filters == 1 ? " filter)" : " filters)");
    return out;
}

std::string title(const Snapshot& of) {
    if (of.command.empty())
        return "[" + of.name + "]";
    std::string out;
    for (const std::string& word : of.command)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

std::string first_user(const Namespace& space) {
    return space.first_user.empty() ? std::to_string(space.first_uid) : space.first_user;
}

std::string first_command(const Namespace& space) {
    return space.first_command.empty() ? "[" + space.first_name + "]" : space.first_command;
}

std::string spoken(const std::string& type) {
    return type == "mnt" ? "mount" : type;
}

std::string source_of(const Mount& mount) {
    return mount.source + (mount.root == "/" ? "" : "[" + mount.root + "]");
}

std::vector<std::pair<const Mount*, std::size_t>> mount_tree(const Snapshot& of) {
    // A process can have tens of thousands, and a file may say anything: no recursion, and no mount
    // is passed twice, though it be its own grandparent.
    std::map<std::uint32_t, std::vector<const Mount*>> below;
    std::set<std::uint32_t> known;
    for (const Mount& mount : of.mounts)
        known.insert(mount.id);
    std::vector<std::pair<const Mount*, std::size_t>> todo;
    for (const Mount& mount : of.mounts)
        if (mount.parent == mount.id || !known.contains(mount.parent))
            todo.emplace_back(&mount, 0);
        else
            below[mount.parent].push_back(&mount);
    std::ranges::reverse(todo);
    std::vector<std::pair<const Mount*, std::size_t>> out;
    while (!todo.empty()) {
        auto [mount, depth] = todo.back();
        todo.pop_back();
        out.emplace_back(mount, depth);
        auto children = below.extract(mount->id);
        if (children.empty())
            continue;
        std::ranges::stable_sort(children.mapped(), {}, &Mount::point);
        for (const Mount* child : children.mapped() | std::views::reverse)
            todo.emplace_back(child, depth + 1);
    }
    return out;
}

} // namespace teach
