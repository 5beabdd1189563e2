// Reading a profile. Strict, since what is misread here is let through later: a misspelt "args"
// would make a rule unconditional.
#include "stages/seccomp_profile.hpp"

#include "stages/seccomp_arch.hpp"
#include "stages/seccomp_json.hpp"
#include "sys/capability.hpp"
#include "sys/nesting.hpp"

#include <linux/seccomp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <span>

namespace stages::seccomp {

namespace {

// --- names -------------------------------------------------------------------------------------

constexpr Named<Action> kActions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
};

constexpr Named<scmp_compare> kOperators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE},
    {"SCMP_CMP_LT", SCMP_CMP_LT},
    {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ},
    {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

constexpr Named<std::uint32_t> kFlags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1U << 5}, // Linux 5.19, newer than some headers
};

// --- parts of a profile ------------------------------------------------------------------------

/// The errno of an action: a number, or by name as Podman's profiles have it besides.
Result<std::uint32_t> errno_of(const Node& object, const char* number, const char* name) {
    if (const json* found = member(object, number))
        return static_cast<std::uint32_t>(TRY(whole(Node{*found, &object, number}, 4095)));
    if (const json* found = member(object, name)) {
        Node at{*found, &object, name};
        std::string wanted = TRY(text(at));
        for (int code = 1; code <= 4095; ++code)
            if (sys::errno_name(code) == wanted)
                return static_cast<std::uint32_t>(code);
        return bad(at, in_quotes(wanted) + " is not the name of an errno");
    }
    return EPERM;
}

Result<Action> action_of(const Machine& machine, const Node& object, const char* key,
                         const char* number, const char* name) {
    const json* found = member(object, key);
    if (found == nullptr)
        return bad(object, "needs " + in_quotes(key));
    Node at{*found, &object, key};
    Action action = TRY(choose<Action>(at, kActions, "an action"));
    if (action == SCMP_ACT_NOTIFY && !machine.listened)
        return bad(at, "nothing here listens for SCMP_ACT_NOTIFY",
                   "use another action, or an engine that brings a listener");
    if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
        return action | TRY(errno_of(object, number, name));
    if (member(object, number) != nullptr || member(object, name) != nullptr)
        return bad(at, "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have an errno");
    return action;
}

Result<scmp_arg_cmp> arg_of(const Node& at) {
    TRY(check_object(at, {"index", "op", "value", "valueTwo"}));
    scmp_arg_cmp arg{};
    auto number = [&](const char* key, std::uint64_t most) -> Result<std::uint64_t> {
        const json* found = member(at, key);
        return found == nullptr ? Result<std::uint64_t>(0) : whole(Node{*found, &at, key}, most);
    };
    for (const char* key : {"index", "op", "value"})
        if (member(at, key) == nullptr)
            return bad(at, "needs " + in_quotes(key));
    arg.arg = static_cast<unsigned>(TRY(number("index", 5)));
    arg.op = TRY(choose<scmp_compare>(Node{at.value["op"], &at, "op"}, kOperators, "an operator"));
    arg.datum_a = TRY(number("value", UINT64_MAX));
    arg.datum_b = TRY(number("valueTwo", UINT64_MAX));
    return arg;
}

Result<KernelVersion> min_kernel(const Node& at) {
    std::string wanted = TRY(text(at));
    KernelVersion version;
    const char* end = wanted.data() + wanted.size();
    auto [dot, major] = std::from_chars(wanted.data(), end, version.major);
    if (major != std::errc() || dot == end || *dot != '.')
        return bad(at, in_quotes(wanted) + " is not a version like \"4.8\"");
    auto [rest, minor] = std::from_chars(dot + 1, end, version.minor);
    if (minor != std::errc() || rest != end)
        return bad(at, in_quotes(wanted) + " is not a version like \"4.8\"");
    return version;
}

/// What "includes" or "excludes" says of this machine.
struct Held {
    bool asks_caps = false, all_caps = true, any_cap = false;
    bool asks_arches = false, arch = false;
    bool asks_kernel = false, kernel = false;
};

Result<Held> conditions(const Node& at, const Machine& machine) {
    TRY(check_object(at, {"caps", "arches", "minKernel"}));
    Held held;
    auto cap = [&](const Node& item) -> Result<void> {
        std::string name = lower(TRY(text(item)));
        if (sys::capability_named(name) < 0)
            return bad(item, in_quotes(item.value.get<std::string>()) + " is not a capability");
        bool has = std::ranges::find(machine.capabilities, name) != machine.capabilities.end();
        held.asks_caps = true;
        held.all_caps = held.all_caps && has;
        held.any_cap = held.any_cap || has;
        return {};
    };
    auto arch = [&](const Node& item) -> Result<void> {
        std::string name = TRY(text(item));
        auto arches = arch_names();
        auto found = std::ranges::find(arches, name, &ArchName::docker);
        if (found == arches.end())
            return bad(item, in_quotes(name) + " is not an architecture",
                       one_of(arches, [](auto& known) { return known.docker; }));
        held.asks_arches = true;
        held.arch = held.arch || token(*found) == machine.arch;
        return {};
    };
    TRY(each(at, "caps", cap));
    TRY(each(at, "arches", arch));
    if (const json* found = member(at, "minKernel")) {
        held.asks_kernel = true;
        held.kernel = machine.kernel >= TRY(min_kernel(Node{*found, &at, "minKernel"}));
    }
    return held;
}

/// As Docker decides: all that "includes" asks for, and nothing that "excludes" names.
Result<bool> applies(const Node& rule, const Machine& machine) {
    bool yes = true;
    if (const json* found = member(rule, "includes")) {
        Held held = TRY(conditions(Node{*found, &rule, "includes"}, machine));
        yes = (!held.asks_caps || held.all_caps) && (!held.asks_arches || held.arch) &&
              (!held.asks_kernel || held.kernel);
    }
    if (const json* found = member(rule, "excludes")) {
        Held held = TRY(conditions(Node{*found, &rule, "excludes"}, machine));
        yes = yes && !held.any_cap && !held.arch && !held.kernel;
    }
    return yes;
}

/// libseccomp compares an argument once a rule. As runc does, a rule that compares one twice
/// becomes a rule for each comparison.
void add_rule(Profile& profile, Rule rule) {
    bool twice = false;
    for (std::size_t i = 0; i < rule.args.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            twice = twice || rule.args[i].arg == rule.args[j].arg;
    if (!twice) {
        profile.rules.push_back(std::move(rule));
        return;
    }
    for (const scmp_arg_cmp& arg : rule.args)
        profile.rules.push_back({rule.names, rule.action, {arg}});
}

Result<void> read_rule(Profile& profile, const Node& at, const Machine& machine) {
    TRY(check_object(at, {"names", "name", "action", "errnoRet", "errno", "args", "comment",
                          "includes", "excludes"}));
    Rule rule;
    auto add_name = [&](const Node& item) -> Result<void> {
        rule.names.push_back(TRY(text(item)));
        if (rule.names.back().empty())
            return bad(item, "is empty");
        return {};
    };
    auto add_arg = [&](const Node& item) -> Result<void> {
        rule.args.push_back(TRY(arg_of(item)));
        return {};
    };
    TRY(each(at, "names", add_name));
    if (const json* name = member(at, "name")) { // before Docker 1.12 each rule had one
        if (!rule.names.empty())
            return bad(at, "has both \"name\" and \"names\"");
        TRY(add_name(Node{*name, &at, "name"}));
    }
    if (rule.names.empty())
        return bad(at, "needs \"names\"");
    rule.action = TRY(action_of(machine, at, "action", "errnoRet", "errno"));
    profile.notifies = profile.notifies || rule.action == SCMP_ACT_NOTIFY;
    TRY(each(at, "args", add_arg));
    profile.named.insert(profile.named.end(), rule.names.begin(), rule.names.end());
    if (TRY(applies(at, machine)))
        add_rule(profile, std::move(rule));
    return {};
}

/// Name of an architecture; its token goes into the profile when `wanted`.
Result<std::uint32_t> arch_of(const Node& at) {
    constexpr std::string_view kPrefix = "SCMP_ARCH_";
    std::string name = TRY(text(at));
    auto arches = arch_names();
    auto found = arches.end();
    if (name.starts_with(kPrefix))
        found = std::ranges::find(arches, name.substr(kPrefix.size()), &ArchName::scmp);
    if (found == arches.end())
        return bad(at, in_quotes(name) + " is not an architecture", one_of(arches, [&](auto& arch) {
                       return std::string(kPrefix) + std::string(arch.scmp);
                   }));
    return token(*found);
}

/// The machine's own, and those that run on it besides.
Result<void> read_architectures(Profile& profile, const Node& root, const Machine& machine) {
    auto add = [&](const Node& at) -> Result<void> {
        std::uint32_t arch = TRY(arch_of(at));
        if (arch == 0)
            return bad(at,
                       "this libseccomp does not know " + in_quotes(at.value.get<std::string>()));
        if (std::ranges::find(profile.architectures, arch) == profile.architectures.end())
            profile.architectures.push_back(arch);
        return {};
    };
    auto check = [](const Node& at) -> Result<void> {
        TRY(arch_of(at));
        return {};
    };
    auto add_map = [&](const Node& entry) -> Result<void> {
        TRY(check_object(entry, {"architecture", "subArchitectures"}));
        const json* name = member(entry, "architecture");
        if (name == nullptr)
            return bad(entry, "needs \"architecture\"");
        bool ours = TRY(arch_of(Node{*name, &entry, "architecture"})) == machine.arch;
        return ours ? each(entry, "subArchitectures", add) : each(entry, "subArchitectures", check);
    };
    if (member(root, "architectures") != nullptr && member(root, "archMap") != nullptr)
        return bad(root, "has both \"architectures\" and \"archMap\"");
    profile.architectures = {machine.arch};
    TRY(each(root, "architectures", add));
    return each(root, "archMap", add_map);
}

Result<Profile> read_profile(const Node& root, const Machine& machine) {
    TRY(check_object(root, {"comment", "defaultAction", "defaultErrnoRet", "defaultErrno",
                            "architectures", "archMap", "flags", "listenerPath", "listenerMetadata",
                            "syscalls"}));
    Profile profile;
    auto add_flag = [&](const Node& at) -> Result<void> {
        profile.flags |= TRY(choose<std::uint32_t>(at, kFlags, "a flag"));
        return {};
    };
    auto add_rules = [&](const Node& at) { return read_rule(profile, at, machine); };
    profile.default_action =
        TRY(action_of(machine, root, "defaultAction", "defaultErrnoRet", "defaultErrno"));
    TRY(read_architectures(profile, root, machine));
    TRY(each(root, "flags", add_flag));
    for (const char* key : {"listenerPath", "listenerMetadata"}) {
        const json* found = member(root, key);
        const auto* text = found == nullptr ? nullptr : found->get_ptr<const std::string*>();
        bool none = found == nullptr || (text != nullptr && text->empty()); // as with runc
        if (!none && !machine.listened)
            return bad(Node{*found, &root, key}, "is for SCMP_ACT_NOTIFY, which is not used");
    }
    TRY(each(root, "syscalls", add_rules));
    return profile;
}

} // namespace

KernelVersion kernel_version(const std::string& release) {
    KernelVersion version;
    const char* end = release.data() + release.size();
    auto [dot, major] = std::from_chars(release.data(), end, version.major);
    if (major != std::errc() || dot == end || *dot != '.' ||
        std::from_chars(dot + 1, end, version.minor).ec != std::errc())
        return {};
    return version;
}

Result<Profile> parse_profile(const std::string& text, const Machine& machine) {
    json root;
    try {
        root = json::parse(text);
    } catch (const json::exception& wrong) {
        return sys::wrong("is not JSON: " + sys::parse_problem(wrong.what()));
    }
    return read_profile(Node{root}, machine);
}

} // namespace stages::seccomp
