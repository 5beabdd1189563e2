// raw-socket: a packet on the host's network that no program without privileges could send.
//
// A raw socket writes its own headers, so it can claim to be anybody: here, port 1. Container root
// has CAP_NET_RAW; but what that is good for is the network namespace of the container alone.
#include "sys/reach.hpp"
#include "teach/escapes/escapes.hpp"

#include <netinet/in.h>

namespace teach {

sys::Result<std::string> raw_socket(const Prey& prey) {
    sys::Fd raw = TRY(sys::socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
    std::string text = "from port 1";
    auto size = static_cast<std::uint16_t>(8 + text.size());
    std::string packet;
    for (std::uint16_t number : {std::uint16_t{1}, prey.port, size, std::uint16_t{0}}) {
        packet += static_cast<char>(number >> 8U); // the header: from, to, length, no checksum
        packet += static_cast<char>(number & 0xffU);
    }
    TRY(sys::send_to_loopback(raw.get(), packet + text));
    return "sent as port 1 to 127.0.0.1:" + std::to_string(prey.port);
}

} // namespace teach
