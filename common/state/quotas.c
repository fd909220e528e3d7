/* quotas - see quotas.h. */
/* SPDX-License-Identifier: ISC */
#include "common/state/quotas.h"
#include "common/base/units.h"
#include "common/mailbox/quota.h"

enum mr_room mr_quotas_room(
	const struct mr_fill *fill, uint64_t size, uint64_t limit)
{
	uint64_t whole = mr_quota_extended(size, MR_QUOTA_HEADERS);
	uint64_t alone = size == 0 ? 1 : size;

	if (mr_quota_fits(
		    limit, fill->bytes, mr_quota_extended(whole, fill->booked)))
		return MR_ROOM_ENOUGH;
	if (mr_quota_fits(limit, fill->bytes, whole))
		return MR_ROOM_BOOKED;
	if (!mr_quota_fits(limit, 0, alone))
		return MR_ROOM_NONE;
	if (fill->age_ms > MR_QUOTA_FULL_MS)
		return MR_ROOM_OLD;
	if (!mr_quota_fits(limit, fill->least, alone))
		return MR_ROOM_NONE;
	return fill->least < fill->bytes ? MR_ROOM_OLD : MR_ROOM_BOOKED;
}
