// Files for `inspect`, damaged by chance: read and drawn, or refused with a word on where.
#include "sys/nesting.hpp"
#include "teach/describe.hpp"
#include "teach/page.hpp"
#include "teach/picture.hpp"
#include "teach/proc_text.hpp"
#include "tests/unit/fuzz.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace {

using nlohmann::ordered_json;
using unit::Chance;
using unit::damage_bytes;
using unit::damaged;
using unit::json;
using unit::often;
using unit::require;

/// Of this process, in a shape that is soon damaged somewhere.
json document() {
    auto own = teach::snapshot(getpid());
    if (!own)
        throw std::runtime_error(own.error().detail);
    own->mounts.resize(std::min<std::size_t>(own->mounts.size(), 3));
    own->limits.resize(1);
    own->cgroup_files = {{"memory.current", "1"}, {"memory.max", "2"}, {"cpu.max", "1 2"}};
    own->cgroup_above = {{"pids.max", "3", "/"}};
    return json::parse(teach::to_json(*own).dump());
}

/// As `inspect` reads a file: what is nested too deep is not even parsed, which would take the
/// stack.
ordered_json parsed_as_file(const std::string& text) {
    bool deep = sys::too_deep(text, 64) != std::string::npos;
    return deep ? ordered_json(ordered_json::value_t::discarded)
                : ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
}

void draw(const teach::Snapshot& of, const teach::Snapshot& other) {
    teach::Paint plain = teach::Paint::for_stream(-1, /*plain=*/true);
    require(!teach::describe(of, plain).empty(), "it has no words");
    require(!teach::describe(teach::diff(of, other), plain).empty(), "no difference has no words");
    std::string svg = teach::picture_file(of, &other);
    require(svg.ends_with("</svg>\n"), "it ends too early");
    for (char byte : svg)
        require(static_cast<unsigned char>(byte) >= ' ' || byte == '\n',
                "a control character is drawn");
}

TEST(Fuzz, ASnapshotIsDrawnOrNamed) {
    json whole = document();
    auto sound = teach::from_json(ordered_json::parse(whole.dump()));
    ASSERT_TRUE(sound);
    often([&](Chance& chance) {
        auto parsed = parsed_as_file(damaged(whole, chance));
        if (parsed.is_discarded())
            return;
        auto read = teach::from_json(parsed);
        require(read || !read.error().detail.empty(), "it is refused without a word");
        if (read)
            draw(*read, *sound);
    });
}

TEST(Fuzz, ARecordingIsAPageOrNamed) {
    json one = document();
    json recording = {
        {{"stage", nullptr}, {"half", "clone"}, {"when", "before"}, {"snapshot", one}},
        {{"stage", "uts"},
         {"half", "child"},
         {"when", "after"},
         {"why", "because"},
         {"snapshot", one},
         {"calls", {{{"text", "f()"}, {"result", 0}, {"shell", "g"}}}}}};
    often([&](Chance& chance) {
        auto parsed = parsed_as_file(damaged(recording, chance));
        if (parsed.is_discarded())
            return;
        auto read = teach::parse_recording(parsed);
        require(read || !read.error().detail.empty(), "it is refused without a word");
        if (read)
            require(teach::page(*read).ends_with("</html>\n"), "it ends too early");
    });
}

TEST(Fuzz, NoTextOfProcConfuses) {
    const std::string mounts = "27 1 254:0 /a\\040b /mnt ro shared:7 - ext4 /dev/vda rw\n";
    const std::string status =
        "State:\tS (sleeping)\nUid:\t1\t2\t3\t4\nCapEff:\t0000000000200000\n";
    often([&](Chance& chance) {
        for (const teach::Mount& mount : teach::parse_mountinfo(damage_bytes(mounts, chance)))
            require(!mount.propagation.empty(), "a mount has no propagation");
        teach::Snapshot of;
        teach::parse_status(damage_bytes(status, chance), of);
        (void)teach::parse_id_map(damage_bytes("0 1000 1\n", chance));
        (void)teach::parse_cgroups(damage_bytes("4:cpu,cpuacct:/a\n0::/x\n", chance));
        (void)teach::parse_limits(damage_bytes("Max open files            64   4096\n", chance));
        (void)teach::parse_time_offsets(damage_bytes("boottime 86400 0\n", chance));
        (void)teach::parse_namespace(damage_bytes("mnt:[4026531841]", chance));
    });
}

} // namespace
