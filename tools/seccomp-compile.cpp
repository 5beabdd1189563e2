// Build step: compiles the default seccomp profile, so that no container's start has to.
//
//   seccomp-compile ARCH PROFILE.json FILTER.inc PROFILE.inc
//
// ARCH is the machine that the product is for (amd64, arm64, …), which need not be this one.
// FILTER.inc gets the filter for the default capabilities, PROFILE.inc the profile without its
// comments, from which the product compiles filters for other capabilities.
#include "spec/spec.hpp"
#include "stages/seccomp_compile.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>

namespace {

using nlohmann::json;
using sys::Result;
namespace seccomp = stages::seccomp;

// The oldest kernel that the product runs on, so that what the profile asks for is there.
constexpr seccomp::KernelVersion kOldest{5, 12};

std::string hex(const seccomp::Bpf& filter) {
    std::string out;
    for (std::uint64_t instruction : filter) {
        char text[24];
        (void)snprintf(text, sizeof text, "%#018llx,\n", // can't fail: 22 bytes
                       static_cast<unsigned long long>(instruction));
        out += text;
    }
    return out;
}

std::string without_comments(const std::string& profile) {
    json root = json::parse(profile);
    root.erase("comment");
    for (json& rule : root["syscalls"])
        rule.erase("comment");
    return "R\"json(" + root.dump() + ")json\"\n";
}

Result<void> write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    if (!file)
        return sys::wrong("\"" + path + "\" can't be written");
    return {};
}

Result<void> run(const std::string& arch, const std::string& profile_path,
                 const std::string& filter_path, const std::string& text_path) {
    std::uint32_t token = seccomp::arch_named(arch);
    if (token == 0)
        return sys::wrong("\"" + arch + "\" is not an architecture that libseccomp knows");
    std::string text = TRY(sys::read_file(profile_path));
    seccomp::Profile profile = TRY(seccomp::parse_profile(
        text, {.arch = token, .kernel = kOldest, .capabilities = spec::default_capabilities()}));
    seccomp::Bpf filter = TRY(seccomp::compile(profile));
    TRY(write(filter_path, hex(filter)));
    return write(text_path, without_comments(text));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        (void)fputs("usage: seccomp-compile ARCH PROFILE.json FILTER.inc PROFILE.inc\n", stderr);
        return 2;
    }
    auto done = run(argv[1], argv[2], argv[3], argv[4]);
    if (done)
        return 0;
    (void)fprintf(stderr, "seccomp-compile: %s: %s\n", argv[2], sys::to_line(done.error()).c_str());
    return 1;
}
