// Taking the leaf away again, by whoever is left to do it: the parent, or the keeper after it.
//
// Works from the ledger alone, may run twice, and finds nothing surprising in anything being gone.
#include "stages/cgroup_place.hpp"
#include "stages/cgroup_tree.hpp"
#include "stages/cgroup_unit.hpp"
#include "stages/resctrl.hpp"
#include "stages/stages.hpp"

#include <cerrno>

namespace stages::cgroup {

namespace {

/// Is it gone? EBUSY: something is in it.
bool gone(int code) {
    return code == 0 || code == ENOENT;
}

/// Kill and remove whatever is in the leaf; the leaf itself too unless it is to be kept.
int empty(const std::string& leaf, bool keep) {
    // What can't be killed, or hangs in the kernel, is left: a cgroup that stays behind is better
    // than a launcher that never ends.
    (void)kill_processes(leaf);
    (void)wait_for(leaf, "populated 0");
    return remove_tree(leaf, keep);
}

} // namespace

// In the parent or the keeper: the host's namespaces, the caller's privileges.
void undo(Ledger& ledger) {
    resctrl::undo(ledger);
    if (ledger.leaf[0] == '\0')
        return stop_unit(ledger);
    std::string leaf = ledger.leaf;
    if (!is_ours(ledger)) { // what was has gone by itself
        ledger.leaf[0] = ledger.unit[0] = '\0';
        return;
    }
    if (ledger.unit[0] != '\0') {
        // The cgroup is systemd's to remove; what was made below it may be left.
        (void)kill_processes(leaf);
        (void)wait_for(leaf, "populated 0");
        stop_unit(ledger);
    }
    if (ledger.keep_cgroup) {
        if (ledger.leaf_ours)
            (void)empty(leaf, /*keep=*/true); // what can't be killed is left, as below
        (void)sys::removexattr(leaf, kTaken);
    } else {
        int code = code_of(sys::unlinkat(AT_FDCWD, leaf, AT_REMOVEDIR));
        // A leaf that we had noted but not made yet can be another's: it is removed if it is empty,
        // but nothing in it is killed. The second try is for kernels that need two (above).
        for (int tries = 0; code == EBUSY && ledger.leaf_ours && tries < 3; ++tries)
            code = empty(leaf, /*keep=*/false);
        if (gone(code) && ledger.leaf_base < leaf.size())
            remove_parents(leaf, ledger.leaf_base);
    }
    // From here on the name can be another container's.
    ledger.leaf[0] = '\0';
}

} // namespace stages::cgroup
