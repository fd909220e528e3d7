/* leaving - see leaving.h. */
/* SPDX-License-Identifier: ISC */
#include "dovecot-plugin/leaving.h"

struct leaver {
	struct mailbox_list *list;
	const char *folder;
	uint32_t uid;
	uint64_t octets;
	bool moves;
};

struct mr_leaving {
	pool_t pool;
	ARRAY(struct leaver) mails; /* by folder, as they came */
};

void mr_leaving_add(struct mr_leaving **leaving, struct mail *mail,
	uint64_t octets, bool moves)
{
	struct leaver *new;
	const struct leaver *last = NULL;
	pool_t pool;
	unsigned int count;

	if (*leaving == NULL) {
		pool = pool_alloconly_create("mailreeve leaving", 1024);
		*leaving = p_new(pool, struct mr_leaving, 1);
		(*leaving)->pool = pool;
		i_array_init(&(*leaving)->mails, 16);
	}
	new = array_append_space(&(*leaving)->mails);
	count = array_count(&(*leaving)->mails);
	if (count > 1)
		last = array_idx(&(*leaving)->mails, count - 2);
	*new = (struct leaver){
		.list = mail->box->list,
		.folder = mail->box->vname,
		.uid = mail->uid,
		.octets = octets,
		.moves = moves,
	};
	/* the box may be closed before it is looked at */
	if (last != NULL && last->list == new->list &&
	    strcmp(last->folder, new->folder) == 0)
		new->folder = last->folder;
	else
		new->folder = p_strdup((*leaving)->pool, new->folder);
}

/* As it is now: with what others have done, and with the expunges that they have
 * asked for. */
static struct mailbox *open_folder(
	struct mr_user *u, struct mailbox_list *list, const char *folder)
{
	struct mailbox *box =
		mailbox_alloc(list, folder, MAILBOX_FLAG_IGNORE_ACLS);

	if (mailbox_open(box) == 0) {
		/* the index may have been open in this process, and a
		 * Maildir's first sync does not see what others asked of it */
		(void)mail_index_refresh(box->index);
		if (mailbox_sync(box, 0) == 0)
			return box;
	}
	e_error(u->event, "cannot look at %s, from where mail is moved: %s",
		folder, mailbox_get_last_internal_error(box, NULL));
	mailbox_free(&box);
	return NULL;
}

static bool is_there(struct mailbox *box, uint32_t uid)
{
	uint32_t first, last;

	mailbox_get_seq_range(box, uid, uid, &first, &last);
	return first != 0;
}

void mr_leaving_gone(struct mr_leaving *leaving, struct mr_user *u,
	struct mr_leaving_gone *gone_r)
{
	const struct leaver *one, *before = NULL;
	struct mailbox *box = NULL;

	i_zero(gone_r);
	array_foreach(&leaving->mails, one) {
		if (before == NULL || one->folder != before->folder) {
			if (box != NULL)
				mailbox_free(&box);
			box = open_folder(u, one->list, one->folder);
		}
		before = one;
		if (box == NULL || is_there(box, one->uid))
			continue;
		gone_r->mails++;
		*(one->moves ? &gone_r->moved : &gone_r->replaced) +=
			one->octets;
	}
	if (box != NULL)
		mailbox_free(&box);
}

void mr_leaving_free(struct mr_leaving **leaving)
{
	if (*leaving == NULL)
		return;
	array_free(&(*leaving)->mails);
	pool_unref(&(*leaving)->pool);
	*leaving = NULL;
}
