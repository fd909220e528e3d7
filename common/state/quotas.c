/* quotas - see quotas.h. */
/* SPDX-License-Identifier: ISC */
#include "common/state/quotas.h"
#include "common/base/units.h"
#include "common/mailbox/quota.h"

enum mr_room mr_quotas_room(
	const struct mr_fill *fill, uint64_t size, uint64_t limit)
{
	uint64_t whole = mr_quota_extended(size, MR_QUOTA_HEADERS);

	if (mr_quota_fits(
		    limit, fill->bytes, mr_quota_extended(whole, fill->booked)))
		return MR_ROOM_ENOUGH;
	if (mr_quota_fits(limit, fill->bytes, whole))
		return MR_ROOM_BOOKED;
	/* however much less is there */
	if (fill->at_most && !mr_quota_fits(limit, 0, size == 0 ? 1 : size))
		return MR_ROOM_NONE;
	if (fill->age_ms > MR_QUOTA_FULL_MS)
		return MR_ROOM_OLD;
	return fill->at_most || mr_quota_fits(limit, fill->bytes,
					size == 0 ? 1 : size)
	               ? MR_ROOM_BOOKED
	               : MR_ROOM_NONE;
}
