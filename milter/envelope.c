/* envelope - see envelope.h. */
/* SPDX-License-Identifier: ISC */
#include "milter/envelope.h"

/* Postfix finds a recipient by what the client said of it, without a source
 * route: so it is named as said and as it was understood; what is not there is
 * no failure.  It is the last thing to be done: everybody is in by then. */
static int drop(const struct mr_recipient *recipient, struct mr_mta *mta)
{
	if (recipient->said != NULL &&
		mr_mta_drop_recipient(mta, recipient->said) < 0)
		return -1;
	return mr_mta_drop_recipient(mta, recipient->address.text);
}

int mr_envelope_change(const struct mr_envelope *envelope, struct mr_mta *mta)
{
	for (const char *const *address = envelope->add; *address != NULL;
		address++)
		if (mr_mta_add_recipient(mta, *address) < 0)
			return -1;
	for (const struct mr_recipient *const *r = envelope->drop; *r != NULL;
		r++)
		if (drop(*r, mta) < 0)
			return -1;
	return 0;
}
