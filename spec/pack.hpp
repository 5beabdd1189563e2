// Spec as bytes: how it travels from the parent to the child, and how it is kept for `exec`.
//
// A field that is at its default is left out. What is there comes in a fixed order, with its name,
// so that what an older version has kept can be read: its fields are among ours. What a newer one
// has kept may say something that we don't know, and is refused.
//
//     fields = { length of name: 1, name, length of value: 4, value }…
//
// A number is 8 bytes; a list is { length: 4, item }…; of an object the value is its fields again.
// JSON says the same, but to make and read it took longer than all else that a launch computes.
#pragma once

#include "spec/spec.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace spec {

/// All of it.
std::string pack(const Spec& spec);
/// False: those are not the bytes of a whole Spec.
bool unpack(std::string_view bytes, Spec& spec);

// One visitor for both directions keeps writing and reading from drifting apart: a function calls
// what it is given, a Packer or an Unpacker, for each of its fields.

template <class T>
std::uint64_t widened(T value) {
    if constexpr (std::is_same_v<T, char>)
        return static_cast<unsigned char>(value);
    else
        return static_cast<std::uint64_t>(value);
}

class Packer {
public:
    template <class T>
    void operator()(std::string_view key, const T& value, const T& usual = T{}) {
        if (!(value == usual))
            must(key, value);
    }
    /// Also at its default: its absence is damage.
    template <class T>
    void must(std::string_view key, const T& value) {
        name(key);
        sized([&] { put(value); });
    }
    template <class T, class Fields>
    void list(std::string_view key, const std::vector<T>& values, Fields fields) {
        if (values.empty())
            return;
        name(key);
        sized([&] {
            for (const T& value : values)
                sized([&] { fields(*this, value); });
        });
    }
    template <class T, class Fields>
    void one(std::string_view key, const std::optional<T>& value, Fields fields) {
        if (!value)
            return;
        name(key);
        sized([&] { fields(*this, *value); });
    }
    std::string finish() && { return std::move(bytes_); }

private:
    void name(std::string_view key);
    std::size_t begin_sized();
    void sized(auto write) {
        std::size_t at = begin_sized();
        write();
        auto size = static_cast<std::uint32_t>(bytes_.size() - at - sizeof(std::uint32_t));
        memcpy(bytes_.data() + at, &size, sizeof size);
    }
    template <class T>
        requires std::is_integral_v<T> || std::is_enum_v<T>
    void put(const T& value) {
        std::uint64_t wide = widened(value);
        bytes_.append(reinterpret_cast<const char*>(&wide), sizeof wide);
    }
    void put(const std::string& text) { bytes_ += text; }
    template <class T>
    void put(const std::optional<T>& value) {
        put(*value); // its default, none, is left out
    }
    template <class A, class B>
    void put(const std::pair<A, B>& both) {
        sized([&] { put(both.first); });
        sized([&] { put(both.second); });
    }
    template <class T>
    void put(const std::vector<T>& values) {
        for (const T& value : values)
            sized([&] { put(value); });
    }
    std::string bytes_;
};

class Unpacker {
public:
    explicit Unpacker(std::string_view bytes) : rest_(bytes) {}
    template <class T>
    void operator()(std::string_view key, T& value, const T& = T{}) {
        if (auto bytes = found(key))
            check(get(*bytes, value));
    }
    template <class T>
    void must(std::string_view key, T& value) {
        auto bytes = found(key);
        check(bytes && get(*bytes, value));
    }
    template <class T, class Fields>
    void list(std::string_view key, std::vector<T>& values, Fields fields) {
        auto bytes = found(key);
        while (bytes && !bytes->empty() && !damaged_)
            if (auto item = sized(*bytes))
                read(*item, values.emplace_back(), fields);
    }
    template <class T, class Fields>
    void one(std::string_view key, std::optional<T>& value, Fields fields) {
        if (auto bytes = found(key))
            read(*bytes, value.emplace(), fields);
    }
    /// Has all been read, and was it all right?
    bool whole() const { return !damaged_ && rest_.empty(); }

private:
    void check(bool right) { damaged_ = damaged_ || !right; }
    template <class T, class Fields>
    void read(std::string_view bytes, T& value, Fields fields) {
        Unpacker inner(bytes);
        fields(inner, value);
        check(inner.whole());
    }
    /// The next field's value, if that is `key`.
    std::optional<std::string_view> found(std::string_view key) {
        // Most fields are not there, and of those that are most have another length.
        if (rest_.empty() || static_cast<unsigned char>(rest_.front()) != key.size())
            return std::nullopt;
        return found_by_name(key);
    }
    std::optional<std::string_view> found_by_name(std::string_view key);
    std::optional<std::string_view> sized(std::string_view& from);
    template <class T>
        requires std::is_integral_v<T> || std::is_enum_v<T>
    bool get(std::string_view bytes, T& value) {
        std::uint64_t wide = 0;
        if (bytes.size() != sizeof wide)
            return false;
        memcpy(&wide, bytes.data(), sizeof wide);
        value = static_cast<T>(wide);
        return widened(value) == wide;
    }
    bool get(std::string_view bytes, std::string& text) {
        text = bytes;
        return true;
    }
    template <class T>
    bool get(std::string_view bytes, std::optional<T>& value) {
        return get(bytes, value.emplace());
    }
    template <class A, class B>
    bool get(std::string_view bytes, std::pair<A, B>& both) {
        auto first = sized(bytes), second = sized(bytes);
        return first && second && get(*first, both.first) && get(*second, both.second) &&
               bytes.empty();
    }
    template <class T>
    bool get(std::string_view bytes, std::vector<T>& values) {
        values.clear();
        while (!bytes.empty()) {
            auto item = sized(bytes);
            T value{};
            if (!item || !get(*item, value))
                return false;
            values.push_back(std::move(value));
        }
        return true;
    }
    std::string_view rest_;
    bool damaged_ = false;
};

inline constexpr auto kIdMapFields = [](auto& field, auto& map) {
    field("inside", map.inside);
    field("outside", map.outside);
    field("count", map.count, std::uint32_t{1});
};

} // namespace spec
