// The filter:
//
//   architecture?  ─► x86-64: number? ─► binary search ─► allow | EPERM | ENOSYS
//                  ─► i386:   number? ─►      …        └► look at the arguments ─► …
//                  ─► any other: kill
//
// The kernel runs the upper part once for every number when the filter is loaded, and remembers
// those that are always allowed (seccomp's action cache, Linux 5.11). So most calls never run the
// filter at all, and a short search makes loading cheap. That works while the search looks at
// nothing but architecture and number.
#include "stages/seccomp_compile.hpp"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

namespace stages::seccomp {

namespace {

constexpr Action kKill = SCMP_ACT_KILL_PROCESS;
constexpr Action kNoSuchCall = SCMP_ACT_ERRNO(ENOSYS);

// x32 calls come as x86-64's with this bit set; its own are numbered from 512 on (asm/unistd.h,
// arch/x86/entry/syscalls/syscall_64.tbl). A number from 512 on without the bit is nobody's.
constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kX32Own = 512;
// ARM has a few calls of its own far above the table (__ARM_NR_BASE).
constexpr std::uint32_t kArmOwn = 0x0f0000;

/// A rule as it stands at one number.
struct Check {
    Action action = 0;
    std::vector<scmp_arg_cmp> args;
};

/// What becomes of one number.
struct Leaf {
    std::vector<Check> checks; ///< in turn
    Action rest = 0;
    unsigned bits = 64; ///< of an argument
};
bool same(const Leaf& a, const Leaf& b) {
    return a.checks.empty() && b.checks.empty() && a.rest == b.rest;
}

/// One way of numbering calls: an architecture's, or x32 on x86-64.
struct Abi {
    std::uint32_t token = 0; ///< SCMP_ARCH_*
    std::map<std::uint32_t, std::vector<Check>> calls;
    std::optional<std::uint32_t> newest;     ///< of the table
    std::optional<std::uint32_t> newest_own; ///< of x32's own
};

/// AUDIT_ARCH_* in struct seccomp_data.
std::uint32_t audit_arch(std::uint32_t token) {
    return token == SCMP_ARCH_X32 ? std::uint32_t{SCMP_ARCH_X86_64} : token;
}

/// Width of an argument.
unsigned bits_of(std::uint32_t token) {
    bool narrow =
        (token & __AUDIT_ARCH_64BIT) == 0 || (token & __AUDIT_ARCH_CONVENTION_MIPS64_N32) != 0;
    return narrow ? 32 : 64;
}

// --- numbers -----------------------------------------------------------------------------------

/// Where a name leads on one architecture.
struct Numbers {
    std::optional<std::uint32_t> direct;
    /// One call that does many calls' work: socketcall(2) or ipc(2), on 32-bit x86 and s390.
    std::optional<std::uint32_t> multiplexer;
    scmp_arg_cmp which{}; ///< the argument that tells it what to do
};

class NumberTable {
public:
    explicit NumberTable(std::uint32_t token) : token_(token) {}

    Numbers of(const std::string& name) {
        int number = seccomp_syscall_resolve_name_arch(token_, name.c_str());
        if (number >= 0)
            return {.direct = static_cast<std::uint32_t>(number), .multiplexer = {}};
        if (number == __NR_SCMP_ERROR)
            return {}; // newer than libseccomp
        // A number below zero stands for "not here", or "here through another call".
        int other = seccomp_syscall_resolve_name_rewrite(token_, name.c_str());
        if (other < 0)
            return {};
        // Their numbers are -100 and -200 less the argument that means them (seccomp.h).
        Numbers numbers{.direct = {}, .multiplexer = static_cast<std::uint32_t>(other)};
        bool ipc = number < -200;
        numbers.which = {.arg = 0,
                         .op = SCMP_CMP_MASKED_EQ,
                         // ipc has a version in the upper half, which it mostly ignores.
                         .datum_a = ipc ? 0xffffU : 0xffffffffU,
                         .datum_b = static_cast<scmp_datum_t>(-number) % 100};
        if (direct_.empty())
            scan();
        if (auto found = direct_.find(name); found != direct_.end())
            numbers.direct = found->second;
        return numbers;
    }

private:
    // Linux 4.3 and 5.1 gave these architectures direct calls too. libseccomp tells their names by
    // number, but not their numbers by name.
    void scan() {
        for (int number = 0; number < 512; ++number) {
            std::unique_ptr<char, void (*)(void*)> name(
                seccomp_syscall_resolve_num_arch(token_, number), free);
            if (name)
                direct_.emplace(name.get(), number);
        }
    }

    std::uint32_t token_;
    std::map<std::string, std::uint32_t> direct_;
};

/// Outside the table that all architectures continue together from 424 on.
bool own(std::uint32_t token, std::uint32_t number) {
    if (token == SCMP_ARCH_X32)
        return (number & ~kX32Bit) >= kX32Own;
    return token == SCMP_ARCH_ARM && number >= kArmOwn;
}

Abi number_calls(const Profile& profile, std::uint32_t token) {
    Abi abi{.token = token, .calls = {}, .newest = {}, .newest_own = {}};
    NumberTable table(token);
    struct Multiplexed {
        std::uint32_t number;
        Check check;
    };
    std::vector<Multiplexed> multiplexed;
    for (const Rule& rule : profile.rules)
        for (const std::string& name : rule.names) {
            Numbers numbers = table.of(name);
            if (numbers.direct)
                abi.calls[*numbers.direct].push_back({rule.action, rule.args});
            // The call's own arguments lie in memory there: nothing is allowed for their sake,
            // and what is denied for their sake is denied whatever they are.
            if (numbers.multiplexer &&
                (rule.args.empty() || stricter(rule.action, profile.default_action)))
                multiplexed.push_back({*numbers.multiplexer, {rule.action, {numbers.which}}});
        }
    // A profile that names socketcall itself has decided about all that goes through it.
    std::map<std::uint32_t, std::vector<Check>> parts;
    for (Multiplexed& part : multiplexed)
        if (!abi.calls.contains(part.number))
            parts[part.number].push_back(std::move(part.check));
    abi.calls.merge(parts);
    for (const std::string& name : profile.named)
        if (auto direct = table.of(name).direct) {
            auto& newest = own(token, *direct) ? abi.newest_own : abi.newest;
            newest = std::max(newest.value_or(0), *direct);
        }
    return abi;
}

/// May the call happen? A tracer decides for itself.
bool lets_through(Action action) {
    return !stricter(action, SCMP_ACT_TRACE(0));
}

/// Which of a call's rules count, in which order.
Leaf settle(const std::vector<Check>& rules, Action otherwise, unsigned bits) {
    Leaf leaf{.checks = {}, .rest = otherwise, .bits = bits};
    auto always = std::ranges::find_if(rules, [](const Check& rule) { return rule.args.empty(); });
    if (always != rules.end())
        leaf.rest = always->action;
    for (const Check& rule : rules)
        if (!rule.args.empty() && (always == rules.end() || stricter(rule.action, always->action)))
            leaf.checks.insert(
                std::ranges::upper_bound(leaf.checks, rule.action, stricter, &Check::action), rule);
    while (!leaf.checks.empty() && leaf.checks.back().action == leaf.rest)
        leaf.checks.pop_back(); // changes nothing any more
    return leaf;
}

// --- ranges ------------------------------------------------------------------------------------

/// Every number from a key on, up to the next key.
using Ranges = std::map<std::uint32_t, Leaf>;

Leaf fixed(Action action) {
    return {.checks = {}, .rest = action};
}

/// What holds for numbers that the profile says nothing of.
Ranges background(const Profile& profile, std::uint32_t arch, const std::vector<Abi>& abis) {
    Action otherwise = profile.default_action;
    Ranges out;
    if (arch == SCMP_ARCH_X86_64) { // until one of the two numberings claims its part
        out[0] = fixed(kKill);
        out[kX32Bit] = fixed(kKill);
        // What a tracer puts in place of a call that it wants skipped: no x32 call, just none.
        out[UINT32_MAX] = fixed(otherwise);
    }
    for (const Abi& abi : abis) {
        bool x32 = abi.token == SCMP_ARCH_X32;
        out[x32 ? kX32Bit : 0] = fixed(otherwise);
        if (lets_through(otherwise))
            continue;
        if (abi.newest)
            out[*abi.newest + 1] = fixed(kNoSuchCall);
        if (x32 && abi.newest_own) {
            out[kX32Bit | kX32Own] = fixed(otherwise);
            out[*abi.newest_own + 1] = fixed(kNoSuchCall);
        }
        if (abi.token == SCMP_ARCH_ARM)
            out[kArmOwn] = fixed(otherwise);
        // s390 says "number too large for the old way of calling" with number 0.
        if (abi.token == SCMP_ARCH_S390 || abi.token == SCMP_ARCH_S390X) {
            out[0] = fixed(kNoSuchCall);
            out[1] = fixed(otherwise);
        }
    }
    return out;
}

/// Put `leaf` at `number` alone.
void set(Ranges& ranges, std::uint32_t number, Leaf leaf) {
    if (number != UINT32_MAX)
        ranges.try_emplace(number + 1, std::prev(ranges.upper_bound(number))->second);
    ranges[number] = std::move(leaf);
}

Ranges ranges_of(const Profile& profile, std::uint32_t arch, const std::vector<Abi>& abis) {
    Ranges ranges = background(profile, arch, abis);
    for (const Abi& abi : abis)
        for (const auto& [number, rules] : abi.calls)
            set(ranges, number, settle(rules, profile.default_action, bits_of(abi.token)));
    for (auto at = std::next(ranges.begin()); at != ranges.end();)
        at = same(at->second, std::prev(at)->second) ? ranges.erase(at) : std::next(at);
    return ranges;
}

// --- the program -------------------------------------------------------------------------------

using Label = Backwards::Label;

Label write_leaf(Backwards& out, const Leaf& leaf) {
    Label label = out.ret(leaf.rest);
    for (auto check = leaf.checks.rbegin(); check != leaf.checks.rend(); ++check) {
        Label yes = out.ret(check->action);
        Label no = label;
        for (auto arg = check->args.rbegin(); arg != check->args.rend(); ++arg)
            yes = out.compare(*arg, leaf.bits, yes, no);
        label = yes;
    }
    return label;
}

Label write_search(Backwards& out, std::span<const Ranges::value_type> ranges) {
    if (ranges.size() == 1)
        return write_leaf(out, ranges.front().second);
    std::size_t middle = ranges.size() / 2;
    Label upper = write_search(out, ranges.subspan(middle));
    Label lower = write_search(out, ranges.first(middle));
    return out.branch(BPF_JGE, ranges[middle].first, upper, lower);
}

Label write_ranges(Backwards& out, const Ranges& ranges) {
    std::vector<Ranges::value_type> list(ranges.begin(), ranges.end());
    return write_search(out, list);
}

// --- x32 ---------------------------------------------------------------------------------------

/// x86-64's calls are x32's as well, by the same numbers (syscall_64.tbl calls them "common"), but
/// for those that x32 has under a number of its own: the kernel knows no such call with x32's bit.
/// Behind a number that both have is one function, with arguments of 64 bits. A profile speaks of
/// names, so it says the same of both, and one search serves both.
bool has_x32_beside(const std::vector<Abi>& abis) {
    return abis.size() == 2 && abis[0].token == SCMP_ARCH_X86_64 && abis[1].token == SCMP_ARCH_X32;
}

Label write_with_x32(Backwards& out, const Ranges& ranges) {
    auto at = [&](std::uint32_t number) { return std::prev(ranges.upper_bound(number))->second; };
    Ranges both(ranges.begin(), ranges.lower_bound(kX32Own));
    both[kX32Own] = at(kX32Bit | kX32Own);
    for (const auto& [number, leaf] : ranges)
        if (number > (kX32Bit | kX32Own) && number != UINT32_MAX)
            both[number & ~kX32Bit] = leaf;
    Label search = write_ranges(out, both);
    Label x32 = out.mask(~kX32Bit, search);
    Label x86_64 = out.branch(BPF_JGE, kX32Own, write_leaf(out, at(kX32Own)), search);
    Label either = out.branch(BPF_JSET, kX32Bit, x32, x86_64);
    return out.branch(BPF_JEQ, UINT32_MAX, write_leaf(out, at(UINT32_MAX)), either);
}

} // namespace

Result<Bpf> compile(const Profile& profile) {
    constexpr bool kLittle = std::endian::native == std::endian::little;
    for (std::uint32_t token : profile.architectures)
        if (((token & __AUDIT_ARCH_LE) != 0) != kLittle)
            return sys::wrong("a filter can't be made here for a machine of the other byte order");
    std::vector<std::pair<std::uint32_t, std::vector<Abi>>> machines; // by AUDIT_ARCH_*
    for (std::uint32_t token : profile.architectures) {
        std::uint32_t arch = audit_arch(token);
        auto found = std::ranges::find(machines, arch, [](const auto& pair) { return pair.first; });
        if (found == machines.end())
            found = machines.insert(found, {arch, {}});
        found->second.push_back(number_calls(profile, token));
    }
    Backwards out;
    std::vector<std::pair<std::uint32_t, Label>> starts;
    for (const auto& [arch, abis] : machines) {
        Ranges ranges = ranges_of(profile, arch, abis);
        Label search =
            has_x32_beside(abis) ? write_with_x32(out, ranges) : write_ranges(out, ranges);
        starts.emplace_back(arch, out.load(offsetof(seccomp_data, nr), search));
    }
    Label next = out.ret(kKill);
    for (auto start = starts.rbegin(); start != starts.rend(); ++start)
        next = out.branch(BPF_JEQ, start->first, start->second, next);
    (void)out.load(offsetof(seccomp_data, arch), next); // the first instruction

    Bpf filter = out.finish();
    if (filter.size() > BPF_MAXINSNS)
        return sys::wrong("the filter has " + std::to_string(filter.size()) +
                          " instructions, and the kernel takes at most " +
                          std::to_string(BPF_MAXINSNS));
    return filter;
}

bool pass(const Profile& profile, std::initializer_list<const char*> names) {
    std::uint32_t token = profile.architectures.front();
    NumberTable table(token);
    Ranges ranges = ranges_of(profile, audit_arch(token), {number_calls(profile, token)});
    return std::ranges::all_of(names, [&](const char* name) {
        auto number = table.of(name).direct;
        if (!number)
            return false;
        const Leaf& leaf = std::prev(ranges.upper_bound(*number))->second;
        return lets_through(leaf.rest) ||
               std::ranges::any_of(leaf.checks, lets_through, &Check::action);
    });
}

bool notified(const Profile& profile, const std::string& name) {
    return std::ranges::any_of(profile.rules, [&](const Rule& rule) {
        return rule.action == SCMP_ACT_NOTIFY &&
               std::ranges::find(rule.names, name) != rule.names.end();
    });
}

} // namespace stages::seccomp
