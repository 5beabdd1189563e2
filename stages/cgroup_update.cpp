// Other limits for a container that runs: all of them, or none.
#include "stages/cgroup_causes.hpp"
#include "stages/cgroup_limits.hpp"
#include "stages/cgroup_ops.hpp"
#include "stages/cgroup_place.hpp"
#include "stages/cgroup_unit.hpp"
#include "stages/device_filter.hpp"
#include "sys/path.hpp"

namespace stages::cgroup {

namespace {

/// The controllers that the leaf has not had so far, handed down from the root.
Result<void> hand_down(const std::string& leaf, const std::vector<Limit>& limits,
                       spec::Naming naming) {
    std::string have = TRY(sys::read_file(sys::join(leaf, "cgroup.controllers")));
    std::vector<Limit> missing = limits;
    // No limit is what it has had without the controller.
    std::erase_if(missing, [&](const Limit& limit) {
        return limit.usual || has_word(have, limit.controller);
    });
    if (missing.empty())
        return {};
    Hierarchy hierarchy = TRY(find_hierarchy());
    TRY(check_root(hierarchy, missing, naming));
    for (std::size_t end = hierarchy.root.size(); end < leaf.size();
         end = std::min(leaf.find('/', end + 1), leaf.size()))
        if (auto obstacle = enable(leaf.substr(0, end), missing))
            return std::unexpected(unenforceable(
                naming, missing, why_no_place(hierarchy, {std::move(*obstacle)}, std::nullopt)));
    return {};
}

/// Of a limit that two properties, or two fields, make up together, one alone may be asked for:
/// what is in force by now is whole.
Result<void> tell_systemd(const std::string& unit, const Fd& leaf, spec::Resources wanted) {
    auto whole = [&](bool asked, const char* file) {
        if (auto text = asked ? sys::read_file(leaf.get(), file) : ""; text && !text->empty())
            wanted.unified.emplace_back(file, text->substr(0, text->find('\n')));
    };
    whole(wanted.cpu_quota || wanted.cpu_period, "cpu.max");
    whole(wanted.memory_swap.has_value(), "memory.swap.max");
    Systemd::Properties properties = TRY(properties_of(wanted));
    Systemd systemd = TRY(Systemd::connect());
    if (!properties.empty())
        TRY(systemd.set_properties(unit, properties));
    tell_idle(systemd, unit, wanted);
    return {};
}

} // namespace

Result<void> update(const std::string& leaf, const Change& change) {
    const spec::Resources& wanted = change.resources;
    Fd directory = TRY(sys::openat(AT_FDCWD, leaf, O_RDONLY | O_DIRECTORY));
    TRY(hand_down(leaf, limits_of(wanted, change.naming), change.naming));
    LimitFiles files(directory, leaf, change.naming, change.say, Remember::previous);
    auto done = [&]() -> Result<void> {
        TRY(files.write(wanted));
        if (!change.unit.empty() && wanted.any()) {
            TRY(tell_systemd(change.unit, directory, wanted));
            // It rounds some of them, and has written them just now.
            TRY(LimitFiles(directory, leaf, change.naming, {}, Remember::nothing).write(wanted));
        }
        // Who couldn't be given a filter before has none that would have to change.
        if (!wanted.devices.empty())
            (void)TRY(filter_devices(directory, wanted.devices, change.naming, rootless()));
        return {};
    }();
    if (!done)
        files.restore();
    return done;
}

} // namespace stages::cgroup
