// What a learner has written, GOCONTAINER_MINE, as the tests of this suite start it. They are run
// by `gocontainer lab check`; those of the lessons whose exercise is a stage are tests/stage/.
#pragma once

#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

namespace exercise {

using namespace support;

/// Its path.
std::string mine();
/// Its path and its arguments.
Strings mine(const Strings& arguments);
/// `first` and all of `rest`.
Strings joined(Strings first, const Strings& rest);

/// A process in new namespaces, CLONE_NEW*, that does nothing: `cat`. Without a map in a user
/// namespace. nullptr: this machine doesn't let us.
std::unique_ptr<Process> idle_in(int namespaces);
/// Of `pid`'s descendants, the one that runs exactly `command`; -1: there is none.
pid_t running(pid_t pid, const Strings& command);

} // namespace exercise
