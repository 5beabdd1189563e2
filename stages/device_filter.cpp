// From rules to instructions.
//
// The program walks the rules from the last to the first with the accesses that are still
// undecided. A rule that matches decides on those that it names:
//
//     r2 = type, r3 = accesses undecided, r4 = major, r5 = minor, r6 = both numbers
//     for each run of rules about one type, last first:
//         if r2 != TYPE: next run
//         for each rule of it, last first:
//             if r6 != MAJOR:MINOR: next rule
//             deny:   if r3 & ACCESS: return 0
//             allow:  r3 &= ~ACCESS; if r3 == 0: return 1
//     return 0
//
// The kernel follows every way through the program before it takes it, which costs more than all
// else about it, so there are as few jumps as that allows.
#include "stages/device_filter.hpp"

#include "stages/cgroup_names.hpp"
#include "stages/cgroup_place.hpp"
#include "sys/bpf.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <ranges>

namespace stages {

namespace {

constexpr const char* kName = "gocontainer_dev"; // by which update finds its predecessor
constexpr std::int32_t kEveryAccess =
    BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

/// struct bpf_insn, without its bit fields.
struct Instruction {
    std::uint8_t code = 0;
    std::uint8_t registers = 0; ///< to, and from << 4
    std::int16_t offset = 0;
    std::int32_t value = 0;
};
static_assert(sizeof(Instruction) == sizeof(bpf_insn));
static_assert(std::endian::native == std::endian::little);

using Jumps = std::vector<std::size_t>; ///< places of jumps whose end is not known yet

class Assembler {
public:
    void load(int to, std::size_t offset) {
        push(BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, 0);
        code_.back().offset = static_cast<std::int16_t>(offset);
    }
    void copy(int to, int from) { push(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0); }
    void calculate(int operation, int with, std::int32_t value) {
        push(BPF_ALU | operation | BPF_K, with, 0, value);
    }
    void shift_left(int what, int bits) { push(BPF_ALU64 | BPF_LSH | BPF_K, what, 0, bits); }
    void add(int to, int from) { push(BPF_ALU64 | BPF_OR | BPF_X, to, from, 0); }
    /// A jump to where land() is called next with `to`.
    void jump_if(Jumps& to, int test, int what, std::int32_t value) {
        to.push_back(code_.size());
        push(BPF_JMP32 | test | BPF_K, what, 0, value);
    }
    /// Likewise, of a number of 64 bits. It stays in `with`.
    void jump_if_not(Jumps& to, int what, std::uint64_t value, int with) {
        push(BPF_DW | BPF_IMM, with, 0, low(value)); // and BPF_LD, which is 0 as BPF_IMM is
        push(0, 0, 0, low(value >> 32));             // the other half of that instruction
        to.push_back(code_.size());
        push(BPF_JMP | BPF_JNE | BPF_X, what, with, 0);
    }
    void give(std::int32_t verdict) {
        push(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, verdict);
        push(BPF_JMP | BPF_EXIT, 0, 0, 0);
    }
    void land(const Jumps& jumps) {
        for (std::size_t at : jumps)
            code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    }
    DeviceProgram finish() const {
        DeviceProgram out;
        for (const Instruction& instruction : code_)
            out.push_back(std::bit_cast<std::uint64_t>(instruction));
        return out;
    }

private:
    void push(int code, int to, int from, std::int32_t value) {
        code_.push_back({.code = static_cast<std::uint8_t>(code),
                         .registers = static_cast<std::uint8_t>(to | from << 4),
                         .value = value});
    }
    static std::int32_t low(std::uint64_t value) {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    }
    std::vector<Instruction> code_;
};

Result<std::int32_t> accesses_of(const spec::DeviceRule& rule) {
    std::int32_t bits = 0;
    for (char letter : rule.access) {
        std::int32_t bit = letter == 'r'   ? BPF_DEVCG_ACC_READ
                           : letter == 'w' ? BPF_DEVCG_ACC_WRITE
                           : letter == 'm' ? BPF_DEVCG_ACC_MKNOD
                                           : 0;
        if (bit == 0)
            return sys::wrong("\"" + rule.access + "\" is no access: use r, w and m");
        bits |= bit;
    }
    return bits;
}

/// A device number, or any: none, or a negative one.
Result<std::optional<std::uint32_t>> device_number(const std::optional<std::int64_t>& number) {
    if (!number || *number < 0)
        return std::nullopt;
    if (*number > UINT32_MAX)
        return sys::wrong(std::to_string(*number) + " is no device number: they have 32 bits");
    return static_cast<std::uint32_t>(*number);
}

/// The jumps past it, for who is not decided on: with none of them, everybody is.
Result<Jumps> add(Assembler& code, const spec::DeviceRule& rule) {
    std::int32_t accesses = TRY(accesses_of(rule));
    auto major = TRY(device_number(rule.major)), minor = TRY(device_number(rule.minor));
    Jumps past;
    if (major && minor)
        code.jump_if_not(past, BPF_REG_6, std::uint64_t{*major} << 32 | *minor, BPF_REG_7);
    else if (major)
        code.jump_if(past, BPF_JNE, BPF_REG_4, static_cast<std::int32_t>(*major));
    else if (minor)
        code.jump_if(past, BPF_JNE, BPF_REG_5, static_cast<std::int32_t>(*minor));
    if (rule.allow) {
        if (accesses != kEveryAccess) {
            code.calculate(BPF_AND, BPF_REG_3, kEveryAccess & ~accesses);
            code.jump_if(past, BPF_JNE, BPF_REG_3, 0);
        }
        code.give(1);
    } else {
        if (accesses != kEveryAccess) {
            code.copy(BPF_REG_0, BPF_REG_3);
            code.calculate(BPF_AND, BPF_REG_0, accesses);
            code.jump_if(past, BPF_JEQ, BPF_REG_0, 0);
        }
        code.give(0);
    }
    return past;
}

/// A run of rules about one type, the last first. True when it decides on every device of that.
Result<bool> add_run(Assembler& code, std::span<const spec::DeviceRule* const> rules) {
    for (const spec::DeviceRule* rule : rules) {
        Jumps past = TRY(add(code, *rule));
        if (past.empty())
            return true; // the kernel refuses what no way leads to
        code.land(past);
    }
    return false;
}

/// The filter that an earlier call has attached.
Result<Fd> attached_before(const Fd& leaf) {
    for (std::uint32_t id : TRY(sys::bpf::attached(leaf.get(), BPF_CGROUP_DEVICE))) {
        Fd program = TRY(sys::bpf::program_of(id));
        if (TRY(sys::bpf::name_of(program.get())) == kName)
            return program;
    }
    return Fd();
}

Result<void> attach_filter(const Fd& leaf, const DeviceProgram& program) {
    Fd loaded = TRY(sys::bpf::load(BPF_PROG_TYPE_CGROUP_DEVICE, program, kName));
    Fd before = TRY(attached_before(leaf));
    std::optional<int> replaced;
    if (before.valid())
        replaced = before.get();
    return sys::bpf::attach(leaf.get(), loaded.get(), BPF_CGROUP_DEVICE, replaced);
}

} // namespace

Result<DeviceProgram> compile_device_rules(const std::vector<spec::DeviceRule>& rules) {
    Assembler code;
    code.load(BPF_REG_2, offsetof(bpf_cgroup_dev_ctx, access_type));
    code.copy(BPF_REG_3, BPF_REG_2);
    code.calculate(BPF_AND, BPF_REG_2, 0xffff);
    code.calculate(BPF_RSH, BPF_REG_3, 16);
    code.load(BPF_REG_4, offsetof(bpf_cgroup_dev_ctx, major));
    code.load(BPF_REG_5, offsetof(bpf_cgroup_dev_ctx, minor));
    if (std::ranges::any_of(rules, [](const auto& rule) { return rule.major && rule.minor; })) {
        code.copy(BPF_REG_6, BPF_REG_4);
        code.shift_left(BPF_REG_6, 32);
        code.add(BPF_REG_6, BPF_REG_5);
    }
    std::vector<const spec::DeviceRule*> last_first;
    for (const spec::DeviceRule& rule : std::views::reverse(rules))
        if (!rule.access.empty()) // else it is about nothing
            last_first.push_back(&rule);
    std::span<const spec::DeviceRule* const> rest = last_first;
    while (!rest.empty()) {
        char type = rest.front()->type;
        if (type != 'a' && type != 'b' && type != 'c')
            return sys::wrong(std::string("\"") + type + "\" is no type of device: use a, b or c");
        auto end = std::ranges::find_if(
            rest, [type](const spec::DeviceRule* rule) { return rule->type != type; });
        auto run = rest.first(static_cast<std::size_t>(end - rest.begin()));
        rest = rest.subspan(run.size());
        Jumps past;
        if (type != 'a')
            code.jump_if(past, BPF_JNE, BPF_REG_2,
                         type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        bool all = TRY(add_run(code, run));
        if (all && past.empty()) // those before it have no say
            return code.finish();
        code.land(past);
    }
    code.give(0);
    return code.finish();
}

Result<bool> filter_devices(const Fd& leaf, const std::vector<spec::DeviceRule>& rules,
                            spec::Naming naming, bool may_be_refused) {
    auto named = [&](Error error) {
        error.detail =
            cgroup::kDevices.in(naming) +
            (error.detail.empty() ? std::string(": can't be enforced") : ": " + error.detail);
        return std::unexpected(std::move(error));
    };
    auto program = compile_device_rules(rules);
    if (!program)
        return named(std::move(program).error());
    auto done = attach_filter(leaf, *program);
    if (done)
        return true;
    Error error = std::move(done).error();
    bool refused = error.code == EPERM || error.code == EACCES;
    if (refused && may_be_refused)
        return false;
    if (refused)
        error.hint = "it takes CAP_BPF and CAP_NET_ADMIN, and no filter above the leaf that "
                     "forbids more of them";
    else if (error.code == EINVAL || error.code == ENOSYS)
        error.hint = "boot a kernel with CONFIG_CGROUP_BPF, 5.6 or later";
    return named(std::move(error));
}

} // namespace stages
