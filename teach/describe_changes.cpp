// The text of `diff`.
#include "teach/describe.hpp"

namespace teach {

namespace {

/// Changes of one name and direction that follow each other: 27 capabilities, say, in one.
struct Group {
    const Change* first;
    Strings whats; ///< those that changed by the same values
    Strings values;
};

std::string describe_one(const Group& group, const Paint& paint) {
    const Change& change = *group.first;
    bool added = change.before.empty();
    bool gone = !added && change.after.empty();
    std::string what;
    for (const std::string& one : group.whats)
        what += (what.empty() ? "" : ", ") +
                clean(group.whats.size() == 1 ? one : one.substr(0, one.find(' ')));
    if (group.whats.size() > 1)
        what += " capabilities";
    if (added || gone) {
        std::string all;
        for (const std::string& value : group.values)
            all += (all.empty() ? "" : " ") + clean(value);
        std::string sign = added ? paint.drawn("+ ", "added: ") : paint.drawn("- ", "gone: ");
        std::string head = added ? paint.green(sign + what) : paint.red(sign + what);
        if (columns(sign + what + ": " + all) <= 80)
            return head + ": " + all + "\n";
        return head + "\n" + wrapped(all, 4);
    }
    std::string head = paint.drawn("~ ", "changed: ") + what;
    std::string before = clean(change.before);
    std::string after = clean(change.after);
    std::string arrow = paint.drawn(" → ", ", now ");
    if (columns(head + ": " + before + arrow + after) <= 80)
        return paint.yellow(head) + ": " + before + arrow + paint.bold(after) + "\n";
    return paint.yellow(head) + "\n" + wrapped("before  " + before, 4) +
           wrapped("now     " + after, 4);
}

} // namespace

std::string describe(const std::vector<Change>& changes, const Paint& paint) {
    if (changes.empty())
        return "no difference\n";
    std::vector<Group> groups;
    auto sign = [](const Change& of) { return std::pair(of.before.empty(), of.after.empty()); };
    for (const Change& change : changes) {
        const std::string& value = change.before.empty() ? change.after : change.before;
        bool more = !groups.empty() && groups.back().first->what == change.what &&
                    sign(*groups.back().first) == sign(change) &&
                    change.what.ends_with("capabilities");
        if (more)
            groups.back().values.push_back(value);
        else
            groups.push_back({&change, {change.what}, {value}});
    }
    // Most capabilities come and go in several sets at once.
    for (std::size_t i = 0; i < groups.size(); ++i)
        for (std::size_t j = i + 1; j < groups.size();) {
            bool same = groups[j].first->what.ends_with("capabilities") &&
                        groups[i].first->what.ends_with("capabilities") &&
                        sign(*groups[i].first) == sign(*groups[j].first) &&
                        groups[i].values == groups[j].values;
            if (!same) {
                ++j;
                continue;
            }
            groups[i].whats.push_back(groups[j].first->what);
            groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(j));
        }
    std::string out;
    for (const Group& group : groups)
        out += describe_one(group, paint);
    return out;
}

} // namespace teach
