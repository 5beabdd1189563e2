// What there is.
#include "oci/inspect.hpp"

#include "oci/config.hpp"
#include "spec/options.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/passwd.hpp"
#include "sys/clock.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace oci {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

template <class Json>
std::string dump(const Json& value, int indent) {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ordered_json> describe(const Store& store) {
    std::optional<State> known = TRY(store.state());
    Now now = TRY(store.now());
    struct stat folder = TRY(sys::fstat(store.directory()));
    // Until its `create` has come as far as that: a time all the same, without which Go's programs
    // can read nothing of the list.
    State state =
        known.value_or(State{.version = kSpecVersionMax, .created = sys::rfc3339(folder.st_mtim)});
    ordered_json out = {
        {"ociVersion", state.version},   {"id", store.id()},       {"pid", now.pid},
        {"status", name_of(now.status)}, {"bundle", state.bundle}, {"rootfs", state.rootfs},
        {"created", state.created}};
    if (!state.annotations.empty())
        out["annotations"] = state.annotations;
    out["owner"] = stages::user_name(folder.st_uid).value_or(std::to_string(folder.st_uid));
    return out;
}

/// RFC 3339 without fractions, which are for programs.
std::string to_seconds(const std::string& time) {
    std::size_t dot = time.find('.');
    return dot == std::string::npos ? time : time.substr(0, dot) + "Z";
}

/// Columns as wide as their widest entry, three spaces apart.
std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths.resize(std::max(widths.size(), i + 1));
            widths[i] = std::max(widths[i], row[i].size());
        }
    std::string out;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(widths[i] - row[i].size() + 3, ' ');
        while (!line.empty() && line.back() == ' ')
            line.pop_back();
        out += line + "\n";
    }
    return out;
}

Result<std::vector<pid_t>> processes(const Store& store) {
    Progress progress = TRY(store.look());
    if (progress.ledger.leaf[0] != '\0')
        return stages::cgroup::processes(progress.ledger.leaf);
    // Without a cgroup of its own, as for a user without delegation.
    Now now = TRY(store.now(progress));
    if (now.pid == 0)
        return std::vector<pid_t>{};
    return companions(now.pid);
}

/// What ps(1) says, and of its lines the first and those of `pids`.
Result<std::string> run_ps(const std::vector<std::string>& options,
                           const std::vector<pid_t>& pids) {
    std::string program = sys::find_program("ps");
    if (program.empty())
        return sys::wrong("ps --format table needs ps(1), which is not installed",
                          "install procps, or use --format json");
    sys::Spawn spawn;
    spawn.argv = {program};
    spawn.argv.insert(spawn.argv.end(), options.begin(), options.end());
    if (options.empty())
        spawn.argv.emplace_back("-ef");
    spawn.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    auto [ours, theirs] = TRY(sys::pipe());
    spawn.fds = {{theirs.get(), 1}, {2, 2}};
    pid_t child = TRY(sys::start(spawn));
    theirs.close();
    std::string text;
    for (char buffer[4096];;) {
        std::size_t got = TRY(sys::read(ours.get(), buffer));
        if (got == 0)
            break;
        text.append(buffer, got);
    }
    if (TRY(sys::waitpid(child, 0)).second != 0)
        return sys::wrong("ps(1) failed", "its options come after the container's ID");
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    auto words = [](const std::string& of) {
        std::istringstream in(of);
        std::vector<std::string> out;
        for (std::string word; in >> word;)
            out.push_back(word);
        return out;
    };
    std::vector<std::string> header = words(line);
    auto column = std::ranges::find(header, "PID") - header.begin();
    if (column == static_cast<std::ptrdiff_t>(header.size()))
        return sys::wrong("couldn't find PID field in ps output");
    std::string out = line + "\n";
    while (std::getline(lines, line)) {
        std::vector<std::string> fields = words(line);
        pid_t pid = 0;
        if (fields.size() <= static_cast<std::size_t>(column))
            continue;
        const std::string& field = fields[static_cast<std::size_t>(column)];
        auto end = std::from_chars(field.data(), field.data() + field.size(), pid);
        if (end.ec != std::errc() || end.ptr != field.data() + field.size())
            return sys::wrong("\"" + field + "\" of ps's output is no process ID",
                              "columns with blanks, as args has, come last: -o pid,args");
        if (std::ranges::binary_search(pids, pid))
            out += line + "\n";
    }
    return out;
}

} // namespace

ino_t pid_namespace(pid_t pid) {
    auto info = sys::fstatat(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/pid", 0);
    return info ? info->st_ino : 0;
}

Result<std::vector<pid_t>> companions(pid_t first) {
    std::string numbers =
        sys::read_file("/proc/" + std::to_string(first) + "/status", 1 << 16).value_or("");
    numbers.erase(0, std::min(numbers.find("\nNSpid:"), numbers.size()) + 1);
    numbers.resize(std::min(numbers.find('\n'), numbers.size()));
    ino_t theirs = pid_namespace(first);
    if (theirs == 0 || !numbers.ends_with("\t1"))
        return std::vector{first};
    std::vector<pid_t> pids;
    Fd proc = TRY(sys::openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY));
    for (const sys::Entry& entry : TRY(sys::entries(proc.get()))) {
        auto pid = spec::parse_number<std::uint32_t>(entry.name);
        if (!pid || pid_namespace(static_cast<pid_t>(*pid)) != theirs)
            continue;
        auto stat = sys::process_stat(static_cast<pid_t>(*pid));
        if (stat && !stat->ended)
            pids.push_back(static_cast<pid_t>(*pid));
    }
    std::ranges::sort(pids);
    return pids;
}

Result<std::string> state(const Global& global, const std::string& id) {
    Store store = TRY(Store::open(global.root, id));
    return dump(TRY(describe(store)), 2);
}

Result<std::string> list(const Global& global, Format format, bool quiet) {
    std::vector<ordered_json> all;
    for (const std::string& id : TRY(Store::list(global.root))) {
        auto store = Store::open(global.root, id);
        auto described = store ? describe(*store) : std::unexpected(std::move(store).error());
        if (described)
            all.push_back(std::move(*described));
        else if (!described.error().detail.starts_with("container does not exist")) // any more
            global.say("load container " + id + ": " + sys::to_line(described.error()));
    }
    if (quiet) {
        std::string out;
        for (const ordered_json& one : all)
            out += one["id"].get<std::string>() + "\n";
        return out;
    }
    if (format == Format::as_json)
        return dump(ordered_json(all), -1);
    std::vector<std::vector<std::string>> rows{
        {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const ordered_json& one : all)
        rows.push_back({one["id"], one["pid"].dump(), one["status"], one["bundle"],
                        to_seconds(one["created"]), one["owner"]});
    return table(rows);
}

Result<std::string> ps(const Global& global, const std::string& id, Format format,
                       const std::vector<std::string>& options) {
    Store store = TRY(Store::open(global.root, id));
    std::vector<pid_t> pids = TRY(processes(store));
    if (format == Format::as_json)
        return dump(json(pids), -1);
    return run_ps(options, pids);
}

} // namespace oci
