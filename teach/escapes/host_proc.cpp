// host-proc: what runs on the host, from its /proc.
//
// /proc shows the processes of the PID namespace that it was mounted in. A new one in a new
// namespace has nothing of the host; the host's own, still in reach, has everything.
#include "sys/path.hpp"
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> host_proc(const Prey&) {
    sys::Fd proc = TRY(sys::openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY));
    std::string names;
    int count = 0;
    for (const sys::Entry& entry : TRY(sys::entries(proc.get()))) {
        if (entry.name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        ++count;
        std::string name = sys::read_file(proc.get(), entry.name + "/comm").value_or("");
        if (name.starts_with("lab"))
            names += " " + name.substr(0, name.find('\n'));
    }
    if (names.empty())
        return sys::wrong("/proc shows " + std::to_string(count) +
                          (count == 1 ? " process" : " processes") + ", and none of the host's");
    return "/proc shows the host's processes:" + names;
}

} // namespace teach
