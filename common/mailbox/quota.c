/* quota - see quota.h. */
/* SPDX-License-Identifier: ISC */
#include "common/mailbox/quota.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PERCENT_MOST = 9999 };

bool mr_quota_fits(uint64_t limit, uint64_t used, uint64_t added)
{
	if (limit == MR_UNLIMITED)
		return true;
	return used <= limit && added <= limit - used;
}

uint64_t mr_quota_extended(uint64_t limit, uint64_t extra)
{
	return extra >= MR_UNLIMITED - limit ? MR_UNLIMITED : limit + extra;
}

bool mr_quota_is_rule(const char *field)
{
	const char *value = strchr(field, '=');

	return strncmp(field, "quota_rule", 10) == 0 && value != NULL &&
	       (strncmp(value + 1, "*:", 2) == 0 ||
		       strncmp(value + 1, "?:", 2) == 0) &&
	       (strstr(value, "storage=") != NULL ||
		       strstr(value, "bytes=") != NULL);
}

bool mr_quota_is_size(const char *field)
{
	const char *found = strstr(field, "quota_storage_size=");

	return found != NULL && (found == field || found[-1] == '/');
}

int mr_quota_percent(uint64_t limit, uint64_t used)
{
	__extension__ unsigned __int128 percent = used;

	if (limit == MR_UNLIMITED)
		return 0;
	if (limit == 0)
		return used == 0 ? 100 : PERCENT_MOST;
	percent = percent * 100 / limit;
	return percent > PERCENT_MOST ? PERCENT_MOST : (int)percent;
}

int mr_quota_level(
	uint64_t limit, uint64_t used, const int64_t *levels, size_t count)
{
	int percent = mr_quota_percent(limit, used);
	int level = 0;

	if (limit == MR_UNLIMITED)
		return 0;
	for (size_t i = 0; i < count && percent >= levels[i]; i++)
		level = (int)levels[i];
	return level;
}

/* Format 1 was without the time of the count.  Padded with blanks, so that a
 * shorter line leaves nothing of a longer one. */
void mr_usage_format(const struct mr_usage *usage, char line[MR_USAGE_SIZE])
{
	char text[MR_USAGE_SIZE];
	int n = snprintf(text, sizeof(text),
		"2 %" PRIu64 " %d %" PRId64 " %" PRIu32, usage->bytes,
		usage->level, usage->scanned, usage->counted);

	memset(line, ' ', MR_USAGE_SIZE - 1);
	line[MR_USAGE_SIZE - 1] = '\n';
	memcpy(line, text, (size_t)n);
}

/* Digits to a number that is at most `most`; the blanks behind it are eaten. */
static bool take_number(
	const char **p, const char *end, uint64_t most, uint64_t *number)
{
	const char *begin = *p;

	*number = 0;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		unsigned digit = (unsigned)(**p - '0');

		if (*number > (most - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	if (*p == begin || *p == end || (**p != ' ' && **p != '\n'))
		return false;
	while (*p < end && **p == ' ')
		(*p)++;
	return true;
}

bool mr_usage_parse(const char *line, size_t length, struct mr_usage *usage)
{
	const char *p = line, *end = line + length;
	uint64_t format, bytes, level, scanned, counted = 0;

	*usage = (struct mr_usage){ .bytes = UINT64_MAX };
	if (length != MR_USAGE_SIZE || line[length - 1] != '\n' ||
		!take_number(&p, end, 2, &format) || format < 1 ||
		!take_number(&p, end, UINT64_MAX, &bytes) ||
		!take_number(&p, end, 100, &level) ||
		!take_number(&p, end, INT64_MAX, &scanned) ||
		(format == 2 && !take_number(&p, end, UINT32_MAX, &counted)) ||
		p != end - 1)
		return false;
	usage->bytes = bytes;
	usage->level = (int)level;
	usage->scanned = (int64_t)scanned;
	usage->counted = (uint32_t)counted;
	return true;
}

bool mr_usage_suffices(
	const struct mr_usage *usage, uint64_t limit, int64_t now)
{
	return limit != MR_UNLIMITED && usage->bytes <= limit / 2 &&
	       now >= usage->counted &&
	       now - usage->counted < MR_USAGE_TRUSTED_S;
}
