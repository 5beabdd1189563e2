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

Result<Sample> launch(const Argv& argv) {
    adopt_orphans();
    static const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    Spawn spawn;
    spawn.give(null, STDOUT_FILENO);
    spawn.give(null, STDERR_FILENO);

    double start = now_ms();
    auto pid = spawn.start(argv);
    if (!pid)
        return std::unexpected(pid.error());
    int status = 0;
    rusage usage{};
    while (wait4(*pid, &status, 0, &usage) < 0) {
        if (errno != EINTR)
            return failed("wait4");
    }
    double end = now_ms();

    auto orphans = reap_orphans(argv);
    if (!orphans)
        return std::unexpected(orphans.error());
    if (status != 0) {
        std::string said = output_of(argv).text; // a second try, for what it has to say
        return std::unexpected("'" + line_of(argv) + "' failed" +
                               (said.empty() ? "" : ": " + said.substr(said.rfind('\n') + 1)));
    }
    return Sample{.wall_ms = end - start, .cpu_ms = cpu_ms(usage) + *orphans};
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
