// Where the child stops on its way: before it leaves the host's tree, for the runtime's hooks, at
// the gate, between `create` and `start`, and before a filter that needs somebody who answers.
//
//   child                                             create                  start
//     │ everything is mounted                           .
//     │ mounted ────────────────────────────────────►   │ prestart, createRuntime hooks
//     │   ◄──────────────────────────────── proceed     │
//     │ createContainer hooks, pivot_root, …            │
//     │ ready ──────────────────────────────────────►   │ "created", and it ends
//     │ accept() on the gate, a socket in the state directory
//     │   ◄──────────────────────────────────────────────────── connect ────   │
//     │ startContainer hooks, the filter, execve                               │
//     │ failed or EOF ─────────────────────────────────────────────────────►   │ poststart hooks
#pragma once

#include "spec/spec.hpp"
#include "stages/facts.hpp"
#include "sys/kernel.hpp"

namespace run {

/// Before the host's tree is left. `socket` is the parent's.
sys::Result<void> meet_runtime(const spec::Spec& spec, const stages::Facts& facts,
                               const sys::Fd& socket);

/// Before what restricts most. Where there is a gate, `socket` is from then on who came through it,
/// under the same number.
sys::Result<void> pass_gate(const spec::Spec& spec, const stages::Facts& facts,
                            const sys::Fd& socket, sys::Fd gate);

/// Before a filter that notifies somebody: they must be there. Under it we couldn't wait for that.
sys::Result<void> meet_listener(const stages::Facts& facts, const sys::Fd& socket);

} // namespace run
