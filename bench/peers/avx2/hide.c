/* Answers cpuid, where it was replaced by int3, as a processor with AVX2 but without AVX-512, VNNI and AMX would. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void answer(int sig, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  uint32_t leaf = r[REG_RAX], sub = r[REG_RCX], a, b, c, d;
  __cpuid_count(leaf, sub, a, b, c, d);
  if (leaf == 7 && sub == 0) {
    b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
    c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
  }
  if (leaf == 7 && sub == 1) { a &= ~(1u << 4 | 1u << 5 | 1u << 21); d &= ~(1u << 4 | 1u << 5 | 1u << 10 | 1u << 19); }
  r[REG_RAX] = a; r[REG_RBX] = b; r[REG_RCX] = c; r[REG_RDX] = d;
  r[REG_RIP] += 1; /* past the second byte */
}

__attribute__((constructor)) static void start(void) {
  struct sigaction s;
  memset(&s, 0, sizeof s);
  s.sa_sigaction = answer;
  s.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGTRAP, &s, 0);
}
