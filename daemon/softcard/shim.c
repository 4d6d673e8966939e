/* Loaded into a private pcscd. Two changes, for tests and demonstrations only:
 * vpcd listens on loopback instead of everywhere, and pcscd's wait between two polls of a
 * reader, exactly 400 ms, becomes SOFTCARD_POLL_NS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int nanosleep(const struct timespec *request, struct timespec *left)
{
	static int (*original)(const struct timespec *, struct timespec *);
	const char *poll = getenv("SOFTCARD_POLL_NS");
	struct timespec shorter = { 0, 0 };

	if (!original)
		original = dlsym(RTLD_NEXT, "nanosleep");
	if (poll && request && request->tv_sec == 0 && request->tv_nsec == 400000000L) {
		shorter.tv_nsec = atol(poll);
		request = &shorter;
	}
	return original(request, left);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	static int (*original)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_in local;

	if (!original)
		original = dlsym(RTLD_NEXT, "bind");
	if (address && address->sa_family == AF_INET && length == sizeof local) {
		memcpy(&local, address, sizeof local);
		if (local.sin_addr.s_addr == htonl(INADDR_ANY))
			local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return original(fd, (const struct sockaddr *)&local, length);
	}
	return original(fd, address, length);
}
