// What of a learner's is checked: a program, or a gocontainer with their stage linked in.
#pragma once

#include "sys/kernel.hpp"
#include "teach/exercise.hpp"

#include <functional>
#include <string>

namespace teach {

/// Where an exercise is at home.
struct Place {
    const Exercise* exercise;
    std::string folder; ///< of the lesson: what a learner writes is there
    std::string top;    ///< of the source
};
/// `args`: the command's own words, "check", "3"; an error names the lessons that there are.
sys::Result<Place> place_of(const sys::Strings& args);

struct Candidate {
    std::string path;
    bool binary = false; ///< a gocontainer with the learner's stage linked in
};
/// What the learner names.
sys::Result<Candidate> candidate_at(const Place& place, const std::string& path);
/// What the learner has worked on last: mine, mine.sh, mine.py … or C++, which is built first, by
/// `make mine`, when it is newer than what was built of it.
sys::Result<Candidate> find_candidate(const Place& place,
                                      const std::function<void(const std::string&)>& show);
/// Is it one of the files that find_candidate() looks at, by its name?
bool is_candidate(const std::string& name);

} // namespace teach
