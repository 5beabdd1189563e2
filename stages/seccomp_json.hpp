// Places in a profile's JSON, and what is wrong there.
#pragma once

#include "sys/result.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace stages::seccomp {

using nlohmann::json;
using sys::Error;
using sys::Result;

template <class T>
struct Named {
    std::string_view name;
    T value;
};

/// A value and the way to it, which is spelled out only for an error.
struct Node {
    const json& value;
    const Node* parent = nullptr;
    const char* key = nullptr; ///< null: `index` counts
    std::size_t index = 0;

    std::string path() const {
        if (parent == nullptr)
            return "";
        std::string before = parent->path();
        if (key == nullptr)
            return before + "[" + std::to_string(index) + "]";
        return before + (before.empty() ? "" : ".") + key;
    }
};

inline std::unexpected<Error> bad(const Node& at, const std::string& what, std::string hint = {}) {
    std::string path = at.path();
    return sys::wrong((path.empty() ? "the profile" : path) + ": " + what, std::move(hint));
}

inline std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

/// For the hint of an unknown name: all that there are.
inline std::string one_of(auto&& range, auto name) {
    std::string out = "one of ";
    for (const auto& item : range)
        out += (out.size() > 7 ? ", " : "") + std::string(name(item));
    return out;
}

inline Result<std::string> text(const Node& at) {
    if (!at.value.is_string())
        return bad(at, "is not a string");
    return at.value.get<std::string>();
}

inline Result<std::uint64_t> whole(const Node& at, std::uint64_t most) {
    if (!at.value.is_number_unsigned())
        return bad(at, "is not a whole number from 0 on");
    auto number = at.value.get<std::uint64_t>();
    if (number > most)
        return bad(at, std::to_string(number) + " is more than " + std::to_string(most));
    return number;
}

template <class T>
Result<T> choose(const Node& at, std::span<const Named<T>> names, const char* kind) {
    std::string name = TRY(text(at));
    auto found = std::ranges::find(names, name, &Named<T>::name);
    if (found == names.end())
        return bad(at, in_quotes(name) + " is not " + kind,
                   one_of(names, [](auto& n) { return n.name; }));
    return found->value;
}

/// A member that is there and not null: Go writes its empty lists as null.
inline const json* member(const Node& object, const char* key) {
    auto found = object.value.find(key);
    return found == object.value.end() || found->is_null() ? nullptr : &*found;
}

inline Result<void> check_object(const Node& at, std::initializer_list<std::string_view> known) {
    if (!at.value.is_object())
        return bad(at, "is not an object");
    for (const auto& [key, value] : at.value.items())
        if (std::ranges::find(known, key) == known.end())
            return bad(at, "has no field " + in_quotes(key),
                       one_of(known, [](auto& k) { return k; }));
    return {};
}

/// `visit` every item of the list `key` of `object`, if there is one.
inline Result<void> each(const Node& object, const char* key, auto visit) {
    const json* found = member(object, key);
    if (found == nullptr)
        return {};
    Node list{*found, &object, key};
    if (!found->is_array())
        return bad(list, "is not a list");
    for (std::size_t i = 0; i < found->size(); ++i)
        TRY(visit(Node{(*found)[i], &list, nullptr, i}));
    return {};
}

} // namespace stages::seccomp
