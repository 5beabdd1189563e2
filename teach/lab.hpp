// `gocontainer lab`: real escapes, tried on containers that lack a stage.
//
//   lab escape NAME [--without STAGE]…   one of them: SAFE or RISK, with the evidence
//   lab escape --list
//   lab gauntlet [--svg FILE] [--json]   all of them, with each stage left out in turn
//
// What they reach for is the lab's own, made for each attempt and gone after it.
#pragma once

#include "spec/spec.hpp"
#include "teach/doctor.hpp"
#include "teach/escapes/escapes.hpp"

#include <string>
#include <vector>

namespace teach {

/// How a container is weakened for an attempt.
struct Weakness {
    std::string name; ///< "" for none; else what is left out: "pid", "user,pid"
    spec::StageSet without;
    bool chroot = false; ///< the root stage by chroot instead of pivot_root
    bool umount = false; ///< its pivot_root is done without the umount that belongs behind it
    bool bare = false;   ///< no container at all, on a host of the lab's own (lab_attempt.cpp)
};

enum class Outcome : std::uint8_t { safe, risk, not_run };
const char* name_of(Outcome outcome);
struct Attempt {
    Outcome outcome = Outcome::not_run;
    std::string evidence;
};
/// One for each weakness, at the same time. `pids_limited`: this host can limit processes.
std::vector<Attempt> attempts(const Escape& escape, const std::vector<Weakness>& weaknesses,
                              bool pids_limited);

struct Row {
    const Escape* escape;
    std::vector<Attempt> cells; ///< one for each weakness
};
struct Gauntlet {
    std::vector<Weakness> weaknesses; ///< the first is none
    std::vector<Row> rows;
};
Gauntlet run_gauntlet();
std::string to_text(const Gauntlet& gauntlet, bool plain);
std::string to_json(const Gauntlet& gauntlet);
std::string to_svg(const Gauntlet& gauntlet);

/// Status 1: with nothing left out, something is a RISK; for `escape`, it is one.
sys::Result<Answer> lab(const std::vector<std::string>& args);

/// Inside, as the container's command: `gocontainer escape NAME KEY=VALUE…`. What it prints is for
/// the lab.
Answer escape_main(const std::vector<std::string>& args);
/// In the place of the root stage (run/replace.hpp), by a script of one line that names us:
/// `gocontainer pivot-no-umount SCRIPT ARGS…`. It only returns why it could not go on.
std::string pivot_main(const std::vector<std::string>& args);

} // namespace teach
