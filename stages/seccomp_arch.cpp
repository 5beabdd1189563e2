// Names of architectures: the profile's, Docker's, dpkg's.
#include "stages/seccomp_arch.hpp"

namespace stages::seccomp {

namespace {

constexpr ArchName kArches[] = {
    {"X86_64", "amd64"},
    {"X86", "x86"},
    {"X32", "x32"},
    {"AARCH64", "arm64"},
    {"ARM", "arm"},
    {"RISCV64", "riscv64"},
    {"S390X", "s390x"},
    {"S390", "s390"},
    {"PPC64LE", "ppc64le"},
    {"PPC64", "ppc64"},
    {"PPC", "ppc"},
    {"LOONGARCH64", "loongarch64"},
    {"MIPS", "mips"},
    {"MIPSEL", "mipsel"},
    {"MIPS64", "mips64"},
    {"MIPSEL64", "mipsel64"},
    {"MIPS64N32", "mips64n32"},
    {"MIPSEL64N32", "mips3l64n32"},
    {"PARISC", "parisc"},
    {"PARISC64", "parisc64"},
};

} // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

std::span<const ArchName> arch_names() {
    return kArches;
}

// libseccomp spells "X86_64" as "x86_64".
std::uint32_t token(const ArchName& arch) {
    return seccomp_arch_resolve_name(lower(arch.scmp).c_str());
}

std::uint32_t arch_named(const std::string& name) {
    constexpr ArchName kOther[] = {{"X86", "i386"}, {"ARM", "armhf"}, {"PPC64LE", "ppc64el"}};
    for (std::span<const ArchName> names : {std::span<const ArchName>(kArches), {kOther}})
        for (const ArchName& arch : names)
            if (name == arch.docker)
                return token(arch);
    return seccomp_arch_resolve_name(name.c_str());
}

} // namespace stages::seccomp
