// `gocontainer lab check` and its sisters: a learner's stage under the tests that guard ours.
//
//   lab start N              put the skeleton of lesson N where you write: lessons/NN-name/mine.sh
//   … lab check N [PROGRAM]    the tests of tests/stage/, against it lab hint N               a
//   hint; the next one each time lab solution N           once it has passed lab report
//   [--json|--csv]   who has done what: for a teacher
//
// What is checked is PROGRAM, which stands in for the stage (parent --replace), or the binary that
// `make mine` has linked with the learner's own stage in the place of ours.
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
