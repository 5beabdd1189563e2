// A stage done subtly wrong, for who is to find out what is the matter (`parent --break FAULT`,
// lessons/TEACHING.md): a call of ours is left out, as if somebody had forgotten to write it.
//
// The seam is where it happens: a listener answers the call in the kernel's place, and says that it
// has succeeded. No stage knows of it.
#pragma once

#include "run/watch.hpp"

namespace run {

struct Fault {
    std::string_view name;
    spec::Stage stage; ///< whose work it spoils
    /// Where the call is made, and missed if it isn't; Half::command: always.
    Half half;
    std::string_view call; ///< its name, as the seam has it; empty: all that the half does
    std::string_view text; ///< a piece of its spelling, or of its file's name
};

/// Numbered from 1, so that a command line does not give the answer away.
std::span<const Fault> faults();

/// Are the faults that `spec` wants there, with something to spoil, and no danger to this machine?
Result<void> check_faults(const spec::Spec& spec);

/// Is the whole of this half left out?
bool left_out(const spec::Spec& spec, Half half, const stages::Stage& stage);

/// While it lives, the calls that are to be left out are. Who listened before hears all others.
class Saboteur : public sys::Listener {
public:
    explicit Saboteur(const spec::Spec& spec);
    ~Saboteur() override { sys::listener = next_; }
    Saboteur(const Saboteur&) = delete;
    Saboteur& operator=(const Saboteur&) = delete;

    std::optional<long> before(const sys::Call& call) override;
    void after(const sys::Call& call, long result) override;

    /// Behind the half: an error if one of its faults has found nothing to spoil.
    Result<void> struck_in(Half half) const;

private:
    struct Planned {
        const Fault* fault;
        bool struck = false;
    };
    struct Opened {
        long fd;
        std::string call;
    };
    bool is(const Fault& fault, const sys::Call& call) const;

    sys::Listener* next_;
    std::vector<Planned> planned_;
    std::vector<Opened> opened_; ///< by which call each descriptor was, for writes to it
    bool leaving_out_ = false;   ///< the call under way
};

} // namespace run
