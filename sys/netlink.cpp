// One socket a request: nothing of ours talks to the kernel so often that it would matter.
#include "sys/netlink.hpp"

#include "sys/kernel.hpp"
#include "sys/seam.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sys {

namespace {

/// One request, put together in place.
class Request {
public:
    template <class Body>
    Request(std::uint16_t type, unsigned flags, const Body& body) {
        bytes_.resize(NLMSG_LENGTH(sizeof body));
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header.nlmsg_seq = 1;
        memcpy(bytes_.data(), &header, sizeof header);
        memcpy(bytes_.data() + NLMSG_HDRLEN, &body, sizeof body);
    }
    void add(std::uint16_t type, std::string_view value) {
        std::size_t at = NLMSG_ALIGN(bytes_.size());
        bytes_.resize(at + RTA_LENGTH(value.size()));
        rtattr attribute{};
        attribute.rta_type = type;
        attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size()));
        memcpy(bytes_.data() + at, &attribute, sizeof attribute);
        memcpy(bytes_.data() + at + RTA_LENGTH(0), value.data(), value.size());
    }
    std::string_view bytes() {
        auto length = static_cast<std::uint32_t>(bytes_.size());
        memcpy(bytes_.data(), &length, sizeof length); // nlmsg_len comes first
        return {bytes_.data(), bytes_.size()};
    }

private:
    std::vector<char> bytes_;
};

/// Send, and `visit` each answer until the last. What the kernel refuses has `what` as its call.
Result<void> talk(Request request, const std::string& what, auto visit) {
    Fd socket = TRY(sys::socket(AF_NETLINK, SOCK_RAW));
    TRY(send(socket.get(), request.bytes()));
    alignas(nlmsghdr) std::array<char, 1 << 15> buffer;
    for (;;) {
        std::size_t got = TRY(read(socket.get(), buffer));
        auto left = static_cast<unsigned>(got);
        for (auto* at = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(at, left);
             at = NLMSG_NEXT(at, left)) {
            if (at->nlmsg_type == NLMSG_DONE)
                return {};
            if (at->nlmsg_type != NLMSG_ERROR) {
                visit(*at);
                continue;
            }
            int code = -static_cast<const nlmsgerr*>(NLMSG_DATA(at))->error;
            if (code == 0)
                return {};
            return detail::failed(what, code);
        }
        if (got == 0)
            return wrong("the kernel does not answer over netlink");
    }
}

std::string operational_state(unsigned number) {
    constexpr const char* kStates[] = {"unknown", "notpresent", "down", "lowerlayerdown",
                                       "testing", "dormant",    "up"}; // linux/if.h, IF_OPER_*
    return number < std::size(kStates) ? kStates[number] : std::to_string(number);
}

/// `visit(type, value)` each attribute that follows a message's fixed part.
void attributes(const rtattr* at, std::size_t length, auto visit) {
    auto left = static_cast<unsigned>(length);
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
        visit(at->rta_type & NLA_TYPE_MASK,
              std::string_view(static_cast<const char*>(RTA_DATA(at)), RTA_PAYLOAD(at)));
}

/// A name that the kernel has closed with a zero.
std::string text_of(std::string_view value) {
    return std::string(value.substr(0, value.find('\0')));
}

std::string colons(std::string_view bytes) {
    std::string out;
    for (char byte : bytes) {
        out += out.empty() ? "" : ":";
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
        out += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
    }
    return out;
}

Link read_link(const nlmsghdr& message) {
    const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
    Link out;
    out.index = static_cast<unsigned>(info->ifi_index);
    out.flags = info->ifi_flags;
    attributes(IFLA_RTA(info), IFLA_PAYLOAD(&message), [&](int type, std::string_view value) {
        if (type == IFLA_IFNAME)
            out.name = text_of(value);
        else if (type == IFLA_ADDRESS && info->ifi_type == ARPHRD_ETHER)
            out.mac = colons(value);
        else if (type == IFLA_MTU && value.size() == sizeof out.mtu)
            memcpy(&out.mtu, value.data(), sizeof out.mtu);
        else if (type == IFLA_OPERSTATE && !value.empty())
            out.state = operational_state(static_cast<unsigned char>(value.front()));
        else if (type == IFLA_LINKINFO)
            attributes(reinterpret_cast<const rtattr*>(value.data()), value.size(),
                       [&](int inner, std::string_view kind) {
                           if (inner == IFLA_INFO_KIND)
                               out.kind = text_of(kind);
                       });
    });
    return out;
}

/// "10.0.2.100/24" of an RTM_NEWADDR, or "".
std::string read_address(const nlmsghdr& message) {
    const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
    std::string_view local;
    attributes(IFA_RTA(info), IFA_PAYLOAD(&message), [&](int type, std::string_view value) {
        if (type == IFA_LOCAL || (type == IFA_ADDRESS && local.empty()))
            local = value;
    });
    std::size_t size = info->ifa_family == AF_INET ? 4 : info->ifa_family == AF_INET6 ? 16 : 0;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (size == 0 || local.size() != size ||
        inet_ntop(info->ifa_family, local.data(), text.data(), text.size()) == nullptr)
        return {};
    return std::string(text.data()) + "/" + std::to_string(info->ifa_prefixlen);
}

int hex(char digit) {
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

} // namespace

Result<std::vector<Link>> links() {
    std::vector<Link> out;
    TRY(talk(Request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}), "netlink(RTM_GETLINK)",
             [&](const nlmsghdr& message) {
                 if (message.nlmsg_type == RTM_NEWLINK)
                     out.push_back(read_link(message));
             }));
    TRY(talk(Request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), "netlink(RTM_GETADDR)",
             [&](const nlmsghdr& message) {
                 if (message.nlmsg_type != RTM_NEWADDR)
                     return;
                 unsigned index = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message))->ifa_index;
                 std::string address = read_address(message);
                 for (Link& link : out)
                     if (link.index == index && !address.empty())
                         link.addresses.push_back(address);
             }));
    return out;
}

Result<unsigned> link_index(const std::string& name) {
    return static_cast<unsigned>(TRY(invoke(
        "if_nametoindex",
        [&] {
            unsigned index = ::if_nametoindex(name.c_str());
            return index == 0 ? -1 : static_cast<long>(index);
        },
        name)));
}

Result<std::vector<LinkAddress>> link_addresses(unsigned index) {
    std::vector<LinkAddress> out;
    auto visit = [&](const nlmsghdr& message) {
        const auto* address = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
        if (message.nlmsg_type != RTM_NEWADDR || address->ifa_index != index ||
            address->ifa_scope != RT_SCOPE_UNIVERSE || (address->ifa_flags & IFA_F_PERMANENT) == 0)
            return;
        std::string_view local;
        auto left = static_cast<unsigned>(IFA_PAYLOAD(&message));
        for (const auto* at = IFA_RTA(address); RTA_OK(at, left); at = RTA_NEXT(at, left))
            if (at->rta_type == IFA_LOCAL || (at->rta_type == IFA_ADDRESS && local.empty()))
                local = {static_cast<const char*>(RTA_DATA(at)), RTA_PAYLOAD(at)};
        LinkAddress text = std::to_string(address->ifa_family) + " " +
                           std::to_string(address->ifa_prefixlen) + " ";
        for (char byte : local) {
            text += "0123456789abcdef"[static_cast<unsigned char>(byte) >> 4];
            text += "0123456789abcdef"[static_cast<unsigned char>(byte) & 15];
        }
        out.push_back(std::move(text));
    };
    TRY(talk(Request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), "netlink(RTM_GETADDR)", visit));
    return out;
}

Result<void> add_address(unsigned index, const LinkAddress& address) {
    std::size_t first = address.find(' ');
    std::size_t second = address.find(' ', first + 1);
    if (second == std::string::npos)
        return wrong("\"" + address + "\" is not an address");
    ifaddrmsg body{};
    body.ifa_family = static_cast<std::uint8_t>(std::stoul(address));
    body.ifa_prefixlen = static_cast<std::uint8_t>(std::stoul(address.substr(first + 1)));
    body.ifa_scope = RT_SCOPE_UNIVERSE;
    body.ifa_index = index;
    std::string bytes;
    for (std::size_t i = second + 1; i + 1 < address.size(); i += 2)
        bytes += static_cast<char>(hex(address[i]) << 4 | hex(address[i + 1]));
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body);
    request.add(IFA_LOCAL, bytes);
    request.add(IFA_ADDRESS, bytes);
    return talk(std::move(request), "netlink(RTM_NEWADDR, " + show(address) + ")",
                [](const nlmsghdr&) {});
}

Result<void> move_link(unsigned index, int netns, const std::string& name) {
    ifinfomsg body{};
    body.ifi_index = static_cast<int>(index);
    Request request(RTM_NEWLINK, NLM_F_ACK, body);
    std::uint32_t number = static_cast<std::uint32_t>(netns);
    request.add(IFLA_NET_NS_FD, {reinterpret_cast<const char*>(&number), sizeof number});
    request.add(IFLA_IFNAME, std::string_view(name.c_str(), name.size() + 1));
    return talk(std::move(request), "netlink(RTM_NEWLINK, IFLA_NET_NS_FD, " + show(name) + ")",
                [](const nlmsghdr&) {});
}

} // namespace sys
