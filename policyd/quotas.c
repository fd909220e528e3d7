/* quotas - see quotas.h. */
/* SPDX-License-Identifier: ISC */
#include "policyd/quotas.h"
#include "policyd/usages.h"

static enum mr_lookup find(void *context, const char *mailbox,
	struct mr_fill *fill, struct mr_error *error)
{
	struct mr_usages_now now = mr_usages_now();

	(void)error;
	return mr_usages_find(context, mailbox, &now, fill);
}

static uint64_t book(void *context, struct mr_booking *bookings, size_t n)
{
	struct mr_usages_now now = mr_usages_now();

	return mr_usages_book(context, bookings, n, &now);
}

static void cancel(void *context, const struct mr_booking *bookings, size_t n,
	uint64_t number)
{
	mr_usages_cancel(context, bookings, n, number);
}

struct mr_quotas mr_quotas_of(struct mr_usages *usages)
{
	return (struct mr_quotas){ usages, find, book, cancel };
}
