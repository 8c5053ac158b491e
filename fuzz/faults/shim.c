/*
 * Preloaded, it counts the calls that change files below FAULT_UNDER, of all threads and processes together, and ends or
 * fails the one whose number is FAULT_AT. FAULT_DO is "kill" (of a write half is written first) or "error"; FAULT_SEED
 * chooses the error among those that such a call gives. FAULT_DIR holds the count, the log of calls and what was done.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *under, *dir;
static long at = -1, seed, *count;
static int kills;
static int full; /* a disk that is full stays full */

struct fault { const char *name; int code; };
#define FULL { "ENOSPC", ENOSPC }
#define EIO_ { "EIO", EIO }
#define ACCESS { "EACCES", EACCES }
#define FILES { "EMFILE", EMFILE }
static const struct { const char *op; struct fault faults[5]; } kinds[] = {
  { "open", { FULL, ACCESS, FILES, EIO_ } }, { "write", { FULL, EIO_ } }, { "fsync", { EIO_, FULL } },
  { "rename", { EIO_, ACCESS, FULL } }, { "unlink", { EIO_, ACCESS } }, { "rmdir", { EIO_, ACCESS } },
  { "mkdir", { FULL, ACCESS } }, { "link", { ACCESS, EIO_ } }, { "truncate", { EIO_ } },
};

__attribute__((constructor)) static void start(void) {
  const char *n = getenv("FAULT_AT"), *act = getenv("FAULT_DO"), *s = getenv("FAULT_SEED");
  under = getenv("FAULT_UNDER");
  dir = getenv("FAULT_DIR");
  if (!under || !dir) { under = NULL; return; }
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/count", dir);
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_ftruncate, fd, 4096) < 0) abort();
  count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (count == MAP_FAILED) abort();
  syscall(SYS_close, fd);
  at = n ? atol(n) : -1;
  seed = s ? atol(s) : 0;
  kills = act && !strcmp(act, "kill");
}

static void note(const char *file, const char *text) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  syscall(SYS_write, fd, text, strlen(text));
  syscall(SYS_close, fd);
}

static int below(const char *path) {
  char whole[2 * PATH_MAX];
  if (!under || !path) return 0;
  if (path[0] != '/') {
    if (!getcwd(whole, PATH_MAX)) return 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    path = whole;
  }
  return !strncmp(path, under, strlen(under));
}

static int fdBelow(int fd, char *out) {
  char link[64];
  if (!under || fd < 3) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, out, PATH_MAX - 1);
  if (n <= 0) return 0;
  out[n] = 0;
  return below(out);
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

static int takesRoom(const char *op) { return !strcmp(op, "open") || !strcmp(op, "write") || !strcmp(op, "mkdir"); }

static int failed(int code) { errno = code; return 1; }

/* 0: go on; 1: fails, errno is set; 2: the process is to end here. */
static int meets(const char *op, const char *path) {
  char line[PATH_MAX + 128];
  long n = __sync_add_and_fetch(count, 1);
  snprintf(line, sizeof line, "%ld %s %s\n", n, op, path);
  note("calls", line);
  if (full && takesRoom(op)) return failed(ENOSPC);
  if (n != at) return 0;
  if (kills) { snprintf(line, sizeof line, "SIGKILL %s %s\n", op, path); note("done", line); return 2; }
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    if (strcmp(kinds[k].op, op)) continue;
    int choices = 0;
    while (choices < 5 && kinds[k].faults[choices].name) choices++;
    struct fault f = kinds[k].faults[seed % choices];
    snprintf(line, sizeof line, "%s %s %s\n", f.name, op, path);
    note("done", line);
    full = f.code == ENOSPC && takesRoom(op);
    return failed(f.code);
  }
  return 0;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)
#define PATH_CALL(op, path, call) \
  { int m = below(path) ? meets(op, path) : 0; if (m == 1) return -1; if (m == 2) die(); return call; }
#define FD_CALL(op, fd, call) \
  { char p[PATH_MAX]; int m = fdBelow(fd, p) ? meets(op, p) : 0; if (m == 1) return -1; if (m == 2) die(); return call; }
#define WRITE_CALL(fd, half, call) \
  { char p[PATH_MAX]; int m = fdBelow(fd, p) ? meets("write", p) : 0; if (m == 1) return -1; \
    if (m == 2) { ssize_t r = half; (void)r; die(); } return call; }
#define WRITES(flags) (((flags) & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC)) != 0)
#define OPEN_CALL(path, call) \
  { va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    int m = WRITES(flags) && below(path) ? meets("open", path) : 0; if (m == 1) return -1; if (m == 2) die(); return call; }

int open(const char *p, int flags, ...) { REAL(int, open, const char *, int, ...); OPEN_CALL(p, real(p, flags, mode)) }
int open64(const char *p, int flags, ...) { REAL(int, open64, const char *, int, ...); OPEN_CALL(p, real(p, flags, mode)) }
int openat(int d, const char *p, int flags, ...) { REAL(int, openat, int, const char *, int, ...); OPEN_CALL(p, real(d, p, flags, mode)) }
ssize_t write(int fd, const void *b, size_t n) { REAL(ssize_t, write, int, const void *, size_t); WRITE_CALL(fd, real(fd, b, n / 2), real(fd, b, n)) }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { REAL(ssize_t, pwrite, int, const void *, size_t, off_t); WRITE_CALL(fd, real(fd, b, n / 2, o), real(fd, b, n, o)) }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t); WRITE_CALL(fd, real(fd, b, n / 2, o), real(fd, b, n, o)) }
ssize_t writev(int fd, const struct iovec *v, int c) { REAL(ssize_t, writev, int, const struct iovec *, int); WRITE_CALL(fd, real(fd, v, c / 2), real(fd, v, c)) }
ssize_t pwritev(int fd, const struct iovec *v, int c, off_t o) { REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t); WRITE_CALL(fd, real(fd, v, c / 2, o), real(fd, v, c, o)) }
ssize_t pwritev64(int fd, const struct iovec *v, int c, off64_t o) { REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t); WRITE_CALL(fd, real(fd, v, c / 2, o), real(fd, v, c, o)) }
int fsync(int fd) { REAL(int, fsync, int); FD_CALL("fsync", fd, real(fd)) }
int fdatasync(int fd) { REAL(int, fdatasync, int); FD_CALL("fsync", fd, real(fd)) }
int ftruncate(int fd, off_t l) { REAL(int, ftruncate, int, off_t); FD_CALL("truncate", fd, real(fd, l)) }
int ftruncate64(int fd, off64_t l) { REAL(int, ftruncate64, int, off64_t); FD_CALL("truncate", fd, real(fd, l)) }
int rename(const char *a, const char *b) { REAL(int, rename, const char *, const char *); PATH_CALL("rename", b, real(a, b)) }
int link(const char *a, const char *b) { REAL(int, link, const char *, const char *); PATH_CALL("link", b, real(a, b)) }
int unlink(const char *p) { REAL(int, unlink, const char *); PATH_CALL("unlink", p, real(p)) }
int unlinkat(int d, const char *p, int f) { REAL(int, unlinkat, int, const char *, int); if (p[0] != '/') return real(d, p, f); PATH_CALL("unlink", p, real(d, p, f)) }
int remove(const char *p) { REAL(int, remove, const char *); PATH_CALL("unlink", p, real(p)) }
int rmdir(const char *p) { REAL(int, rmdir, const char *); PATH_CALL("rmdir", p, real(p)) }
int mkdir(const char *p, mode_t m) { REAL(int, mkdir, const char *, mode_t); PATH_CALL("mkdir", p, real(p, m)) }
char *mkdtemp(char *t) { REAL(char *, mkdtemp, char *); int m = below(t) ? meets("mkdir", t) : 0; if (m == 1) return NULL; if (m == 2) die(); return real(t); }
