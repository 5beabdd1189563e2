// Runs rootfs-scripts/busybox as a user would, and looks at what it leaves behind from outside:
// the tree, a second run, folders of others, signals. Then what all four scripts have in common.
#include "tests/system/rootfs_ground.hpp"

namespace {

using namespace rootfs_ground;

class Busybox : public BusyboxGround {};

TEST_P(Busybox, MakesARootFileSystem) {
    auto made = script("busybox", {"root fs"});
    ASSERT_TRUE(made.succeeded()) << made;
    EXPECT_EQ(made.out, "./gocontainer parent --rootfs root\\ fs /bin/sh\n");
    EXPECT_EQ(left(), both);

    fs::path tree = target();
    uid_t root = user.outside_uid(0);
    EXPECT_EQ(look(tree).st_uid, root);
    EXPECT_EQ(look(tree).st_mode & 07777, 0755U);
    EXPECT_EQ(look(tree / "tmp").st_mode & 07777, 01777U);
    EXPECT_EQ(look(tree / "root").st_mode & 07777, 0700U);
    for (const char* name : {"dev", "proc", "sys", "mnt", "run", "var/tmp", "home/user"})
        EXPECT_TRUE(fs::is_directory(tree / name)) << name;
    EXPECT_EQ(look(tree / "home/user").st_uid, user.outside_uid(1000));
    struct stat resolver = look(tree / "etc/resolv.conf");
    EXPECT_TRUE(S_ISREG(resolver.st_mode) && resolver.st_size == 0);
    for (const char* name : {"passwd", "group", "hosts", "hostname", "profile", "os-release"}) {
        EXPECT_GT(look(tree / "etc" / name).st_size, 0) << name;
        EXPECT_EQ(look(tree / "etc" / name).st_mode & 07777, 0644U) << name;
    }

    struct stat program = look(tree / "bin/busybox");
    EXPECT_EQ(program.st_mode & 07777, 0755U);
    EXPECT_EQ(program.st_uid, root);
    std::istringstream commands(run({tree / "bin/busybox", "--list-full"}).out);
    int count = 0;
    for (std::string path; std::getline(commands, path); count++) {
        if (path.find('/') == std::string::npos)
            continue; // linuxrc
        struct stat leads_to = {};
        EXPECT_EQ(stat((tree / path).c_str(), &leads_to), 0) << path;
        EXPECT_EQ(leads_to.st_ino, program.st_ino) << path;
    }
    EXPECT_GT(count, 50);

    std::string token = random_token();
    write_file(tree / "tmp/token", token);
    auto shown =
        inside(tree, {"/bin/sh", "-lc", "cat /tmp/token; awk -F: '$3 == 1000' /etc/passwd"});
    EXPECT_EQ(shown.out, token + "user:x:1000:1000:user:/home/user:/bin/sh\n") << shown;
}

TEST_P(Busybox, RunsAgain) {
    auto first = script("busybox", {"root fs"});
    ASSERT_TRUE(first.succeeded()) << first;
    write_file(target() / "tmp/mine", "");
    ino_t inode = look(target()).st_ino;

    auto second = script("busybox", {"root fs/"});
    ASSERT_TRUE(second.succeeded()) << second;
    EXPECT_NE(second.err.find("up to date"), std::string::npos) << second;
    EXPECT_EQ(second.out, first.out);
    EXPECT_EQ(look(target()).st_ino, inode);
    EXPECT_TRUE(fs::exists(target() / "tmp/mine"));
    EXPECT_LT(second.took, 10s);

    auto forced = script("busybox", {"--force", "-q", "root fs"});
    ASSERT_TRUE(forced.succeeded()) << forced;
    EXPECT_EQ(forced.err, "");
    EXPECT_FALSE(fs::exists(target() / "tmp/mine"));
    EXPECT_TRUE(complete(target()));
    EXPECT_EQ(left(), both);

    // Another busybox: the same with something behind it.
    fs::path other = ground / "busybox";
    write_file(other, contents(target() / "bin/busybox") + random_token());
    chmod(other.c_str(), 0755);
    auto changed = script("busybox", {"--busybox", other, "root fs"});
    ASSERT_TRUE(changed.succeeded()) << changed;
    EXPECT_EQ(contents(target() / "bin/busybox"), contents(other));
    EXPECT_EQ(left(), both);
}

TEST_P(Busybox, LeavesOthersFoldersAlone) {
    auto refuses = [this](const std::string& name, const std::string& why) {
        auto outcome = script("busybox", {name});
        EXPECT_EQ(outcome.exit_status(), 1) << outcome;
        EXPECT_NE(outcome.err.find(why), std::string::npos) << outcome;
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome;
        EXPECT_EQ(outcome.out, "");
        auto removal = script("busybox", {"--remove", name});
        EXPECT_EQ(removal.exit_status(), 1) << removal;
    };
    std::string token = random_token();
    fs::create_directory(work / "mine");
    write_file(work / "mine/file", token);
    refuses("mine", "not made by a rootfs script");
    EXPECT_EQ(contents(work / "mine/file"), token);

    write_file(work / "file", token);
    refuses("file", "not a folder");
    fs::create_symlink("nowhere", work / "link");
    refuses("link", "leads nowhere");
    refuses("missing/rootfs", "mkdir -p");
    refuses("/", "");
    refuses(".", "you are in \".\": leave it first"); // it would be renamed under one's feet
    Names untouched{"mine", "file", "link"};
    EXPECT_EQ(left(), untouched);

    // An empty folder is as good as none.
    fs::create_directory(target());
    ASSERT_EQ(chown(target().c_str(), user.uid, user.gid), 0);
    auto made = script("busybox", {"root fs"});
    ASSERT_TRUE(made.succeeded()) << made;

    // What another script made is not this one's.
    std::string marker = contents(work / "root fs.gocontainer");
    std::string others = marker;
    others.replace(others.find("script=busybox"), 14, "script=debian");
    write_file(work / "root fs.gocontainer", others);
    refuses("root fs", "made by rootfs-scripts/debian");
    write_file(work / "root fs.gocontainer", marker);

    // Nor is a folder of one's own that took the place of what the script made.
    fs::rename(target(), work / "moved");
    fs::create_directory(target());
    write_file(target() / "file", token);
    refuses("root fs", "not made by a rootfs script");
    EXPECT_EQ(contents(target() / "file"), token);

    // But the tree is still known under another name, when its marker comes along.
    fs::remove_all(target());
    fs::rename(work / "root fs.gocontainer", work / "moved.gocontainer");
    auto removed = script("busybox", {"--remove", "moved"});
    EXPECT_TRUE(removed.succeeded()) << removed;
    EXPECT_EQ(left(), untouched);
}

TEST_P(Busybox, LeavesNothingHalfMadeWhenStopped) {
    Words words = command("busybox", {"root fs"});
    auto whole = run(words, setting);
    ASSERT_TRUE(whole.succeeded()) << whole;
    ASSERT_TRUE(script("busybox", {"--remove", "root fs"}).succeeded());
    int stopped = 0;
    Milliseconds most = whole.took;
    for (int round = 0; round < 6; round++) {
        int signal = std::array{SIGINT, SIGTERM, SIGHUP}[static_cast<std::size_t>(round % 3)];
        auto after = random_delay(most);
        auto outcome = interrupt(words, signal, after, round % 2 == 0);
        if (outcome.succeeded()) {
            most = after; // the first run may have been held up
            EXPECT_EQ(left(), both);
            EXPECT_TRUE(complete(target()));
            ASSERT_TRUE(script("busybox", {"--remove", "root fs"}).succeeded());
        } else {
            stopped++;
            EXPECT_TRUE(outcome.died_of(signal)) << outcome;
            EXPECT_EQ(left(), Names{}) << outcome;
        }
    }
    EXPECT_GT(stopped, 0);
}

TEST_P(Busybox, KeepsTheOldTreeWhenStopped) {
    ASSERT_TRUE(script("busybox", {"root fs"}).succeeded());
    Words words = command("busybox", {"--force", "root fs"});
    auto whole = run(words, setting);
    for (int round = 0; round < 4; round++) {
        write_file(target() / "tmp/mine", "");
        int signal = round % 2 == 0 ? SIGINT : SIGTERM;
        auto outcome = interrupt(words, signal, random_delay(whole.took), round % 4 < 2);
        EXPECT_EQ(left(), both) << outcome;
        EXPECT_TRUE(complete(target())) << outcome;
        EXPECT_EQ(fs::exists(target() / "tmp/mine"), !outcome.succeeded()) << outcome;
        auto again = script("busybox", {"root fs"});
        EXPECT_TRUE(again.succeeded()) << again;
    }
}

TEST_P(Busybox, ClearsUpAfterAKilledRun) {
    Words words = command("busybox", {"root fs"});
    auto whole = run(words, setting);
    ASSERT_TRUE(whole.succeeded()) << whole;
    for (int round = 0; round < 2; round++) {
        interrupt(command("busybox", {"--force", "root fs"}), SIGKILL, random_delay(whole.took),
                  /*group=*/true);
        await_end(work);
        auto next = script("busybox", {"--force", "root fs"});
        EXPECT_TRUE(next.succeeded()) << next;
        EXPECT_EQ(left(), both) << next;
        EXPECT_TRUE(complete(target()));
    }
}

// Whatever of it went first: here what the next run knows it by.
TEST_P(Busybox, ClearsUpAfterOneThatWasKilledAtClearingUp) {
    ASSERT_TRUE(script("busybox", {"root fs"}).succeeded());
    fs::path tools = path_without("rm");
    write_file(tools / "rm", "#!/bin/sh\n"
                             "for last; do :; done\n"
                             "case $last in *.partial.*) ;; *) exec /bin/rm \"$@\" ;; esac\n"
                             "/bin/rm -f \"$last/rootfs-script\"\n"
                             "kill -KILL $PPID\n");
    ASSERT_EQ(chmod((tools / "rm").c_str(), 0755), 0);
    setting.environment["PATH"] = tools;
    auto killed = script("busybox", {"--force", "root fs"});
    EXPECT_TRUE(killed.died_of(SIGKILL)) << killed;
    EXPECT_EQ(left().size(), 3U);
    setting.environment.erase("PATH");
    await_end(work);
    auto next = script("busybox", {"--force", "root fs"});
    EXPECT_TRUE(next.succeeded()) << next;
    EXPECT_EQ(left(), both) << next;
}

TEST_P(Busybox, TwoAtOnceMakeOne) {
    Process one(command("busybox", {"--force", "root fs"}), setting);
    Process two(command("busybox", {"--force", "root fs"}), setting);
    auto first = one.finish(), second = two.finish();
    EXPECT_TRUE(first.succeeded()) << first;
    EXPECT_TRUE(second.succeeded()) << second;
    EXPECT_EQ(left(), both);
    EXPECT_TRUE(complete(target()));
}

TEST_P(Busybox, RefusesADynamicProgram) {
    auto outcome = script("busybox", {"--busybox", "/bin/bash", "root fs"});
    EXPECT_EQ(outcome.exit_status(), 1);
    EXPECT_NE(outcome.err.find("\"/bin/bash\" is not static"), std::string::npos) << outcome;
    EXPECT_EQ(left(), Names{});
}

TEST_P(Busybox, SaysThatNoRoomIsLeft) {
    // A file system of a few KB, of a few files, and of too few files to begin with.
    for (const char* limit : {"size=64k", "nr_inodes=60", "nr_inodes=3"}) {
        // The shell looks at what is left while the file system is still there.
        Words words{"unshare",
                    "--mount",
                    "sh",
                    "-c",
                    "limit=$1; shift; mount -t tmpfs -o mode=755,$limit none . && cd . && \"$@\"; "
                    "echo status $?; ls -A",
                    "sh",
                    limit};
        if (user.uid != 0)
            words.insert(words.begin() + 1, {"--user", "--map-root-user"});
        Words script = command("busybox", {work / "root fs"});
        words.insert(words.end(), script.begin(), script.end());
        Outcome outcome = run(words, setting);
        EXPECT_EQ(outcome.out, "status 1\n") << limit << ": " << outcome;
        EXPECT_NE(outcome.err.find("no room is left in \"" + work.string() + "\": see 'df -h "),
                  std::string::npos)
            << outcome;
        EXPECT_LT(std::ranges::count(outcome.err, '\n'), 8) << outcome;
    }
    EXPECT_EQ(left(), Names{});
}

INSTANTIATE_TEST_SUITE_P(Rootfs, Busybox, testing::ValuesIn(caller), name_of_user);

// --- all of them ---------------------------------------------------------------------------------

class Scripts : public Ground {};

TEST_P(Scripts, Explain) {
    for (const char* name : {"busybox", "debian", "image", "docker"}) {
        auto help = script(name, {"--help"});
        EXPECT_TRUE(help.succeeded());
        EXPECT_TRUE(help.out.starts_with(std::string("usage: rootfs-scripts/") + name)) << help;
        EXPECT_EQ(help.err, "");
        for (const Words& wrong : {Words{}, {"--nonsense"}, {"a", "b", "c"}, {"x", ""}}) {
            auto outcome = script(name, wrong);
            EXPECT_EQ(outcome.exit_status(), 2) << name << ": " << outcome;
            EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome;
        }
    }
    EXPECT_EQ(left(), Names{});
}

TEST_P(Scripts, NameThePackageOfAMissingProgram) {
    struct {
        const char *name, *program, *apt, *dnf;
    } cases[] = {{"debian", "mmdebstrap", "mmdebstrap", "mmdebstrap"},
                 {"debian", "newuidmap", "uidmap", "shadow-utils"},
                 {"image", "skopeo", "skopeo", "skopeo"},
                 {"image", "umoci", "umoci", "umoci"},
                 {"docker", "docker", "docker.io", "moby-engine"}};
    for (const auto& row : cases) {
        setting.environment["PATH"] = path_without(row.program);
        // Programs that the machine lacks come first in a script's complaint.
        bool others = std::ranges::all_of(cases, [&](const auto& other) {
            return std::string(other.name) != row.name || other.program == row.program ||
                   have(other.program);
        });
        if (!others)
            continue;
        Words arguments{"root fs"};
        if (std::string(row.name) != "debian")
            arguments.insert(arguments.begin(), "docker://localhost:1/x");
        auto outcome = script(row.name, arguments);
        EXPECT_EQ(outcome.exit_status(), 1) << outcome;
        std::string expected = "rootfs-scripts/" + std::string(row.name) + ": \"" + row.program +
                               "\" is missing: apt install " + row.apt + ", or dnf install " +
                               row.dnf;
        EXPECT_TRUE(outcome.err.starts_with(expected)) << expected << "\n" << outcome;
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome;
        EXPECT_EQ(left(), Names{});
    }
}

// Copied somewhere alone. As root its paths would be the machine's own: hence an ordinary user.
TEST_P(Scripts, DoNothingWithoutTheirOtherHalf) {
    User nobody{"nobody", 65534, 65534, {}, {}};
    if (user.uid == 0)
        setting.user = &nobody;
    fs::create_directory(ground / "alone");
    ASSERT_EQ(chmod((ground / "alone").c_str(), 0755), 0);
    for (const char* name : {"busybox", "debian", "image", "docker"}) {
        fs::copy(ground / "scripts" / name, ground / "alone");
        auto outcome = run({ground / "alone" / name, "root fs"}, setting);
        EXPECT_EQ(outcome.exit_status(), 1) << outcome;
        EXPECT_NE(outcome.err.find("lib.sh: No such file"), std::string::npos) << outcome;
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome;
    }
}

INSTANTIATE_TEST_SUITE_P(Rootfs, Scripts, testing::ValuesIn(caller), name_of_user);

} // namespace
