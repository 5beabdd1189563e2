// Plain bytes, and no allocation: the filter may refuse the heap its memory, too.
#include "run/slate.hpp"

#include <algorithm>
#include <cstring>

namespace run {

using sys::Error;
using sys::Fd;
using sys::Result;

struct Slate::Page {
    bool written;
    bool filtered;
    int code;
    int status;
    char stage[32];
    char call[2048];
    char detail[2048];
    char hint[2048];
};

namespace {

template <std::size_t N>
void put(char (&field)[N], const std::string& text) {
    std::size_t length = std::min(text.size(), N - 1);
    memcpy(field, text.data(), length);
    field[length] = '\0';
}

template <std::size_t N>
std::string get(const char (&field)[N]) {
    return {field, strnlen(field, N)};
}

} // namespace

Result<Slate> Slate::make() {
    Fd file = TRY(sys::memfd_create("gocontainer-slate"));
    Slate slate = TRY(open(file));
    slate.file_ = std::move(file);
    return slate;
}

Result<Slate> Slate::on(Fd file) {
    // Of a file system without room for it, the map would end us (SIGBUS).
    TRY(sys::write_all(file.get(), std::string(sizeof(Page), '\0')));
    Slate slate = TRY(open(file));
    slate.file_ = std::move(file);
    return slate;
}

Result<Slate> Slate::open(const Fd& file) {
    return Slate(static_cast<Page*>(TRY(sys::map_shared(file.get(), sizeof(Page)))));
}

Slate::Slate(Slate&& other) noexcept
    : file_(std::move(other.file_)), page_(std::exchange(other.page_, nullptr)) {}

Slate& Slate::operator=(Slate&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(page_, other.page_);
    return *this;
}

Slate::~Slate() {
    if (page_ != nullptr)
        sys::release_memory(page_, sizeof *page_);
}

void Slate::write(const Error& error) {
    if (page_ == nullptr)
        return;
    put(page_->stage, error.stage);
    put(page_->call, error.call);
    put(page_->detail, error.detail);
    put(page_->hint, error.hint);
    page_->code = error.code;
    page_->status = error.status;
    page_->written = true; // read when we have ended or closed a socket, which orders it
}

std::optional<Error> Slate::read() const {
    if (page_ == nullptr || !page_->written)
        return std::nullopt;
    return Error{.stage = get(page_->stage),
                 .call = get(page_->call),
                 .code = page_->code,
                 .detail = get(page_->detail),
                 .hint = get(page_->hint),
                 .status = page_->status};
}

std::optional<Error> Slate::verdict() const {
    if (auto written = read())
        return written;
    if (!filtered())
        return std::nullopt;
    return Error{.stage = "seccomp",
                 .call = {},
                 .detail = "the launch was ended under the filter of linux.seccomp, before the "
                           "command could start",
                 .hint = "with SCMP_ACT_LOG instead of killing, the kernel's log names the call"};
}

void Slate::set_filtered(bool now) {
    if (page_ != nullptr)
        page_->filtered = now;
}

bool Slate::filtered() const {
    return page_ != nullptr && page_->filtered;
}

} // namespace run
