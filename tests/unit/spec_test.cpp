// Spec as data: its way through JSON and CBOR, its defaults, what validate() says.
#include "run/handshake.hpp"
#include "spec/pack.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <random>
#include <thread>

using spec::Spec;
using spec::Stage;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

const std::string kBytes = "caf\xe9 \xff\x80"; // Latin-1: not UTF-8
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// Every field different from its default. The bindings name every field of every struct: a field
// that is added stops this from compiling until it is added here.

spec::Resources every_limit() {
    spec::Resources all;
    auto& [memory, swap, reservation, check, quota, period, burst, idle, weight, cpuset, mems, pids,
           io_weight, io_bfq_weight, io_weights, io_max, hugetlb, rdma, unified, devices] = all;
    memory = -1;
    swap = 5;
    reservation = 6;
    check = true;
    quota = 0; // a value that is there, and is zero
    period = 7;
    burst = 0;
    idle = 1;
    weight = 8;
    cpuset = "0-3";
    mems = "0";
    pids = std::numeric_limits<std::int64_t>::max();
    io_weight = 9;
    io_bfq_weight = 0;
    io_weights = {{"8:0", 10, 11}};
    io_max = {{"8:0", 1, 2, 3, kMost}};
    hugetlb = {{"2MB", kMost}};
    rdma = {{"mlx4_0", 1, 2}, {"mlx4_1", {}, {}}};
    unified = {{"memory.high", "max"}, {"a", ""}};
    devices = {{true, 'c', 1, 3, "rw"}, {}};
    return all;
}

spec::Cgroup every_cgroup_field() {
    spec::Cgroup all;
    auto& [path, manager, refused, own, delegate, properties, subgroup, payload, every_controller,
           resources] = all;
    payload = "p";
    path = "a/b";
    manager = spec::CgroupManager::systemd;
    refused = spec::Refused::an_error;
    own = false;
    delegate = true;
    properties = {{"CollectMode", "'inactive'"}};
    subgroup = "container";
    every_controller = true;
    resources = every_limit();
    return all;
}

spec::Root every_root_field() {
    spec::Root all;
    auto& [path, mode, read_only, overlay, upper, usual, propagation, mounts, devices, masked,
           readonly, label, label_type] = all;
    label_type = "fscontext";
    path = kBytes;
    mode = spec::RootMode::chdir;
    read_only = true;
    overlay = true;
    upper = "/" + kBytes;
    usual = false;
    propagation = "slave";
    auto& [type, source, destination, set, cleared, set_below, cleared_below, recursive, remount,
           mount_propagation, propagation_below, idmap, uids, gids, copy_up, no_follow, over_link,
           options] = mounts.emplace_back();
    type = "bind";
    source = kBytes;
    destination = "/" + kBytes;
    set = kMost;
    cleared = 1;
    set_below = 2;
    cleared_below = 3;
    recursive = false;
    remount = true;
    mount_propagation = "slave";
    propagation_below = "private";
    idmap = spec::Idmap::recursive;
    uids = {{1, 2, 3}};
    gids = {{4, 5, 6}};
    copy_up = true;
    no_follow = true;
    over_link = true;
    options = {"size=1", kBytes};
    mounts.emplace_back();
    devices = {{"/dev/x", 'b', 1, 2, 0600, 3, 4}, {}};
    masked = {"/a", ""};
    readonly = {"/b"};
    label = "l";
    return all;
}

spec::Process every_process_field() {
    spec::Process all;
    auto& [args, env, exact_env, cwd, who, ids, umask, terminal, size, new_privileges, rlimits, oom,
           apparmor, selinux, scheduler, io, policy, personality, keyring, affinity, landlock,
           preserved] = all;
    args = {"sh", "-c", kBytes, ""};
    env = {"A=" + kBytes};
    exact_env = true;
    cwd = "/w";
    who = "u:g";
    ids = {1, 2, {3, 4}, true};
    umask = 0;
    terminal = true;
    size = {24, 80};
    new_privileges = true;
    rlimits = {{3, "nofile", 1, kMost}};
    oom = 0;
    apparmor = "a";
    selinux = "s";
    scheduler = {1, -2, 3, 4, 5, 6, kMost};
    io = {1, 2};
    policy = {1, 2, "0"};
    personality = 8;
    keyring = "k";
    affinity = "0-1";
    landlock = {kMost, {{{"/a", kBytes}, 3}, {}}};
    preserved = 5;
    return all;
}

Spec every_field() {
    Spec spec;
    auto& [name, naming, stages, quiet, user, cgroup, net, uts, time, root, proc, caps, seccomp,
           process, joins, inside, net_devices, sysctl, rdt, hooks, replacements, faults] = spec;
    faults = {"1", kBytes};
    replacements = {{Stage::uts, kBytes}, {}};
    name = "n";
    naming = spec::Naming::properties;
    stages = spec::StageSet(0x15);
    quiet = true;
    auto& [mapping, uids, gids] = user;
    mapping = spec::Mapping::listed;
    uids = {{0, 1000, 1}, {1, 100000, 65536}};
    gids = {{7, 8, 9}};
    cgroup = every_cgroup_field();
    auto& [mode, ports, dns, loopback] = net;
    mode = spec::NetMode::host;
    ports = {{"::1", 65535, 1, true}, {}};
    dns = {"9.9.9.9", "::1"};
    loopback = true;
    auto& [hostname, domainname, as_found] = uts;
    as_found = true;
    hostname = "h";
    domainname = "d";
    time = {-5, 0, 6, 7};
    root = every_root_field();
    proc = spec::ProcMode::none;
    auto& [bounding, permitted, effective, inheritable, ambient] = caps;
    bounding = {"cap_chown"};
    permitted = {"cap_kill"};
    effective = {"cap_mknod"};
    inheritable = {"cap_setuid"};
    ambient = {"cap_setgid"};
    auto& [seccomp_mode, file, text, listener, metadata] = seccomp;
    seccomp_mode = spec::SeccompMode::file;
    file = kBytes;
    text = ""; // the parent's alone: long, and of no use to the child
    listener = kBytes;
    metadata = "m";
    process = every_process_field();
    joins = {{Stage::net, "/proc/1/ns/net"}, {}};
    inside = true;
    net_devices = {{"eth0", "e"}, {}};
    sysctl = {{"net/ipv4/ip_forward", "1"}};
    rdt = {"g", true, {"L3:0=f"}, true};
    spec::Hook hook{"/h", {"h", kBytes}, {"A=1"}, 0};
    hooks = {{hook}, {hook, {}}, {hook}, {hook}, {hook}, {hook}, "/out", kBytes};
    return spec;
}

std::optional<Spec> again(const std::string& bytes) {
    Spec spec;
    return spec::unpack(bytes, spec) ? std::optional(spec) : std::nullopt;
}

TEST(SpecBytes, BringEveryFieldBack) {
    Spec spec = every_field();
    EXPECT_FALSE(spec == Spec{});
    EXPECT_EQ(again(spec::pack(spec)), spec);
}

TEST(SpecBytes, BringDefaultsBackAndAreFew) {
    std::string bytes = spec::pack(Spec{});
    EXPECT_EQ(again(bytes), Spec{});
    EXPECT_LT(bytes.size(), 80u); // stages, the rootfs, whose default isn't empty, and the end
}

TEST(SpecBytes, BringAnEmptyRootfsBack) {
    Spec spec;
    spec.root.path.clear();
    EXPECT_EQ(again(spec::pack(spec)), spec);
}

TEST(SpecBytes, CutOffAnywhereAreRefused) {
    std::string bytes = spec::pack(every_field());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        ASSERT_EQ(again(bytes.substr(0, size)), std::nullopt) << size;
    EXPECT_EQ(again(bytes + '\0'), std::nullopt);
    EXPECT_EQ(again(bytes + bytes), std::nullopt);
}

TEST(SpecBytes, WithAFieldThatWeDoNotKnowAreRefused) {
    spec::Packer packer;
    packer.must("stages", 0U);
    packer.must("later", std::string("than we are"));
    packer.must("end", true);
    EXPECT_EQ(again(std::move(packer).finish()), std::nullopt);
}

TEST(SpecBytes, DamagedAreRefusedOrAnotherSpec) {
    const std::string good = spec::pack(every_field());
    std::mt19937 random(4711);
    for (int times = 0; times < 20000; ++times) {
        std::string bytes = good;
        for (auto n = random() % 3 + 1; n > 0; --n)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        (void)again(bytes); // under ASan: nothing beyond the end is read
    }
}

TEST(SpecBytes, ANumberThatDoesNotFitIsDamage) {
    spec::Packer packer;
    packer.must("small", std::uint64_t{1} << 32);
    std::string bytes = std::move(packer).finish();
    spec::Unpacker unpacker(bytes);
    std::uint32_t small = 0;
    unpacker.must("small", small);
    EXPECT_FALSE(unpacker.whole());
}

std::string packed(const Spec& spec, const stages::Facts& facts) {
    std::string bytes;
    for (const std::string& message : run::pack(spec, facts)) {
        EXPECT_EQ(message.front(), static_cast<char>(run::Said::spec));
        bytes += message.substr(1);
    }
    return bytes;
}

TEST(Packed, BringsSpecAndFactsBackByteForByte) {
    Spec spec = every_field();
    stages::Facts facts{.uids = {{1, 2, 3}},
                        .gids = {{0, 0, 4294967295}},
                        .groups_denied = true,
                        .resolv_conf = "nameserver \xff\n",
                        .seccomp_filter = std::string("\0\xff", 2),
                        .seccomp_flags = 7,
                        .may_silence = true,
                        .sent_rootfs = true,
                        .sent_mounts = {3, 1},
                        .device_addresses = {{}, {"2 24 0a000001"}},
                        .scored = true,
                        .slated = true,
                        .awaits = true,
                        .meets = true,
                        .gated = true,
                        .orphan = true,
                        .born_late = true,
                        .state = "{}",
                        .signal_mask = ~std::uint64_t{0},
                        .watched = true,
                        .background = true,
                        .default_signals = true};
    auto back = run::unpack(packed(spec, facts));
    ASSERT_TRUE(back) << sys::to_line(back.error());
    EXPECT_EQ(back->spec, spec);
    auto& [uids, gids, groups_denied, resolv_conf, filter, flags, may_silence, sent, sent_mounts,
           addresses, scored, slated, awaits, meets, gated, orphan, born_late, state, mask, watched,
           background, default_signals] = back->facts;
    EXPECT_EQ(uids, facts.uids);
    EXPECT_EQ(gids, facts.gids);
    EXPECT_FALSE(groups_denied || default_signals); // what the re-exec has behind it
    EXPECT_FALSE(may_silence);                      // the parent's
    EXPECT_EQ(resolv_conf, facts.resolv_conf);
    EXPECT_EQ(filter, facts.seccomp_filter);
    EXPECT_EQ(flags, facts.seccomp_flags);
    EXPECT_EQ(sent, facts.sent_rootfs);
    EXPECT_EQ(sent_mounts, facts.sent_mounts);
    EXPECT_EQ(addresses, facts.device_addresses);
    EXPECT_TRUE(scored);
    EXPECT_TRUE(slated);
    EXPECT_TRUE(awaits);
    EXPECT_TRUE(meets);
    EXPECT_TRUE(gated);
    EXPECT_TRUE(orphan);
    EXPECT_TRUE(born_late);
    EXPECT_EQ(state, facts.state);
    EXPECT_EQ(mask, facts.signal_mask);
    EXPECT_TRUE(watched);
    EXPECT_TRUE(background);
}

TEST(Packed, ArrivesWholeHoweverLongItIs) {
    std::size_t usual = packed({}, {}).size();
    constexpr std::size_t most = 65535; // of a message, behind its kind
    for (std::size_t length : {std::size_t{100}, most - usual - 1, most - usual, most - usual + 1,
                               2 * most - usual, std::size_t{3} << 20}) {
        stages::Facts facts{.resolv_conf = std::string(length, 'x')};
        auto [ours, theirs] = sys::socketpair(SOCK_SEQPACKET).value();
        std::thread says([&] { EXPECT_TRUE(run::say_spec(ours, run::pack({}, facts))); });
        auto heard = run::hear_spec(theirs);
        says.join();
        ASSERT_TRUE(heard);
        auto back = run::unpack(*heard);
        ASSERT_TRUE(back) << length << sys::to_line(back.error());
        EXPECT_EQ(back->facts.resolv_conf, facts.resolv_conf);
        ASSERT_TRUE(run::say_done(ours)); // and nothing of what comes next was taken with it
        EXPECT_EQ(run::hear(theirs)->said, run::Said::done);
    }
}

TEST(Packed, IsNothingWhenTheParentEndsBeforeItHasSaidAll) {
    stages::Facts facts{.resolv_conf = std::string(100'000, 'x')};
    auto [ours, theirs] = sys::socketpair(SOCK_SEQPACKET).value();
    std::vector<std::string> messages = run::pack({}, facts);
    ASSERT_EQ(messages.size(), 2u);
    messages.pop_back();
    ASSERT_TRUE(run::say_spec(ours, messages));
    ours.close();
    EXPECT_EQ(run::hear_spec(theirs).value(), "");
}

TEST(Packed, RefusesDamage) {
    std::string bytes = packed({}, {});
    ASSERT_TRUE(run::unpack(bytes));
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(run::unpack(std::string_view(bytes).substr(0, length))) << length;
    EXPECT_FALSE(run::unpack(bytes + "x"));
}

TEST(Defaults, AreDockers) {
    EXPECT_EQ(spec::default_capabilities().size(), 14u);
    for (const char* stage : {"time", "init"})
        EXPECT_FALSE(spec::StageSet::defaults().has(*spec::stage_named(stage)));
    for (const char* stage :
         {"user", "cgroup", "net", "uts", "ipc", "mount", "pid", "root", "caps", "seccomp"})
        EXPECT_TRUE(spec::StageSet::defaults().has(*spec::stage_named(stage))) << stage;
    EXPECT_FALSE(spec::stage_named("nothing"));
    EXPECT_FALSE(spec::stage_named(""));
    EXPECT_THAT(spec::default_masked_paths(), testing::Contains("/proc/kcore"));
    EXPECT_THAT(spec::default_readonly_paths(), testing::Contains("/proc/sysrq-trigger"));
    // What is masked or read-only lies where the stages look for it.
    for (const auto& list : {spec::default_masked_paths(), spec::default_readonly_paths()})
        for (const std::string& path : list)
            EXPECT_TRUE(path.starts_with("/proc/") || path.starts_with("/sys/")) << path;
}

// --- validate() ----------------------------------------------------------------------------------

Spec valid() {
    Spec spec;
    spec.process.args = {"sh"};
    return spec;
}

struct Case {
    const char* message; ///< how it begins
    std::function<void(Spec&)> change;
};

void without(Spec& spec, Stage stage) {
    spec.stages.remove(stage);
}

const Case kWrong[] = {
    {"--map: needs the user stage",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::single;
         without(s, Stage::user);
     }},
    {"--map: needs the user stage",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 0, 1}};
         without(s, Stage::user);
     }},
    {"--gid-map: needs a --map", [](Spec& s) { s.user.gids = {{0, 0, 1}}; }},
    {"--map: a listed map", [](Spec& s) { s.user.mapping = spec::Mapping::listed; }},
    {"--map: a range of no ids",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 0, 0}};
     }},
    {"--map: two ranges overlap",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 0, 10}, {9, 100, 1}};
     }},
    {"--map: two ranges overlap",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 100, 10}, {20, 105, 1}};
     }},
    {"--gid-map: two ranges overlap",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 0, 1}};
         s.user.gids = {{0, 0, 0xffffffff}, {0xfffffffe, 5, 1}};
     }},
    {"--map: more than 340 ranges",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         for (std::uint32_t i = 0; i < 341; ++i)
             s.user.uids.push_back({i, i, 1});
     }},
    {"--map: id 0 of the container",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{1, 0, 1}};
     }},
    {"--gid-map: id 0 of the container",
     [](Spec& s) {
         s.user.mapping = spec::Mapping::listed;
         s.user.uids = {{0, 0, 1}};
         s.user.gids = {{1, 0, 1}};
     }},
    {"-v \"/d\": needs the mount stage",
     [](Spec& s) {
         s.root.mounts = {{.type = "bind", .source = "/", .destination = "/d"}};
         without(s, Stage::mount);
     }},
    {"--overlay: needs the mount stage",
     [](Spec& s) {
         s.root.overlay = true;
         without(s, Stage::mount);
     }},
    {"--upper: needs the mount stage",
     [](Spec& s) {
         s.root.upper = "u";
         without(s, Stage::mount);
     }},
    {"--read-only: needs the mount stage",
     [](Spec& s) {
         s.root.read_only = true;
         without(s, Stage::mount);
     }},
    {"--read-only: needs the root stage",
     [](Spec& s) {
         s.root.read_only = true;
         without(s, Stage::root);
     }},
    {"--root pivot: needs the mount stage", [](Spec& s) { without(s, Stage::mount); }},
    {"--root: needs the root stage",
     [](Spec& s) {
         s.root.mode = spec::RootMode::chroot;
         without(s, Stage::root);
     }},
    {"--proc: needs the mount stage",
     [](Spec& s) {
         s.proc = spec::ProcMode::fresh;
         without(s, Stage::mount);
         without(s, Stage::root);
     }},
    {"--proc: needs the mount stage",
     [](Spec& s) {
         s.proc = spec::ProcMode::bind;
         without(s, Stage::mount);
         without(s, Stage::root);
     }},
    {"--proc: needs the pid stage",
     [](Spec& s) {
         s.proc = spec::ProcMode::fresh;
         without(s, Stage::pid);
     }},
    {"--overlay: can't go with --upper",
     [](Spec& s) {
         s.root.overlay = true;
         s.root.upper = "u";
     }},
    {"-v \"d\": a mount's destination must be absolute",
     [](Spec& s) { s.root.mounts = {{.type = "bind", .source = "/", .destination = "d"}}; }},
    {"-v \"/\": can't replace the root",
     [](Spec& s) { s.root.mounts = {{.type = "bind", .source = "/", .destination = "/"}}; }},
    {"-v \"//./..\": can't replace the root",
     [](Spec& s) { s.root.mounts = {{.type = "bind", .source = "/", .destination = "//./.."}}; }},
    {"--boottime, --monotonic: need the time stage", [](Spec& s) { s.time.boottime = 1; }},
    {"--boottime, --monotonic: need the time stage", [](Spec& s) { s.time.monotonic = 1; }},
    {"--domainname: needs the uts stage",
     [](Spec& s) {
         s.uts.domainname = "d";
         without(s, Stage::uts);
     }},
    {"--hostname: needs the uts stage",
     [](Spec& s) {
         s.uts.hostname = "h";
         without(s, Stage::uts);
     }},
    {"--hostname: at most 64", [](Spec& s) { s.uts.hostname = std::string(65, 'h'); }},
    {"--hostname: at most 64", [](Spec& s) { s.uts.domainname = std::string(65, 'h'); }},
    {"--net: needs the net stage",
     [](Spec& s) {
         s.net.mode = spec::NetMode::none; // without the stage it would be the host's network
         without(s, Stage::net);
     }},
    {"--seccomp: needs the seccomp stage",
     [](Spec& s) {
         s.seccomp.mode = spec::SeccompMode::file;
         without(s, Stage::seccomp);
     }},
    {"-p: needs --net",
     [](Spec& s) {
         s.net.ports = {{"", 1, 1, false}};
         s.net.mode = spec::NetMode::none;
     }},
    {"-p: needs --net",
     [](Spec& s) {
         s.net.ports = {{"", 1, 1, false}};
         without(s, Stage::net);
     }},
    {"--allow-host-loopback: needs --net",
     [](Spec& s) {
         s.net.allow_host_loopback = true;
         s.net.mode = spec::NetMode::host;
     }},
    {"--dns: needs the mount stage",
     [](Spec& s) {
         s.net.dns = {"1.1.1.1"};
         without(s, Stage::mount);
         without(s, Stage::root);
     }},
    {"--pids: needs the cgroup stage",
     [](Spec& s) {
         s.cgroup.resources.pids = 1;
         without(s, Stage::cgroup);
     }},
    {"--cgroup: needs the cgroup stage",
     [](Spec& s) {
         s.cgroup.path = "x";
         without(s, Stage::cgroup);
     }},
    {"--memory-swap: needs --memory", [](Spec& s) { s.cgroup.resources.memory_swap = 1; }},
    {"--memory-swap: is the sum",
     [](Spec& s) {
         s.cgroup.resources.memory = 2;
         s.cgroup.resources.memory_swap = 1;
     }},
    {"--memory-swap: is the sum",
     [](Spec& s) {
         s.cgroup.resources.memory = -1;
         s.cgroup.resources.memory_swap = 1;
     }},
    {"COMMAND: is empty", [](Spec& s) { s.process.args.clear(); }},
    {"COMMAND: is empty", [](Spec& s) { s.process.args = {"", "x"}; }},
    {"COMMAND: is empty",
     [](Spec& s) {
         s.naming = spec::Naming::properties;
         s.process.args = {"", "x"};
     }},
    {"-w: \"w\" is not an absolute path", [](Spec& s) { s.process.cwd = "w"; }},
};

TEST(Validate, TakesTheDefaults) {
    EXPECT_EQ(spec::validate(valid()), "");
}

TEST(Validate, NamesWhatCannotWork) {
    for (const Case& wrong : kWrong) {
        Spec spec = valid();
        wrong.change(spec);
        std::string message = spec::validate(spec);
        EXPECT_THAT(message, StartsWith(wrong.message));
        EXPECT_EQ(message.find('\n'), std::string::npos);
        EXPECT_FALSE(message.ends_with('.')) << message;
    }
}

TEST(Validate, TakesWhatLooksLikeItButWorks) {
    Spec spec = valid();
    spec.user.mapping = spec::Mapping::listed;
    spec.user.uids = {{0, 1000, 1}, {1, 100000, 65536}};
    spec.cgroup.resources.memory = 5;
    spec.cgroup.resources.memory_swap = -1;
    spec.root.mounts = {{.type = "bind", .source = "x", .destination = "/.hidden"}};
    EXPECT_EQ(spec::validate(spec), "");
    Spec plain = valid();
    plain.stages = spec::StageSet();
    EXPECT_EQ(spec::validate(plain), "");
    plain.stages.add(Stage::root);
    plain.root.mode = spec::RootMode::chroot;
    EXPECT_EQ(spec::validate(plain), "");
    plain.net.mode = spec::NetMode::host; // what it is anyway
    EXPECT_EQ(spec::validate(plain), "");
}

} // namespace
