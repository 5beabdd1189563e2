// The text of `diff`.
#include "teach/describe.hpp"

#include <algorithm>

namespace teach {

namespace {

bool of_capabilities(const Change& change) {
    return change.what.ends_with(" capabilities");
}

/// Are both added, both gone, or both neither?
bool same_direction(const Change& one, const Change& other) {
    return one.before.empty() == other.before.empty() && one.after.empty() == other.after.empty();
}

void append(std::string& to, const std::string& text) {
    to += (to.empty() || text.empty() ? "" : " ") + text;
}

/// `text` in lines behind `label`, which stands before the first.
std::string hung(const std::string& label, const std::string& text, std::size_t width) {
    std::string out = wrapped(breakable(text, width - label.size()), label.size(), width);
    return out.empty() ? label.substr(0, label.find_last_not_of(' ') + 1) + "\n"
                       : out.replace(0, label.size(), label);
}

std::string describe_one(const Change& change, const Paint& paint, std::size_t width) {
    bool added = change.before.empty();
    std::string what = clean(change.what);
    if (added || change.after.empty()) {
        std::string value = clean(added ? change.after : change.before);
        std::string sign = added ? paint.drawn("+ ", "added: ") : paint.drawn("- ", "gone: ");
        std::string head = added ? paint.green(sign + what) : paint.red(sign + what);
        if (columns(sign + what + ": " + value) <= width)
            return head + ": " + value + "\n";
        return head + "\n" + wrapped(breakable(value, width - 4), 4, width);
    }
    std::string head = paint.drawn("~ ", "changed: ") + what;
    std::string before = clean(change.before);
    std::string after = clean(change.after);
    std::string arrow = paint.drawn(" → ", ", now ");
    if (columns(head + ": " + before + arrow + after) <= width)
        return paint.yellow(head) + ": " + before + arrow + paint.bold(after) + "\n";
    return paint.yellow(head) + "\n" + hung("    before  ", before, width) +
           hung("    now     ", after, width);
}

} // namespace

std::vector<Change> grouped(const std::vector<Change>& changes) {
    std::vector<Change> sets;
    for (const Change& change : changes) {
        bool more = !sets.empty() && sets.back().what == change.what && of_capabilities(change) &&
                    same_direction(sets.back(), change);
        if (more) {
            append(sets.back().before, change.before);
            append(sets.back().after, change.after);
        } else {
            sets.push_back(change);
        }
    }
    std::vector<Change> out;
    for (Change& change : sets) {
        auto same = std::ranges::find_if(out, [&](const Change& other) {
            return of_capabilities(other) && of_capabilities(change) &&
                   other.before == change.before && other.after == change.after;
        });
        if (same == out.end())
            out.push_back(std::move(change));
        else // "permitted, effective capabilities"
            same->what.insert(same->what.rfind(' '),
                              ", " + change.what.substr(0, change.what.find(' ')));
    }
    return out;
}

std::string describe(const std::vector<Change>& changes, const Paint& paint, std::size_t width) {
    if (changes.empty())
        return "no difference\n";
    std::string out;
    for (const Change& change : grouped(changes))
        out += describe_one(change, paint, width);
    return out;
}

} // namespace teach
