// linux.seccomp: checked here, where its errors get their path, and handed on as text. Compiling
// it is the seccomp stage's.
#include "oci/config_parts.hpp"
#include "oci/names.hpp"

#include <algorithm>

namespace oci {

namespace {

constexpr std::string_view kProfileKeys[] = {"defaultAction", "defaultErrnoRet", "architectures",
                                             "flags",         "listenerPath",    "listenerMetadata",
                                             "syscalls"};
constexpr std::string_view kRuleKeys[] = {"names", "action", "errnoRet", "args"};
constexpr std::string_view kArgKeys[] = {"index", "value", "valueTwo", "op"};

struct Checking {
    bool notifies = false;
    /// Something that we don't know is in it. The stage refuses that, since it also reads what
    /// people write by hand; the specification has it ignored.
    bool unknown = false;
};

bool strange(Node at, std::span<const std::string_view> known) {
    bool found = false;
    at.members([&](const std::string& key, Node) {
        found = found || std::ranges::find(known, key) == known.end();
    });
    return found;
}

void check_action(Node object, const char* key, const char* number, Checking& checking) {
    bool takes_errno = false;
    std::string name;
    if (!object[key].required().choose(seccomp_actions(), "an action", takes_errno))
        return;
    object[key].into(name);
    checking.notifies = checking.notifies || name == "SCMP_ACT_NOTIFY";
    if (std::uint32_t code = 0; object[number].into(code, 0U, 4095U) && !takes_errno)
        object[number].fail("only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have an errno");
}

void check_rule(Node at, Checking& checking) {
    if (!at.object())
        return;
    checking.unknown = checking.unknown || strange(at, kRuleKeys);
    Node names = at["names"].required();
    if (names.list() && names.value().empty())
        names.fail("is empty");
    std::string name; // there are hundreds: one string for all of them
    names.items([&](Node item) {
        if (item.into(name) && name.empty())
            names.fail("an empty name");
    });
    check_action(at, "action", "errnoRet", checking);
    at["args"].items([&](Node arg) {
        if (!arg.object())
            return;
        checking.unknown = checking.unknown || strange(arg, kArgKeys);
        std::uint32_t index = 0;
        std::uint64_t value = 0;
        bool op = false;
        arg["index"].required().into(index, 0U, 5U);
        arg["value"].required().into(value);
        arg["valueTwo"].into(value);
        arg["op"].required().choose(seccomp_operators(), "an operator", op);
    });
}

void keep(json& object, std::span<const std::string_view> known) {
    if (!object.is_object())
        return; // wrong, and said so already
    for (auto member = object.begin(); member != object.end();)
        member = std::ranges::find(known, member.key()) == known.end() ? object.erase(member)
                                                                       : std::next(member);
}

json without_unknown(const json& seccomp) {
    json out = seccomp;
    keep(out, kProfileKeys);
    if (auto rules = out.find("syscalls"); rules != out.end() && rules->is_array())
        for (json& rule : *rules) {
            keep(rule, kRuleKeys);
            if (auto args = rule.find("args"); args != rule.end() && args->is_array())
                for (json& arg : *args)
                    keep(arg, kArgKeys);
        }
    return out;
}

} // namespace

void read_seccomp(Node at, Reading& reading) {
    if (!at.object())
        return;
    // As runc: an object that says nothing is no filter.
    if (!at["defaultAction"].given() && (!at["syscalls"].given() || at["syscalls"].value().empty()))
        return;
    Checking checking{.unknown = strange(at, kProfileKeys)};
    check_action(at, "defaultAction", "defaultErrnoRet", checking);
    if (checking.notifies)
        at["defaultAction"].fail("SCMP_ACT_NOTIFY would wait for who isn't there yet");
    at["syscalls"].items([&](Node rule) { check_rule(rule, checking); });
    bool unused = false;
    at["architectures"].items(
        [&](Node arch) { arch.choose(seccomp_architectures(), "an architecture", unused); });
    at["flags"].items([](Node flag) {
        bool supported = false;
        if (flag.choose(seccomp_flags(), "a flag", supported) && !supported)
            flag.fail("this build can't set it");
    });
    spec::Seccomp& out = reading.spec.seccomp;
    at["listenerPath"].into(out.listener_path);
    at["listenerMetadata"].into(out.listener_metadata);
    if (checking.notifies && out.listener_path.empty())
        at["listenerPath"].fail("is missing, and SCMP_ACT_NOTIFY has nobody to notify");
    if (!out.listener_metadata.empty() && out.listener_path.empty())
        at["listenerMetadata"].fail("needs listenerPath");
    reading.spec.stages.add(spec::Stage::seccomp);
    out.mode = spec::SeccompMode::text;
    if (checking.unknown)
        out.text = without_unknown(at.value()).dump();
    else
        out.text = reading.bundle.profile.empty() ? at.value().dump() : reading.bundle.profile;
}

} // namespace oci
