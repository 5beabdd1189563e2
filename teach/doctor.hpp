// `gocontainer doctor`: what this machine can do, found by doing it, and what to do about the rest.
//
//   works    all of it
//   limited  the stage or lesson does its work, but for what is named
//   blocked  it does not
//
// Nothing is applied, and nothing stays: every try is made in a child that is thrown away.
#pragma once

#include "teach/doctor_host.hpp"
#include "teach/doctor_probe.hpp"

#include <span>
#include <string>
#include <vector>

namespace teach {

enum class Verdict : std::uint8_t { works, limited, blocked };
const char* name_of(Verdict verdict);

/// What one stage or lesson needs of the probes, by their names.
struct Needs {
    const char* name;
    std::vector<const char*> needs; ///< blocked without one of these
    std::vector<const char*> wants; ///< limited without one of these
    std::vector<const char*> any;   ///< blocked without all of these
};
const std::vector<Needs>& stage_needs();
const std::vector<Needs>& lesson_needs();

struct Judgement {
    std::string name;
    Verdict verdict = Verdict::works;
    std::vector<const Finding*> failed; ///< of what it needs or wants
};
std::vector<Judgement> judge(const std::vector<Needs>& all, const std::vector<Finding>& findings);

struct Diagnosis {
    Host host;
    std::vector<Finding> findings;
    std::vector<Judgement> stages;
    std::vector<Judgement> lessons;
    Verdict verdict = Verdict::works; ///< the worst of them
    /// Each cause of what is not as it should be, once.
    std::vector<stages::causes::Cause> causes() const;
};
Diagnosis diagnose();

std::string to_text(const Diagnosis& diagnosis, bool plain);
std::string to_json(const Diagnosis& diagnosis);

struct Answer {
    std::string text;
    int status = 0; ///< 1 when something is blocked
};
/// `args`: --json, --plain; "" and an error for anything else.
/// Is there a --help, or -h, among a command's words?
bool asks_for_help(const std::vector<std::string>& args);
sys::Result<Answer> doctor(const std::vector<std::string>& args);

} // namespace teach
