// A class that was named (closID) can be another's too: it stays as it is, and when we have found
// it there, it is not ours to remove.
#include "stages/resctrl.hpp"

#include "sys/path.hpp"

#include <linux/magic.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace stages::resctrl {

namespace {

constexpr const char* kRoot = "/sys/fs/resctrl";
#ifdef RDTGROUP_SUPER_MAGIC
constexpr long kMagic = RDTGROUP_SUPER_MAGIC;
#else
constexpr long kMagic = 0x7655821;
#endif

std::string class_of(const spec::Spec& spec) {
    const std::string& group = spec.rdt->group;
    return group == "/" ? kRoot : sys::join(kRoot, group.empty() ? spec.name : group);
}

std::string monitor_of(const spec::Spec& spec) {
    return sys::join(class_of(spec), "mon_groups/" + spec.name);
}

Result<void> check_mounted() {
    auto root = sys::statfs(kRoot);
    if (root && root->f_type == kMagic)
        return {};
    return sys::wrong("linux.intelRdt: no resctrl is mounted at \"" + std::string(kRoot) + "\"",
                      "where the processor has it (rdt_a in /proc/cpuinfo): mount -t resctrl "
                      "resctrl " +
                          std::string(kRoot));
}

/// Written down before it is there, as whoever undoes it needs it.
template <std::size_t size>
Result<void> note(Launch& launch, char (&place)[size], const std::string& path) {
    if (path.size() >= size)
        return sys::wrong("linux.intelRdt: the path \"" + path + "\" is too long");
    TRY(launch.keep());
    memcpy(place, path.c_str(), path.size() + 1);
    return {};
}

/// False: there is one already.
template <std::size_t size>
Result<bool> make(Launch& launch, char (&place)[size], const std::string& path) {
    if (sys::exists(path)) // so that nobody ever takes another's for ours
        return false;
    TRY(note(launch, place, path));
    auto made = sys::mkdirat(AT_FDCWD, path, 0755);
    if (made)
        return true;
    place[0] = '\0'; // not ours
    if (made.error().code == EEXIST)
        return false;
    return std::unexpected(
        hint(std::move(made), [](const Error& error) {
            return error.code == ENOSPC ? std::string("the processor has no class or counter left: "
                                                      "remove one that nobody uses")
                                        : std::string();
        }).error());
}

using Shares = std::vector<std::pair<std::string, std::string>>; ///< domain and value

/// "L3:0=0ff;1=F" as "L3" and {"0", "ff"}, {"1", "f"}.
std::pair<std::string, Shares> shares_of(std::string_view line) {
    std::pair<std::string, Shares> out;
    std::string text;
    for (char c : line)
        if (c != ' ' && c != '\n')
            text +=
                c >= 'A' && c <= 'F' && text.contains('=') ? static_cast<char>(c - 'A' + 'a') : c;
    std::size_t colon = text.find(':');
    out.first = text.substr(0, colon);
    std::istringstream rest(colon == std::string::npos ? "" : text.substr(colon + 1));
    for (std::string share; std::getline(rest, share, ';');) {
        std::size_t equals = std::min(share.find('='), share.size());
        std::string value = share.substr(std::min(equals + 1, share.size()));
        value.erase(0, std::min(value.find_first_not_of('0'), value.size()));
        out.second.emplace_back(share.substr(0, equals), value);
    }
    return out;
}

/// Does `file`, the text of schemata, give what `line` asks for?
bool gives(const std::string& file, const std::string& line) {
    auto [resource, wanted] = shares_of(line);
    std::istringstream lines(file);
    for (std::string one; std::getline(lines, one);)
        if (auto [name, given] = shares_of(one); name == resource)
            return std::ranges::all_of(wanted, [&](const auto& share) {
                return std::ranges::find(given, share) != given.end();
            });
    return false;
}

Result<void> check(const spec::IntelRdt& wanted, const std::string& path) {
    if (wanted.schemata.empty())
        return {};
    std::string there = TRY(sys::read_file(sys::join(path, "schemata")));
    for (const std::string& line : wanted.schemata)
        if (!gives(there, line))
            return sys::wrong(
                "linux.intelRdt: the class \"" + path + "\" is there, and does not give \"" + line +
                    "\"",
                "its schemata file says what it gives: ask for that, or name another");
    return {};
}

Result<void> write_schemata(const std::vector<std::string>& lines, const std::string& path) {
    for (const std::string& line : lines) {
        auto written = sys::write_file(sys::join(path, "schemata"), line + "\n");
        if (written)
            continue;
        std::string why =
            sys::read_file(sys::join(kRoot, "info/last_cmd_status"), 4096).value_or("");
        while (why.ends_with('\n'))
            why.pop_back();
        written.error().detail = "linux.intelRdt: \"" + line + "\": " + why;
        return written;
    }
    return {};
}

} // namespace

Result<void> prepare(Launch& launch) {
    const spec::Spec& spec = launch.spec;
    if (!spec.rdt)
        return {};
    TRY(check_mounted());
    std::string path = class_of(spec);
    bool made = false;
    if (path != kRoot && (!spec.rdt->joins_group || !spec.rdt->schemata.empty()))
        made = TRY(make(launch, launch.ledger->resctrl, path));
    if (!made && !spec.rdt->joins_group)
        return sys::wrong("linux.intelRdt: the class \"" + path + "\" is there already",
                          "if nobody uses it: rmdir " + path);
    if (!made && !sys::exists(path))
        return sys::wrong("linux.intelRdt.closID: there is no class \"" + path + "\"",
                          "make it, or say by schemata what it is to give");
    TRY(made ? write_schemata(spec.rdt->schemata, path) : check(*spec.rdt, path));
    if (spec.rdt->monitoring && !TRY(make(launch, launch.ledger->monitor, monitor_of(spec))))
        return sys::wrong("linux.intelRdt.enableMonitoring: \"" + monitor_of(spec) +
                              "\" is there already",
                          "if nobody uses it: rmdir " + monitor_of(spec));
    return {};
}

Result<void> enter(const Launch& launch) {
    const spec::Spec& spec = launch.spec;
    if (!spec.rdt)
        return {};
    std::string pid = std::to_string(launch.child);
    TRY(sys::write_file(sys::join(class_of(spec), "tasks"), pid));
    return spec.rdt->monitoring ? sys::write_file(sys::join(monitor_of(spec), "tasks"), pid)
                                : Result<void>{};
}

Result<std::vector<std::string>> update(const spec::Spec& spec,
                                        const std::vector<std::string>& lines) {
    TRY(check_mounted());
    if (!spec.rdt)
        return sys::wrong("linux.intelRdt: the container has no class to be changed",
                          "create it with one");
    std::string path = class_of(spec);
    std::istringstream text(TRY(sys::read_file(sys::join(path, "schemata"))));
    std::vector<std::string> before;
    for (std::string line; std::getline(text, line);)
        before.push_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
    auto written = write_schemata(lines, path);
    if (written)
        return before;
    (void)write_schemata(before, path); // the kernel has taken them once
    return std::unexpected(std::move(written).error());
}

void undo(Ledger& ledger) {
    // What is gone is gone; what can't be removed holds nothing of ours any more.
    for (char* path : {ledger.monitor, ledger.resctrl}) {
        if (path[0] != '\0')
            (void)sys::unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
        path[0] = '\0';
    }
}

} // namespace stages::resctrl
