// Timed runs: posix_spawn, wait4, rusage.
#include "spawn.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

/// CPU time of the command that was started, and of what it waited for.
Result<double> command(const Argv& argv) {
    static const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    Spawn spawn;
    spawn.give(null, STDOUT_FILENO);
    spawn.give(null, STDERR_FILENO);
    auto pid = spawn.start(argv);
    if (!pid)
        return std::unexpected(pid.error());
    int status = 0;
    rusage usage{};
    while (wait4(*pid, &status, 0, &usage) < 0) {
        if (errno != EINTR)
            return failed("wait4");
    }
    if (status != 0) {
        std::string said = output_of(argv).text; // a second try, for what it has to say
        return std::unexpected("'" + line_of(argv) + "' failed" +
                               (said.empty() ? "" : ": " + said.substr(said.rfind('\n') + 1)));
    }
    return cpu_ms(usage);
}

} // namespace

Result<Sample> launch(const Argv& argv) {
    adopt_orphans();
    double start = now_ms();
    auto cpu = command(argv);
    double end = now_ms();
    auto orphans = reap_orphans(argv);
    if (!cpu || !orphans)
        return std::unexpected((cpu ? orphans : cpu).error());
    return Sample{.wall_ms = end - start, .cpu_ms = *cpu + *orphans};
}

Result<Sample> launch_and_leave(const Argv& argv) {
    double start = now_ms();
    auto cpu = command(argv);
    double end = now_ms();
    if (!cpu)
        return std::unexpected(cpu.error());
    return Sample{.wall_ms = end - start, .cpu_ms = *cpu};
}

Result<Sample> lifecycle(const std::vector<Argv>& commands) {
    adopt_orphans();
    double start = now_ms(), cpu = 0;
    for (const auto& argv : commands) {
        if (&argv == &commands.back()) {
            auto orphans = reap_orphans(argv);
            if (!orphans)
                return std::unexpected(orphans.error());
            cpu += *orphans;
        }
        auto used = command(argv);
        if (!used)
            return std::unexpected(used.error());
        cpu += *used;
    }
    return Sample{.wall_ms = now_ms() - start, .cpu_ms = cpu};
}

Output output_of(const Argv& argv) {
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return {};
    Spawn spawn;
    spawn.give(out[1], STDOUT_FILENO);
    spawn.give(out[1], STDERR_FILENO);
    auto pid = spawn.start(argv);
    close(out[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; pid && (n = read(out[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<size_t>(n));
    close(out[0]);
    int status = -1;
    if (pid)
        waitpid(*pid, &status, 0);
    return {.text = text.substr(0, text.find_last_not_of('\n') + 1), .status = status};
}

std::string find_program(const std::string& name) {
    const char* path = getenv("PATH");
    std::istringstream folders(path ? path : "/usr/local/bin:/usr/bin:/bin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::string file = folder + "/" + name;
        if (access(file.c_str(), X_OK) == 0)
            return file;
    }
    return {};
}

} // namespace bench
