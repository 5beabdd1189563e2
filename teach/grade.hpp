// `gocontainer lab check` and its sisters: a learner's stage under the tests that guard ours.
//
//   lab start N              put the skeletons of lesson N where you write: lessons/NN-name/
//   lab check N [PROGRAM]    tests against it, for a stage those of ours: expected and got
//   lab watch N [PROGRAM] [--poll]   the same at each change, until ^C (lab_watch.hpp)
//   lab hint N               a hint; the next one each time
//   lab solution N           once it has passed
//   lab report [--json|--csv]   who has done what: for a teacher
//
// What is checked is PROGRAM, or what was worked on last in the lesson's folder (candidate.hpp).
#pragma once

#include "teach/doctor.hpp"

#include <functional>

namespace teach {

/// Is `name` one of the above?
bool grades(const std::string& name);
/// `show` prints at once: a check takes seconds. Status 1: not passed.
sys::Result<Answer> grade(const sys::Strings& args,
                          const std::function<void(const std::string&)>& show);

} // namespace teach
