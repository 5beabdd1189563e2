// abstract-socket: to a program of the host's, by a name that is in no file system.
//
// Abstract names of UNIX sockets belong to the network namespace (unix(7)): pivot_root hides no X
// server or D-Bus that listens at one (CVE-2020-15257), a network namespace does.
#include "sys/reach.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> abstract_socket(const Prey& prey) {
    sys::Fd socket = TRY(sys::socket(AF_UNIX, SOCK_STREAM));
    TRY(sys::connect_abstract(socket.get(), prey.socket));
    return "connected to @" + prey.socket;
}

} // namespace teach
