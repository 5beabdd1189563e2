// The namespaces of the child against its parent's.
#include "run/guard.hpp"

#include "stages/causes.hpp"
#include "stages/stages.hpp"
#include "sys/namespaces.hpp"

#include <array>
#include <span>

namespace run {

using sys::Error;
using sys::Result;

namespace {

/// What is joined, or unshared by the stage itself, is not made by the clone.
bool made(const stages::Stage& stage, const spec::Spec& spec) {
    return stage.ns != nullptr && (stages::clone_flags(spec) & stage.clone_flag) != 0;
}

} // namespace

// "uts:[4026531838]". The link is read, not followed: that would make an inode for each. By one
// look at the directory, for all of them: procfs makes what it shows of a process anew for each
// path that leads to it.
Result<std::vector<std::string>> namespaces_for(const spec::Spec& spec) {
    sys::Fd directory = TRY(
        stages::hint(sys::openat(AT_FDCWD, "/proc/self/ns", O_PATH | O_DIRECTORY),
                     [](const Error& error) { return stages::causes::missing_proc(error.code); }));
    std::vector<std::string> texts;
    for (const stages::Stage& stage : stages::table())
        if (made(stage, spec))
            texts.push_back(TRY(sys::readlinkat(directory.get(), stage.ns)));
    return texts;
}

bool surely_elsewhere(const spec::Spec& spec, const std::vector<std::string>& parents) {
    std::array<const char*, 8> names{};
    std::array<sys::NamespaceText, names.size()> texts{};
    std::size_t count = 0;
    for (const stages::Stage& stage : stages::table())
        if (made(stage, spec))
            names.at(count++) = stage.ns;
    if (count != parents.size())
        return false;
    sys::namespace_texts(std::span(names).first(count), texts);
    for (std::size_t i = 0; i < count; ++i)
        if (texts.at(i).front() == '\0' || parents[i] == texts.at(i).data())
            return false;
    return true;
}

Result<void> check_namespaces(const spec::Spec& spec, const std::vector<std::string>& parents) {
    std::vector<std::string> ours = TRY(namespaces_for(spec));
    std::size_t at = 0;
    for (const stages::Stage& stage : stages::table()) {
        if (!made(stage, spec))
            continue;
        bool elsewhere = at < parents.size() && ours[at] != parents[at];
        ++at;
        if (!elsewhere)
            return std::unexpected(Error{.stage = std::string(name_of(stage.id)),
                                         .call = {},
                                         .detail = std::string("still in the host's ") + stage.ns +
                                                   " namespace, so nothing was done",
                                         .hint = {}});
    }
    return {};
}

} // namespace run
