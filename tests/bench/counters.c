/* counters - one million counters with names: their memory, and the time of a
 * look-up and of counting.  Prints name=value.
 *
 * usage: counters [COUNTERS] */
/* SPDX-License-Identifier: ISC */
#include "common/base/clock.h"
#include "common/config/sections.h"
#include "policyd/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNTERS = 1000 * 1000, HOUR = 3600, LOOK_UPS = 2 * 1000 * 1000 };

/* octets */
static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all = 0, pages = 0;

	if (file == NULL || fscanf(file, "%lu %lu", &all, &pages) != 2)
		abort();
	fclose(file);
	return (long)(pages * (unsigned long)sysconf(_SC_PAGESIZE));
}

/* 27 octets, as addresses mostly have. */
static struct mr_rate_key key_of(char *room, size_t size, unsigned i)
{
	snprintf(room, size, "user%06u@c%04u.example.net", i, i % 9973);
	return (struct mr_rate_key){ i % MR_RATE_KINDS, MR_RATE_RECIPIENTS,
		HOUR, room };
}

static double ns_each(int64_t since_ms, unsigned n)
{
	return (double)(mr_clock_ms() - since_ms) * 1e6 / n;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : COUNTERS;
	struct mr_counters *counters = mr_counters_new(MR_COUNTERS_MOST);
	struct mr_counters_status status;
	struct mr_counter top[20];
	long before = resident();
	uint64_t sum = 0;
	int64_t since;
	char name[64];

	since = mr_clock_ms();
	for (unsigned i = 0; i < n; i++) {
		struct mr_rate_key key = key_of(name, sizeof(name), i);

		mr_counters_add(counters, &key, 1, 100, 1000);
	}
	printf("new_ns=%.0f\n", ns_each(since, n));
	status = mr_counters_status(counters);
	printf("counters=%zu\ndropped=%llu\nmemory_mb=%.1f\n", status.count,
		(unsigned long long)status.dropped,
		(double)(resident() - before) / 1e6);
	since = mr_clock_ms();
	for (unsigned i = 0; i < LOOK_UPS; i++) {
		struct mr_rate_key key =
			key_of(name, sizeof(name), i * 2654435761u % n);

		sum += mr_counters_sum(counters, &key, 1000);
	}
	printf("look_up_ns=%.0f\nfound=%llu\n", ns_each(since, LOOK_UPS),
		(unsigned long long)sum);
	since = mr_clock_ms();
	for (unsigned i = 0; i < LOOK_UPS; i++)
		sum += key_of(name, sizeof(name), i * 2654435761u % n).kind;
	printf("of_it_names_ns=%.0f\n", ns_each(since, LOOK_UPS));
	since = mr_clock_ms();
	for (unsigned i = 0; i < LOOK_UPS; i++) {
		struct mr_rate_key key =
			key_of(name, sizeof(name), i * 2654435761u % n);

		mr_counters_add(counters, &key, 1, 100, 1000);
	}
	printf("add_ns=%.0f\n", ns_each(since, LOOK_UPS));
	since = mr_clock_ms();
	n = (unsigned)mr_counters_top(counters, 1000, top, 20);
	printf("top_ms=%lld\n", (long long)(mr_clock_ms() - since));
	while (n > 0)
		free((char *)top[--n].key.name);
	mr_counters_free(&counters);
	return sum > 0 ? 0 : 1;
}
