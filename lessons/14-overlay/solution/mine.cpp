// Lesson 14: mine commit UPPER LAYER   make a layer, a tar archive, of an overlay's upper folder
//            mine apply LAYER FOLDER   unpack a layer over a folder
//
// Both by a folder in between, in which the upper folder's signs have become a layer's, or in which
// a layer lies unpacked; tar(1) does the rest.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

const std::string kOpaque = ".wh..wh..opq";

bool is_whiteout(const fs::path& path) {
    struct stat info{};
    return lstat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

bool is_opaque(const fs::path& folder) {
    char value = 0;
    for (const char* name : {"user.overlay.opaque", "trusted.overlay.opaque"})
        if (getxattr(folder.c_str(), name, &value, 1) == 1 && value == 'y')
            return true;
    return false;
}

bool tar(const std::vector<std::string>& words) {
    std::vector<const char*> argv{"tar"};
    for (const std::string& word : words)
        argv.push_back(word.c_str());
    argv.push_back(nullptr);
    pid_t child = fork();
    if (child == 0) {
        execvp("tar", const_cast<char* const*>(argv.data()));
        perror("tar");
        _exit(127);
    }
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/// The upper folder's tree as a layer has it.
void stage(const fs::path& from, const fs::path& to) {
    for (const auto& entry : fs::directory_iterator(from)) {
        const fs::path target = to / entry.path().filename();
        if (is_whiteout(entry.path())) {
            std::ofstream(to / (".wh." + entry.path().filename().string()));
        } else if (entry.is_directory() && !entry.is_symlink()) {
            fs::create_directory(target, entry.path());
            if (is_opaque(entry.path()))
                std::ofstream(target / kOpaque);
            stage(entry.path(), target);
        } else {
            fs::copy(entry.path(), target, fs::copy_options::copy_symlinks);
        }
    }
}

/// First what goes, since an opaque folder's new contents are in the same layer.
void take_away(const fs::path& unpacked, const fs::path& folder) {
    std::vector<fs::path> signs;
    for (const auto& entry : fs::recursive_directory_iterator(unpacked))
        if (entry.path().filename().string().starts_with(".wh."))
            signs.push_back(entry.path());
    for (const fs::path& sign : signs) {
        const std::string name = sign.filename();
        const fs::path where = folder / fs::relative(sign.parent_path(), unpacked);
        if (name != kOpaque)
            fs::remove_all(where / name.substr(4));
        else if (fs::is_directory(where))
            for (const auto& entry : fs::directory_iterator(where))
                fs::remove_all(entry.path());
        fs::remove(sign);
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string verb = argc == 4 ? argv[1] : "";
    if (verb != "commit" && verb != "apply") {
        (void)fprintf(stderr, "usage: commit UPPER LAYER, or apply LAYER FOLDER\n");
        return 2;
    }
    std::string between = fs::temp_directory_path() / "layer-XXXXXX";
    if (mkdtemp(between.data()) == nullptr) {
        perror(between.c_str());
        return 125;
    }
    bool done = false;
    try {
        if (verb == "commit") {
            stage(argv[2], between);
            done = tar({"-C", between, "-cf", argv[3], "."});
        } else if (tar({"-C", between, "-xf", argv[2]})) {
            take_away(between, argv[3]);
            fs::copy(between, argv[3],
                     fs::copy_options::recursive | fs::copy_options::overwrite_existing |
                         fs::copy_options::copy_symlinks);
            done = true;
        }
    } catch (const fs::filesystem_error& error) {
        (void)fprintf(stderr, "%s\n", error.what());
    }
    fs::remove_all(between);
    return done ? 0 : 1;
}
