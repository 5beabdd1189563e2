// The name is given with the move: a device is never seen inside under another.
#include "stages/net_devices.hpp"

#include "sys/netlink.hpp"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <utility>

namespace stages::net {

namespace {

const std::string& name_inside(const spec::NetDevice& device) {
    return device.rename.empty() ? device.name : device.rename;
}

} // namespace

Result<void> note_devices(Launch& launch) {
    // Said before anything is moved: older kernels (6.1) move a device whose new name is taken, and
    // only then refuse, so that it would end with the container.
    std::set<std::string> inside{"lo"};
    for (const spec::NetDevice& device : launch.spec.net_devices) {
        if (!inside.insert(name_inside(device)).second)
            return sys::wrong("linux.netDevices: the container has a device \"" +
                              name_inside(device) + "\" already");
        unsigned index = TRY(hint(sys::link_index(device.name), [&](const Error&) {
            return "linux.netDevices: this machine has no device \"" + device.name + "\"";
        }));
        launch.facts.device_addresses.push_back(TRY(sys::link_addresses(index)));
    }
    return {};
}

Result<void> move_devices(Launch& launch) {
    if (launch.spec.net_devices.empty())
        return {};
    // The child joins one that is there only after this.
    std::string path = "/proc/" + std::to_string(launch.child) + "/ns/net";
    for (const spec::Join& join : launch.spec.joins)
        if (join.stage == spec::Stage::net)
            path = join.path;
    launch.devices_netns = TRY(sys::openat(AT_FDCWD, path, O_RDONLY));
    std::vector<sys::Link> links = TRY(sys::links());
    for (const spec::NetDevice& device : launch.spec.net_devices) {
        unsigned index = TRY(sys::link_index(device.name));
        auto link = std::ranges::find(links, index, &sys::Link::index);
        TRY(hint(sys::move_link(index, launch.devices_netns.get(), name_inside(device)),
                 [&](const Error& error) -> std::string {
                     return error.code == EPERM
                                ? "only root of this machine can give its devices away"
                                : "";
                 }));
        launch.devices_up.push_back(link != links.end() && (link->flags & IFF_UP) != 0);
    }
    return {};
}

// The child is gone, and its namespace held by us alone: with that, a device without hardware would
// end, and one with it come back by its new name. What can't be put back is no worse than before.
void take_back_devices(Launch& launch) {
    std::vector<bool> up = std::exchange(launch.devices_up, {});
    Fd there = std::exchange(launch.devices_netns, Fd());
    auto home = sys::openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY);
    if (up.empty() || !home || !sys::setns(there.get(), CLONE_NEWNET))
        return;
    const auto& devices = launch.spec.net_devices;
    for (std::size_t i = 0; i < up.size(); ++i)
        if (auto index = sys::link_index(name_inside(devices[i])))
            (void)sys::move_link(*index, home->get(), devices[i].name);
    (void)sys::setns(home->get(), CLONE_NEWNET); // our own: can't fail
    for (std::size_t i = 0; i < up.size(); ++i) {
        auto index = sys::link_index(devices[i].name);
        for (const std::string& address : launch.facts.device_addresses.at(i))
            if (index)
                (void)sys::add_address(*index, address);
        if (index && up[i])
            (void)sys::link_up(devices[i].name);
    }
}

Result<void> take_devices(const Inside& inside) {
    const auto& devices = inside.spec.net_devices;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const std::string& name = name_inside(devices[i]);
        unsigned index = TRY(sys::link_index(name));
        for (const std::string& address : inside.facts.device_addresses.at(i))
            TRY(sys::add_address(index, address));
        TRY(sys::link_up(name));
    }
    return {};
}

} // namespace stages::net
