// Starting processes without a copy of our own memory being made or timed, and reaping all of them.
#pragma once

#include "launch.hpp"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/types.h>

namespace bench {

/// posix_spawn's file actions and attributes, freed with their owner. What it starts has /dev/null
/// as its stdin and no blocked signals.
struct Spawn {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    Spawn();
    ~Spawn();
    Spawn(const Spawn&) = delete;
    Spawn& operator=(const Spawn&) = delete;

    /// The new process has `file` as its descriptor `as`.
    void give(int file, int as);
    Result<pid_t> start(const Argv& argv) const;
};

double now_ms();
double cpu_ms(const rusage& usage);

/// To call before a start whose descendants reap_orphans shall wait for.
void adopt_orphans();

/// Waits for every descendant that outlived its parent, and returns their CPU time in milliseconds:
/// each variant must start on a machine that the one before it has left.
Result<double> reap_orphans(const Argv& argv);

std::string line_of(const Argv& argv);

} // namespace bench
