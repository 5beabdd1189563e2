// A file descriptor with one owner. Every one that sys/ opens is O_CLOEXEC.
#pragma once

#include <utility>

namespace sys {

class Fd {
public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    Fd(Fd&& other) noexcept : number_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            close();
            number_ = other.release();
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { close(); }

    int get() const { return number_; }
    bool valid() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void close();

private:
    int number_ = -1;
};

} // namespace sys
