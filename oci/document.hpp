// Reading a JSON document: typed values, and the path of what is wrong.
//
//   Document document(json);
//   std::string path;
//   document.root()["root"]["path"].required().into(path);
//   if (!document.wrong().empty()) …          // "root.path: is missing"
//
// The first thing that is wrong is kept, and reading goes on: what follows costs nothing, and the
// reader need not look after every line. null is as good as nothing, since Go writes its empty
// lists as null. Properties that nobody asks for are ignored (config.md, "Extensibility").
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

using nlohmann::json;

class Node;

class Document {
public:
    explicit Document(const json& root) : root_(root) {}
    Document(const Document&) = delete; // nodes refer to it
    Document& operator=(const Document&) = delete;
    ~Document() = default;

    Node root();
    /// "" while everything is right; else "linux.resources.pids.limit: …".
    const std::string& wrong() const { return wrong_; }
    std::vector<std::string> warnings; ///< of the same form

private:
    friend class Node;
    std::string path_of(const json* value) const;
    bool find(const json& below, const json* value, std::string& path) const;

    const json& root_;
    std::string wrong_;
};

/// A name that a property may have as its value, and what it stands for.
template <class T>
struct Named {
    std::string_view name;
    T value;
};

/// A place in a document, there or not. Small: pass it by value.
class Node {
public:
    /// Is it there, and not null?
    bool given() const { return value_ != nullptr; }
    Node operator[](const char* key) const;
    /// An error when it isn't there.
    const Node& required() const;

    /// Read it: false, and `out` as it was, when it isn't there or is wrong.
    bool into(std::string& out) const;
    bool into(bool& out) const;
    bool into(std::vector<std::string>& out) const;
    bool into(std::uint64_t& out, std::uint64_t least = 0, std::uint64_t most = UINT64_MAX) const;
    bool into(std::int64_t& out, std::int64_t least = INT64_MIN,
              std::int64_t most = INT64_MAX) const;
    bool into(std::uint32_t& out, std::uint32_t least = 0, std::uint32_t most = UINT32_MAX) const;
    bool into(std::uint16_t& out, std::uint16_t least = 0, std::uint16_t most = UINT16_MAX) const;
    bool into(std::int32_t& out, std::int32_t least = INT32_MIN,
              std::int32_t most = INT32_MAX) const;
    template <class T, class... Range>
    bool into(std::optional<T>& out, Range... range) const {
        T value{};
        if (!into(value, range...))
            return false;
        out = std::move(value);
        return true;
    }
    /// What the name here stands for. `kind` for the error: "a namespace".
    template <class T>
    bool choose(const auto& names, const char* kind, T& out) const;

    /// `visit(Node)` every item of the list that is here.
    void items(auto visit) const;
    /// `visit(const std::string& key, Node)` every member of the object that is here.
    void members(auto visit) const;
    bool object() const; ///< given, and an object: anything else is an error
    bool list() const;

    void fail(const std::string& text) const;
    void warn(const std::string& text) const;
    std::string path() const;
    /// What is here; only when it is given.
    const json& value() const { return *value_; }

private:
    friend class Document;
    Node(Document& document, const json* value, const json* parent, const char* key)
        : document_(&document), value_(value), parent_(parent), key_(key) {}
    bool want(bool right, const char* kind) const;
    void unknown(std::string_view name, const char* kind, const std::string& known) const;

    Document* document_;
    const json* value_;  ///< null: not there
    const json* parent_; ///< of what is not there
    const char* key_;
};

template <class T>
bool Node::choose(const auto& names, const char* kind, T& out) const {
    if (!given() || !want(value_->is_string(), "a string"))
        return false;
    const auto& text = value_->template get_ref<const std::string&>();
    for (const auto& known : names) {
        if (known.name == text) {
            out = known.value;
            return true;
        }
    }
    std::string all;
    for (const auto& known : names)
        (all += all.empty() ? "" : " ") += known.name;
    unknown(text, kind, all);
    return false;
}

void Node::items(auto visit) const {
    if (list())
        for (const json& item : *value_)
            visit(Node(*document_, &item, value_, nullptr));
}

void Node::members(auto visit) const {
    if (!object())
        return;
    for (auto member = value_->begin(); member != value_->end(); ++member)
        visit(member.key(), Node(*document_, &*member, value_, nullptr));
}

} // namespace oci
