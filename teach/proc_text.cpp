// Lines, words, numbers.
#include "teach/proc_text.hpp"

#include "sys/capability.hpp"

#include <algorithm>
#include <charconv>

namespace teach {

void each_line(std::string_view text, const std::function<void(std::string_view)>& visit) {
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!line.empty())
            visit(line);
    }
}

std::vector<std::string_view> words(std::string_view line) {
    constexpr const char* kBlank = " \t";
    std::vector<std::string_view> out;
    for (;;) {
        std::size_t start = line.find_first_not_of(kBlank);
        if (start == std::string_view::npos)
            return out;
        line.remove_prefix(start);
        out.push_back(line.substr(0, line.find_first_of(kBlank)));
        line.remove_prefix(out.back().size());
    }
}

namespace {

template <class T>
bool number(std::string_view text, T& into, int base = 10) {
    auto read = std::from_chars(text.data(), text.data() + text.size(), into, base);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

template <class T>
std::vector<T> numbers(std::string_view text) {
    std::vector<T> out;
    for (std::string_view word : words(text))
        if (T value{}; number(word, value))
            out.push_back(value);
    return out;
}

/// \040, \011, \012, \134 (and \043 for #).
std::string unescape(std::string_view text) {
    auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) &&
            octal(i + 3)) {
            out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                     (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

} // namespace

std::optional<std::int32_t> parse_number(std::string_view text) {
    std::int32_t value = 0;
    return number(text, value) ? std::optional(value) : std::nullopt;
}

std::vector<Mount> parse_mountinfo(std::string_view text) {
    std::vector<Mount> out;
    each_line(text, [&](std::string_view line) {
        std::vector<std::string_view> word = words(line);
        auto dash = std::ranges::find(word, std::string_view("-"));
        Mount mount;
        bool whole = word.size() >= 10 && dash - word.begin() >= 6 && word.end() - dash >= 3 &&
                     number(word[0], mount.id) && number(word[1], mount.parent);
        if (!whole)
            return;
        mount.device = word[2];
        mount.root = unescape(word[3]);
        mount.point = unescape(word[4]);
        mount.options = word[5];
        for (auto field = word.begin() + 6; field != dash; ++field)
            mount.propagation += (mount.propagation.empty() ? "" : ",") + std::string(*field);
        if (mount.propagation.empty())
            mount.propagation = "private";
        mount.type = unescape(dash[1]);
        // A source may be empty: "- tmpfs  rw".
        mount.source = word.end() - dash > 3 ? unescape(dash[2]) : "";
        mount.super_options = unescape(word.back());
        out.push_back(std::move(mount));
    });
    return out;
}

std::vector<IdRange> parse_id_map(std::string_view text) {
    std::vector<IdRange> out;
    each_line(text, [&](std::string_view line) {
        auto fields = numbers<std::uint32_t>(line);
        if (fields.size() == 3)
            out.push_back({fields[0], fields[1], fields[2]});
    });
    return out;
}

std::vector<Cgroup> parse_cgroups(std::string_view text) {
    std::vector<Cgroup> out;
    each_line(text, [&](std::string_view line) {
        std::size_t first = line.find(':');
        std::size_t second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos)
            return;
        out.push_back({.controllers = std::string(line.substr(first + 1, second - first - 1)),
                       .path = std::string(line.substr(second + 1))});
    });
    return out;
}

std::vector<Limit> parse_limits(std::string_view text) {
    // Columns: the names have blanks in them, the numbers none.
    constexpr std::size_t kName = 26;
    std::vector<Limit> out;
    each_line(text, [&](std::string_view line) {
        if (line.size() <= kName || line.starts_with("Limit "))
            return;
        std::string_view name = line.substr(0, kName);
        name = name.substr(0, name.find_last_not_of(' ') + 1);
        auto values = words(line.substr(kName));
        if (values.size() >= 2)
            out.push_back({std::string(name), std::string(values[0]), std::string(values[1])});
    });
    return out;
}

std::vector<TimeOffset> parse_time_offsets(std::string_view text) {
    std::vector<TimeOffset> out;
    each_line(text, [&](std::string_view line) {
        auto word = words(line);
        TimeOffset offset;
        if (word.size() == 3 && number(word[1], offset.seconds) &&
            number(word[2], offset.nanoseconds)) {
            offset.clock = word[0];
            out.push_back(std::move(offset));
        }
    });
    return out;
}

Strings parse_command(std::string_view text) {
    Strings out;
    while (!text.empty()) {
        std::string_view one = text.substr(0, text.find('\0'));
        text.remove_prefix(std::min(one.size() + 1, text.size()));
        out.emplace_back(one);
    }
    return out;
}

void parse_status(std::string_view text, Snapshot& into) {
    auto ids = [](std::string_view value, Ids& to) {
        auto four = numbers<std::uint32_t>(value);
        if (four.size() == 4)
            to = {four[0], four[1], four[2], four[3]};
    };
    auto capabilities = [](std::string_view value, Strings& to) {
        std::uint64_t bits = 0;
        if (number(value, bits, 16))
            to = sys::capability_names(bits);
    };
    each_line(text, [&](std::string_view line) {
        std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            return;
        std::string_view key = line.substr(0, colon);
        std::string_view value =
            line.substr(std::min(line.find_first_not_of(" \t", colon + 1), line.size()));
        Capabilities& caps = into.capabilities;
        if (key == "State")
            into.state = value;
        else if (key == "PPid")
            (void)number(value, into.parent); // 0 as well for one outside of our PID namespace
        else if (key == "Uid")
            ids(value, into.uid);
        else if (key == "Gid")
            ids(value, into.gid);
        else if (key == "Groups")
            into.groups = numbers<std::uint32_t>(value);
        else if (key == "NSpid")
            into.pids = numbers<std::int32_t>(value);
        else if (key == "CapInh")
            capabilities(value, caps.inheritable);
        else if (key == "CapPrm")
            capabilities(value, caps.permitted);
        else if (key == "CapEff")
            capabilities(value, caps.effective);
        else if (key == "CapBnd")
            capabilities(value, caps.bounding);
        else if (key == "CapAmb")
            capabilities(value, caps.ambient);
        else if (key == "NoNewPrivs")
            into.no_new_privs = value == "1";
        else if (key == "Seccomp")
            (void)number(value, into.seccomp_mode); // without CONFIG_SECCOMP there is no such line
        else if (key == "Seccomp_filters")
            (void)number(value, into.seccomp_filters); // likewise
    });
}

std::uint64_t parse_namespace(std::string_view link) {
    std::size_t open = link.find(":[");
    std::uint64_t inode = 0;
    if (open == std::string_view::npos || !link.ends_with(']') ||
        !number(link.substr(open + 2, link.size() - open - 3), inode))
        return 0;
    return inode;
}

} // namespace teach
