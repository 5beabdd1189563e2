// The name is given with the move: a device is never seen inside under another.
#include "stages/net_devices.hpp"

#include "sys/netlink.hpp"

#include <cerrno>
#include <set>
#include <string>

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

Result<void> move_devices(const Launch& launch) {
    if (launch.spec.net_devices.empty())
        return {};
    // The child joins one that is there only after this.
    std::string path = "/proc/" + std::to_string(launch.child) + "/ns/net";
    for (const spec::Join& join : launch.spec.joins)
        if (join.stage == spec::Stage::net)
            path = join.path;
    Fd netns = TRY(sys::openat(AT_FDCWD, path, O_RDONLY));
    for (const spec::NetDevice& device : launch.spec.net_devices) {
        unsigned index = TRY(sys::link_index(device.name));
        TRY(hint(sys::move_link(index, netns.get(), name_inside(device)),
                 [&](const Error& error) -> std::string {
                     return error.code == EPERM
                                ? "only root of this machine can give its devices away"
                                : "";
                 }));
    }
    return {};
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
