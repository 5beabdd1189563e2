// Reading config.json, and what the options say beyond it.
#include "oci/loading.hpp"

#include "oci/files.hpp"
#include "oci/profile_text.hpp"
#include "oci/version.hpp"
#include "stages/stages.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdlib>

namespace oci {

using nlohmann::json;

namespace {

/// Kept until the process ends: to free its thousand pieces one by one would take an eighth of the
/// time that `create` needs until its clone.
Result<const json*> parsed(const std::string& text, const std::string& path) {
    static const json* document = nullptr;
    document = new json(TRY(parse_json(text, path)));
    return document;
}

/// The bundle without its profile, where there is a filter of that text already; nothing: there is
/// none, or something is wrong, which is for who reads all of it to say.
std::optional<Loaded> with_kept_filter(const Global& global, const ProfileText& document,
                                       const Bundle& bundle, const Caller& who) {
    // They are asked for beside the filter; with a backslash it may say so in other letters.
    if (document.profile.contains("listener") || document.profile.contains('\\'))
        return std::nullopt;
    auto rest = parsed(document.rest, bundle.path);
    if (!rest)
        return std::nullopt;
    auto config = from_config(**rest, bundle, who);
    if (!config)
        return std::nullopt;
    auto filter = stages::seccomp::kept_of(filter_cache(global), config->spec, document.profile);
    if (!filter)
        return std::nullopt;
    config->spec.stages.add(spec::Stage::seccomp);
    config->spec.seccomp.mode = spec::SeccompMode::text;
    config->spec.seccomp.text = document.profile;
    return Loaded{.config = std::move(*config), .bundle = bundle.path, .filter = std::move(filter)};
}

Result<Loaded> read_bundle(const Global& global, const std::string& bundle, const std::string& id) {
    std::string path = sys::join(bundle, "config.json");
    auto text = read_text(path);
    if (!text) {
        Error error = std::move(text).error();
        if (error.code == ENOENT)
            error.hint =
                "a bundle is a folder with config.json and a root filesystem ('gocontainer "
                "spec' makes a config.json), or an OCI image layout";
        return std::unexpected(std::move(error));
    }
    Caller who = TRY(caller(global));
    auto profile = profile_text(*text);
    auto loaded = profile ? with_kept_filter(global, *profile, Bundle{bundle, id}, who)
                          : std::optional<Loaded>();
    if (!loaded) {
        const json& document = *TRY(parsed(*text, path));
        Bundle all{bundle, id, profile ? std::move(profile->profile) : std::string()};
        auto config = from_config(document, all, who);
        if (!config)
            return sys::wrong(path + ": " + config.error());
        loaded = Loaded{.config = std::move(*config), .bundle = bundle};
    }
    for (const std::string& warning : loaded->config.warnings)
        global.debug(warning);
    loaded->text = std::move(*text);
    return std::move(*loaded);
}

/// The options of `run` that no other runtime has: for a person with a bundle, and no engine.
Result<void> apply_own(const CreateOptions& options, spec::Spec& spec) {
    if (options.own_net) {
        if (stages::joined(spec, spec::Stage::net))
            return sys::wrong("--net: config.json has the container join a network namespace that "
                              "is there already",
                              "leave out its path in linux.namespaces, or --net");
        spec.stages.add(spec::Stage::net);
        spec.net.mode = options.net;
    }
    spec.net.ports = options.ports;
    spec.net.dns = options.dns;
    spec.net.allow_host_loopback = options.allow_host_loopback;
    if (options.overlay) {
        spec.root.overlay = true;
        spec.root.read_only = false; // what that is to keep as it is stays so
    }
    if (!options.own_net && !options.dns.empty())
        return sys::wrong("--dns: needs --net slirp or --net pasta");
    if (std::string wrong = spec::validate(spec); !wrong.empty())
        return sys::wrong(std::move(wrong));
    return {};
}

/// What the options say beyond the bundle.
Result<void> apply(const Global& global, const CreateOptions& options, spec::Spec& spec,
                   const std::string& id) {
    spec.name = id;
    spec.quiet = true;
    if (options.no_pivot && spec.root.mode == spec::RootMode::pivot)
        spec.root.mode = spec::RootMode::move;
    spec.process.keyring = options.no_new_keyring ? "" : "_ses." + id;
    if (global.no_cgroups)
        spec.cgroup.manager = spec::CgroupManager::disabled;
    spec.cgroup.refused = global.refused;
    spec.process.preserved_fds = TRY(preserved_fds(options.preserve_fds, spec.process.env));
    TRY(apply_own(options, spec));
    return {};
}

Result<void> check_terminal(const spec::Spec& spec, const CreateOptions& options, bool detached) {
    if (spec.process.terminal && detached && options.console_socket.empty())
        return sys::wrong("cannot allocate tty if runc will detach without setting console socket");
    if (!options.console_socket.empty() && (!detached || !spec.process.terminal))
        return sys::wrong("cannot use console socket if runc will not detach or allocate tty");
    return {};
}

} // namespace

stages::FilterCache filter_cache(const Global& global) {
    constexpr const char* kFilters = "filters@"; // below the root; no container's ID has an "@"
    return {sys::join(global.root, kFilters), version("")};
}

Result<std::string> absolute(const std::string& path) {
    if (path.starts_with('/'))
        return path;
    return path == "." ? sys::getcwd() : Result<std::string>(sys::join(TRY(sys::getcwd()), path));
}

Result<Loaded> load(const Global& global, const CreateOptions& options, const std::string& bundle,
                    const std::string& id, bool detached) {
    Loaded loaded = TRY(read_bundle(global, bundle, id));
    TRY(apply(global, options, loaded.config.spec, id));
    TRY(check_terminal(loaded.config.spec, options, detached));
    return loaded;
}

Result<unsigned> preserved_fds(unsigned asked, std::vector<std::string>& env) {
    unsigned listening = 0;
    const char* count = getenv("LISTEN_FDS");
    const char* whose = getenv("LISTEN_PID");
    if (count != nullptr && whose != nullptr && std::to_string(sys::getpid()) == whose) {
        listening = static_cast<unsigned>(strtoul(count, nullptr, 10));
        env.push_back(std::string("LISTEN_FDS=") + count);
        env.emplace_back("LISTEN_PID=1");
        if (const char* names = getenv("LISTEN_FDNAMES"); names != nullptr)
            env.push_back(std::string("LISTEN_FDNAMES=") + names);
    }
    if (asked > 1000 || listening > 1000)
        return sys::wrong("--preserve-fds: so many descriptors can't be open");
    for (unsigned i = 0; i < listening + asked; ++i)
        if (!sys::fstat(static_cast<int>(3 + i)))
            return sys::wrong("--preserve-fds: descriptor " + std::to_string(3 + i) +
                                  " is not open",
                              "they are counted from 3 on, after those of LISTEN_FDS");
    return listening + asked;
}

void withdraw_activation(std::vector<std::string>& env) {
    std::erase_if(env, [](std::string_view one) {
        return one.starts_with("LISTEN_FDS=") || one.starts_with("LISTEN_PID=") ||
               one.starts_with("LISTEN_FDNAMES=");
    });
}

} // namespace oci
