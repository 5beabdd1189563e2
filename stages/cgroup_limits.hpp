// Writing limits into a cgroup, and making sure that the kernel holds to them.
#pragma once

#include "stages/cgroup_names.hpp"
#include "stages/stage.hpp"

#include <utility>
#include <vector>

namespace stages::cgroup {

inline constexpr std::uint64_t kUsualWeight = 100; ///< cpu.weight of a new cgroup

enum class Remember : std::uint8_t {
    nothing,  ///< the leaf is new
    previous, ///< what was there before, to be put back by restore()
};

/// A leaf's files while limits are written.
class LimitFiles {
public:
    using Say = std::function<void(const std::string&)>;
    LimitFiles(const Fd& leaf, std::string path, spec::Naming naming, const Say& say,
               Remember remember)
        : leaf_(leaf.get()), path_(std::move(path)), naming_(naming), say_(say),
          remember_(remember == Remember::previous) {}

    /// All of `wanted` but its devices; the controllers are enabled.
    Result<void> write(const spec::Resources& wanted);
    /// Can a process start in there? Not in one without memory, nor in a frozen one.
    Result<void> check_birth(const spec::Resources& wanted) const;
    /// Put back what was there before write(), as far as the kernel lets us: for when one of a set
    /// of limits was refused.
    void restore();

private:
    Result<void> memory(const spec::Resources& wanted);
    Result<void> check_use(const spec::Resources& wanted);
    Result<void> swap(const spec::Resources& wanted);
    Result<void> cpu(const spec::Resources& wanted);
    Result<void> cpu_time(const spec::Resources& wanted);
    Result<void> cpuset(Name name, const std::string& file, const std::string& list);
    Result<void> hugetlb(const spec::HugetlbLimit& limit);
    Result<void> rdma(const spec::RdmaLimit& limit);
    Result<void> unified(const std::string& file, const std::string& text);
    // cgroup_io.cpp
    Result<void> io(const spec::Resources& wanted);
    Result<void> io_weight(const spec::Resources& wanted);
    Result<void> io_weight_of(const spec::IoWeight& device);
    Result<void> io_max(const spec::IoMax& limit);

    bool has(const std::string& file) const;
    /// Does it ask for no more than what there is without the file's controller?
    bool moot(bool usual, const std::string& file) const { return usual && !has(file); }
    Result<std::string> read(const std::string& file) const; ///< without its last newline
    /// A number of one line; "max" is nothing.
    Result<std::optional<std::uint64_t>> number(const std::string& file) const;
    /// One write; `before` is what would take it back (default: what the file says now).
    Result<void> put(Name name, const std::string& file, const std::string& value,
                     std::optional<std::string> before = std::nullopt);
    std::unexpected<Error> refused(Name name, const std::string& value, const std::string& why,
                                   std::string hint) const;

    int leaf_;
    std::string path_;
    spec::Naming naming_;
    const Say& say_;
    bool remember_;
    std::vector<std::pair<std::string, std::string>> before_; ///< file and text
};

} // namespace stages::cgroup
