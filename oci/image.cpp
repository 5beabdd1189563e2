// Unpacking by umoci, as the root that the container will have.
#include "oci/image.hpp"

#include "oci/document.hpp"
#include "oci/files.hpp"
#include "oci/spec_template.hpp"
#include "run/mapped.hpp"
#include "run/parent.hpp"
#include "stages/causes.hpp"
#include "sys/local.hpp"
#include "sys/path.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace oci {

using nlohmann::json;

namespace {

constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kConfig = "config.json";
constexpr std::size_t kMostSaid = std::size_t{64} << 10;

bool is_layout(const std::string& folder) {
    return sys::exists(sys::join(folder, "oci-layout")) && !sys::exists(sys::join(folder, kConfig));
}

/// The tag that umoci is to take.
Result<std::string> choose_tag(const Layout& layout) {
    std::string path = sys::join(layout.folder, "index.json");
    std::string text = TRY(read_text(path));
    json index = TRY(parse_json(text, path));
    std::vector<std::string> tags;
    Document document(index);
    document.root()["manifests"].items([&](Node manifest) {
        std::string name;
        if (manifest["annotations"][kRefName].into(name) && !name.empty())
            tags.push_back(name);
    });
    if (!document.wrong().empty())
        return sys::wrong(path + ": " + document.wrong());
    auto has = [&](const std::string& tag) { return std::ranges::find(tags, tag) != tags.end(); };
    if (!layout.tag.empty() && has(layout.tag))
        return layout.tag;
    if (layout.tag.empty() && (has("latest") || tags.size() == 1))
        return has("latest") ? "latest" : tags.front();
    std::string what = "the image layout \"" + layout.folder + "\" has no image ";
    what += layout.tag.empty() ? "named latest" : "named \"" + layout.tag + "\"";
    if (tags.empty())
        return sys::wrong(what, "'skopeo copy oci:" + layout.folder + " oci:" + layout.folder +
                                    ":latest' names what it has");
    std::string names;
    for (const std::string& tag : tags)
        names += (names.empty() ? "" : ", ") + tag;
    return sys::wrong(what, "it has " + names + ": '--bundle " + layout.folder + ":" +
                                tags.front() + "'");
}

/// Our standard output and error, while they go elsewhere.
class Captured {
public:
    static Result<Captured> begin() {
        Captured out;
        out.said_ = TRY(sys::memfd_create("umoci"));
        for (int stream : {1, 2})
            out.saved_.push_back(TRY(sys::dup_above(stream, 3)));
        for (int stream : {1, 2})
            TRY(sys::dup2(out.said_.get(), stream));
        return out;
    }
    Captured(Captured&&) = default;
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    Captured& operator=(Captured&&) = delete;
    ~Captured() { give_back(); }

    /// The last line that was said.
    std::string end() {
        give_back();
        std::string text(kMostSaid, '\0');
        (void)sys::lseek_start(said_.get()); // memory: can't fail
        text.resize(sys::read(said_.get(), text).value_or(0));
        while (text.ends_with('\n') || text.ends_with(' '))
            text.pop_back();
        text.erase(0, text.rfind('\n') + 1);
        text.erase(0, std::min(text.find_first_not_of(" •⨯"), text.size()));
        return text;
    }

private:
    Captured() = default;
    void give_back() {
        for (std::size_t i = 0; i < saved_.size(); ++i)
            (void)sys::dup2(saved_[i].get(), static_cast<int>(i) + 1); // both open: can't fail
        saved_.clear();
    }
    Fd said_;
    std::vector<Fd> saved_;
};

/// Run umoci, `words` of which the first two are its command, in `folder`, as root of a user
/// namespace like the container's, unless we are root.
Result<void> umoci(const Global& global, const std::string& folder, std::uint64_t signal_mask,
                   sys::Strings words) {
    std::string program = sys::find_program("umoci");
    if (program.empty())
        return sys::wrong("an OCI image layout is unpacked by umoci, which is not installed",
                          "'" + stages::causes::install("umoci", "umoci", "umoci") + "'");
    if (sys::geteuid() != 0 && !TRY(run::maps_many())) // then nobody's files are but its own
        words.insert(words.begin() + 2, "--rootless");
    spec::Spec spec;
    spec.stages = spec::StageSet(0);
    if (sys::geteuid() != 0)
        spec.stages.add(spec::Stage::user);
    spec.process.args = std::move(words);
    spec.process.args.insert(spec.process.args.begin(), program);
    spec.process.exact_env = true;
    spec.process.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    spec.process.cwd = folder; // a colon in its path would end it for umoci
    Captured captured = TRY(Captured::begin());
    auto status = run::launch(spec, global.debug, signal_mask);
    std::string said = captured.end();
    int code = TRY(std::move(status));
    if (code == 0)
        return {};
    if (code > 128)
        return sys::wrong("unpacking was ended by " + sys::signal_name(code - 128));
    return sys::wrong("umoci can't unpack \"" + folder + "\": " + said,
                      "does 'skopeo inspect oci:" + folder + "' read it?");
}

/// The image's part of config.json, on ours.
void merge(json& config, const json& image) {
    for (const char* key : {"args", "env", "cwd", "user"})
        if (json::json_pointer at("/process/" + std::string(key)); image.contains(at))
            config[at] = image[at];
    if (auto notes = image.find("annotations"); notes != image.end())
        for (const auto& [name, value] : notes->items())
            if (value.is_string() && !value.get_ref<const std::string&>().empty())
                config["annotations"][name] = value;
    json& mounts = config["mounts"];
    auto where = [](const json& mount) {
        return mount.is_object() ? mount.value("destination", json()) : json();
    };
    auto mounted = [&](const json& one) {
        return std::ranges::any_of(mounts,
                                   [&](const json& ours) { return where(ours) == where(one); });
    };
    if (auto theirs = image.find("mounts"); theirs != image.end())
        for (const json& one : *theirs)
            if (!mounted(one)) // its volumes
                mounts.push_back(one);
}

json config_for(const Global& global, const std::string& id, bool terminal) {
    bool rootless = sys::geteuid() != 0 || global.in_user_namespace;
    json config = json::parse(
        default_config({.rootless = rootless, .uid = sys::geteuid(), .gid = sys::getgid()}));
    if (sys::geteuid() != 0) // those of /etc/subuid, as umoci had them
        for (const char* map : {"uidMappings", "gidMappings"})
            config["linux"].erase(map);
    config["root"]["readonly"] = false; // it is the container's own
    config["hostname"] = id.substr(0, 64);
    config["process"]["terminal"] = terminal;
    // Images count on them: they change owners and users as they start.
    json names = json::array();
    for (std::string name : spec::default_capabilities()) {
        for (char& c : name)
            c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        names.push_back(name);
    }
    for (const char* set : {"bounding", "effective", "permitted"})
        config["process"]["capabilities"][set] = names;
    return config;
}

} // namespace

std::optional<Layout> layout_at(const std::string& path) {
    if (is_layout(path))
        return Layout{path, {}};
    std::size_t colon = path.rfind(':');
    if (colon == std::string::npos || path.find('/', colon) != std::string::npos ||
        sys::exists(path) || !is_layout(path.substr(0, colon)))
        return std::nullopt;
    return Layout{path.substr(0, colon), path.substr(colon + 1)};
}

Result<std::string> bundle_place(const Global& global, const std::string& id) {
    std::string folder = "/var/lib/gocontainer";
    if (sys::geteuid() != 0 || global.in_user_namespace) {
        const char* data = getenv("XDG_DATA_HOME");
        const char* home = getenv("HOME");
        if (data != nullptr && *data == '/')
            folder = sys::join(data, "gocontainer");
        else if (home != nullptr && *home == '/')
            folder = sys::join(home, ".local/share/gocontainer");
        else
            return sys::wrong("there is no place to unpack an image: neither XDG_DATA_HOME nor "
                              "HOME is set");
    }
    TRY(sys::make_path(folder));
    return sys::join(folder, id + "-" + TRY(sys::random_hex(4)));
}

Result<void> unpack(const Global& global, const Layout& layout, const std::string& target,
                    const Unpacking& how) {
    std::string image = ".:" + TRY(choose_tag(layout));
    std::string rootfs = sys::join(target, "rootfs");
    std::string config_path = sys::join(target, kConfig);
    TRY(sys::mkdirat(AT_FDCWD, target, 0700));
    TRY(umoci(global, layout.folder, how.signal_mask, {"raw", "unpack", "--image", image, rootfs}));
    TRY(umoci(global, layout.folder, how.signal_mask,
              {"raw", "runtime-config", "--image", image, "--rootfs", rootfs, config_path}));
    std::string text = TRY(read_text(config_path));
    json config = config_for(global, how.id, how.terminal);
    merge(config, TRY(parse_json(text, config_path)));
    Fd folder = TRY(sys::openat(AT_FDCWD, target, O_RDONLY | O_DIRECTORY));
    return sys::replace_file(folder.get(), kConfig, config.dump(1, '\t') + "\n", 0644);
}

Result<void> discard(const std::string& target) {
    auto removed = sys::remove_tree(AT_FDCWD, target);
    if (removed || (removed.error().code != EACCES && removed.error().code != EPERM))
        return removed;
    return run::as_container_root([&] { return sys::remove_tree(AT_FDCWD, target); });
}

void harden(spec::Spec& spec) {
    spec.stages.add(spec::Stage::seccomp);
    spec.seccomp = {};
    spec.stages.add(spec::Stage::init);
}

Result<void> silence_input() {
    auto [reader, writer] = TRY(sys::pipe());
    // Both ends in one descriptor: it has a writer for as long as somebody reads.
    Fd both = TRY(sys::openat(AT_FDCWD, "/proc/self/fd/" + std::to_string(reader.get()), O_RDWR));
    return sys::dup2(both.get(), 0);
}

} // namespace oci
