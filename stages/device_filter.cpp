// From rules to instructions.
//
// The program walks the rules from the last to the first with the accesses that are still
// undecided. A rule that matches decides on those that it names:
//
//     r2 = type, r3 = accesses undecided, r4 = major, r5 = minor
//     for each rule, last first:
//         if r2 != TYPE or r4 != MAJOR or r5 != MINOR: next
//         deny:   if r3 & ACCESS: return 0
//         allow:  r3 &= ~ACCESS; if r3 == 0: return 1
//     return 0
#include "stages/device_filter.hpp"

#include "stages/cgroup_names.hpp"
#include "stages/cgroup_place.hpp"
#include "sys/bpf.hpp"

#include <linux/bpf.h>

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
    /// A jump to where land() is called next.
    void jump_if(int test, int what, std::int32_t value) {
        open_.push_back(code_.size());
        push(BPF_JMP32 | test | BPF_K, what, 0, value);
    }
    void give(std::int32_t verdict) {
        push(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, verdict);
        push(BPF_JMP | BPF_EXIT, 0, 0, 0);
    }
    /// False when nothing leads here: the kernel refuses a program that goes on then.
    bool land() {
        for (std::size_t at : open_)
            code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
        return !std::exchange(open_, {}).empty();
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
    std::vector<Instruction> code_;
    std::vector<std::size_t> open_; ///< jumps that lead to the next land()
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

/// Past what no device of that number matches. Anything negative is any number.
Result<void> match_number(Assembler& code, int what, const std::optional<std::int64_t>& number) {
    if (!number || *number < 0)
        return {};
    if (*number > UINT32_MAX)
        return sys::wrong(std::to_string(*number) + " is no device number: they have 32 bits");
    code.jump_if(BPF_JNE, what, static_cast<std::int32_t>(static_cast<std::uint32_t>(*number)));
    return {};
}

Result<void> add(Assembler& code, const spec::DeviceRule& rule) {
    if (rule.type != 'a' && rule.type != 'b' && rule.type != 'c')
        return sys::wrong(std::string("\"") + rule.type + "\" is no type of device: use a, b or c");
    std::int32_t accesses = TRY(accesses_of(rule));
    if (rule.type != 'a')
        code.jump_if(BPF_JNE, BPF_REG_2,
                     rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    TRY(match_number(code, BPF_REG_4, rule.major));
    TRY(match_number(code, BPF_REG_5, rule.minor));
    if (rule.allow) {
        if (accesses != kEveryAccess) {
            code.calculate(BPF_AND, BPF_REG_3, kEveryAccess & ~accesses);
            code.jump_if(BPF_JNE, BPF_REG_3, 0);
        }
        code.give(1);
    } else {
        if (accesses != kEveryAccess) {
            code.copy(BPF_REG_0, BPF_REG_3);
            code.calculate(BPF_AND, BPF_REG_0, accesses);
            code.jump_if(BPF_JEQ, BPF_REG_0, 0);
        }
        code.give(0);
    }
    return {};
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

Result<void> attach(const Fd& leaf, const DeviceProgram& program) {
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
    for (const spec::DeviceRule& rule : std::views::reverse(rules)) {
        if (rule.access.empty())
            continue; // it is about nothing
        TRY(add(code, rule));
        if (!code.land()) // it was about everything: those before it have no say
            return code.finish();
    }
    code.give(0);
    return code.finish();
}

Result<bool> filter_devices(const Fd& leaf, const std::vector<spec::DeviceRule>& rules,
                            spec::Naming naming) {
    auto named = [&](Error error) {
        error.detail =
            cgroup::kDevices.in(naming) +
            (error.detail.empty() ? std::string(": can't be enforced") : ": " + error.detail);
        return std::unexpected(std::move(error));
    };
    auto program = compile_device_rules(rules);
    if (!program)
        return named(std::move(program).error());
    auto done = attach(leaf, *program);
    if (done)
        return true;
    Error error = std::move(done).error();
    bool refused = error.code == EPERM || error.code == EACCES;
    if (refused && cgroup::rootless())
        return false;
    if (refused)
        error.hint = "it takes CAP_BPF and CAP_NET_ADMIN, and no filter above the leaf that "
                     "forbids more of them";
    else if (error.code == EINVAL || error.code == ENOSYS)
        error.hint = "boot a kernel with CONFIG_CGROUP_BPF, 5.6 or later";
    return named(std::move(error));
}

} // namespace stages
