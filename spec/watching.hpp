// Watching: how a launch is to be shown while it happens. No part of a Spec: what is launched is
// the same, watched or not.
#pragma once

#include "spec/spec.hpp"

namespace spec {

struct Watching {
    bool explain = false;  ///< each step and each call, in words, on stderr
    bool plain = false;    ///< without colours and drawn characters
    std::string trace;     ///< a file for the same as JSON lines; empty: none
    std::string recording; ///< a file for what changed from step to step; empty: none
    StageSet pauses;       ///< a prompt before each of these
    bool any() const {
        return explain || !trace.empty() || !recording.empty() || pauses.bits() != 0;
    }
};

} // namespace spec
