// Five sets, three calls: PR_CAPBSET_DROP, PR_CAP_AMBIENT, capset.
#include "sys/capability.hpp"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <memory>

namespace sys {

int capability_named(const std::string& name) {
    cap_value_t value = 0;
    return cap_from_name(name.c_str(), &value) == 0 ? value : -1;
}

namespace {

std::vector<cap_value_t> numbers(const std::vector<std::string>& names) {
    std::vector<cap_value_t> out;
    for (const std::string& name : names)
        if (int number = capability_named(name); number >= 0)
            out.push_back(number);
    return out;
}

/// An argument that is a capability, spelled by name where somebody reads it.
struct Capability {
    cap_value_t number;

    friend std::string show(Capability capability) {
        char* name = cap_to_name(capability.number);
        std::string out = name != nullptr ? name : std::to_string(capability.number);
        (void)cap_free(name); // null is fine
        return out;
    }
};

/// Three sets as capset(2) has them: by name, or as a number where the names would fill a screen.
std::string show_sets(cap_t sets) {
    auto one = [&](cap_flag_t flag) {
        std::uint64_t bits = 0;
        std::string list;
        for (cap_value_t number = 0; number <= CAP_LAST_CAP; ++number) {
            cap_flag_value_t have = CAP_CLEAR;
            if (cap_get_flag(sets, number, flag, &have) != 0 || have != CAP_SET)
                continue;
            bits |= std::uint64_t{1} << number;
            list += (list.empty() ? "" : "|") + show(Capability{number});
        }
        constexpr int kMany = 20;
        return std::popcount(bits) > kMany ? show(Flags{bits, {}}) : list.empty() ? "0" : list;
    };
    std::string effective = one(CAP_EFFECTIVE);
    std::string permitted = one(CAP_PERMITTED);
    return "{effective=" + (effective == permitted ? "" : effective + ", ") +
           "permitted=" + permitted + ", inheritable=" + one(CAP_INHERITABLE) + "}";
}

using Sets = std::unique_ptr<_cap_struct, int (*)(void*)>;

Result<Sets> own_sets() {
    Sets own(nullptr, cap_free);
    TRY(invoke(
        "capget",
        [&] {
            own.reset(cap_get_proc());
            return own == nullptr ? -1 : 0;
        },
        also([] { return "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}"; }),
        filled([&](long) { return show_sets(own.get()); })));
    return own;
}

bool holds(const Sets& sets, cap_value_t number) {
    cap_flag_value_t have = CAP_CLEAR;
    return cap_get_flag(sets.get(), number, CAP_PERMITTED, &have) == 0 && have == CAP_SET;
}

} // namespace

std::vector<std::string> capability_names(std::uint64_t bits) {
    std::vector<std::string> out;
    for (cap_value_t number = 0; number < 64; ++number)
        if ((bits >> number & 1) != 0)
            out.push_back(show(Capability{number}));
    return out;
}

std::vector<std::string> all_capabilities() {
    std::vector<std::string> out;
    out.reserve(static_cast<std::size_t>(cap_max_bits()));
    for (cap_value_t number = 0; number < cap_max_bits(); ++number)
        out.push_back(show(Capability{number}));
    return out;
}

Result<std::vector<std::string>> held_capabilities() {
    Sets held = TRY(own_sets());
    std::vector<std::string> out;
    for (cap_value_t number = 0; number < cap_max_bits(); ++number)
        if (holds(held, number))
            out.push_back(show(Capability{number}));
    return out;
}

Result<std::uint64_t> held_bits() {
    Sets held = TRY(own_sets());
    std::uint64_t out = 0;
    for (cap_value_t number = 0; number < cap_max_bits(); ++number)
        if (holds(held, number))
            out |= std::uint64_t{1} << number;
    return out;
}

std::uint64_t known_bits() {
    return (std::uint64_t{1} << cap_max_bits()) - 1;
}

Result<void> bound_capabilities(const std::vector<std::string>& keep) {
    std::vector<cap_value_t> kept = numbers(keep);
    // As far as the kernel knows any, by its own word on each: libcap finds the last one by calls
    // that can fail, and what is above it would stay.
    constexpr cap_value_t kMost = 64;
    for (cap_value_t number = 0; number < kMost; ++number) {
        if (std::ranges::find(kept, number) != kept.end())
            continue;
        auto dropped = invoke(
            "prctl", [&] { return ::prctl(PR_CAPBSET_DROP, number, 0L, 0L, 0L); },
            Shown{"PR_CAPBSET_DROP"}, Capability{number});
        if (dropped)
            continue;
        // Already gone is fine, for who may drop none too: a nested container's bounding set is
        // small to begin with.
        auto bound = invoke(
            "prctl", [&] { return ::prctl(PR_CAPBSET_READ, number, 0L, 0L, 0L); },
            Shown{"PR_CAPBSET_READ"}, Capability{number});
        bool unknown = !bound && bound.error().code == EINVAL && number > CAP_LAST_CAP;
        if (unknown)
            break;
        if (!bound || *bound != 0)
            return std::unexpected(std::move(dropped).error());
    }
    return {};
}

Result<void> set_capabilities(const CapabilitySets& sets) {
    Sets held = TRY(own_sets());
    Sets wanted(nullptr, cap_free);
    TRY(invoke("cap_init", [&] {
        wanted.reset(cap_init());
        return wanted == nullptr ? -1 : 0;
    }));
    auto put = [&](const std::vector<std::string>& names, cap_flag_t flag) -> Result<void> {
        for (cap_value_t number : numbers(names))
            if (holds(held, number))
                TRY(invoke("cap_set_flag",
                           [&] { return cap_set_flag(wanted.get(), flag, 1, &number, CAP_SET); }));
        return {};
    };
    TRY(put(sets.permitted, CAP_PERMITTED));
    TRY(put(sets.effective, CAP_EFFECTIVE));
    TRY(put(sets.inheritable, CAP_INHERITABLE));
    TRY(invoke(
        "prctl", [&] { return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L); },
        Shown{"PR_CAP_AMBIENT"}, Shown{"PR_CAP_AMBIENT_CLEAR_ALL"}));
    TRY(invoke(
        "capset", [&] { return ::cap_set_proc(wanted.get()); },
        also([] { return "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}"; }),
        also([&] { return show_sets(wanted.get()); })));
    for (cap_value_t number : numbers(sets.ambient))
        if (holds(held, number))
            TRY(invoke(
                "prctl",
                [&] { return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0L, 0L); },
                Shown{"PR_CAP_AMBIENT"}, Shown{"PR_CAP_AMBIENT_RAISE"}, Capability{number}));
    return {};
}

} // namespace sys
