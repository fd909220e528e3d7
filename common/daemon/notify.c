/* notify - see notify.h. */
/* SPDX-License-Identifier: ISC */
#include "common/daemon/notify.h"

#ifdef HAVE_SYSTEMD

#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

int mr_notify_passed(int *first_r, struct mr_error *error)
{
	int n = sd_listen_fds(1);

	*first_r = SD_LISTEN_FDS_START;
	if (n < 0)
		return mr_error_set(
			error, "the sockets of systemd: %s", strerror(-n));
	return n;
}

void mr_notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

/* Type=notify-reload wants to know when, to tell two reloads apart. */
void mr_notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void mr_notify_stopping(const char *status)
{
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

#else

int mr_notify_passed(int *first_r, struct mr_error *error)
{
	*first_r = -1;
	(void)error;
	return 0;
}

void mr_notify_ready(const char *status)
{
	(void)status;
}

void mr_notify_reloading(void)
{
}

void mr_notify_stopping(const char *status)
{
	(void)status;
}

#endif
