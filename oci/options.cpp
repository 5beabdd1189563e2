// By getopt_long_only(3), since go-runc writes a long option with a single dash once.
#include "oci/options.hpp"

#include <getopt.h>

namespace oci {

namespace {

constexpr int kFirst = 1000; ///< of the rows' numbers: above every letter

} // namespace

std::expected<Arguments, std::string> Arguments::parse(const std::vector<std::string>& line,
                                                       std::span<const OptionRow> rows,
                                                       bool mixed) {
    std::vector<option> options;
    std::string letters = mixed ? ":" : "+:";
    for (std::size_t row = 0; row < rows.size(); ++row) {
        // A flag may be written "--flag=true", as Go's programs do.
        int value = rows[row].value != nullptr ? required_argument : optional_argument;
        options.push_back({rows[row].name, value, nullptr, kFirst + static_cast<int>(row)});
        if (rows[row].letter != 0) {
            letters += rows[row].letter;
            letters += rows[row].value != nullptr ? ":" : "";
        }
    }
    options.push_back({});
    std::vector<char*> argv{const_cast<char*>("gocontainer")}; // getopt only reorders pointers
    for (const std::string& arg : line)
        argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);

    Arguments out;
    opterr = 0;
    optind = 0; // start over, GNU's way
    for (;;) {
        int before = optind == 0 ? 1 : optind;
        int answer = getopt_long_only(static_cast<int>(line.size()) + 1, argv.data(),
                                      letters.c_str(), options.data(), nullptr);
        if (answer == -1)
            break;
        const OptionRow* row = nullptr;
        if (answer >= kFirst)
            row = &rows[static_cast<std::size_t>(answer - kFirst)];
        for (const OptionRow& candidate : rows)
            if (candidate.letter != 0 && candidate.letter == answer)
                row = &candidate;
        // In the middle of "-abc" it has not gone on yet.
        const char* word = argv[optind == before ? optind : optind - 1];
        if (answer == ':')
            return std::unexpected("flag needs an argument: " + std::string(word));
        if (row == nullptr)
            return std::unexpected("flag provided but not defined: " + std::string(word));
        out.options_[row->name].emplace_back(
            optarg != nullptr ? optarg : (row->value == nullptr ? "true" : ""));
    }
    for (auto arg = argv.begin() + optind; *arg != nullptr; ++arg)
        out.rest_.emplace_back(*arg);
    return out;
}

bool Arguments::has(const char* name) const {
    std::string text = value(name);
    return !text.empty() && text != "false" && text != "0";
}

std::string Arguments::value(const char* name, const std::string& otherwise) const {
    auto found = options_.find(name);
    return found == options_.end() ? otherwise : found->second.back();
}

std::vector<std::string> Arguments::values(const char* name) const {
    auto found = options_.find(name);
    return found == options_.end() ? std::vector<std::string>{} : found->second;
}

std::string describe(std::span<const OptionRow> rows) {
    std::string out;
    for (const OptionRow& row : rows) {
        std::string left = row.letter != 0 ? std::string("  -") + row.letter + ", --" : "      --";
        left += row.name;
        if (row.value != nullptr)
            left += std::string(" ") + row.value;
        left.resize(std::max<std::size_t>(left.size() + 2, 34), ' ');
        out += left + row.help + "\n";
    }
    return out;
}

} // namespace oci
