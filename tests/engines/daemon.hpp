// A server of the suite's own, for engines that are one.
#pragma once

#include "tests/engines/engine.hpp"

#include "tests/support/proc.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace engines {

/// A server of ours: waited for until it answers, and for its end.
class Daemon {
public:
    void start(Command command, std::string log) {
        log_ = std::move(log);
        Strings shell{"sh", "-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1", "sh", log_};
        shell.insert(shell.end(), command.argv.begin(), command.argv.end());
        command.argv = std::move(shell);
        process_ = std::make_unique<Process>(std::move(command));
    }
    /// "" or what it died of.
    std::string answers(const std::function<bool()>& asked) {
        bool up = eventually([&] { return !process_->running() || asked(); });
        return up && process_->running() ? "" : "it can't start here: " + last_words();
    }
    std::string last_words() const {
        std::string text = try_slurp(log_).value_or("");
        return text.substr(text.size() > 600 ? text.size() - 600 : 0);
    }
    ~Daemon() {
        if (!process_ || !process_->running())
            return;
        process_->kill(SIGTERM);
        EXPECT_NO_THROW((void)process_->wait()) << last_words();
    }

private:
    std::unique_ptr<Process> process_;
    std::string log_;
};

// containerd.cpp
std::unique_ptr<Engine> make_containerd(const Enclosure& inside);

} // namespace engines
