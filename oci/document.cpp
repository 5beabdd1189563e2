// JSON, read strictly. The way to a value is looked for only when there is something to say.
#include "oci/document.hpp"

#include <algorithm>

namespace oci {

namespace {

const char* kind_of(const json& value) {
    switch (value.type()) {
    case json::value_t::null:
        return "null";
    case json::value_t::object:
        return "an object";
    case json::value_t::array:
        return "a list";
    case json::value_t::string:
        return "a string";
    case json::value_t::boolean:
        return "true or false";
    default:
        return "a number";
    }
}

/// "a.b", or `a["b.c"]` where a dot would mislead.
void append_key(std::string& path, std::string_view key) {
    bool plain = !key.empty() && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
    if (!plain)
        path += "[\"" + std::string(key) + "\"]";
    else
        (path += path.empty() ? "" : ".") += key;
}

/// A whole number between the two; nothing else.
template <class T>
std::string not_between(T least, T most) {
    return "must be from " + std::to_string(least) + " to " + std::to_string(most);
}

} // namespace

Node Document::root() {
    return {*this, root_.is_null() ? nullptr : &root_, nullptr, nullptr};
}

bool Document::find(const json& below, const json* value, std::string& path) const {
    if (&below == value)
        return true;
    if (!below.is_structured())
        return false;
    std::size_t before = path.size();
    std::size_t index = 0;
    for (auto item = below.begin(); item != below.end(); ++item) {
        if (below.is_object())
            append_key(path, item.key());
        else
            path += "[" + std::to_string(index++) + "]";
        if (find(*item, value, path))
            return true;
        path.resize(before);
    }
    return false;
}

std::string Document::path_of(const json* value) const {
    std::string path;
    if (value != nullptr)
        (void)find(root_, value, path); // it is there: nodes come from nowhere else
    return path;
}

Node Node::operator[](const char* key) const {
    if (!object())
        return {*document_, nullptr, parent_, key_};
    auto found = value_->find(std::string_view(key)); // whose length is taken once
    bool there = found != value_->end() && !found->is_null();
    return {*document_, there ? &*found : nullptr, value_, key};
}

const Node& Node::required() const {
    if (!given())
        fail("is missing");
    return *this;
}

std::string Node::path() const {
    if (given())
        return document_->path_of(value_);
    std::string path = document_->path_of(parent_);
    if (key_ != nullptr)
        append_key(path, key_);
    return path;
}

void Node::fail(const std::string& text) const {
    if (!document_->wrong_.empty())
        return;
    std::string at = path();
    document_->wrong_ = (at.empty() ? "the document" : at) + ": " + text;
}

void Node::warn(const std::string& text) const {
    document_->warnings.push_back(path() + ": " + text);
}

bool Node::want(bool right, const char* kind) const {
    if (!right)
        fail(std::string(kind_of(*value_)) + " where " + kind + " belongs");
    return right;
}

void Node::unknown(std::string_view name, const char* kind, const std::string& known) const {
    fail("\"" + std::string(name) + "\" is not " + kind + ": one of " + known);
}

bool Node::object() const {
    return given() && want(value_->is_object(), "an object");
}

bool Node::list() const {
    return given() && want(value_->is_array(), "a list");
}

bool Node::into(std::string& out) const {
    if (!given() || !want(value_->is_string(), "a string"))
        return false;
    const auto& text = value_->get_ref<const std::string&>();
    // What comes after it would get lost on the way to the kernel.
    if (text.find('\0') != std::string::npos) {
        fail("has a null byte in it");
        return false;
    }
    out = text;
    return true;
}

bool Node::into(bool& out) const {
    if (!given() || !want(value_->is_boolean(), "true or false"))
        return false;
    out = value_->get<bool>();
    return true;
}

bool Node::into(std::vector<std::string>& out) const {
    if (!list())
        return false;
    std::vector<std::string> read;
    read.reserve(value_->size());
    bool right = true;
    items([&](const Node& item) { right = item.into(read.emplace_back()) && right; });
    if (right)
        out = std::move(read);
    return right;
}

bool Node::into(std::uint64_t& out, std::uint64_t least, std::uint64_t most) const {
    if (!given() || !want(value_->is_number_integer(), "a whole number"))
        return false;
    bool fits = value_->is_number_unsigned() || value_->get<std::int64_t>() >= 0;
    auto number = value_->get<std::uint64_t>();
    if (!fits || number < least || number > most) {
        fail(value_->dump() + ": " + not_between(least, most));
        return false;
    }
    out = number;
    return true;
}

bool Node::into(std::int64_t& out, std::int64_t least, std::int64_t most) const {
    if (!given() || !want(value_->is_number_integer(), "a whole number"))
        return false;
    bool fits = !value_->is_number_unsigned() || value_->get<std::uint64_t>() <= INT64_MAX;
    auto number = value_->get<std::int64_t>();
    if (!fits || number < least || number > most) {
        fail(value_->dump() + ": " + not_between(least, most));
        return false;
    }
    out = number;
    return true;
}

bool Node::into(std::uint32_t& out, std::uint32_t least, std::uint32_t most) const {
    std::uint64_t wide = 0;
    if (!into(wide, least, most))
        return false;
    out = static_cast<std::uint32_t>(wide);
    return true;
}

bool Node::into(std::uint16_t& out, std::uint16_t least, std::uint16_t most) const {
    std::uint64_t wide = 0;
    if (!into(wide, least, most))
        return false;
    out = static_cast<std::uint16_t>(wide);
    return true;
}

bool Node::into(std::int32_t& out, std::int32_t least, std::int32_t most) const {
    std::int64_t wide = 0;
    if (!into(wide, least, most))
        return false;
    out = static_cast<std::int32_t>(wide);
    return true;
}

} // namespace oci
