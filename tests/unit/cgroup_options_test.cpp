// The values of the cgroup stage's options: what is understood, and what is said about the rest.
#include "spec/cgroup_options.hpp"

#include <gmock/gmock.h>

namespace {

using spec::parse_cpus;
using spec::parse_cpuset;
using spec::parse_io_max;
using spec::parse_pids;
using spec::parse_size;
using spec::parse_weight;
using ::testing::HasSubstr;

template <class T>
std::string error_of(const spec::Parsed<T>& parsed) {
    return parsed ? "no error" : parsed.error();
}

TEST(CgroupOptions, SizesAreInPowersOf1024) {
    EXPECT_EQ(parse_size("100M"), 100 << 20);
    EXPECT_EQ(parse_size("1g"), 1 << 30);
    EXPECT_EQ(parse_size("1.5G"), 3LL << 29);
    EXPECT_EQ(parse_size("64kib"), 65536);
    EXPECT_EQ(parse_size("64KB"), 65536);
    EXPECT_EQ(parse_size("4096"), 4096);
    EXPECT_EQ(parse_size("7b"), 7);
    EXPECT_EQ(parse_size("3t"), 3LL << 40);
    EXPECT_EQ(parse_size("-1"), -1);
    EXPECT_EQ(parse_size("max"), -1);
    EXPECT_EQ(parse_size("9007199254740993"), 9007199254740993) << "more than a double holds";
}

TEST(CgroupOptions, WrongSizesAreNamed) {
    for (const char* text : {"", "M", "12x", "1,5G", "-5", "1e9", "inf", "nan", "0x10", " 1", "1 ",
                             "1.2.3", "1kk", "1kbb", "8192p", "99999999999999999999"})
        EXPECT_THAT(error_of(parse_size(text)), HasSubstr("\"" + std::string(text) +
                                                          "\" is not a size below 8 EiB: use a "
                                                          "number with k, m, g or t (powers of "
                                                          "1024), as 100M, or -1 for no limit"));
    EXPECT_EQ(error_of(parse_size("0")), "\"0\" leaves nothing at all: use -1 for no limit");
    EXPECT_EQ(error_of(parse_size("0.1b")), "\"0.1b\" leaves nothing at all: use -1 for no limit");
}

TEST(CgroupOptions, CpusAreAQuotaOf100Milliseconds) {
    EXPECT_EQ(parse_cpus("0.1"), 10000);
    EXPECT_EQ(parse_cpus("2"), 200000);
    EXPECT_EQ(parse_cpus("0.01"), 1000) << "the kernel's least";
    EXPECT_EQ(parse_cpus(".5"), 50000);
    EXPECT_EQ(parse_cpus("0.29"), 29000) << "rounded, not cut";
    EXPECT_EQ(parse_cpus("-1"), -1);
    EXPECT_EQ(error_of(parse_cpus("0.001")),
              "\"0.001\" is too little: the kernel hands out no less than 0.01 of a CPU");
    EXPECT_THAT(error_of(parse_cpus("0")), HasSubstr("too little"));
    EXPECT_THAT(error_of(parse_cpus("999999999999")), HasSubstr("more than the kernel can count"));
    for (const char* text : {"", ".", "two", "-2", "1e3", "50%"})
        EXPECT_EQ(error_of(parse_cpus(text)), "\"" + std::string(text) +
                                                  "\" is not a number of CPUs: use a decimal "
                                                  "number, as 0.5 or 2, or -1 for no limit");
}

TEST(CgroupOptions, WeightsHaveARange) {
    EXPECT_EQ(parse_weight("1"), 1U);
    EXPECT_EQ(parse_weight("10000"), 10000U);
    for (const char* text : {"0", "10001", "", "-1", "1.5", "99999999999999999999"})
        EXPECT_EQ(error_of(parse_weight(text)),
                  "\"" + std::string(text) +
                      "\" is not a weight: use 1 to 10000 (everyone else has 100)");
}

TEST(CgroupOptions, CpusetsAreLists) {
    for (const char* text : {"0", "0-3,7", "3,1", "5-5"})
        EXPECT_EQ(parse_cpuset(text), text);
    EXPECT_EQ(error_of(parse_cpuset("3-1")),
              "\"3-1\" has a range that runs backwards: use numbers and ranges, as 0-3,7");
    for (const char* text : {"", "all", "0-", "-3", "1,,2", "1,", "0-3/2", "1 2", "70000"})
        EXPECT_EQ(error_of(parse_cpuset(text)),
                  "\"" + std::string(text) +
                      "\" is not a list of CPUs: use numbers and ranges, as 0-3,7");
}

TEST(CgroupOptions, PidsAreCounted) {
    EXPECT_EQ(parse_pids("64"), 64);
    EXPECT_EQ(parse_pids("max"), -1);
    EXPECT_EQ(parse_pids("-1"), -1);
    for (const char* text : {"0", "-2", "1k", "", "4194305"})
        EXPECT_EQ(error_of(parse_pids(text)),
                  "\"" + std::string(text) +
                      "\" is not a number of processes: use 1 to 4194304, or -1 for no limit");
}

TEST(CgroupOptions, IoMaxNamesADeviceAndItsLimits) {
    auto limit = parse_io_max("/dev/sda:rbps=1M,wiops=10");
    ASSERT_TRUE(limit) << limit.error();
    EXPECT_EQ(limit->device, "/dev/sda");
    EXPECT_EQ(limit->rbps, 1U << 20);
    EXPECT_EQ(limit->wbps, 0U);
    EXPECT_EQ(limit->riops, 0U);
    EXPECT_EQ(limit->wiops, 10U);
    limit = parse_io_max("8:16:riops=5,wbps=2k");
    ASSERT_TRUE(limit) << limit.error();
    EXPECT_EQ(limit->device, "8:16");
    EXPECT_EQ(limit->riops, 5U);
    EXPECT_EQ(limit->wbps, 2048U);
    limit = parse_io_max("/dev/disk/by-path/pci-0000:00:1f.2:rbps=1");
    ASSERT_TRUE(limit) << limit.error();
    EXPECT_EQ(limit->device, "/dev/disk/by-path/pci-0000:00:1f.2");
}

TEST(CgroupOptions, WrongIoMaxIsTakenApart) {
    for (const char* text : {"", "/dev/sda", "rbps=1M", ":rbps=1", "/dev/sda:"})
        EXPECT_THAT(error_of(parse_io_max(text)), HasSubstr("is not a device and its limits: use "
                                                            "DEV:KEY=N[,KEY=N…], as "));
    EXPECT_THAT(error_of(parse_io_max("sda:rbps=1")),
                HasSubstr("\"sda\" is not a device: use its path, as /dev/sda, or MAJ:MIN"));
    EXPECT_THAT(error_of(parse_io_max("8:x:rbps=1")), HasSubstr("\"8:x\" is not a device"));
    EXPECT_THAT(error_of(parse_io_max("/dev/sda:bps=1")),
                HasSubstr("\"bps\" is unknown: use rbps, wbps, riops or wiops"));
    EXPECT_THAT(error_of(parse_io_max("/dev/sda:rbps=1,")), HasSubstr("\"\" has no value"));
    EXPECT_THAT(error_of(parse_io_max("/dev/sda:rbps=1,rbps=2")),
                HasSubstr("\"rbps\" is there twice"));
    EXPECT_THAT(error_of(parse_io_max("/dev/sda:rbps=0")),
                HasSubstr("\"rbps=0\" would stop the device: leave it out instead"));
    EXPECT_THAT(error_of(parse_io_max("/dev/sda:rbps=x")), HasSubstr("\"x\" is not a size"));
}

} // namespace
