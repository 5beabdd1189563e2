#include "tests/support/bundle.hpp"

#include "tests/support/proc.hpp"

#include <stdexcept>

namespace support {

using nlohmann::json;

Bundle::Bundle() {
    folder_.rootfs();
    Strings words{gocontainer(), "spec", "--bundle", path()};
    if (!is_root())
        words.emplace_back("--rootless");
    Ended made = run({.argv = words});
    if (made.status != 0)
        throw std::runtime_error("spec: " + made.err);
    config = json::parse(slurp(folder_ / "config.json"));
    config["process"]["terminal"] = false;
}

Bundle::~Bundle() {
    (void)runtime({"delete", "--force", id_}); // the test has said what it thinks of it
}

void Bundle::save() const {
    spill(folder_ / "config.json", config.dump(2));
}

Command Bundle::command(const Strings& words) const {
    Command out{.argv = {gocontainer(), "--root", root()}};
    out.argv.insert(out.argv.end(), words.begin(), words.end());
    out.cwd = path();
    return out;
}

Ended Bundle::runtime(const Strings& words, Command with) const {
    with.argv = command(words).argv;
    if (with.cwd.empty())
        with.cwd = path();
    return run(std::move(with));
}

Command Bundle::detached(const Strings& words) const {
    Command whole = command(words);
    Strings shell{"sh", "-c", "exec \"$@\" >/dev/null 2>\"$0\"", folder_ / "detached.err"};
    shell.insert(shell.end(), whole.argv.begin(), whole.argv.end());
    return {.argv = shell, .cwd = path()};
}

void Bundle::create(const Strings& options) {
    save();
    Strings words{"create"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(id_);
    Ended made = run(detached(words));
    if (made.status != 0)
        throw std::runtime_error("create: " + slurp(folder_ / "detached.err"));
}

void Bundle::start() {
    create();
    Ended started = runtime({"start", id_});
    if (started.status != 0)
        throw std::runtime_error("start: " + started.err);
}

json Bundle::state() const {
    Ended said = runtime({"state", id_});
    if (said.status != 0)
        throw std::runtime_error("state: " + said.err);
    if (!said.err.empty())
        throw std::runtime_error("state says on stderr: " + said.err);
    return json::parse(said.out);
}

} // namespace support
