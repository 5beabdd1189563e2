// Entries to frames.
#include "teach/recording.hpp"

#include "teach/diff.hpp"

#include <nlohmann/json.hpp>

namespace teach {

using nlohmann::ordered_json;

namespace {

std::string text_in(const ordered_json& object, const char* key) {
    auto found = object.find(key);
    if (found == object.end())
        return {};
    if (found->is_number_integer())
        return found->dump();
    return found->is_string() ? found->get<std::string>() : "";
}

Strings calls_in(const ordered_json& entry) {
    Strings out;
    auto calls = entry.find("calls");
    if (calls == entry.end() || !calls->is_array())
        return out;
    for (const ordered_json& call : *calls) {
        if (call.is_string()) {
            out.push_back(call.get<std::string>());
        } else if (call.is_object()) {
            std::string result = text_in(call, "result");
            std::string shell = text_in(call, "shell");
            std::string side = text_in(call, "side");
            out.push_back((side.empty() ? "" : side + ": ") + text_in(call, "text") +
                          (result.empty() ? "" : " = " + result) +
                          (shell.empty() ? "" : "   # " + shell));
        }
    }
    return out;
}

/// "after uts", "after cgroup (parent)", "before the command".
std::string title_of(const ordered_json& entry) {
    std::string stage = text_in(entry, "stage");
    std::string half = text_in(entry, "half");
    std::string out = text_in(entry, "when") + " ";
    if (stage.empty())
        return out + (half == "settle" ? "streams, limits and directory" : "the " + half);
    if (half == "meanwhile")
        half = "parent, later";
    return out + stage + (half.empty() || half == "child" ? "" : " (" + half + ")");
}

} // namespace

Result<Recording> parse_recording(const ordered_json& entries) {
    if (!entries.is_array())
        return sys::wrong("it is no recording", "'gocontainer parent --record FILE' writes one");
    Recording out;
    Strings waiting; ///< calls of entries that became no frame
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const ordered_json& entry = entries[i];
        std::string place = "entry " + std::to_string(i);
        if (!entry.is_object())
            return sys::wrong(place + " is no object");
        for (std::string& call : calls_in(entry))
            waiting.push_back(std::move(call));
        auto found = entry.find("snapshot");
        if (found == entry.end() || found->is_null())
            continue;
        auto read = from_json(*found);
        if (!read)
            return sys::wrong(place + ": its snapshot: " + read.error().detail);
        bool before = text_in(entry, "when") == "before";
        std::string half = text_in(entry, "half");
        if (before && half == "clone" && out.frames.empty())
            out.host = *read;
        // A step is worth a picture when it has done something, or when it is a stage's own.
        bool told = half == "child" && !before;
        if (!out.frames.empty() && !told && (before || waiting.empty()) &&
            diff(out.frames.back().snapshot, *read).empty())
            continue;
        out.frames.push_back({.title = title_of(entry),
                              .summary = text_in(entry, "why"),
                              .calls = std::exchange(waiting, {}),
                              .snapshot = std::move(*read)});
    }
    if (out.frames.empty())
        return sys::wrong("it tells of no process",
                          "'gocontainer parent --record FILE' writes one");
    return out;
}

Result<std::pair<Snapshot, Snapshot>> around(const ordered_json& entries, const std::string& from,
                                             const std::string& to) {
    if (!entries.is_array())
        return sys::wrong("it is no recording", "'gocontainer parent --record FILE' writes one");
    const ordered_json* first = nullptr;
    const ordered_json* last = nullptr;
    std::string known;
    for (const ordered_json& entry : entries) {
        auto found = entry.is_object() ? entry.find("snapshot") : entry.end();
        if (found == entry.end() || found->is_null())
            continue;
        std::string stage = text_in(entry, "stage");
        std::string name = stage.empty() ? text_in(entry, "half") : stage;
        bool before = text_in(entry, "when") == "before";
        if (before && name == from && first == nullptr)
            first = &*found;
        if (!before && name == to)
            last = &*found;
        if (!before && (" " + known + " ").find(" " + name + " ") == std::string::npos)
            known += (known.empty() ? "" : " ") + name;
    }
    if (first == nullptr || last == nullptr)
        return sys::wrong("\"" + (first == nullptr ? from : to) + "\" is no step of it",
                          "it has " + known);
    Snapshot before = TRY(from_json(*first));
    Snapshot after = TRY(from_json(*last));
    return std::pair{std::move(before), std::move(after)};
}

} // namespace teach
