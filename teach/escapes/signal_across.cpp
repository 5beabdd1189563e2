// signal-across: a signal to one's own process group, of which a part is outside.
//
// kill(0) asks for no number: it goes to the whole group, across PID namespaces. A container that
// stays in its launcher's group can end that, and the shell's pipeline around it. The launcher's
// child begins a session of its own, and so a group.
#include "teach/escapes/escapes.hpp"

namespace teach {

sys::Result<std::string> signal_across(const Prey&) {
    TRY(sys::kill(0, SIGUSR1)); // which the lab, and so we, have blocked
    return std::string("kill(0, SIGUSR1) went through");
}

} // namespace teach
