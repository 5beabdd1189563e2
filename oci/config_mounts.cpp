// mounts[]: config.md, "Mounts", and what runc and crun make of it.
#include "oci/config_parts.hpp"
#include "oci/names.hpp"

#include <linux/mount.h>

#include <algorithm>
#include <charconv>

namespace oci {

namespace {

constexpr std::uint64_t kMostId = 0xffffffff; // (uid_t)-1 is nobody's

/// One mount, while its options are read.
struct Parsing {
    spec::Mount& mount;
    Node options;
    bool bind = false;
    bool idmapped = false;
    std::vector<std::string> super; ///< of "sync", "async" and so on, the last that was said
};

void switch_on(std::uint64_t& on, std::uint64_t& off, std::uint64_t bits) {
    on |= bits;
    off &= ~bits;
}

/// Access times are kept in one of three ways, which one field of the attributes says; the kernel
/// wants all of it cleared before it is set (mount_setattr(2)).
void set_times(std::uint64_t& on, std::uint64_t& off, std::uint64_t way) {
    on = (on & ~std::uint64_t{MOUNT_ATTR__ATIME}) | way;
    off |= MOUNT_ATTR__ATIME;
}
void unset_times(std::uint64_t& on, std::uint64_t& off, std::uint64_t way) {
    bool said = (off & MOUNT_ATTR__ATIME) != 0;
    if (!said || (on & MOUNT_ATTR__ATIME) == way)
        set_times(on, off, MOUNT_ATTR_RELATIME);
}

void set_propagation(Parsing& parsing, std::string& which, std::string_view value) {
    if (!which.empty() && which != value)
        parsing.options.fail("\"" + which + "\" and \"" + std::string(value) +
                             "\": a mount propagates one way");
    which = value;
}

/// "sync" and "async" are one thing, of which the last counts. What is off in a new file system
/// anyway needs no word.
void set_super(Parsing& parsing, std::string_view name) {
    static constexpr std::string_view kPairs[][2] = {
        {"sync", "async"}, {"dirsync", ""}, {"lazytime", "nolazytime"}, {"mand", "nomand"}};
    for (const auto& [on, off] : kPairs) {
        if (name != on && name != off)
            continue;
        std::erase_if(parsing.super, [&](const std::string& word) {
            return word == on || (!off.empty() && word == off);
        });
        parsing.super.emplace_back(name);
    }
}

/// "1-3-10", or "@1-3-10": then 3 is an id of the container's, of which `maps` knows the host's.
bool read_range(std::string_view text, const std::vector<spec::IdMap>& maps, spec::IdMap& out) {
    bool relative = text.starts_with('@');
    if (relative)
        text.remove_prefix(1);
    const char* at = text.data();
    const char* end = at + text.size();
    for (std::uint32_t* number : {&out.inside, &out.outside, &out.count}) {
        if (number != &out.inside) {
            if (at == end || *at != '-')
                return false;
            ++at;
        }
        auto [rest, error] = std::from_chars(at, end, *number);
        if (error != std::errc{})
            return false;
        at = rest;
    }
    if (at != end)
        return false;
    if (!relative)
        return true;
    for (const spec::IdMap& map : maps) {
        if (out.outside < map.inside || out.outside - map.inside >= map.count)
            continue;
        out.outside = out.outside - map.inside + map.outside;
        return true;
    }
    return false;
}

/// crun's "uids=0-1-10#10-11-10;gids=0-100-10".
void read_idmap_option(Parsing& parsing, const spec::User& user, std::string_view text) {
    while (!text.empty()) {
        std::string_view part = text.substr(0, text.find(';'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        bool uids = part.starts_with("uids=");
        if (!uids && !part.starts_with("gids="))
            return parsing.options.fail("\"" + std::string(part) +
                                        "\": idmap= wants uids=…;gids=… of INSIDE-HOST-COUNT");
        const auto& own = uids || user.gids.empty() ? user.uids : user.gids;
        auto& out = uids ? parsing.mount.uids : parsing.mount.gids;
        part.remove_prefix(5);
        while (!part.empty()) {
            std::string_view range = part.substr(0, part.find('#'));
            part.remove_prefix(std::min(range.size() + 1, part.size()));
            if (!read_range(range, own, out.emplace_back()))
                return parsing.options.fail(
                    "\"" + std::string(range) +
                    "\": idmap= wants INSIDE-HOST-COUNT, as 0-100000-65536, with \"@\" before it "
                    "if HOST is an id of the container's");
        }
    }
}

/// What is left is for the file system: "mode=755,size=1m" may be two in one. A comma in quotes,
/// or behind a backslash, is no end (SELinux's levels, overlayfs's layers); the quotes are
/// mount(8)'s and not the kernel's.
void add_data(std::vector<std::string>& out, std::string_view text) {
    std::string one;
    bool quoted = false;
    auto end = [&] {
        if (!one.empty())
            out.push_back(std::move(one));
        one.clear();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            end();
        else if (c == '\\' && i + 1 < text.size())
            (one += c) += text[++i];
        else
            one += c;
    }
    end();
}

void apply(Parsing& parsing, const Named<MountOption>& option) {
    spec::Mount& mount = parsing.mount;
    std::uint64_t value = option.value.value;
    switch (option.value.effect) {
    case MountEffect::nothing:
        return;
    case MountEffect::bind:
        mount.recursive = (parsing.bind && mount.recursive) || value != 0;
        parsing.bind = true;
        return;
    case MountEffect::remount:
        mount.remount = true;
        return;
    case MountEffect::set:
        return switch_on(mount.attributes, mount.cleared, value);
    case MountEffect::clear:
        return switch_on(mount.cleared, mount.attributes, value);
    case MountEffect::set_below:
        return switch_on(mount.recursive_attributes, mount.recursive_cleared, value);
    case MountEffect::clear_below:
        return switch_on(mount.recursive_cleared, mount.recursive_attributes, value);
    case MountEffect::times:
        return set_times(mount.attributes, mount.cleared, value);
    case MountEffect::no_times:
        return unset_times(mount.attributes, mount.cleared, value);
    case MountEffect::times_below:
        return set_times(mount.recursive_attributes, mount.recursive_cleared, value);
    case MountEffect::no_times_below:
        return unset_times(mount.recursive_attributes, mount.recursive_cleared, value);
    case MountEffect::super:
        return set_super(parsing, option.name);
    case MountEffect::propagation:
        return set_propagation(parsing, mount.propagation, option.name);
    case MountEffect::propagation_below:
        return set_propagation(parsing, mount.propagation_below, option.name.substr(1));
    case MountEffect::copy_up:
        mount.copy_up = true;
        return;
    case MountEffect::no_follow:
        (value != 0 ? mount.over_link : mount.no_follow) = true;
        return;
    case MountEffect::idmap:
        mount.idmap = value != 0 ? spec::Idmap::recursive : spec::Idmap::mount;
        return;
    }
}

void read_option(Parsing& parsing, const std::string& text, const spec::User& user) {
    auto options = mount_options();
    auto known =
        std::ranges::lower_bound(options, std::string_view(text), {}, &Named<MountOption>::name);
    if (known != options.end() && known->name == text)
        return apply(parsing, *known);
    for (bool recursive : {false, true}) {
        std::string_view word = recursive ? "ridmap=" : "idmap=";
        if (!text.starts_with(word))
            continue;
        parsing.mount.idmap = recursive ? spec::Idmap::recursive : spec::Idmap::mount;
        return read_idmap_option(parsing, user, std::string_view(text).substr(word.size()));
    }
    add_data(parsing.mount.options, text);
}

/// What the options come to, all of them read.
void finish_options(Parsing& parsing) {
    spec::Mount& mount = parsing.mount;
    // With r… the mount itself is meant too; a plain one says more of it.
    if (mount.propagation.empty())
        mount.propagation = mount.propagation_below;
    if (parsing.bind && !mount.options.empty())
        parsing.options.fail("\"" + mount.options.front() +
                             "\" is no option of a bind mount, and no other file system is "
                             "mounted here");
    for (std::string& word : parsing.super) {
        bool on = word != "async" && !word.starts_with("no");
        // mount(2), and with it runc and crun, takes no notice: it would be believed to hold.
        if (parsing.bind && on)
            parsing.options.fail("\"" + word +
                                 "\" is the file system's affair, which a bind mount can't change: "
                                 "mount that so, where its source is");
        if (!parsing.bind && (mount.remount || on))
            mount.options.push_back(std::move(word));
    }
}

void check_kind(Node at, const Parsing& parsing) {
    const spec::Mount& mount = parsing.mount;
    if (parsing.bind) {
        if (mount.source.empty() && !mount.remount)
            at["source"].required().fail("is empty: a bind mount has one");
    } else if (mount.type == "bind" || mount.type == "none") {
        if (!mount.remount)
            at["type"].fail("\"" + mount.type + "\" needs the option bind or rbind");
    } else if (mount.type.empty() && !mount.remount) {
        at["type"].required().fail("is empty: only a bind mount needs none");
    }
    if (mount.copy_up && mount.type != "tmpfs")
        parsing.options.fail("\"tmpcopyup\" is for a tmpfs");
    if ((mount.no_follow || mount.over_link) && !parsing.bind)
        parsing.options.fail("\"copy-symlink\", \"src-nofollow\" and \"dest-nofollow\" are for a "
                             "bind mount");
}

void check_idmap(Node at, spec::Mount& mount, const Reading& reading) {
    if (mount.uids.empty() != mount.gids.empty())
        at.fail("an idmapped mount has uidMappings and gidMappings, or neither");
    if (!mount.uids.empty() && mount.idmap == spec::Idmap::none)
        mount.idmap = spec::Idmap::mount;
    if (mount.idmap != spec::Idmap::none && mount.uids.empty() && !reading.has(spec::Stage::user))
        at["options"].fail("idmap needs uidMappings and gidMappings, or a user namespace");
}

void read_mount(Node at, Reading& reading, spec::Mount& mount) {
    mount.recursive = false;
    at["type"].into(mount.type);
    at["source"].into(mount.source);
    if (at["destination"].required().into(mount.destination)) {
        if (!mount.destination.starts_with('/')) {
            at["destination"].warn("is relative: it is taken to be below /");
            mount.destination.insert(0, "/");
        }
        if (mount.destination.find_first_not_of("/.") == std::string::npos)
            at["destination"].fail("\"" + mount.destination +
                                   "\": the root is root.path, and no mount replaces it");
    }
    Parsing parsing{.mount = mount, .options = at["options"]};
    std::vector<std::string> options;
    parsing.options.into(options);
    for (const std::string& option : options)
        read_option(parsing, option, reading.spec.user);
    finish_options(parsing);
    read_id_maps(at["uidMappings"], mount.uids);
    read_id_maps(at["gidMappings"], mount.gids);
    check_kind(at, parsing);
    check_idmap(at, mount, reading);
    if (parsing.bind) {
        mount.type = "bind";
        if (!mount.source.empty())
            mount.source = below(reading.bundle.path, mount.source);
    }
}

bool overlap(const std::vector<spec::IdMap>& maps, std::uint32_t spec::IdMap::* start) {
    std::vector<spec::IdMap> sorted = maps;
    std::ranges::sort(sorted, {}, start);
    for (std::size_t i = 0; i + 1 < sorted.size(); ++i)
        if (std::uint64_t{sorted[i].*start} + sorted[i].count > sorted[i + 1].*start)
            return true;
    return false;
}

} // namespace

void read_id_maps(Node list, std::vector<spec::IdMap>& out) {
    list.items([&](Node at) {
        spec::IdMap& map = out.emplace_back();
        at["containerID"].required().into(map.inside);
        at["hostID"].required().into(map.outside);
        at["size"].required().into(map.count, 1U);
        if (std::uint64_t{map.inside} + map.count > kMostId ||
            std::uint64_t{map.outside} + map.count > kMostId)
            at.fail("ids end at 4294967294");
    });
    if (overlap(out, &spec::IdMap::inside) || overlap(out, &spec::IdMap::outside))
        list.fail("two ranges overlap");
    if (out.size() > 340) // the kernel's UID_GID_MAP_MAX_EXTENTS
        list.fail("more than 340 ranges");
}

void read_mounts(Node mounts, Reading& reading) {
    mounts.items(
        [&](Node at) { read_mount(at, reading, reading.spec.root.mounts.emplace_back()); });
    if (!reading.spec.root.mounts.empty() && !reading.has(spec::Stage::mount))
        mounts.fail("need a mount namespace in linux.namespaces, or the host would get them");
}

} // namespace oci
