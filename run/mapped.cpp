// A child in a new user namespace, blocked until its maps are written.
#include "run/mapped.hpp"

#include "stages/caps.hpp"
#include "stages/causes.hpp"
#include "stages/stages.hpp"

#include <sched.h>

namespace run {

using sys::Fd;
using sys::Result;

namespace {

/// What the child works on, in the memory that it shares with us.
struct Work {
    const spec::Spec& spec;
    const stages::Facts& facts;
    int go;
    int parents_end;
    const std::function<Result<void>()>& work;
    Result<void> result;
};

// Before "go" nothing but system calls; after it, our parent waits for our end.
[[noreturn]] void do_work(void* argument) {
    Work& with = *static_cast<Work*>(argument);
    Fd(with.parents_end).close(); // else we would never see the parent's end
    char go = 0;
    auto heard = sys::read(with.go, std::span(&go, 1));
    if (!heard || *heard != 1)
        sys::exit_now(1); // the parent is gone, or has failed and says so itself
    with.result = [&]() -> Result<void> {
        TRY(stages::die_with_parent());
        TRY(stages::user::enter(with.spec, with.facts));
        return with.work();
    }();
    sys::exit_now(with.result ? 0 : 1);
}

/// The ids of a container that asks for none in particular.
Result<stages::Facts> automatic_ids(const spec::Spec& spec, stages::Ledger& ledger) {
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    launch.say = [](const std::string&) {};
    TRY(stages::user::prepare(launch));
    return std::move(launch.facts);
}

} // namespace

Result<bool> maps_many() {
    spec::Spec spec;
    stages::Ledger ledger;
    return TRY(automatic_ids(spec, ledger)).uids.size() > 1;
}

Result<void> as_container_root(const std::function<Result<void>()>& work) {
    if (sys::geteuid() == 0)
        return work();
    spec::Spec spec;
    stages::Ledger ledger;
    stages::Launch launch{.spec = spec, .ledger = &ledger};
    launch.facts = TRY(automatic_ids(spec, ledger));
    auto [theirs, ours] = TRY(sys::pipe());
    Work with{.spec = spec,
              .facts = launch.facts,
              .go = theirs.get(),
              .parents_end = ours.get(),
              .work = work,
              .result = sys::wrong("the process that was to do it was killed")};
    int pidfd = -1;
    clone_args args{};
    args.flags = CLONE_NEWUSER | CLONE_PIDFD;
    args.exit_signal = SIGCHLD;
    args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    launch.child = TRY(stages::hint(sys::clone3(args, do_work, &with), [](const auto& error) {
        return stages::causes::no_namespace("user", error.code);
    }));
    launch.pidfd = Fd(pidfd);
    theirs.close();
    auto mapped = stages::user::parent(launch);
    if (mapped)
        (void)sys::write(ours.get(), "G"); // one that has died is found below
    ours.close();
    // It works in our memory until its end.
    auto [_, status] = TRY(sys::waitpid(launch.child, 0));
    TRY(std::move(mapped));
    return status == 0 ? Result<void>{} : std::move(with.result);
}

} // namespace run
