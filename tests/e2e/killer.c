/* Preloaded into newsfold by reliability.py: sends it a signal at the Nth of all calls that change what is on the disk.
 *
 * KILL_AT      which of the calls; a write is made by half then, as when the machine stops in the middle of it
 * KILL_SIGNAL  which signal; 9 when absent
 * KILL_COUNT   a file that is told how many calls there were, when the program ends by itself
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls;
static long kill_at;
static int with = SIGKILL;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("KILL_AT"), *name = getenv("KILL_SIGNAL");
    kill_at = at ? atol(at) : 0;
    if (name) with = atoi(name);
}

__attribute__((destructor)) static void finish(void) {
    const char *path = getenv("KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) fprintf(file, "%ld\n", atomic_load(&calls)), fclose(file);
}

static int is_now(void) { return atomic_fetch_add(&calls, 1) + 1 == kill_at; }
static void strike(void) { kill(getpid(), with); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define BEFORE(name, ...) do { if (is_now()) strike(); return REAL(name)(__VA_ARGS__); } while (0)

static int is_file(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (is_file(fd) && is_now()) {
        if (with == SIGKILL && length > 1) REAL(write)(fd, bytes, length / 2);
        strike();
    }
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    if (is_now()) {
        if (with == SIGKILL && length > 1) REAL(pwrite64)(fd, bytes, length / 2, at);
        strike();
    }
    return REAL(pwrite64)(fd, bytes, length, at);
}

int fsync(int fd) { BEFORE(fsync, fd); }
int fdatasync(int fd) { BEFORE(fdatasync, fd); }
int ftruncate64(int fd, off64_t length) { BEFORE(ftruncate64, fd, length); }
int rename(const char *from, const char *to) { BEFORE(rename, from, to); }
int unlink(const char *path) { BEFORE(unlink, path); }
int linkat(int from, const char *old, int to, const char *new, int flags) { BEFORE(linkat, from, old, to, new, flags); }
