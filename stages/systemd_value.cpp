// Values as GVariant's text form has them (GLib's "GVariant Text Format"), as far as properties of
// units need it: what annotations of a bundle say.
#include "stages/systemd.hpp"

#include <charconv>
#include <optional>

namespace stages {

namespace {

using sys::Result;
using Value = Systemd::Value;

class Text {
public:
    explicit Text(std::string_view text) : rest_(text) {}

    void skip_space() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }
    bool take(std::string_view what) {
        skip_space();
        if (!rest_.starts_with(what))
            return false;
        rest_.remove_prefix(what.size());
        return true;
    }
    /// Letters and digits.
    std::string_view word() {
        skip_space();
        std::size_t end = 0;
        while (end < rest_.size() && rest_[end] != ' ' && rest_[end] != '\'' && rest_[end] != '"' &&
               rest_[end] != '[' && rest_[end] != ']' && rest_[end] != ',')
            ++end;
        std::string_view out = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return out;
    }
    /// In either kind of quotes; a backslash takes the next character as it is, or as C does.
    std::optional<std::string> string() {
        skip_space();
        if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"'))
            return std::nullopt;
        char quote = rest_.front();
        std::string out;
        for (std::size_t at = 1; at < rest_.size(); ++at) {
            char now = rest_[at];
            if (now == quote) {
                rest_.remove_prefix(at + 1);
                return out;
            }
            if (now == '\\' && ++at < rest_.size())
                now = rest_[at] == 'n' ? '\n' : rest_[at] == 't' ? '\t' : rest_[at];
            out += now;
        }
        return std::nullopt;
    }
    std::optional<Systemd::Strings> strings() {
        if (!take("["))
            return std::nullopt;
        Systemd::Strings out;
        if (take("]"))
            return out;
        for (;;) {
            auto one = string();
            if (!one)
                return std::nullopt;
            out.push_back(std::move(*one));
            if (take("]"))
                return out;
            if (!take(","))
                return std::nullopt;
        }
    }
    bool at_end() {
        skip_space();
        return rest_.empty();
    }

private:
    std::string_view rest_;
};

template <class T>
std::optional<Value> number(std::string_view text) {
    int base = 10;
    if constexpr (std::is_integral_v<T>) {
        if (text.starts_with("0x") || text.starts_with("0X")) {
            text.remove_prefix(2);
            base = 16;
        }
    }
    T value{};
    const char* end = text.data() + text.size();
    std::from_chars_result parsed{};
    if constexpr (std::is_integral_v<T>)
        parsed = std::from_chars(text.data(), end, value, base);
    else
        parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end || text.empty())
        return std::nullopt;
    return Value(value);
}

/// A value that is told to be of this type, a letter of D-Bus's.
std::optional<Value> typed(char type, Text& text) {
    switch (type) {
    case 'b': {
        std::string_view word = text.word();
        if (word != "true" && word != "false")
            return std::nullopt;
        return Value(word == "true");
    }
    case 'i':
        return number<std::int32_t>(text.word());
    case 'u':
        return number<std::uint32_t>(text.word());
    case 'x':
        return number<std::int64_t>(text.word());
    case 't':
        return number<std::uint64_t>(text.word());
    case 'd':
        return number<double>(text.word());
    case 's':
        if (auto string = text.string())
            return Value(std::move(*string));
        return std::nullopt;
    default:
        return std::nullopt;
    }
}

std::optional<Value> any(Text& text) {
    if (text.take("@as")) {
        auto strings = text.strings();
        return strings ? std::optional<Value>(std::move(*strings)) : std::nullopt;
    }
    for (auto [word, type] : {std::pair{"@b ", 'b'},
                              {"@i ", 'i'},
                              {"@u ", 'u'},
                              {"@x ", 'x'},
                              {"@t ", 't'},
                              {"@d ", 'd'},
                              {"@s ", 's'},
                              {"boolean ", 'b'},
                              {"int32 ", 'i'},
                              {"uint32 ", 'u'},
                              {"int64 ", 'x'},
                              {"uint64 ", 't'},
                              {"double ", 'd'},
                              {"string ", 's'}})
        if (text.take(word))
            return typed(type, text);
    Text ahead = text;
    if (auto string = ahead.string()) {
        text = ahead;
        return Value(std::move(*string));
    }
    if (auto strings = text.strings())
        return Value(std::move(*strings));
    std::string_view word = text.word();
    if (word == "true" || word == "false")
        return Value(word == "true");
    auto whole = number<std::int32_t>(word);
    return whole ? whole : number<double>(word);
}

} // namespace

Result<Systemd::Value> Systemd::parse(const std::string& text) {
    Text rest(text);
    auto value = any(rest);
    if (!value || !rest.at_end())
        return sys::wrong("\"" + text + "\" is no value of a property",
                          "as true, uint64 5, 'text' or ['a', 'b']");
    return std::move(*value);
}

} // namespace stages
