// linux/bpf.h's union, one command at a time.
#include "sys/bpf.hpp"

#include "sys/seam.hpp"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace sys::bpf {

namespace {

/// All zero but for what is set: the kernel refuses what it doesn't know.
struct Attr {
    bpf_attr attr;
    char room[256];
};

Result<long> call(std::uint32_t command, const char* name, Attr& attr, const std::string& about) {
    return invoke(
        "bpf", [&] { return syscall(SYS_bpf, command, &attr, sizeof attr.attr); }, Shown{name},
        Shown{about});
}

std::uint64_t address(const void* memory) {
    return reinterpret_cast<std::uint64_t>(memory);
}

Attr empty() {
    Attr attr;
    memset(&attr, 0, sizeof attr);
    return attr;
}

} // namespace

Result<Fd> load(std::uint32_t type, std::span<const std::uint64_t> program,
                const std::string& name) {
    Attr attr = empty();
    attr.attr.prog_type = type;
    attr.attr.insn_cnt = static_cast<std::uint32_t>(program.size());
    attr.attr.insns = address(program.data());
    attr.attr.license = address("Dual BSD/GPL");
    (void)name.copy(attr.attr.prog_name, sizeof attr.attr.prog_name - 1);
    return Fd(static_cast<int>(TRY(call(BPF_PROG_LOAD, "BPF_PROG_LOAD", attr,
                                        "[" + std::to_string(program.size()) + " instructions]"))));
}

Result<void> attach(int target, int program, std::uint32_t type, std::optional<int> replaced) {
    Attr attr = empty();
    attr.attr.target_fd = static_cast<std::uint32_t>(target);
    attr.attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attr.attach_type = type;
    attr.attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (replaced) {
        attr.attr.attach_flags |= BPF_F_REPLACE;
        attr.attr.replace_bpf_fd = static_cast<std::uint32_t>(*replaced);
    }
    return done(call(BPF_PROG_ATTACH, "BPF_PROG_ATTACH", attr,
                     replaced ? "BPF_F_ALLOW_MULTI|BPF_F_REPLACE" : "BPF_F_ALLOW_MULTI"));
}

Result<void> detach(int target, int program, std::uint32_t type) {
    Attr attr = empty();
    attr.attr.target_fd = static_cast<std::uint32_t>(target);
    attr.attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
    attr.attr.attach_type = type;
    return done(call(BPF_PROG_DETACH, "BPF_PROG_DETACH", attr, {}));
}

Result<std::vector<std::uint32_t>> attached(int target, std::uint32_t type) {
    std::vector<std::uint32_t> ids(64); // the kernel's BPF_CGROUP_MAX_PROGS: there are no more
    Attr attr = empty();
    attr.attr.query.target_fd = static_cast<std::uint32_t>(target);
    attr.attr.query.attach_type = type;
    attr.attr.query.prog_ids = address(ids.data());
    attr.attr.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
    TRY(call(BPF_PROG_QUERY, "BPF_PROG_QUERY", attr, {}));
    ids.resize(attr.attr.query.prog_cnt);
    return ids;
}

Result<Fd> program_of(std::uint32_t id) {
    Attr attr = empty();
    attr.attr.prog_id = id;
    return Fd(static_cast<int>(
        TRY(call(BPF_PROG_GET_FD_BY_ID, "BPF_PROG_GET_FD_BY_ID", attr, std::to_string(id)))));
}

Result<std::string> name_of(int program) {
    bpf_prog_info info;
    memset(&info, 0, sizeof info);
    Attr attr = empty();
    attr.attr.info.bpf_fd = static_cast<std::uint32_t>(program);
    attr.attr.info.info_len = sizeof info;
    attr.attr.info.info = address(&info);
    TRY(call(BPF_OBJ_GET_INFO_BY_FD, "BPF_OBJ_GET_INFO_BY_FD", attr, {}));
    return std::string(info.name, strnlen(info.name, sizeof info.name));
}

} // namespace sys::bpf
