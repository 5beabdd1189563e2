// Lesson 12: the caps stage, as a program in the stage's place. Build: g++ -static -o mine mine.cpp
// -lcap
//
// The bounding set first: dropping from it needs CAP_SETPCAP in the effective set.
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

int failed(const char* call) {
    perror(call);
    return 125;
}

} // namespace

int main(int, char** argv) {
    std::vector<cap_value_t> kept;
    const char* names = getenv("GOCONTAINER_CAPABILITIES");
    std::istringstream words(names == nullptr ? "" : names);
    for (std::string name; std::getline(words, name, ',');) {
        cap_value_t value = 0;
        if (cap_from_name(name.c_str(), &value) != 0)
            return failed(name.c_str());
        kept.push_back(value);
    }
    for (cap_value_t value = 0; cap_get_bound(value) >= 0; ++value) {
        bool keep = false;
        for (cap_value_t one : kept)
            keep = keep || one == value;
        if (!keep && cap_drop_bound(value) != 0)
            return failed("cap_drop_bound");
    }
    cap_t sets = cap_init();
    int count = static_cast<int>(kept.size());
    if (sets == nullptr ||
        (count > 0 && (cap_set_flag(sets, CAP_PERMITTED, count, kept.data(), CAP_SET) != 0 ||
                       cap_set_flag(sets, CAP_EFFECTIVE, count, kept.data(), CAP_SET) != 0)) ||
        cap_set_proc(sets) != 0)
        return failed("cap_set_proc");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failed("PR_SET_NO_NEW_PRIVS");
    execv(getenv("GOCONTAINER_NEXT"), argv);
    return failed("GOCONTAINER_NEXT");
}
