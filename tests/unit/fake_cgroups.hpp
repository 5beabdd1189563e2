// A host's cgroups in a temporary directory, behind sys::Listener.
//
// Calls on absolute paths are answered here, from files below the directory or with ENOENT, so a
// test can't touch the machine it runs on; calls on descriptors go to the kernel, since these
// descriptors are the temporary files'. Directories below /sys/fs/cgroup get cgroupfs's files, and
// the kernel's rules for them: controllers come from the parent's cgroup.subtree_control, a cgroup
// with processes can't be removed, and so on.
#pragma once

#include "stages/stages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace test {

namespace fs = std::filesystem;

class FakeCgroups : public sys::Listener {
public:
    FakeCgroups() {
        char name[] = "/tmp/fake-cgroups.XXXXXX";
        top_ = ::mkdtemp(name);
        sys::listener = this;
    }
    ~FakeCgroups() override {
        sys::listener = nullptr;
        fs::remove_all(top_);
    }
    FakeCgroups(const FakeCgroups&) = delete;
    FakeCgroups& operator=(const FakeCgroups&) = delete;

    /// A file of the host, /proc/self/cgroup for one.
    void put(const std::string& path, const std::string& text) {
        fs::create_directories((top_ + path).substr(0, (top_ + path).rfind('/')));
        std::ofstream(top_ + path) << text;
    }
    std::string get(const std::string& path) const {
        std::ostringstream text;
        text << std::ifstream(top_ + path).rdbuf();
        return text.str();
    }
    const std::string& top() const { return top_; }
    bool has(const std::string& path) const { return fs::exists(top_ + path); }

    /// cgroup v2 at `root` with these controllers.
    void mount(const std::string& root, const std::string& controllers) {
        root_ = root;
        for (const char* file : {"cgroup.procs", "cgroup.subtree_control"})
            put(root + "/" + file, "");
        put(root + "/cgroup.controllers", controllers + "\n");
    }
    /// A cgroup that was there before; `processes` as in cgroup.procs.
    void cgroup(const std::string& path, const std::string& processes = "") {
        fs::create_directories(top_ + path);
        std::string enabled = get(parent_of(path) + "/cgroup.subtree_control");
        put(path + "/cgroup.controllers", enabled);
        put(path + "/cgroup.subtree_control", "");
        put(path + "/cgroup.procs", processes);
        put(path + "/cgroup.type", "domain\n");
        put(path + "/cgroup.events", processes.empty() ? "populated 0\n" : "populated 1\n");
        put(path + "/cgroup.kill", "");
        put(path + "/cgroup.freeze", "0\n");
        const std::map<std::string, std::vector<std::string>> files = {
            {"memory",
             {"memory.max", "memory.swap.max", "memory.low", "memory.high", "memory.current",
              "memory.swap.current"}},
            {"cpu", {"cpu.max", "cpu.weight", "cpu.idle", "cpu.max.burst"}},
            {"cpuset",
             {"cpuset.cpus", "cpuset.cpus.effective", "cpuset.mems", "cpuset.mems.effective"}},
            {"pids", {"pids.max"}},
            {"io", {"io.max", "io.weight"}},
            {"hugetlb", {"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"}},
            {"rdma", {"rdma.max"}}};
        std::istringstream words(enabled);
        for (std::string word; words >> word;)
            for (const std::string& file : files.at(word))
                put(path + "/" + file, file == "cpu.max" ? "max 100000\n" : "");
    }

    /// Every call of `name` whose text contains `part` fails, or with 0 succeeds.
    void answer(const std::string& name, const std::string& part, int code) {
        answers_.push_back({name, part, code});
    }
    std::function<void(const sys::Call&)> watch = [](const sys::Call&) {};
    std::vector<std::string> owners; ///< "PATH UID", as they were given away
    std::vector<std::string> calls; ///< what changes something: "mkdirat /sys/…", "write FILE=TEXT"

    std::optional<long> before(const sys::Call& call) override {
        watch(call);
        for (const Answer& fixed : answers_)
            if (fixed.name == call.name && call.text.contains(fixed.part))
                return -fixed.code;
        std::string path = quoted_part(call.text);
        if (call.name == "write")
            return write(call.text);
        if (call.name == "unshare") {
            calls.push_back("unshare");
            return 0;
        }
        if (call.name == "connect") // another fake's socket, if anyone's
            return path.starts_with("/tmp/") ? std::nullopt : std::optional<long>(-ENOENT);
        if (!path.starts_with('/') || path.starts_with(top_) || path.starts_with("/dev/"))
            return std::nullopt;
        if (call.name.ends_with("xattr")) {
            std::string mark = path + (call.text.contains("taken") ? " taken" : "");
            if (call.name == "setxattr")
                return marked_.insert(mark), 0;
            if (call.name == "removexattr")
                return marked_.erase(mark) != 0 ? 0 : -ENODATA;
            return marked_.contains(mark) && has(path) ? 1 : -ENODATA;
        }
        if (call.name == "faccessat")
            return has(path) ? 0 : -ENOENT;
        if (call.name == "openat")
            return open(path, call.text);
        if (call.name == "fchownat") {
            std::string uid = call.text.substr(call.text.find("\", ") + 3);
            owners.push_back(path + " " + uid.substr(0, uid.find(',')));
            return has(path) ? 0 : -ENOENT;
        }
        if (call.name == "fstatat") {
            struct stat info{};
            if (::stat((top_ + path).c_str(), &info) != 0)
                return -errno;
            memcpy(call.out.data(), &info, sizeof info);
            return 0;
        }
        if (call.name == "mkdirat")
            return make(path);
        if (call.name == "unlinkat")
            return remove(path);
        return -ENOENT;
    }

private:
    struct Answer {
        std::string name, part;
        int code;
    };

    static std::string parent_of(const std::string& path) {
        return path.substr(0, path.rfind('/'));
    }
    static std::string quoted_part(const std::string& text) {
        std::size_t start = text.find('"');
        return start == std::string::npos
                   ? ""
                   : text.substr(start + 1, text.find('"', start + 1) - start - 1);
    }

    long open(const std::string& path, const std::string& text) const {
        int flags = O_CLOEXEC;
        flags |= text.contains("O_WRONLY") ? O_WRONLY : O_RDONLY;
        flags |= text.contains("O_PATH") ? O_PATH : 0;
        flags |= text.contains("O_DIRECTORY") ? O_DIRECTORY : 0;
        int fd = ::open((top_ + path).c_str(), flags);
        return fd >= 0 ? fd : -errno;
    }
    long make(const std::string& path) {
        if (has(path))
            return -EEXIST;
        if (!has(parent_of(path)))
            return -ENOENT;
        calls.push_back("mkdirat " + path);
        cgroup(path);
        return 0;
    }
    long remove(const std::string& path) {
        if (!has(path))
            return -ENOENT;
        if (!get(path + "/cgroup.procs").empty())
            return -EBUSY;
        for (const auto& entry : fs::directory_iterator(top_ + path))
            if (entry.is_directory())
                return -EBUSY;
        calls.push_back("rmdir " + path);
        marked_.erase(path);
        fs::remove_all(top_ + path);
        return 0;
    }
    /// write(7, "+memory", 7): the kernel's part of it. What isn't cgroupfs's goes through.
    std::optional<long> write(const std::string& text) {
        std::string number = text.substr(6, text.find(',') - 6);
        std::error_code unknown;
        std::string path = fs::read_symlink("/proc/self/fd/" + number, unknown);
        if (!path.starts_with(top_))
            return std::nullopt;
        path = path.substr(top_.size());
        std::string value = quoted_part(text);
        calls.push_back("write " + path + "=" + value);
        std::string directory = parent_of(path);
        if (path.ends_with("cgroup.subtree_control")) {
            std::string enabled = get(path);
            std::istringstream words(value);
            for (std::string word; words >> word;)
                enabled += (enabled.empty() ? "" : " ") + word.substr(1);
            put(path, enabled);
            for (const auto& entry : fs::directory_iterator(top_ + directory))
                if (entry.is_directory())
                    std::ofstream(entry.path() / "cgroup.controllers") << enabled << "\n";
        } else if (path.ends_with("cgroup.kill")) {
            for (const auto& entry : fs::recursive_directory_iterator(top_ + directory)) {
                if (entry.path().filename() == "cgroup.procs")
                    std::ofstream(entry.path()) << "";
                if (entry.path().filename() == "cgroup.events")
                    std::ofstream(entry.path()) << "populated 0\n";
            }
        } else if (path.ends_with("cgroup.procs")) {
            put("/proc/self/cgroup", "0::" + directory.substr(root_.size()) + "\n");
        } else {
            put(path, value);
        }
        return static_cast<long>(value.size());
    }

    std::string top_, root_;
    std::vector<Answer> answers_;
    std::set<std::string> marked_; ///< with an extended attribute
};

} // namespace test
