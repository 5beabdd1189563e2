// Spec as JSON: how it travels from the parent to the child.
#pragma once

#include "spec/spec.hpp"

#include <nlohmann/json_fwd.hpp>

namespace spec {

void to_json(nlohmann::json& out, const Spec& spec);
void from_json(const nlohmann::json& in, Spec& spec);
void to_json(nlohmann::json& out, const IdMap& map);
void from_json(const nlohmann::json& in, IdMap& map);

} // namespace spec
