// process: config.md, "Process", of config.json and of exec's process.json.
#include "oci/config_parts.hpp"
#include "oci/names.hpp"

#include "spec/options.hpp"

#include <algorithm>

namespace oci {

namespace {

constexpr std::uint32_t kLastId = 0xfffffffe; // 4294967295 means "no change" to the kernel

void read_user(Node user, spec::Process& process) {
    spec::Ids ids;
    user["uid"].into(ids.uid, 0U, kLastId);
    user["gid"].into(ids.gid, 0U, kLastId);
    user["additionalGids"].items([&](Node at) { at.into(ids.groups.emplace_back(), 0U, kLastId); });
    if (process.ids)
        ids.keep_groups = process.ids->keep_groups;
    process.ids = std::move(ids);
    user["umask"].into(process.umask, 0U, 0777U);
}

void read_args(Node at, spec::Process& process) {
    at["args"].required().into(process.args);
    if (process.args.empty())
        at["args"].fail("is empty: the first is the program");
    else if (process.args.front().empty()) // in the words that make an engine's status 127
        at["args"].fail("exec: \"\": executable file not found in $PATH: the first is the program");
    process.env.clear();
    at["env"].into(process.env);
    std::size_t index = 0;
    at["env"].items([&](Node entry) {
        if (index >= process.env.size())
            return; // something is wrong already
        const std::string& text = process.env[index++];
        if (text.find('=') == std::string::npos || text.starts_with('='))
            entry.fail("\"" + text + "\" is not NAME=VALUE");
    });
    if (at["cwd"].required().into(process.cwd) && !process.cwd.starts_with('/'))
        at["cwd"].fail("\"" + process.cwd + "\": must be absolute");
    process.terminal = false;
    at["terminal"].into(process.terminal);
    process.console_size.reset();
    if (Node size = at["consoleSize"]; process.terminal && size.object()) {
        spec::WindowSize read;
        size["height"].required().into(read.height);
        size["width"].required().into(read.width);
        process.console_size = read;
    }
}

void read_rlimits(Node rlimits, std::vector<spec::Rlimit>& out) {
    std::vector<spec::Rlimit> read;
    rlimits.items([&](Node at) {
        std::string type;
        std::uint64_t soft = 0;
        std::uint64_t hard = 0;
        at["soft"].required().into(soft);
        at["hard"].required().into(hard);
        if (!at["type"].required().into(type))
            return;
        std::string name = type.starts_with("RLIMIT_") ? type.substr(7) : "";
        bool upper = std::ranges::all_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
        auto limit = spec::parse_ulimit(name + "=0");
        if (name.empty() || !upper || !limit)
            return at["type"].fail("\"" + type + "\" is not a limit of getrlimit(2)");
        if (soft > hard)
            return at["soft"].fail("is above the hard limit");
        if (std::ranges::find(read, limit->resource, &spec::Rlimit::resource) != read.end())
            return at["type"].fail("\"" + type + "\" is there twice");
        limit->soft = soft;
        limit->hard = hard;
        read.push_back(std::move(*limit));
    });
    if (!read.empty())
        out = std::move(read);
}

/// Names to what the kernel can give; the rest is left out with a warning, as config.md wants it.
void read_capability_set(Node set, std::uint64_t grantable, std::vector<std::string>& out) {
    static const std::vector<std::string> all = spec::all_capabilities(); // in the bits' order
    out.clear();
    std::vector<std::string> names;
    set.into(names);
    for (std::string& name : names) {
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        auto known = std::ranges::find(all, lower);
        if (known == all.end())
            set.warn("\"" + name + "\" is no capability that is known here: left out");
        else if ((grantable >> (known - all.begin()) & 1) == 0)
            set.warn("\"" + name + "\" can't be given here: left out");
        else if (std::ranges::find(out, lower) == out.end())
            out.push_back(std::move(lower));
    }
}

/// Leave out of `set` what is not in `of`: the kernel would refuse all of it.
void within(Node at, std::vector<std::string>& set, const std::vector<std::string>& of,
            const char* what) {
    std::erase_if(set, [&](const std::string& name) {
        bool missing = std::ranges::find(of, name) == of.end();
        if (missing)
            at.warn("\"" + name + "\" is not " + what + ": left out");
        return missing;
    });
}

void read_capabilities(Node at, spec::Spec& spec, const Caller& caller) {
    // Without a word of them there are none, rather than all that we have.
    spec.stages.add(spec::Stage::caps);
    if (!at.object())
        return;
    spec::Capabilities& sets = spec.capabilities;
    std::uint64_t grantable = spec.stages.has(spec::Stage::user)
                                  ? caller.known_capabilities
                                  : caller.capabilities & caller.known_capabilities;
    read_capability_set(at["bounding"], grantable, sets.bounding);
    read_capability_set(at["permitted"], grantable, sets.permitted);
    read_capability_set(at["effective"], grantable, sets.effective);
    read_capability_set(at["inheritable"], grantable, sets.inheritable);
    read_capability_set(at["ambient"], grantable, sets.ambient);
    within(at["effective"], sets.effective, sets.permitted, "permitted");
    within(at["inheritable"], sets.inheritable, sets.bounding, "in the bounding set");
    within(at["ambient"], sets.ambient, sets.permitted, "permitted");
    within(at["ambient"], sets.ambient, sets.inheritable, "inheritable");
}

void read_scheduler(Node at, std::optional<spec::Scheduler>& out) {
    if (!at.object())
        return;
    constexpr std::uint32_t kFifo = 1, kRoundRobin = 2, kDeadline = 6;
    spec::Scheduler& s = out.emplace();
    at["policy"].required().choose(scheduler_policies(), "a policy", s.policy);
    at["nice"].into(s.nice, -20, 19);
    at["priority"].into(s.priority, 0, 99);
    at["flags"].items([&](Node flag) {
        std::uint64_t bit = 0;
        flag.choose(scheduler_flags(), "a flag", bit);
        s.flags |= bit;
    });
    at["runtime"].into(s.runtime);
    at["deadline"].into(s.deadline);
    at["period"].into(s.period);
    if (s.priority != 0 && s.policy != kFifo && s.policy != kRoundRobin)
        at["priority"].fail("is for SCHED_FIFO and SCHED_RR");
    for (const char* key : {"runtime", "deadline", "period"})
        if (std::uint64_t given = 0; s.policy != kDeadline && at[key].into(given) && given != 0)
            at[key].fail("is for SCHED_DEADLINE");
}

void read_io_priority(Node at, std::optional<spec::IoPriority>& out) {
    if (!at.object())
        return;
    spec::IoPriority& io = out.emplace();
    at["class"].required().choose(io_priority_classes(), "a class", io.klass);
    std::int32_t priority = 0;
    at["priority"].into(priority, 0, 7);
    io.priority = priority;
}

} // namespace

void read_list(Node list, std::string& out) {
    std::string text;
    if (!list.into(text))
        return;
    // "0-3, 7" is what the specification's schema lets through, the kernel wants no spaces.
    std::erase(text, ' ');
    std::string_view rest = text;
    auto number = [&rest](std::uint64_t& value) {
        std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        value = 0;
        for (char c : rest.substr(0, std::min(digits, std::size_t{6})))
            value = value * 10 + static_cast<std::uint64_t>(c - '0');
        rest.remove_prefix(digits);
        return digits > 0 && digits <= 6;
    };
    while (!rest.empty()) {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        bool right = number(first);
        last = first;
        if (right && rest.starts_with('-')) {
            rest.remove_prefix(1);
            right = number(last);
        }
        right =
            right && first <= last && (rest.empty() || (rest.front() == ',' && rest.size() > 1));
        if (!right)
            return list.fail("\"" + text + "\" is not a list as 0-3,7");
        if (!rest.empty())
            rest.remove_prefix(1);
    }
    out = std::move(text);
}

void read_affinity(Node affinity, Affinity& out) {
    if (!affinity.object())
        return;
    read_list(affinity["initial"], out.initial);
    read_list(affinity["final"], out.final);
}

void read_process(Node at, spec::Spec& spec, const Caller& caller) {
    if (!at.object())
        return;
    spec::Process& process = spec.process;
    process.exact_env = true;
    read_args(at, process);
    if (Node user = at["user"]; !user.given() || user.object())
        read_user(user, process);
    read_capabilities(at["capabilities"], spec, caller);
    read_rlimits(at["rlimits"], process.rlimits);
    bool no_new_privileges = false;
    at["noNewPrivileges"].into(no_new_privileges);
    process.new_privileges = !no_new_privileges;
    if (std::int32_t score = 0; at["oomScoreAdj"].into(score, -1000, 1000))
        process.oom_score_adj = score;
    if (std::string name; at["apparmorProfile"].into(name) && !name.empty())
        process.apparmor = name;
    if (std::string label; at["selinuxLabel"].into(label) && !label.empty())
        process.selinux = label;
    read_scheduler(at["scheduler"], process.scheduler);
    read_io_priority(at["ioPriority"], process.io_priority);
}

} // namespace oci
