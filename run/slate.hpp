// The slate: memory that parent and child share, on which the child writes why it failed before it
// says so. A seccomp filter of the person's own may let it say nothing any more, or end it for
// trying; writing takes no system call. The exec of the command wipes the child's side out.
//
// The parent makes one where there is such a filter, and reads it when the child's socket closes
// without a Failed. Between `create` and `start` it lies in the container's state directory.
#pragma once

#include "sys/kernel.hpp"

#include <optional>

namespace run {

class Slate {
public:
    Slate() = default; ///< none: writes go nowhere, and nothing is on it
    static sys::Result<Slate> make();
    static sys::Result<Slate> on(sys::Fd file);
    /// The child's side of the one whose file() it was sent, and needs no longer.
    static sys::Result<Slate> open(const sys::Fd& file);
    ~Slate();
    Slate(Slate&& other) noexcept;
    Slate(const Slate&) = delete;
    Slate& operator=(const Slate&) = delete;
    Slate& operator=(Slate&& other) noexcept;

    bool there() const { return page_ != nullptr; }
    const sys::Fd& file() const { return file_; }
    void write(const sys::Error& error);
    std::optional<sys::Error> read() const;
    /// What the child has to say, when its socket has closed: what is written, or that it ended
    /// under its filter. Nothing: it has become the command.
    std::optional<sys::Error> verdict() const;
    /// The child is between its filter and the exec: what ends it now is the filter.
    void set_filtered(bool now);
    bool filtered() const;

private:
    struct Page;
    explicit Slate(Page* page) : page_(page) {}
    sys::Fd file_;
    Page* page_ = nullptr;
};

} // namespace run
