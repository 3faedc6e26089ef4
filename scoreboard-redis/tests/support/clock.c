/* A clock that a test moves, for a server that is real in everything else. Loaded into it by LD_PRELOAD.
 *
 * The file that TEST_CLOCK names holds the microseconds since 1970 at which time stands, or 0 for the time that it is.
 * Only the wall clock is moved: what waits goes by the monotonic clock, and goes on. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *stands_at;

__attribute__((constructor)) static void find(void) {
    const char *name = getenv("TEST_CLOCK");
    int file = name ? open(name, O_RDONLY) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) stands_at = found;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int64_t at = which == CLOCK_REALTIME && stands_at ? *stands_at : 0;
    if (!at) return (int)syscall(SYS_clock_gettime, which, time);
    time->tv_sec = at / 1000000;
    time->tv_nsec = at % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *also) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (also) *also = now.tv_sec;
    return now.tv_sec;
}
