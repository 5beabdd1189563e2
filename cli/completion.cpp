// The option table as bash's programmable completion reads it (bash(1)).
#include "cli/completion.hpp"

#include "cli/options.hpp"

#include <algorithm>
#include <sstream>

namespace cli {

namespace {

/// "-w,--workdir" as a case of bash has it.
std::string pattern(std::string names) {
    std::ranges::replace(names, ',', '|');
    return names;
}

/// What can stand behind an option, in compgen's words; "": bash can't know.
std::string values_of(std::string_view value) {
    if (value == "DIR")
        return "-d";
    if (value == "FILE")
        return "-f";
    std::string words;
    if (value.starts_with("STAGE"))
        for (std::string_view stage : spec::kStageNames)
            words += std::string(stage) + (value.starts_with("STAGE=") ? "= " : " ");
    std::istringstream choices{std::string(value)};
    for (std::string word; std::getline(choices, word, '|');)
        if (std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; }))
            words += word + " ";
    return words.empty() ? "" : "-W \"" + words + "\"";
}

} // namespace

std::string bash_completion(const std::vector<std::string>& subcommands) {
    std::string first;
    for (const std::string& name : subcommands)
        first += name + " ";
    std::string options = "-h --help ";
    std::string cases;
    for (const Option& row : parent_options()) {
        std::string names = row.names;
        if (*row.help != '\0' || names.starts_with("--no-")) { // else it is hidden
            std::string words = names;
            std::ranges::replace(words, ',', ' ');
            options += words + " ";
        }
        if (row.value == nullptr)
            continue;
        std::string values = values_of(row.value);
        cases += "    " + pattern(names) + ") " +
                 (values.empty() ? "" : "_gocontainer_of " + values + "; ") + "return ;;\n";
    }
    return "# bash: source <(gocontainer completion)\n"
           "_gocontainer_of() { mapfile -t COMPREPLY < <(compgen \"$@\" -- "
           "\"${COMP_WORDS[COMP_CWORD]}\"); }\n"
           "_gocontainer() {\n"
           "    COMPREPLY=()\n"
           "    ((COMP_CWORD > 1)) || { _gocontainer_of -W \"" +
           first +
           "\"; return; }\n"
           "    [[ ${COMP_WORDS[1]} == parent ]] || return 0\n"
           "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n" +
           cases +
           "    esac\n"
           "    [[ ${COMP_WORDS[COMP_CWORD]} != -* ]] || _gocontainer_of -W \"" +
           options +
           "\"\n"
           "}\n"
           "complete -o default -F _gocontainer gocontainer\n";
}

} // namespace cli
