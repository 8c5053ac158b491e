/* A cable between two network namespaces that loses some of its frames: a TAP device in each, and this process in
 * between. Arguments: the files of the namespaces, the name of the devices, and how many of 1000 frames are lost.
 * Prints a line when both are there; ends with its standard input. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int tap(const char *space, const char *name) {
  int in = open(space, O_RDONLY);
  if (in < 0 || setns(in, CLONE_NEWNET) != 0) return -1;
  close(in);
  int fd = open("/dev/net/tun", O_RDWR);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0 ? -1 : fd;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  int ends[2] = {tap(words[1], words[3]), tap(words[2], words[3])};
  if (ends[0] < 0 || ends[1] < 0) {
    perror("no TAP device");
    return 1;
  }
  const uint32_t lost = (uint32_t)atoi(words[4]);
  uint64_t state = 1;
  static char frame[65536];
  puts("ready");
  fflush(stdout);
  struct pollfd ready[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}, {0, POLLIN, 0}};
  while (poll(ready, 3, -1) >= 0 && !ready[2].revents) {
    for (int k = 0; k < 2; k++) {
      if (!(ready[k].revents & POLLIN)) continue;
      ssize_t size = read(ends[k], frame, sizeof frame);
      state = state * 6364136223846793005u + 1442695040888963407u;
      if (size > 0 && (state >> 33) % 1000 >= lost && write(ends[1 - k], frame, (size_t)size) < 0) continue;
    }
  }
  return 0;
}
