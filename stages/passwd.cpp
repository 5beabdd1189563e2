// Reading passwd(5) and group(5) of a root filesystem that we don't trust.
#include "stages/passwd.hpp"

#include "sys/path.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace stages {

namespace {

constexpr std::size_t kMost = 1 << 20; // a hostile image's passwd may be a gigabyte, or a FIFO

std::vector<std::string_view> split(std::string_view line, char by) {
    std::vector<std::string_view> parts;
    std::size_t start = 0;
    for (;;) {
        std::size_t end = line.find(by, start);
        parts.push_back(line.substr(start, end - start));
        if (end == std::string_view::npos)
            return parts;
        start = end + 1;
    }
}

bool digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!digits(text) || error != std::errc{} || end != text.data() + text.size() ||
        value == ~std::uint32_t{0}) // (uid_t)-1 means "leave it" to setresuid
        return std::nullopt;
    return value;
}

/// Calls `each` with the fields of every line that has at least `least` of them.
void each_line(const std::string& text, std::size_t least, auto each) {
    for (std::string_view line : split(text, '\n'))
        if (auto fields = split(line, ':'); fields.size() >= least)
            each(fields);
}

/// Does "root,adm" name `login`?
bool lists(std::string_view members, std::string_view login) {
    auto names = split(members, ',');
    return std::ranges::find(names, login) != names.end();
}

std::string file(const char* path, std::size_t most = kMost) {
    // A missing file is no error: numbers need none. Neither is an oversized one: it names nobody.
    return sys::read_file(path, most).value_or("");
}

} // namespace

std::optional<std::string> user_name(std::uint32_t uid) {
    std::optional<std::string> found;
    constexpr std::size_t most = 1 << 22; // of this machine's own: it may have many users
    each_line(file("/etc/passwd", most), 3, [&](const auto& fields) {
        if (!found && number(fields[2]) == uid)
            found = fields[0];
    });
    return found;
}

std::string home_of(std::uint32_t uid) {
    std::string home = "/";
    bool found = false;
    each_line(file("/etc/passwd"), 6, [&](const auto& fields) {
        if (!found && number(fields[2]) == uid && fields[5].starts_with('/')) {
            home = fields[5];
            found = true;
        }
    });
    return home;
}

sys::Result<Identity> identify(const std::string& user) {
    Identity who;
    std::size_t colon = user.find(':');
    std::string_view name = std::string_view(user).substr(0, colon);
    std::string_view group =
        colon == std::string::npos ? "" : std::string_view(user).substr(colon + 1);
    if (colon != std::string::npos && group.empty())
        return sys::wrong("-u \"" + user + "\": nothing is after the colon",
                          "name a group there, or leave the colon out");
    if (user.empty())
        name = "0";

    std::string login; // the name that the group file knows
    bool found = false;
    auto wanted = digits(name) ? number(name) : std::nullopt;
    if (digits(name) && !wanted)
        return sys::wrong("-u \"" + user + "\": ids end at 4294967294");
    each_line(file("/etc/passwd"), 6, [&](const auto& fields) {
        auto uid = number(fields[2]);
        auto gid = number(fields[3]);
        if (found || !uid || !gid || (wanted ? *uid != *wanted : fields[0] != name))
            return;
        found = true;
        who.uid = *uid;
        who.gid = *gid;
        login = fields[0];
        if (fields[5].starts_with('/'))
            who.home = fields[5];
    });
    if (!found && !wanted)
        return sys::wrong("-u \"" + user + "\": there is no user \"" + std::string(name) +
                              "\" in /etc/passwd of the root filesystem",
                          "give a number, or a name that stands there");
    if (wanted)
        who.uid = *wanted;

    std::string groups = file("/etc/group");
    if (!group.empty()) {
        auto gid = digits(group) ? number(group) : std::nullopt;
        if (digits(group) && !gid)
            return sys::wrong("-u \"" + user + "\": ids end at 4294967294");
        if (!gid)
            each_line(groups, 3, [&](const auto& fields) {
                if (!gid && fields[0] == group)
                    gid = number(fields[2]);
            });
        if (!gid)
            return sys::wrong("-u \"" + user + "\": there is no group \"" + std::string(group) +
                                  "\" in /etc/group of the root filesystem",
                              "give a number, or a name that stands there");
        who.gid = *gid;
    } else if (!login.empty()) {
        each_line(groups, 4, [&](const auto& fields) {
            auto gid = number(fields[2]);
            if (gid && *gid != who.gid && lists(fields[3], login))
                who.groups.push_back(*gid);
        });
    }
    return who;
}

std::vector<SubordinateRange> subordinate_ranges(const char* path) {
    std::vector<SubordinateRange> ranges;
    each_line(file(path, 1 << 22), 3, [&](const auto& fields) {
        std::uint32_t count = 0; // not number(): all ids there are is a count
        auto parsed = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), count);
        auto first = number(fields[1]);
        if (first && parsed.ec == std::errc{} && count > 0)
            ranges.push_back({std::string(fields[0]), *first, count});
    });
    return ranges;
}

} // namespace stages
