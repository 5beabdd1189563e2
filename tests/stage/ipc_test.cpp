// The ipc stage: System V queues, memory and semaphores, and POSIX message queues.
#include "tests/support/container.hpp"
#include "tests/support/proc.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cerrno>

using namespace support;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

/// One of each, under a key and a name that nobody can guess; removed at the end.
class Objects {
public:
    Objects() {
        while (key_ <= 0)
            if (getrandom(&key_, sizeof key_, 0) != sizeof key_)
                fail_with_errno("getrandom");
        queue_ = msgget(key_, IPC_CREAT | IPC_EXCL | 0600);
        memory_ = shmget(key_, 4096, IPC_CREAT | IPC_EXCL | 0600);
        semaphores_ = semget(key_, 1, IPC_CREAT | IPC_EXCL | 0600);
        posix_ = mq_open(name_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr);
        if (queue_ < 0 || memory_ < 0 || semaphores_ < 0 || posix_ < 0)
            fail_with_errno("making queues");
    }
    ~Objects() {
        msgctl(queue_, IPC_RMID, nullptr);
        shmctl(memory_, IPC_RMID, nullptr);
        semctl(semaphores_, 0, IPC_RMID);
        mq_close(posix_);
        mq_unlink(name_.c_str());
    }
    Objects(const Objects&) = delete;
    Objects& operator=(const Objects&) = delete;

    /// Which of them the namespace of `pid` has.
    std::string found_by(pid_t pid) const {
        return in_namespaces(pid, {"user", "ipc"}, [this] {
            std::string out;
            out += msgget(key_, 0) >= 0 || errno == EACCES ? "queue " : "";
            out += shmget(key_, 0, 0) >= 0 || errno == EACCES ? "memory " : "";
            out += semget(key_, 0, 0) >= 0 || errno == EACCES ? "semaphores " : "";
            out += mq_open(name_.c_str(), O_RDONLY) >= 0 || errno == EACCES ? "posix " : "";
            return out;
        });
    }
    key_t key() const { return key_; }
    std::string name() const { return name_.substr(1); }

private:
    key_t key_ = 0;
    std::string name_ = "/" + token();
    int queue_ = -1, memory_ = -1, semaphores_ = -1;
    mqd_t posix_ = -1;
};

} // namespace

TEST(Ipc, NothingOfTheHostsIsThere) {
    Objects objects;
    ASSERT_EQ(objects.found_by(getpid()), "queue memory semaphores posix ");
    Container box;
    EXPECT_FALSE(shares(box.first(), "ipc"));
    EXPECT_EQ(objects.found_by(box.first()), "");
    // As programs inside look at it: a header and no line.
    EXPECT_EQ(lines(box.ask("cat /proc/sysvipc/msg").out).size(), 1U);
    EXPECT_EQ(lines(box.ask("cat /proc/sysvipc/shm").out).size(), 1U);
    EXPECT_EQ(lines(box.ask("cat /proc/sysvipc/sem").out).size(), 1U);
    EXPECT_THAT(Root(box.first()).list("/dev/mqueue"), ElementsAre());
}

TEST(Ipc, WhatIsMadeInsideIsNotOutside) {
    Container box;
    std::string name = token();
    EXPECT_EQ(in_namespaces(box.first(), {"user", "ipc"},
                            [&] {
                                mqd_t queue =
                                    mq_open(("/" + name).c_str(), O_CREAT | O_RDWR, 0600, nullptr);
                                return std::string(queue >= 0 ? "made" : "refused");
                            }),
              "made");
    EXPECT_LT(mq_open(("/" + name).c_str(), O_RDONLY), 0);
    EXPECT_THAT(Root(box.first()).list("/dev/mqueue"), ElementsAre(name));
}

TEST(Ipc, EachContainerHasItsOwn) {
    Container one;
    Container two;
    EXPECT_NE(namespace_of(one.first(), "ipc"), namespace_of(two.first(), "ipc"));
}

TEST(Ipc, OffSharesTheHosts) {
    Objects objects;
    Container box({"--no-ipc"});
    EXPECT_TRUE(shares(box.first(), "ipc"));
    EXPECT_THAT(box.ask("cat /proc/sysvipc/msg").out, HasSubstr(std::to_string(objects.key())));
    // A mount of the queue file system would show the host's.
    auto table = mountinfo(box.first());
    EXPECT_EQ(mounted_at(table, "/dev/mqueue"), nullptr);
}

TEST(Ipc, AloneWithTheUserStage) {
    Objects objects;
    Container box({"--only", "user,ipc"});
    EXPECT_THAT(own_namespaces(box.first()), ElementsAre("user", "ipc"));
    EXPECT_EQ(objects.found_by(box.first()), "");
}
