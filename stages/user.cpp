// user: the user namespace's id maps, which make its first process root inside.
//
// Who may write what (user_namespaces(7)): anybody may map their own id, once, if they give up
// setgroups; ranges from /etc/subuid are written by the setuid programs newuidmap and newgidmap;
// root may write any.
#include "stages/causes.hpp"
#include "stages/passwd.hpp"
#include "stages/stages.hpp"
#include "stages/waiting.hpp"
#include "sys/path.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <sstream>

namespace stages::user {

using spec::IdMap;

namespace {

/// What `file` gives to `name` or `id`.
std::vector<IdMap> subordinate(const char* file, const std::string& name, uid_t id) {
    std::vector<IdMap> ranges;
    const std::string number = std::to_string(id);
    for (const SubordinateRange& range : subordinate_ranges(file))
        if (range.who == number || (!name.empty() && range.who == name))
            ranges.push_back({0, range.first, range.count});
    return ranges;
}

/// The caller's name, from /etc/passwd: a static program has no nsswitch to ask.
std::string name_of(uid_t id) {
    if (auto name = user_name(id))
        return *name;
    const char* user = getenv("USER"); // a user from LDAP stands in no file
    return user != nullptr ? user : "";
}

/// Ids 0… of the container one after the other from `ranges`.
void append(std::vector<IdMap>& map, std::uint32_t inside, const std::vector<IdMap>& ranges) {
    for (const IdMap& range : ranges) {
        map.push_back({inside, range.outside, range.count});
        inside += range.count;
    }
}

/// Every id that exists here, as itself.
Result<std::vector<IdMap>> identity(const char* file) {
    std::vector<IdMap> map;
    std::istringstream lines(TRY(hint(sys::read_file(file, 1 << 16), [](auto& error) {
        return causes::missing_proc(error.code);
    })));
    IdMap range;
    while (lines >> range.inside >> range.outside >> range.count)
        map.push_back({range.inside, range.inside, range.count});
    return map;
}

std::string map_text(const std::vector<IdMap>& map) {
    std::string text;
    for (const IdMap& range : map)
        text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " +
                std::to_string(range.count) + "\n";
    return text;
}

std::string install_helpers() {
    return causes::install("uidmap", "shadow-utils", "shadow-uidmap");
}

bool just(const std::vector<IdMap>& map, std::uint32_t outside) {
    return map.size() == 1 && map.front().outside == outside && map.front().count == 1;
}

Result<void> map_automatically(Launch& launch) {
    Facts& facts = launch.facts;
    uid_t uid = sys::geteuid();
    std::string name = name_of(uid);
    auto uids = subordinate("/etc/subuid", name, uid);
    auto gids = subordinate("/etc/subgid", name, uid);
    if (uid == 0) {
        if (!uids.empty() && !gids.empty()) {
            append(facts.uids, 0, uids);
            append(facts.gids, 0, gids);
            if (uids.front().outside == 0)
                launch.say("user: root of the container is root here, since root's range in "
                           "/etc/subuid begins with its own id 0: what it changes in volumes, it "
                           "changes as root");
            return {};
        }
        facts.uids = TRY(identity("/proc/self/uid_map"));
        facts.gids = TRY(identity("/proc/self/gid_map"));
        // Only the machine's own user namespace has all ids (user_namespaces(7)).
        bool outermost = facts.uids.size() == 1 && facts.uids.front().count == ~std::uint32_t{0};
        launch.say(
            std::string("user: root of the container is root of ") +
            (outermost ? "this machine" : "the user namespace that we are in") +
            ", since /etc/subuid gives root no range: what it changes in volumes, it changes "
            "as root" +
            (outermost ? "" : " of that"));
        return {};
    }
    facts.uids = {{0, uid, 1}};
    facts.gids = {{0, sys::getgid(), 1}};
    if (uids.empty() || gids.empty())
        return {};
    if (sys::find_program("newuidmap").empty() || sys::find_program("newgidmap").empty()) {
        launch.say("user: " + causes::hint_of(causes::Id::uidmap_missing, {install_helpers()}));
        return {};
    }
    append(facts.uids, 1, uids);
    append(facts.gids, 1, gids);
    return {};
}

/// Start newuidmap or newgidmap on the child; what it says goes to `said`.
Result<pid_t> start_helper(const std::string& program, pid_t child, const std::vector<IdMap>& map,
                           const Fd& said) {
    sys::Spawn spawn;
    spawn.argv = {program, std::to_string(child)};
    for (const IdMap& range : map)
        for (std::uint32_t number : {range.inside, range.outside, range.count})
            spawn.argv.push_back(std::to_string(number));
    spawn.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    spawn.fds = {{said.get(), 1}, {said.get(), 2}};
    return sys::start(spawn);
}

void end_helper(pid_t pid) {
    (void)sys::kill(pid, SIGKILL); // our child, not waited for; its real uid is ours
    (void)sys::waitpid(pid, 0);
}

/// It may hang (in a directory service that it asks); a signal ends the wait, and the program.
Result<void> wait_for_helper(const Launch& launch, const std::string& program, pid_t pid,
                             const Fd& said) {
    Fd process = TRY(sys::pidfd_open(pid)); // our child, not waited for: it is there
    if (auto waited = wait_readable(launch, process.get(), program); !waited) {
        end_helper(pid);
        return waited;
    }
    auto [_, status] = TRY(sys::waitpid(pid, 0));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return {};
    TRY(sys::lseek_start(said.get()));
    std::array<char, 512> buffer{};
    std::size_t length = TRY(sys::read(said.get(), buffer));
    std::string text(buffer.data(), length);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return sys::wrong(text.empty() ? program + " failed" : text, causes::no_id_map(program, text));
}

Result<void> map_with_helpers(Launch& launch) {
    std::string uid_program = sys::find_program("newuidmap");
    std::string gid_program = sys::find_program("newgidmap");
    if (uid_program.empty() || gid_program.empty())
        return sys::wrong("mapping more than your own id needs newuidmap and newgidmap",
                          "'" + install_helpers() + "', or --map single");
    // Both at once: each takes most of a millisecond, nearly all of it in its own start.
    Fd uid_said = TRY(sys::memfd_create("newuidmap"));
    Fd gid_said = TRY(sys::memfd_create("newgidmap"));
    pid_t uid_pid = TRY(start_helper(uid_program, launch.child, launch.facts.uids, uid_said));
    auto gid_pid = start_helper(gid_program, launch.child, launch.facts.gids, gid_said);
    auto uid_done = wait_for_helper(launch, uid_program, uid_pid, uid_said);
    if (gid_pid && uid_done)
        return wait_for_helper(launch, gid_program, *gid_pid, gid_said);
    if (gid_pid) {
        end_helper(*gid_pid);
        return uid_done;
    }
    return uid_done ? std::unexpected(std::move(gid_pid).error()) : uid_done;
}

} // namespace

Result<void> prepare(Launch& launch) {
    const spec::User& user = launch.spec.user;
    Facts& facts = launch.facts;
    if (user.mapping == spec::Mapping::automatic) {
        TRY(map_automatically(launch));
    } else if (user.mapping == spec::Mapping::single) {
        facts.uids = {{0, sys::geteuid(), 1}};
        facts.gids = {{0, sys::getgid(), 1}};
    } else {
        facts.uids = user.uids;
        facts.gids = user.gids.empty() ? user.uids : user.gids;
    }
    // CVE-2014-8989: who drops a group that a file's mode denies would gain access by it. So who
    // maps an id without privileges gives up setgroups.
    facts.groups_denied =
        sys::geteuid() != 0 && just(facts.uids, sys::geteuid()) && just(facts.gids, sys::getgid());
    return {};
}

// On the host's side, the child blocked before its exec: an exec without a map would cost it its
// capabilities for good.
Result<void> parent(Launch& launch) {
    const Facts& facts = launch.facts;
    if (sys::geteuid() != 0 && !facts.groups_denied)
        return map_with_helpers(launch);
    std::string proc = "/proc/" + std::to_string(launch.child);
    auto refused = [](const Error& error) {
        if (std::string why = causes::foreign_proc(); !why.empty())
            return why;
        std::string why = causes::powerless_root(error.code);
        return !why.empty() || error.code != EPERM
                   ? why
                   : std::string("root may map only ids that exist here, and needs CAP_SETUID and "
                                 "CAP_SETGID for it: see /proc/self/uid_map, or --map single");
    };
    if (facts.groups_denied)
        TRY(hint(sys::write_proc(proc + "/setgroups", "deny"), refused));
    TRY(hint(sys::write_proc(proc + "/uid_map", map_text(facts.uids)), refused));
    TRY(hint(sys::write_proc(proc + "/gid_map", map_text(facts.gids)), refused));
    return {};
}

// In the new user namespace, all capabilities in it, still nobody (65534) unless mapped to 0.
Result<void> enter(const spec::Spec&, const Facts& facts) {
    // Where setgroups is denied the caller's groups stay; they can't be named inside.
    if (!facts.groups_denied && maps(facts.gids, 0))
        if (auto none = sys::setgroups({}); !none) {
            bool denied = none.error().code == EPERM && // by an outer user namespace, for all below
                          TRY(sys::read_file("/proc/self/setgroups", 64)).starts_with("deny");
            if (!denied)
                return none;
        }
    TRY(sys::setresgid(0));
    TRY(sys::setresuid(0));
    return {};
}

} // namespace stages::user
