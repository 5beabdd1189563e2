// DevTools' protocol: a call has a number and its answer the same; what happens meanwhile has none.
#include "tests/site/browser.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace site_tests {

using nlohmann::json;

namespace {

/// Above the numbers that Chromium wants its ends to have.
struct Pipe {
    int read = -1, write = -1;
    Pipe() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            support::fail_with_errno("pipe2");
        read = fcntl(ends[0], F_DUPFD_CLOEXEC, 16);
        write = fcntl(ends[1], F_DUPFD_CLOEXEC, 16);
        close(ends[0]);
        close(ends[1]);
    }
};

} // namespace

std::string Browser::program() {
    for (const char* name :
         {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
        if (access(name, X_OK) == 0)
            return name;
    return "";
}

Browser::Browser() {
    Pipe commands, answers;
    support::Strings argv{program(),
                          "--headless",
                          "--disable-gpu",
                          "--hide-scrollbars",
                          "--no-first-run",
                          "--disable-dev-shm-usage",
                          "--allow-file-access-from-files",
                          "--host-resolver-rules=MAP * ~NOTFOUND", // and nobody is waited for
                          "--user-data-dir=" + profile_.path(),
                          "--remote-debugging-pipe"};
    if (support::is_root()) // whom its own sandbox refuses
        argv.emplace_back("--no-sandbox");
    process_ = std::make_unique<support::Process>(
        support::Command{.argv = argv, .fds = {{commands.read, 3}, {answers.write, 4}}});
    close(commands.read);
    close(answers.write);
    to_ = commands.write;
    from_ = answers.read;
    std::string target =
        call("Target.createTarget", {{"url", "about:blank"}})["targetId"].get<std::string>();
    session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"]
                   .get<std::string>();
    call("Page.enable", json::object());
}

Browser::~Browser() {
    try {
        session_.clear();
        call("Browser.close", json::object());
        process_->wait();
    } catch (const std::exception& error) { // then its Process kills it
        ADD_FAILURE() << "the browser did not close: " << error.what();
    }
    close(to_);
    close(from_);
}

json Browser::next_message() {
    while (unread_.find('\0') == std::string::npos) {
        pollfd ready{from_, POLLIN, 0};
        if (poll(&ready, 1, static_cast<int>(support::kPatience.count())) <= 0)
            throw std::runtime_error("the browser does not answer");
        std::array<char, 65536> some;
        ssize_t got = read(from_, some.data(), some.size());
        if (got <= 0)
            throw std::runtime_error("the browser has ended: " + process_->wait().err);
        unread_.append(some.data(), static_cast<std::size_t>(got));
    }
    std::size_t end = unread_.find('\0');
    json message = json::parse(unread_.substr(0, end));
    unread_.erase(0, end + 1);
    return message;
}

json Browser::call(const std::string& method, const json& params) {
    json message{{"id", ++calls_}, {"method", method}, {"params", params}};
    if (!session_.empty())
        message["sessionId"] = session_;
    std::string text = message.dump();
    for (std::size_t sent = 0; sent <= text.size();) { // with its zero byte
        ssize_t wrote = write(to_, text.c_str() + sent, text.size() + 1 - sent);
        if (wrote <= 0)
            support::fail_with_errno("write to the browser");
        sent += static_cast<std::size_t>(wrote);
    }
    for (;;) {
        json answer = next_message();
        if (answer.value("id", 0L) != calls_)
            continue;
        if (answer.contains("error"))
            throw std::runtime_error(method + ": " + answer["error"].dump());
        return answer["result"];
    }
}

void Browser::open(const std::string& url) {
    json answer = call("Page.navigate", {{"url", url}});
    if (answer.contains("errorText"))
        throw std::runtime_error(url + ": " + answer["errorText"].get<std::string>());
    value_of("new Promise(done => document.readyState === 'complete' ? done(true) : "
             "addEventListener('load', () => done(true)))");
}

void Browser::width(int pixels) {
    call("Emulation.setDeviceMetricsOverride",
         {{"width", pixels}, {"height", 900}, {"deviceScaleFactor", 1}, {"mobile", pixels < 600}});
}

void Browser::scheme(const std::string& light_or_dark) {
    call("Emulation.setEmulatedMedia",
         {{"features", {{{"name", "prefers-color-scheme"}, {"value", light_or_dark}}}}});
}

json Browser::value_of(const std::string& expression) {
    json answer =
        call("Runtime.evaluate",
             {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
    if (answer.contains("exceptionDetails"))
        throw std::runtime_error(answer["exceptionDetails"].dump());
    return answer["result"].value("value", json());
}

} // namespace site_tests
