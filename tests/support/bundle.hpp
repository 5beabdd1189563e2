// A bundle of a test's own, and the runtime's commands on it.
//
//   Bundle bundle;                                   // what `spec` writes, for /bin/sh, no
//   terminal bundle.config["process"]["args"] = {"true"}; EXPECT_EQ(bundle.runtime({"run",
//   "--bundle", bundle.path(), bundle.id()}).status, 0);
//
// State is kept in the bundle's own folder; whatever is left of the container is deleted at the
// end.
#pragma once

#include "tests/support/container.hpp"
#include "tests/support/host.hpp"

#include <nlohmann/json.hpp>

namespace support {

class Bundle {
public:
    Bundle();
    ~Bundle();
    Bundle(const Bundle&) = delete;
    Bundle& operator=(const Bundle&) = delete;

    nlohmann::json config;
    const std::string& id() const { return id_; }
    const std::string& path() const { return folder_.path(); }
    std::string root() const { return folder_ / "state"; }
    const Scratch& folder() const { return folder_; }
    void args(const Strings& words) { config["process"]["args"] = words; }
    /// Write config.json as it is now.
    void save() const;
    /// `gocontainer --root … WORDS`.
    Command command(const Strings& words) const;
    Ended runtime(const Strings& words, Command with = {}) const;
    /// The same command, for a container that stays: with no pipe of ours, whose end would be
    /// waited for, as its streams. What it says on stderr is in `folder() / "detached.err"`.
    Command detached(const Strings& words) const;
    /// save(), then create, which must succeed.
    void create(const Strings& options = {});
    /// …and start.
    void start();
    nlohmann::json state() const;
    std::string status() const { return state().value("status", ""); }
    pid_t pid() const { return state().value("pid", 0); }

private:
    Scratch folder_;
    std::string id_ = token();
};

} // namespace support
