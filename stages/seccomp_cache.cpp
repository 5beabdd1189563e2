// A file a profile: flags, the key's length, whether it may silence, the program's length, the key,
// the program.
#include "stages/seccomp_cache.hpp"

#include "sys/local.hpp"
#include "sys/path.hpp"

#include <array>
#include <cstring>
#include <optional>

namespace stages::seccomp {

namespace {

struct Header {
    std::uint32_t flags;
    std::uint32_t key_size;
    std::uint32_t may_silence;
    std::uint32_t program_size; ///< a machine that lost its power may have kept less
};

constexpr std::size_t kMost = std::size_t{4} << 20;

/// FNV-1a, 64 bits: a name, not a proof.
std::string name_of(const std::string& key) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (char c : key)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4)
        out += digits[hash >> shift & 15];
    return out;
}

} // namespace

std::optional<Cached> cached(const std::string& directory, const std::string& key) {
    auto folder = sys::openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return std::nullopt;
    auto owner = sys::fstat(folder->get());
    if (!owner || owner->st_uid != sys::geteuid() || (owner->st_mode & 022) != 0)
        return std::nullopt;
    auto text = sys::read_file(folder->get(), name_of(key), kMost);
    Header header{};
    if (!text || text->size() < sizeof header)
        return std::nullopt;
    memcpy(&header, text->data(), sizeof header);
    std::size_t start = sizeof header + header.key_size;
    if (header.program_size == 0 || text->size() != start + header.program_size ||
        header.key_size != key.size() || text->compare(sizeof header, key.size(), key) != 0)
        return std::nullopt;
    return Cached{text->substr(start), header.flags, header.may_silence != 0};
}

void keep(const std::string& directory, const std::string& key, const Cached& filter) {
    (void)sys::mkdirat(AT_FDCWD, directory, 0700); // there already, most often
    auto folder = sys::openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return;
    Header header{filter.flags, static_cast<std::uint32_t>(key.size()), filter.may_silence,
                  static_cast<std::uint32_t>(filter.program.size())};
    std::string text(reinterpret_cast<const char*>(&header), sizeof header);
    text += key;
    text += filter.program;
    const std::string name = name_of(key);
    auto kept = sys::new_file(folder->get(), name, text, 0600);
    if (!kept && kept.error().code == EEXIST) { // and is none that cached() would take
        (void)sys::unlinkat(folder->get(), name);
        (void)sys::new_file(folder->get(), name, text, 0600); // see the header
    }
}

} // namespace stages::seccomp
