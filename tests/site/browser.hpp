// A headless Chromium, spoken to over a pair of pipes (--remote-debugging-pipe: JSON messages that
// end with a zero byte, https://chromedevtools.github.io/devtools-protocol/). One page, shown at
// whatever width and colour scheme one asks for. What goes wrong throws.
#pragma once

#include "tests/support/host.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>

namespace site_tests {

class Browser {
public:
    Browser();
    ~Browser();
    Browser(const Browser&) = delete;
    Browser& operator=(const Browser&) = delete;

    /// "" when there is none on this machine.
    static std::string program();

    /// Loads it, and waits until all of it is there.
    void open(const std::string& url);
    void width(int pixels);
    void scheme(const std::string& light_or_dark);
    /// The value of an expression of JavaScript; a promise's, when it is one.
    nlohmann::json value_of(const std::string& expression);

private:
    nlohmann::json call(const std::string& method, const nlohmann::json& params);
    nlohmann::json next_message();

    support::Scratch profile_;
    int to_ = -1, from_ = -1;
    std::unique_ptr<support::Process> process_;
    std::string session_, unread_;
    long calls_ = 0;
};

} // namespace site_tests
