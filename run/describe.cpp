// `gocontainer stages`.
#include "run/describe.hpp"

#include "stages/stages.hpp"

#include <nlohmann/json.hpp>

namespace run {

std::string describe_stages() {
    std::string out;
    auto pad = [](std::string text, std::size_t width) {
        text.resize(std::max(width, text.size()), ' ');
        return text;
    };
    for (const stages::Stage& stage : stages::table())
        out += pad(std::string(name_of(stage.id)), 9) + pad(stage.on_by_default ? "on" : "off", 5) +
               stage.summary + "\n" + std::string(14, ' ') + "lessons/" + stage.lesson + "\n";
    return out;
}

std::string describe_stages_json() {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const stages::Stage& stage : stages::table())
        out.push_back({{"name", name_of(stage.id)},
                       {"default", stage.on_by_default},
                       {"summary", stage.summary},
                       {"lesson", std::string("lessons/") + stage.lesson}});
    return out.dump(2) + "\n";
}

} // namespace run
