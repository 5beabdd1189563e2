// From what a machine shows to what doctor says of it: kinds of machines from their files, and
// verdicts from findings. The files of WSL, Lima, Colima and a Codespace are as their documentation
// and others' reports have them: none of these has been tried.
#include "teach/doctor.hpp"

#include "stages/causes.hpp"
#include "stages/stages.hpp"
#include "tests/unit/recorder.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdlib>

using teach::Finding;
using teach::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using unit::Recorder;

namespace {

// --- the kind of machine -----------------------------------------------------------------------

/// A machine that has these files, and no other.
class Machine : public Recorder {
public:
    explicit Machine(const std::string& release) {
        for (const char* path : {"/.dockerenv", "/run/.containerenv", "/mnt/lima-cidata"})
            answer("faccessat(AT_FDCWD, \"" + std::string(path) + "\"", -ENOENT);
        file("/proc/sys/kernel/osrelease", release + "\n");
        unsetenv("CODESPACES");
    }
    ~Machine() override { unsetenv("CODESPACES"); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    void has(const std::string& path) { answer("faccessat(AT_FDCWD, \"" + path + "\"", 0); }
};

TEST(KindOfMachine, Wsl) {
    Machine one("4.4.0-19041-Microsoft");
    EXPECT_EQ(teach::kind_of_machine(), "WSL 1");
    one.file("/proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n");
    EXPECT_EQ(teach::kind_of_machine(), "WSL 2");
}

TEST(KindOfMachine, LimaAndColima) {
    Machine lima("6.8.0-31-generic");
    lima.has("/mnt/lima-cidata");
    EXPECT_EQ(teach::kind_of_machine(), "a virtual machine of Lima");
    Machine colima("6.8.0-31-generic");
    colima.file("/proc/sys/kernel/hostname", "colima\n");
    EXPECT_EQ(teach::kind_of_machine(), "a virtual machine of Colima");
}

TEST(KindOfMachine, ContainersAndWhatTheyMay) {
    Machine docker("6.8.0-31-generic");
    docker.has("/.dockerenv");
    docker.file("/proc/self/status", "Name:\tx\nCapBnd:\t00000000a80425fb\n");
    EXPECT_THAT(teach::kind_of_machine(), StartsWith("a Docker container, with 14 of "));
    docker.file("/proc/self/status", "Name:\tx\nCapBnd:\tffffffffffffffff\n");
    EXPECT_THAT(teach::kind_of_machine(),
                StartsWith("a Docker container, with all capabilities (--privileged)"));
    setenv("CODESPACES", "true", 1);
    EXPECT_THAT(teach::kind_of_machine(), StartsWith("a GitHub Codespace (a Docker container"));
}

TEST(KindOfMachine, VirtualOrNot) {
    Machine machine("6.8.0-31-generic");
    EXPECT_EQ(teach::kind_of_machine(), "a machine");
    machine.file("/sys/class/dmi/id/sys_vendor", "LENOVO\n");
    machine.file("/sys/class/dmi/id/product_name", "20L5\n");
    EXPECT_EQ(teach::kind_of_machine(), "a machine (LENOVO 20L5)");
    machine.file("/proc/cpuinfo", "flags : fpu hypervisor lahf_lm\n");
    EXPECT_EQ(teach::kind_of_machine(), "a virtual machine (LENOVO)");
}

// --- verdicts
// --------------------------------------------------------------------------------------

Finding failed(const char* probe, stages::causes::Id id, const std::vector<std::string>& found) {
    return {.probe = probe, .works = false, .error = {}, .cause = stages::causes::cause(id, found)};
}

Verdict verdict_of(const std::vector<teach::Judgement>& all, const std::string& name) {
    auto found = std::ranges::find(all, name, &teach::Judgement::name);
    if (found == all.end())
        throw std::runtime_error("nothing about " + name);
    return found->verdict;
}

TEST(Verdicts, OfEveryStageAndOfSixteenLessons) {
    ASSERT_EQ(teach::stage_needs().size(), stages::table().size());
    for (std::size_t i = 0; i < stages::table().size(); ++i)
        EXPECT_EQ(teach::stage_needs()[i].name, name_of(stages::table()[i].id));
    EXPECT_EQ(teach::lesson_needs().size(), 16U);
    for (const stages::Stage& stage : stages::table())
        EXPECT_NO_THROW((void)verdict_of(teach::judge(teach::lesson_needs(), {}), stage.lesson));
}

TEST(Verdicts, NameOnlyProbesThatAreMade) {
    for (const auto* all : {&teach::stage_needs(), &teach::lesson_needs()})
        for (const teach::Needs& one : *all)
            for (const auto* list : {&one.needs, &one.wants, &one.any})
                for (const char* name : *list)
                    EXPECT_TRUE(name == std::string("way-out") ||
                                name == std::string("container") ||
                                std::ranges::any_of(teach::probes(),
                                                    [&](const auto& probe) {
                                                        return probe.name == std::string(name);
                                                    }))
                        << one.name << ": " << name;
}

TEST(Verdicts, FollowFromWhatFailed) {
    using stages::causes::Id;
    std::vector<Finding> findings{failed("tap", Id::tun_missing, {}),
                                  failed("proc", Id::proc_masked, {}),
                                  failed("limit-cpu", Id::controller_v1, {"cpu", ""})};
    auto stages = teach::judge(teach::stage_needs(), findings);
    EXPECT_EQ(verdict_of(stages, "net"), Verdict::limited);
    EXPECT_EQ(verdict_of(stages, "pid"), Verdict::blocked);
    EXPECT_EQ(verdict_of(stages, "cgroup"), Verdict::limited);
    EXPECT_EQ(verdict_of(stages, "uts"), Verdict::works);
    auto lessons = teach::judge(teach::lesson_needs(), findings);
    EXPECT_EQ(verdict_of(lessons, "10-slirp"), Verdict::blocked);
    EXPECT_EQ(verdict_of(lessons, "11-cgroup"), Verdict::limited);
    for (const char* name : {"limit-memory", "limit-pids"})
        findings.push_back(failed(name, Id::controller_v1, {name, ""}));
    lessons = teach::judge(teach::lesson_needs(), findings);
    EXPECT_EQ(verdict_of(lessons, "11-cgroup"), Verdict::blocked);
}

TEST(Verdicts, AreShownWithEachCauseOnce) {
    using stages::causes::Id;
    teach::Diagnosis found{.host = {}, .findings = {}, .stages = {}, .lessons = {}};
    found.findings = {failed("limit-cpu", Id::controller_v1, {"cpu", ""}),
                      failed("limit-io", Id::controller_v1, {"io", ""}),
                      failed("proc", Id::proc_masked, {})};
    found.stages = teach::judge(teach::stage_needs(), found.findings);
    found.lessons = teach::judge(teach::lesson_needs(), found.findings);
    std::string text = to_text(found, /*plain=*/true);
    EXPECT_THAT(text, HasSubstr("can't limit its CPU time, weigh its disk accesses [1]"));
    EXPECT_THAT(text, HasSubstr("[1] \"cpu\" is a cgroup v1 controller here"));
    EXPECT_THAT(text, HasSubstr("\n      \"io\" is a cgroup v1 controller here\n"));
    EXPECT_THAT(text, HasSubstr("\n  [2] the /proc that is visible"));
    EXPECT_THAT(text, Not(HasSubstr("[3]")));
    auto json = nlohmann::json::parse(to_json(found));
    EXPECT_EQ(json["causes"].size(), 3U);
    EXPECT_EQ(json["tried"][2]["cause"], "proc-masked");
    for (const char* key : {"verdict", "host", "stages", "lessons", "tried", "causes"})
        EXPECT_TRUE(json.contains(key)) << key;
}

TEST(Verdicts, TellOfAChildThatDied) {
    Finding finding = teach::try_in_child("x", []() -> sys::Result<void> { abort(); });
    EXPECT_FALSE(finding.works);
    EXPECT_THAT(sys::to_line(finding.error), HasSubstr("was ended"));
    finding = teach::try_in_child("x", []() -> sys::Result<void> {
        return stages::causes::wrong(stages::causes::Id::tun_closed);
    });
    EXPECT_EQ(finding.cause.name, "tun-closed");
    EXPECT_TRUE(teach::try_in_child("x", []() -> sys::Result<void> { return {}; }).works);
}

} // namespace
