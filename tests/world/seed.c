/* seed - `doveadm seed': saves mails that entered their folders long ago
 *
 * For tests only: tests/world/seed.py compiles it in the world, beside
 * doveadm's other modules.  The save date goes where Dovecot itself keeps it,
 * into the cache, which needs the mail plugin that tells it to. */
/* SPDX-License-Identifier: ISC */
#include <lib.h>
#include <array.h>
#include <istream.h>
#include <module-dir.h>
#include <str.h>
#include <mail-namespace.h>
#include <mail-storage.h>
#include <mailbox-list.h>
#include <doveadm.h>
#include <doveadm-cmd.h>
#include <doveadm-mail.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MR_DOVECOT_24 (DOVECOT_VERSION_MAJOR > 2 || DOVECOT_VERSION_MINOR >= 4)

extern const char *doveadm_seed_plugin_version;
void doveadm_seed_plugin_init(struct module *module);
void doveadm_seed_plugin_deinit(void);

const char *doveadm_seed_plugin_version = DOVECOT_ABI_VERSION;

/* "USER FOLDER SAVED FLAGS SIZE SUBJECT", with a tab between two.  A user's
 * lines are together, and those of a folder. */
enum field { USER, FOLDER, SAVED, FLAGS, SIZE, SUBJECT, FIELDS };

struct seed_cmd {
	struct doveadm_mail_cmd_context ctx;
	const char *input, *end, *at; /* the next user's lines, probably */
};

struct line {
	const char *field[FIELDS];
};

/* The line at *at, which is moved behind it; none if it is another user's. */
static bool next_line(struct seed_cmd *cmd, const char **at, const char *user,
	struct line *line_r)
{
	const char *newline;
	const char *const *fields;

	if (*at == cmd->end)
		return FALSE;
	newline = memchr(*at, '\n', (size_t)(cmd->end - *at));
	if (newline == NULL)
		i_fatal("seed: the last line has no end");
	fields = t_strsplit(t_strdup_until(*at, newline), "\t");
	if (str_array_length(fields) != FIELDS)
		i_fatal("seed: not %d fields: %s", FIELDS, fields[0]);
	if (user != NULL && strcmp(fields[USER], user) != 0)
		return FALSE;
	for (int i = 0; i < FIELDS; i++)
		line_r->field[i] = fields[i];
	*at = newline + 1;
	return TRUE;
}

/* Where the user's lines begin; NULL: he has none. */
static const char *find_user(struct seed_cmd *cmd, const char *user)
{
	const char *at = cmd->at, *here;
	bool wrapped = FALSE, found = FALSE;
	struct line line;

	for (;;) {
		if (at == cmd->end) {
			if (wrapped)
				return NULL;
			wrapped = TRUE;
			at = cmd->input;
		}
		here = at;
		T_BEGIN
		{
			found = next_line(cmd, &at, NULL, &line) &&
			        strcmp(line.field[USER], user) == 0;
		}
		T_END;
		if (found)
			return here;
	}
}

static enum mail_flags flags_of(const char *text)
{
	enum mail_flags flags = 0;

	if (strchr(text, 'S') != NULL)
		flags |= MAIL_SEEN;
	if (strchr(text, 'F') != NULL)
		flags |= MAIL_FLAGGED;
	if (strchr(text, 'D') != NULL)
		flags |= MAIL_DELETED;
	return flags;
}

static void save(struct mailbox_transaction_context *t, const struct line *line)
{
	static const char filler[] = "0123456789012345678901234567890123456789"
				     "012345678901234567890123456789\r\n";
	struct mail_save_context *ctx = mailbox_save_alloc(t);
	time_t saved = (time_t)strtoll(line->field[SAVED], NULL, 10);
	size_t size = strtoul(line->field[SIZE], NULL, 10);
	string_t *text = t_str_new(size + 256);
	struct istream *input;

	str_printfa(text, "From: someone@sender.example\r\nSubject: %s\r\n\r\n",
		line->field[SUBJECT]);
	while (str_len(text) < size)
		str_append(text, filler);
	input = i_stream_create_from_data(str_data(text), str_len(text));
	mailbox_save_set_flags(ctx, flags_of(line->field[FLAGS]), NULL);
	mailbox_save_set_save_date(ctx, saved);
	mailbox_save_set_received_date(ctx, saved, 0);
	if (mailbox_save_begin(&ctx, input) < 0)
		i_fatal("seed: save_begin");
	do {
		if (mailbox_save_continue(ctx) < 0)
			i_fatal("seed: save_continue");
	} while (i_stream_read(input) > 0);
	if (mailbox_save_finish(&ctx) < 0)
		i_fatal("seed: save_finish");
	i_stream_unref(&input);
}

static struct mailbox *open_folder(struct mail_user *user, const char *name)
{
	struct mail_namespace *ns = mail_namespace_find(user->namespaces, name);
	struct mailbox *box =
		mailbox_alloc(ns->list, name, MAILBOX_FLAG_IGNORE_ACLS);

	if (mailbox_open(box) < 0) {
		if (mailbox_get_last_mail_error(box) != MAIL_ERROR_NOTFOUND ||
			mailbox_create(box, NULL, FALSE) < 0 ||
			mailbox_open(box) < 0)
			i_fatal("seed: %s: %s", name,
				mailbox_get_last_internal_error(box, NULL));
	}
	return box;
}

/* One commit for a folder's lines. */
static void seed_folder(
	struct seed_cmd *cmd, struct mail_user *user, const char **at)
{
	struct mailbox_transaction_context *t;
	const char *next = *at, *folder;
	struct mailbox *box;
	struct line line;

	if (!next_line(cmd, &next, user->username, &line))
		i_unreached();
	folder = line.field[FOLDER];
	box = open_folder(user, folder);
	t = mailbox_transaction_begin(
		box, MAILBOX_TRANSACTION_FLAG_EXTERNAL, "seed");
	do {
		save(t, &line);
		*at = next;
	} while (next_line(cmd, &next, user->username, &line) &&
		 strcmp(line.field[FOLDER], folder) == 0);
	if (mailbox_transaction_commit(&t) < 0 || mailbox_sync(box, 0) < 0)
		i_fatal("seed: %s: %s", folder,
			mailbox_get_last_internal_error(box, NULL));
	mailbox_free(&box);
}

static int run(struct doveadm_mail_cmd_context *ctx, struct mail_user *user)
{
	struct seed_cmd *cmd = container_of(ctx, struct seed_cmd, ctx);
	const char *at = find_user(cmd, user->username), *peek;
	bool more = at != NULL;
	struct line line;

	while (more)
		T_BEGIN
		{
			seed_folder(cmd, user, &at);
			cmd->at = peek = at;
			more = next_line(cmd, &peek, user->username, &line);
		}
	T_END;
	return 0;
}

static void read_input(struct doveadm_mail_cmd_context *ctx)
{
	struct seed_cmd *cmd = container_of(ctx, struct seed_cmd, ctx);
	const char *path = NULL;
	struct stat st;
	int fd;

	if (!doveadm_cmd_param_str(ctx->cctx, "input", &path))
		i_fatal("seed: -i FILE is missing");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		i_fatal("seed: %s: %m", path);
	cmd->input =
		mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (cmd->input == MAP_FAILED)
		i_fatal("seed: mmap(%s): %m", path);
	cmd->end = cmd->input + st.st_size;
	cmd->at = cmd->input;
	close(fd);
}

#if MR_DOVECOT_24
static void init(struct doveadm_mail_cmd_context *ctx)
{
	read_input(ctx);
}
#else
static bool accept_option(
	struct doveadm_mail_cmd_context *ctx ATTR_UNUSED, int c ATTR_UNUSED)
{
	return TRUE;
}

static void init(struct doveadm_mail_cmd_context *ctx,
	const char *const args[] ATTR_UNUSED)
{
	read_input(ctx);
}
#endif

static struct doveadm_mail_cmd_context *alloc(void)
{
	struct seed_cmd *cmd = doveadm_mail_cmd_alloc(struct seed_cmd);

#if !MR_DOVECOT_24
	cmd->ctx.v.parse_arg = accept_option;
#endif
	cmd->ctx.v.init = init;
	cmd->ctx.v.run = run;
	return &cmd->ctx;
}

/* clang-format off */
static struct doveadm_cmd_ver2 command = {
	.name = "seed",
	.usage = DOVEADM_CMD_MAIL_USAGE_PREFIX "-i <file>",
	.mail_cmd = alloc,
DOVEADM_CMD_PARAMS_START
DOVEADM_CMD_MAIL_COMMON
DOVEADM_CMD_PARAM('i', "input", CMD_PARAM_STR, 0)
DOVEADM_CMD_PARAMS_END
};
/* clang-format on */

void doveadm_seed_plugin_init(struct module *module ATTR_UNUSED)
{
	doveadm_cmd_register_ver2(&command);
}

void doveadm_seed_plugin_deinit(void)
{
}
