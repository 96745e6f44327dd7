// make_io_uring says why it is not to be had, and does so by trying: each test forbids something to a process
// of its own, as sandboxes and limits do.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "net/io.h"

namespace nuncio::net {

namespace {

// Makes one system call fail with `error` in this process from now on.
void forbid(long call, uint32_t error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) std::_Exit(9);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) std::_Exit(9);
}

// Ends the process with 0 if there is no io_uring, its reason on standard error.
[[noreturn]] void expect_refusal() {
  std::string why_not;
  const auto io = make_io_uring({}, why_not);
  std::fprintf(stderr, "%s\n", why_not.c_str());
  std::_Exit(io == nullptr ? 0 : 1);
}

TEST(IoUringRefusedDeathTest, ForbiddenSetUp) {
  EXPECT_EXIT((forbid(SYS_io_uring_setup, EPERM), expect_refusal()), testing::ExitedWithCode(0),
              "io_uring_setup: Operation not permitted");
}

TEST(IoUringRefusedDeathTest, ForbiddenRegistration) {
  EXPECT_EXIT((forbid(SYS_io_uring_register, EPERM), expect_refusal()), testing::ExitedWithCode(0),
              "Operation not permitted");
}

TEST(IoUringRefusedDeathTest, ForbiddenEntry) {
  EXPECT_EXIT((forbid(SYS_io_uring_enter, EPERM), expect_refusal()), testing::ExitedWithCode(0),
              "multishot receive: Operation not permitted");
}

TEST(IoUringRefusedDeathTest, NoDescriptorLeft) {
  EXPECT_EXIT((forbid(SYS_eventfd2, EMFILE), expect_refusal()), testing::ExitedWithCode(0),
              "eventfd: Too many open files");
}

}  // namespace

}  // namespace nuncio::net
