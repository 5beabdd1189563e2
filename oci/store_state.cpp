// state.json: what is known of a container from its making on.
#include "oci/files.hpp"
#include "oci/store.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>

namespace oci {

using nlohmann::json;

namespace {

constexpr const char* kState = "state.json";

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

std::string to_json(const State& state) {
    json out = {{"ociVersion", state.version}, {"id", state.id}, {"bundle", state.bundle}};
    if (!state.annotations.empty())
        out["annotations"] = state.annotations;
    return dump(out);
}

Result<void> Store::write_state(const State& state) const {
    json out = {{"ociVersion", state.version}, {"id", state.id},
                {"bundle", state.bundle},      {"rootfs", state.rootfs},
                {"created", state.created},    {"annotations", state.annotations}};
    for (auto [name, value] : {std::pair("sharesPids", state.shares_pids),
                               {"hasPoststart", state.has_poststart},
                               {"hasPoststop", state.has_poststop},
                               {"noProcess", state.no_process},
                               {"systemd", state.systemd}})
        if (value)
            out[name] = true;
    return write(kState, dump(out));
}

Result<std::optional<State>> Store::state() const {
    auto text = read(kState);
    if (!text && text.error().code == ENOENT)
        return std::nullopt;
    State out;
    auto damaged = [&](const std::string& how) {
        return sys::wrong("\"" + sys::join(path_, kState) + "\" is damaged: " + how,
                          "remove the container with 'delete --force'");
    };
    auto read = parse_json(TRY(std::move(text)), kState);
    if (!read)
        return damaged(read.error().detail);
    json in = std::move(*read);
    try {
        in.at("ociVersion").get_to(out.version);
        in.at("id").get_to(out.id);
        in.at("bundle").get_to(out.bundle);
        in.at("rootfs").get_to(out.rootfs);
        in.at("created").get_to(out.created);
        in.at("annotations").get_to(out.annotations);
        out.shares_pids = in.value("sharesPids", false);
        out.has_poststart = in.value("hasPoststart", false);
        out.has_poststop = in.value("hasPoststop", false);
        out.no_process = in.value("noProcess", false);
        out.systemd = in.value("systemd", false);
    } catch (const json::exception& problem) {
        return damaged(problem.what());
    }
    return out;
}

} // namespace oci
