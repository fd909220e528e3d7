/* lmdb - how long a table of a million addresses takes to open and to answer,
 * and what it adds to our own memory (RssAnon; the table itself is mapped).
 *
 * usage: bench_lmdb [ADDRESSES [QUESTIONS]]; needs postmap(1) with lmdb. */
/* SPDX-License-Identifier: ISC */
#include "common/base/arena.h"
#include "common/map/map.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

struct asker {
	struct mr_map *map;
	uint64_t random;
	long addresses, questions;
	double *took_us;
};

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static long rss_anon_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kb;
}

/* xorshift64: the same keys in every run */
static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static void *ask(void *argument)
{
	struct asker *asker = argument;
	struct mr_arena *arena = mr_arena_new(4096);

	for (long i = 0; i < asker->questions; i++) {
		long n = (long)(next_random(&asker->random) %
				(uint64_t)asker->addresses);
		struct mr_error error;
		const char *value;
		char key[64];
		double start;

		snprintf(key, sizeof(key), "user%ld@domain%ld.example", n,
			n % 1000);
		start = now_us();
		if (mr_map_get(asker->map, arena, key, INT64_MAX, &value,
			    &error) != MR_FOUND) {
			fprintf(stderr, "%s: not found\n", key);
			exit(1);
		}
		asker->took_us[i] = now_us() - start;
		if (i % 1000 == 999) {
			mr_arena_free(&arena);
			arena = mr_arena_new(4096);
		}
	}
	mr_arena_free(&arena);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, double *took_us, long n)
{
	double sum = 0;

	for (long i = 0; i < n; i++)
		sum += took_us[i];
	qsort(took_us, (size_t)n, sizeof(*took_us), compare);
	printf("%s_mean_us=%.2f %s_p50_us=%.2f %s_p99_us=%.2f\n", what,
		sum / (double)n, what, took_us[n / 2], what,
		took_us[n / 100 * 99]);
}

static void run(struct mr_map *map, const char *what, int threads,
	long addresses, long questions)
{
	double *took_us =
		mr_calloc((size_t)(questions * threads), sizeof(*took_us));
	struct asker askers[THREADS];
	pthread_t ids[THREADS];

	for (int i = 0; i < threads; i++) {
		askers[i] =
			(struct asker){ map, 88172645463325252u + (uint64_t)i,
				addresses, questions, took_us + i * questions };
		if (pthread_create(&ids[i], NULL, ask, &askers[i]) != 0)
			exit(1);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	report(what, took_us, questions * threads);
	free(took_us);
}

static void build(const char *path, long addresses)
{
	FILE *file = fopen(path, "w");
	char command[128];
	double start;

	if (file == NULL)
		exit(1);
	for (long i = 0; i < addresses; i++)
		fprintf(file,
			"user%ld@domain%ld.example mailbox%ld@host.example\n",
			i, i % 1000, i);
	fclose(file);
	snprintf(command, sizeof(command), "postmap lmdb:%s", path);
	start = now_us();
	if (system(command) != 0)
		exit(1);
	printf("addresses=%ld postmap_s=%.1f\n", addresses,
		(now_us() - start) / 1e6);
}

static void measure(const char *path, long addresses, long questions)
{
	long before = rss_anon_kb();
	char reference[128];
	struct mr_error error;
	struct mr_map *map;
	double start = now_us();

	snprintf(reference, sizeof(reference), "lmdb:%s", path);
	if (mr_map_open(reference, &map, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	printf("open_ms=%.2f\n", (now_us() - start) / 1e3);
	run(map, "cold", 1, addresses, questions);
	run(map, "warm", 1, addresses, questions);
	run(map, "4threads", THREADS, addresses, questions);
	printf("rss_anon_before_kb=%ld rss_anon_after_kb=%ld\n", before,
		rss_anon_kb());
	mr_map_free(&map);
}

int main(int argc, char **argv)
{
	long addresses = argc > 1 ? atol(argv[1]) : 1000 * 1000;
	long questions = argc > 2 ? atol(argv[2]) : 200 * 1000;
	char directory[] = "/tmp/bench_lmdb.XXXXXX", path[64];

	if (addresses < 1 || questions < 100) {
		fprintf(stderr, "usage: bench_lmdb [ADDRESSES [QUESTIONS]]\n");
		return 2;
	}
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/table", directory);
	build(path, addresses);
	measure(path, addresses, questions);
	unlink(path);
	strcat(path, ".lmdb");
	unlink(path);
	rmdir(directory);
	return 0;
}
