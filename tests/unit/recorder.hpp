// The recorder: a listener that answers every call in the kernel's place, so that a stage's halves
// run without touching this machine, and any call can be made to fail.
//
//   Recorder kernel;                       // listens until its end
//   kernel.file("/proc/sys/…", "1\n");     // what reading a path gives; other reads are ENOENT
//   kernel.answer("pivot_root", -EPERM);   // every call whose text contains this
//   kernel.fail(7, EIO);                   // the eighth call
//   … run a half …
//   kernel.calls                           // what was called, spelled as in C
//
// Descriptors that it hands out are never open: closing one is a harmless EBADF.
#pragma once

#include "sys/seam.hpp"

#include <sys/stat.h>

#include <map>
#include <string>
#include <vector>

namespace unit {

class Recorder : public sys::Listener {
public:
    Recorder();
    ~Recorder() override;
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    void file(const std::string& path, std::string text) { files_[path] = std::move(text); }
    /// st_mode (and st_rdev) of a path; what isn't told is a directory, below /dev a device.
    void mode(const std::string& path, mode_t mode) { modes_[path] = mode; }
    /// st_uid of a path; what isn't told is root's.
    void owner(const std::string& path, uid_t uid) { owners_[path] = uid; }
    /// File system type of a path (statfs(2)); usual: procfs below /proc, ext4 elsewhere.
    void type(const std::string& path, long magic) { types_[path] = magic; }
    /// The result of every call whose text contains `part`; the last rule that fits counts.
    void answer(const std::string& part, long result) { rules_.emplace_back(part, result); }
    /// The kernel itself answers these.
    void pass(const std::string& part) { passed_.push_back(part); }
    void fail(std::size_t number, int code) {
        fail_at_ = number;
        fail_with_ = code;
    }

    std::vector<std::string> calls;
    /// The number of the first call whose text contains `part`; calls.size() when there is none.
    std::size_t at(const std::string& part) const;
    bool called(const std::string& part) const { return at(part) != calls.size(); }
    /// The file that each descriptor was opened for.
    std::string path_of(int fd) const;

    std::optional<long> before(const sys::Call& call) override;

private:
    struct Open {
        std::string path;
        std::size_t offset = 0;
    };
    long usual(const sys::Call& call);
    long open(const std::string& path);
    long read(const sys::Call& call, int fd);
    long status(const sys::Call& call, const std::string& path) const;
    long file_system(const sys::Call& call, const std::string& path) const;

    sys::Listener* before_;
    std::map<std::string, std::string> files_;
    std::map<std::string, mode_t> modes_;
    std::map<std::string, uid_t> owners_;
    std::map<std::string, long> types_;
    std::vector<std::pair<std::string, long>> rules_;
    std::vector<std::string> passed_;
    std::map<int, Open> open_;
    int next_ = 10000;
    std::size_t fail_at_ = ~std::size_t{0};
    int fail_with_ = 0;
};

} // namespace unit
