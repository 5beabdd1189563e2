// Runs rootfs-scripts/image, docker and debian as a user would, and looks at what they leave behind
// from outside: a random token of the image, the owners of its files, signals.
#include "tests/system/rootfs_ground.hpp"

namespace {

using namespace rootfs_ground;

// --- image ---------------------------------------------------------------------------------------

/// Makes layers of an image: folders with a busybox, a token, and a file of other ids.
class Images : public BusyboxGround {
protected:
    void make_layers() {
        token = random_token();
        fs::path layer = ground / "home/layer";
        auto made = run({"sh", "-ec", R"sh(
            mkdir "$1" && cd "$1" && umask 022
            mkdir -p bin etc opt tmp && chmod 1777 tmp
            cp "$(command -v busybox || echo /bin/busybox)" bin/busybox
            ln -s busybox bin/sh
            echo 'root:x:0:0::/root:/bin/sh' >etc/passwd
            echo "$2" >token
            echo special >opt/special
            tar --create --file=../layer.tar --owner=0 --group=0 --exclude=opt/special .
            chmod 4755 opt/special
            tar --append --file=../layer.tar --owner=33 --group=42 opt/special)sh",
                         "sh", layer, token},
                        setting);
        ASSERT_TRUE(made.succeeded()) << made;
    }

    void check_tree(const fs::path& tree) {
        EXPECT_EQ(contents(tree / "token"), token + "\n");
        EXPECT_EQ(look(tree / "token").st_uid, user.outside_uid(0));
        EXPECT_EQ(look(tree / "opt/special").st_uid, user.outside_uid(33));
        EXPECT_EQ(look(tree / "opt/special").st_gid, user.outside_gid(42));
        EXPECT_EQ(look(tree / "opt/special").st_mode & 07777, 04755U);
        EXPECT_EQ(look(tree / "tmp").st_mode & 07777, 01777U);
        for (const char* name : {"dev", "proc", "sys"})
            EXPECT_TRUE(fs::is_directory(tree / name)) << name;
        EXPECT_TRUE(fs::is_regular_file(tree / "etc/resolv.conf"));
        auto shown = inside(tree, {"/bin/sh", "-c", "/bin/busybox cat /token"});
        EXPECT_EQ(shown.out, token + "\n") << shown;
    }

    std::string token;
};

class Image : public Images {
protected:
    void SetUp() override {
        Images::SetUp();
        if (IsSkipped())
            return;
        for (const char* program : {"skopeo", "umoci", "jq"})
            if (!have(program))
                GTEST_SKIP() << program << " is missing: apt install " << program;
        make_layers();
        auto made = in_home("umoci init --layout layout && umoci new --image layout:v1 &&"
                            "umoci raw add-layer --image layout:v1 layer.tar &&"
                            "umoci config --image layout:v1 --config.env 'A=b c' "
                            "--config.entrypoint /bin/sh --config.cmd -c --config.cmd 'echo \"hi\"'"
                            " --config.workingdir /tmp --config.user 0");
        ASSERT_TRUE(made.succeeded()) << made;
    }

    Outcome in_home(const std::string& words) {
        Setting here = setting;
        here.folder = ground / "home";
        return run({"sh", "-ec", words}, here);
    }

    const std::string entry = "./gocontainer parent --rootfs root\\ fs -e A=b\\ c -w /tmp -u 0 "
                              "/bin/sh -c echo\\ \\\"hi\\\"\n";
};

TEST_P(Image, UnpacksAnyForm) {
    auto packed =
        in_home("skopeo --insecure-policy copy -q oci:layout:v1 docker-archive:docker.tar:x:v1 && "
                "skopeo --insecure-policy copy -q oci:layout:v1 oci-archive:oci.tar:v1");
    ASSERT_TRUE(packed.succeeded()) << packed;
    for (const char* source : {"oci:../home/layout:v1", "docker-archive:../home/docker.tar",
                               "../home/oci.tar", "../home/docker.tar", "../home/layout"}) {
        SCOPED_TRACE(source);
        auto made = script("image", {source, "root fs"});
        ASSERT_TRUE(made.succeeded()) << made;
        EXPECT_EQ(made.out, entry);
        EXPECT_EQ(left(), both);
        check_tree(target());
    }
    std::string marker = contents(work / "root fs.gocontainer");
    EXPECT_NE(marker.find("\nconfig={\"Env\":[\"A=b c\"],\"Entrypoint\":[\"/bin/sh\"]"),
              std::string::npos)
        << marker;
}

TEST_P(Image, RunsAgain) {
    Words arguments{"oci:" + (ground / "home/layout:v1").string(), "root fs"};
    ASSERT_TRUE(script("image", arguments).succeeded());
    ino_t inode = look(target()).st_ino;
    auto second = script("image", arguments);
    EXPECT_TRUE(second.succeeded()) << second;
    EXPECT_NE(second.err.find("up to date"), std::string::npos) << second;
    EXPECT_EQ(second.out, entry);
    EXPECT_EQ(look(target()).st_ino, inode);

    std::string added = random_token();
    auto changed = in_home("echo " + added +
                           " >added && tar --owner=0 --group=0 --mode=644 -cf added.tar added && "
                           "umoci raw add-layer --image layout:v1 added.tar");
    ASSERT_TRUE(changed.succeeded()) << changed;
    auto third = script("image", arguments);
    EXPECT_TRUE(third.succeeded()) << third;
    EXPECT_EQ(contents(target() / "added"), added + "\n");
    check_tree(target());
    EXPECT_EQ(left(), both);
}

TEST_P(Image, IsForTheArchitectureThatIsAskedFor) {
    ASSERT_TRUE(
        in_home("umoci config --image layout:v1 --tag far --architecture s390x").succeeded());
    std::string near = "oci:" + (ground / "home/layout:v1").string();
    std::string far = "oci:" + (ground / "home/layout:far").string();
    auto refused = script("image", {"--arch", "s390x", near, "root fs"});
    EXPECT_EQ(refused.exit_status(), 1) << refused;
    EXPECT_NE(refused.err.find(", not for s390x: leave --arch out, "), std::string::npos)
        << refused;
    EXPECT_EQ(left(), Names{});
    auto warned = script("image", {far, "root fs"});
    EXPECT_TRUE(warned.succeeded()) << warned;
    EXPECT_NE(warned.err.find("this image is for s390x, and this machine is "), std::string::npos)
        << warned;
    auto asked = script("image", {"--arch", "s390x", far, "root fs"});
    EXPECT_TRUE(asked.succeeded()) << asked;
    for (const auto& outcome : {asked, script("image", {near, "root fs"})})
        EXPECT_EQ(outcome.err.find("this image is for"), std::string::npos) << outcome;
}

// As Nix makes them. Without newuidmap a user is root of no namespace, whom modes would not stop.
TEST_P(Image, CompletesFoldersThatAreClosedToTheirOwner) {
    auto made =
        in_home("mkdir closed && cd closed && mkdir bin etc && cp ../layer/bin/busybox bin &&"
                "ln -s busybox bin/sh && : >etc/hosts && chmod 444 etc/hosts &&"
                "chmod 555 . etc && tar --owner=0 --group=0 -cf ../closed.tar . && cd .. &&"
                "chmod -R u+w closed && umoci new --image layout:closed &&"
                "umoci raw add-layer --image layout:closed closed.tar");
    ASSERT_TRUE(made.succeeded()) << made;
    std::string source = "oci:" + (ground / "home/layout:closed").string();
    setting.environment["PATH"] = path_without("newuidmap");
    auto outcome = script("image", {source, "root fs"});
    ASSERT_TRUE(outcome.succeeded()) << outcome;
    for (const char* name : {"", "etc"})
        EXPECT_EQ(look(target() / name).st_mode & 07777, 0555U) << name;
    for (const char* name : {"dev", "proc", "sys", "etc/resolv.conf"})
        EXPECT_TRUE(fs::exists(target() / name)) << name;
    EXPECT_TRUE(contents(target() / "etc/hosts").starts_with("127.0.0.1 localhost\n"));
    EXPECT_TRUE(script("image", {"--remove", "root fs"}).succeeded());
    EXPECT_EQ(left(), Names{});
}

TEST_P(Image, SaysThatAnOwnerIsBeyondTheCallersIds) {
    if (user.uids.size() < 2 || user.gids.size() < 2)
        GTEST_SKIP() << "who has no subordinate ids owns every file, and root without has every id";
    std::uint64_t ids = 0;
    for (auto [first, count] : user.uids)
        ids += count;
    std::string beyond = std::to_string(ids);
    ASSERT_TRUE(in_home("echo x >far && tar --owner=" + beyond +
                        " -cf far.tar far && "
                        "umoci raw add-layer --image layout:v1 far.tar")
                    .succeeded());
    auto failed = script("image", {"oci:" + (ground / "home/layout:v1").string(), "root fs"});
    EXPECT_EQ(failed.exit_status(), 1);
    std::string last = "here, 0 to " + std::to_string(ids - 1) + ":";
    EXPECT_NE(failed.err.find(last), std::string::npos) << failed;
    EXPECT_EQ(left(), Names{});
}

TEST_P(Image, SaysWhatAShortNameMeans) {
    // A proxy that nobody serves, so that no registry is asked.
    setting.environment["HTTPS_PROXY"] = "http://127.0.0.1:1";
    setting.environment["HTTP_PROXY"] = "http://127.0.0.1:1";
    for (auto [name, meaning] : {std::pair{"alpine", "docker://docker.io/library/alpine"},
                                 {"me/tool:2", "docker://docker.io/me/tool:2"},
                                 {"localhost:1/tool", "docker://localhost:1/tool"},
                                 {"example.org/tool", "docker://example.org/tool"}}) {
        auto outcome = script("image", {name, "root fs"});
        EXPECT_EQ(outcome.exit_status(), 1);
        EXPECT_NE(outcome.err.find(std::string("taking \"") + name + "\" for " + meaning + "\n"),
                  std::string::npos)
            << outcome;
        EXPECT_EQ(left(), Names{});
    }
}

TEST_P(Image, LeavesNothingHalfMadeWhenStopped) {
    Words words = command("image", {"oci:" + (ground / "home/layout:v1").string(), "root fs"});
    auto whole = run(words, setting);
    ASSERT_TRUE(whole.succeeded()) << whole;
    ASSERT_TRUE(script("image", {"--remove", "root fs"}).succeeded());
    for (int round = 0; round < 4; round++) {
        int signal = round % 2 == 0 ? SIGINT : SIGTERM;
        auto outcome = interrupt(words, signal, random_delay(whole.took), round % 4 < 2);
        if (outcome.succeeded())
            ASSERT_TRUE(script("image", {"--remove", "root fs"}).succeeded());
        else
            EXPECT_TRUE(outcome.died_of(signal)) << outcome;
        EXPECT_EQ(left(), Names{}) << outcome;
        EXPECT_EQ(processes_left(work), Words{}) << outcome;
    }
}

INSTANTIATE_TEST_SUITE_P(Rootfs, Image, testing::ValuesIn(caller), name_of_user);

// --- docker --------------------------------------------------------------------------------------

/// The Docker engine that answers, or one of our own for root, in a mount namespace of its own.
class Engine {
public:
    Engine() {
        if (run({"docker", "version"}).succeeded())
            return;
        if (geteuid() != 0 || !have("dockerd")) {
            reason_ = "no Docker engine answers, and only root with dockerd can start one";
            return;
        }
        char name[] = "/tmp/rootfs-docker-XXXXXX";
        folder_ = mkdtemp(name);
        chmod(name, 0711);
        write_file(folder_ / "config.json", "{}");
        auto user = find_user("ordinary");
        address_ = "unix://" + (folder_ / "socket").string();
        daemon_ = std::make_unique<Process>(
            Words{"unshare", "--mount", "--propagation=private", "dockerd", "--storage-driver=vfs",
                  "--iptables=false", "--ip-forward=false", "--bridge=none", "--host=" + address_,
                  "--data-root=" + (folder_ / "data").string(),
                  "--exec-root=" + (folder_ / "exec").string(),
                  "--pidfile=" + (folder_ / "pid").string(),
                  "--config-file=" + (folder_ / "config.json").string(),
                  "--group=" + std::to_string(user ? user->gid : 0)},
            Setting{});
        if (!daemon_->says("API listen on"))
            reason_ = "dockerd can't be started here";
    }
    ~Engine() {
        if (!daemon_)
            return;
        kill(daemon_->pid(), SIGTERM);
        daemon_->finish();
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    const std::string& reason() const { return reason_; }
    const std::string& address() const { return address_; } // "": docker knows it

private:
    std::string reason_, address_;
    fs::path folder_;
    std::unique_ptr<Process> daemon_;
};

class Docker : public Images {
protected:
    static void SetUpTestSuite() { engine = have("docker") ? new Engine : nullptr; }
    static void TearDownTestSuite() { delete std::exchange(engine, nullptr); }

    void SetUp() override {
        Images::SetUp();
        if (IsSkipped())
            return;
        if (engine == nullptr)
            GTEST_SKIP() << "docker is missing: apt install docker.io";
        if (!engine->reason().empty())
            GTEST_SKIP() << engine->reason();
        if (!have("jq"))
            GTEST_SKIP() << "jq is missing: apt install jq";
        if (!engine->address().empty())
            setting.environment["DOCKER_HOST"] = engine->address();
        setting.environment["DOCKER_CONFIG"] = ground / "home";
        if (!docker({"version"}).succeeded())
            GTEST_SKIP() << user.name << " may not use the Docker engine";
        make_layers();
        name = "rootfs-test-" + random_token();
        auto made = docker({"import", "--change", "ENV A=\"b c\"", "--change",
                            "CMD [\"/bin/sh\", \"-c\", \"echo hi\"]", ground / "home/layer.tar",
                            name + ":v1"});
        ASSERT_TRUE(made.succeeded()) << made;
    }

    void TearDown() override {
        if (!name.empty()) {
            EXPECT_EQ(containers(), "");
            docker({"image", "rm", "--force", name + ":v1"});
        }
        Images::TearDown();
    }

    Outcome docker(Words words) {
        words.insert(words.begin(), "docker");
        return run(words, setting);
    }

    std::string containers() {
        return docker({"ps", "--all", "--quiet", "--filter", "name=gocontainer-rootfs"}).out;
    }

    static inline Engine* engine = nullptr;
    std::string name;
};

TEST_P(Docker, ExportsAnImage) {
    auto made = script("docker", {name + ":v1", "root fs"});
    ASSERT_TRUE(made.succeeded()) << made;
    EXPECT_EQ(made.out,
              "./gocontainer parent --rootfs root\\ fs -e A=b\\ c /bin/sh -c echo\\ hi\n");
    EXPECT_EQ(left(), both);
    check_tree(target());
    EXPECT_FALSE(fs::exists(target() / ".dockerenv"));
    EXPECT_EQ(containers(), "");

    auto second = script("docker", {name + ":v1", "root fs"});
    EXPECT_TRUE(second.succeeded()) << second;
    EXPECT_NE(second.err.find("up to date"), std::string::npos) << second;
    EXPECT_EQ(second.out, made.out);
    EXPECT_EQ(left(), both);
}

TEST_P(Docker, LeavesNothingHalfMadeWhenStopped) {
    Words words = command("docker", {name + ":v1", "root fs"});
    auto whole = run(words, setting);
    ASSERT_TRUE(whole.succeeded()) << whole;
    ASSERT_TRUE(script("docker", {"--remove", "root fs"}).succeeded());
    for (int round = 0; round < 4; round++) {
        int signal = round % 2 == 0 ? SIGINT : SIGTERM;
        auto outcome = interrupt(words, signal, random_delay(whole.took), round % 4 < 2);
        if (outcome.succeeded())
            ASSERT_TRUE(script("docker", {"--remove", "root fs"}).succeeded());
        else
            EXPECT_TRUE(outcome.died_of(signal)) << outcome;
        EXPECT_EQ(left(), Names{}) << outcome;
        EXPECT_EQ(containers(), "") << outcome;
    }
}

// docker(1) gives up when its terminal's Ctrl-C reaches it: here, a signal to the script's group
// hits it in the midst of removing the container.
TEST_P(Docker, RemovesItsContainerUnderSignals) {
    auto docker = run({"sh", "-c", "command -v docker"}, setting).out;
    docker.pop_back();
    fs::create_directory(ground / "bin");
    write_file(ground / "bin/docker", "#!/bin/bash\n"
                                      "docker=" +
                                          docker + R"sh(
[[ $1 == rm ]] || exec "$docker" "$@"
read -ra stat <"/proc/$PPID/stat"
"$docker" "$@" &
while kill -0 $! 2>/dev/null; do
    kill -TERM -- "-${stat[4]}"
    sleep 0.005
done
wait $!
)sh");
    fs::permissions(ground / "bin/docker", fs::perms(0755));
    setting.environment["PATH"] = (ground / "bin").string() + ":/usr/sbin:/usr/bin:/sbin:/bin";
    auto made = script("docker", {name + ":v1", "root fs"});
    EXPECT_TRUE(made.succeeded()) << made;
    EXPECT_EQ(left(), both);
    EXPECT_EQ(containers(), "");
}

TEST_P(Docker, ClearsUpAfterAKilledRun) {
    {
        Process process(command("docker", {name + ":v1", "root fs"}), setting);
        ASSERT_TRUE(process.says("exporting"));
        std::this_thread::sleep_for(random_delay(500ms));
        kill(-process.pid(), SIGKILL);
        process.finish();
    }
    await_end(work);
    auto next = script("docker", {name + ":v1", "root fs"});
    EXPECT_TRUE(next.succeeded()) << next;
    EXPECT_EQ(left(), both);
    EXPECT_EQ(containers(), "");
}

INSTANTIATE_TEST_SUITE_P(Rootfs, Docker, testing::ValuesIn(caller_and_ordinary), name_of_user);

// --- debian --------------------------------------------------------------------------------------

/// By an ordinary user only: a bootstrap takes half a minute, and one is enough.
class Debian : public Ground {
protected:
    void SetUp() override {
        Ground::SetUp();
        if (IsSkipped())
            return;
        if (!have("mmdebstrap"))
            GTEST_SKIP() << "mmdebstrap is missing: apt install mmdebstrap";
        auto answer = run({"bash", "-c", R"sh(
            source /etc/os-release
            [[ $ID == debian ]] || exit 3
            uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
                sed -n "s/ $VERSION_CODENAME\$//p" | head -n 1)
            [[ $uri ]] && timeout 20 /usr/lib/apt/apt-helper download-file \
                "${uri%/}/dists/$VERSION_CODENAME/InRelease" "$1/InRelease")sh",
                           "bash", ground});
        if (!answer.succeeded())
            GTEST_SKIP() << "the host has no Debian mirror in apt's sources that answers";
    }
};

TEST_P(Debian, MakesARootFileSystem) {
    // First stopped in the midst of it, when a tree is there, owned by other ids.
    {
        Process process(command("debian", {"debian fs"}), setting);
        ASSERT_TRUE(process.says("extracting archives")) << process.finish();
        std::this_thread::sleep_for(1s);
        kill(-process.pid(), SIGINT);
        auto stopped = process.finish();
        EXPECT_TRUE(stopped.died_of(SIGINT)) << stopped;
        EXPECT_EQ(left(), Names{});
        EXPECT_EQ(processes_left(work), Words{});
    }
    auto made = script("debian", {"debian fs"});
    ASSERT_TRUE(made.succeeded()) << made;
    EXPECT_EQ(made.out, "./gocontainer parent --rootfs debian\\ fs /bin/sh\n");
    Names both{"debian fs", "debian fs.gocontainer"};
    EXPECT_EQ(left(), both);

    fs::path tree = work / "debian fs";
    EXPECT_EQ(look(tree).st_uid, user.outside_uid(0));
    EXPECT_EQ(look(tree).st_mode & 07777, 0755U);
    EXPECT_EQ(look(tree / "var/mail").st_gid, user.outside_gid(8));
    EXPECT_EQ(look(tree / "var/mail").st_mode & 07777, 02775U);
    EXPECT_EQ(look(tree / "etc/shadow").st_gid, user.outside_gid(42));
    EXPECT_EQ(look(tree / "usr/bin/su").st_mode & 07777, 04755U);
    EXPECT_EQ(look(tree / "usr/bin/su").st_uid, user.outside_uid(0));
    EXPECT_TRUE(fs::is_empty(tree / "dev"));
    EXPECT_EQ(look(tree / "etc/resolv.conf").st_size, 0);
    auto shown = inside(tree, {"/bin/sh", "-c",
                               ". /etc/os-release; echo $ID; dpkg-query -W -f "
                               "'${Status}\\n' base-files"});
    EXPECT_EQ(shown.out, "debian\ninstall ok installed\n") << shown;

    auto second = script("debian", {"debian fs"});
    EXPECT_TRUE(second.succeeded()) << second;
    EXPECT_NE(second.err.find("up to date"), std::string::npos) << second;
    EXPECT_LT(second.took, 30s);

    auto removed = script("debian", {"--remove", "debian fs"});
    EXPECT_TRUE(removed.succeeded()) << removed;
    EXPECT_EQ(left(), Names{});
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Debian);
INSTANTIATE_TEST_SUITE_P(Rootfs, Debian, testing::ValuesIn(ordinary_caller), name_of_user);

} // namespace
