// Reading and writing the progress file.
#include "teach/progress.hpp"

#include "sys/local.hpp"
#include "sys/path.hpp"

#include <sys/file.h>

#include <cerrno>
#include <cstdlib>

namespace teach {

using sys::Fd;
using sys::Result;

namespace {

constexpr const char* kFile = "progress.json";

Result<std::string> folder() {
    const char* state = getenv("XDG_STATE_HOME");
    const char* home = getenv("HOME");
    if (state != nullptr && *state == '/')
        return sys::join(state, "gocontainer");
    if (home != nullptr && *home == '/')
        return sys::join(home, ".local/state/gocontainer");
    return sys::wrong("there is no place for your progress: neither XDG_STATE_HOME nor HOME is set",
                      "export HOME");
}

} // namespace

Result<std::string> progress_path() {
    return sys::join(TRY(folder()), kFile);
}

Result<nlohmann::json> load_progress() {
    std::string path = TRY(progress_path());
    auto text = sys::read_file(path);
    if (!text && text.error().code == ENOENT)
        return nlohmann::json{{"lessons", nlohmann::json::object()}};
    auto document = nlohmann::json::parse(TRY(std::move(text)), nullptr,
                                          /*allow_exceptions=*/false);
    if (!document.is_object() || (document.contains("lessons") && !document["lessons"].is_object()))
        return sys::wrong("\"" + path + "\" is not the JSON that we write", "move it away");
    if (!document.contains("lessons"))
        document["lessons"] = nlohmann::json::object();
    return document;
}

Result<void> update_progress(const std::function<void(nlohmann::json&)>& change) {
    std::string path = TRY(folder());
    TRY(sys::make_path(path));
    Fd directory = TRY(sys::openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
    TRY(sys::flock(directory.get(), LOCK_EX)); // until the descriptor is closed
    nlohmann::json document = TRY(load_progress());
    change(document);
    return sys::replace_file(directory.get(), kFile, document.dump(2) + "\n", 0644);
}

std::string progress_key(unsigned lesson) {
    return (lesson < 10 ? "0" : "") + std::to_string(lesson);
}

} // namespace teach
