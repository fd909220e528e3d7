/* userdb_parse - see userdb.h. */
/* SPDX-License-Identifier: ISC */
#include "common/map/userdb.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

bool mr_userdb_can_ask(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name < ' ' || *name == '\177')
			return false;
	return true;
}

/* `WORD TAB ID [TAB rest]`; NULL if it is something else. */
static const char *behind_id(const char *line, const char *word, unsigned id)
{
	size_t length = strlen(word);
	char wanted[16];

	if (strncmp(line, word, length) != 0 || line[length] != '\t')
		return NULL;
	line += length + 1;
	snprintf(wanted, sizeof(wanted), "%u", id);
	length = strlen(wanted);
	if (strncmp(line, wanted, length) != 0)
		return NULL;
	line += length;
	if (*line == '\t')
		return line + 1;
	return *line == '\0' ? line : NULL;
}

static bool is_greeting(const char *line)
{
	size_t word = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return word > 0 && (line[word] == '\t' || line[word] == '\0');
}

static bool is_reply_word(const char *line)
{
	static const char *const words[] = { "USER", "NOTFOUND", "FAIL", "LIST",
		"DONE" };
	size_t length = strcspn(line, "\t");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == length &&
			strncmp(words[i], line, length) == 0)
			return true;
	return false;
}

/* What is wrong with a line that is no reply, "" if it may come first. */
static const char *judge_greeting(const char *line)
{
	if (is_reply_word(line) || !is_greeting(line))
		return "not the reply to our question";
	if (strncmp(line, "VERSION\t", 8) == 0 &&
		strncmp(line, "VERSION\t1\t", 10) != 0)
		return "another version of the protocol";
	return "";
}

enum mr_userdb_listed mr_userdb_parse_listed(
	const char *line, unsigned id, const char **rest_r)
{
	if ((*rest_r = behind_id(line, "LIST", id)) != NULL)
		return MR_USERDB_LIST_NAME;
	if ((*rest_r = behind_id(line, "DONE", id)) != NULL)
		return **rest_r == '\0' ? MR_USERDB_LIST_DONE
		                        : MR_USERDB_LIST_FAILED;
	*rest_r = judge_greeting(line);
	return **rest_r == '\0' ? MR_USERDB_LIST_GREETING
	                        : MR_USERDB_LIST_GARBAGE;
}

enum mr_userdb_reply mr_userdb_parse(
	const char *line, unsigned id, const char **rest_r)
{
	if ((*rest_r = behind_id(line, "USER", id)) != NULL) {
		if (**rest_r != '\0' && **rest_r != '\t')
			return MR_USERDB_USER;
		*rest_r = "a reply without a user name";
		return MR_USERDB_GARBAGE;
	}
	if ((*rest_r = behind_id(line, "NOTFOUND", id)) != NULL)
		return MR_USERDB_NOTFOUND;
	if ((*rest_r = behind_id(line, "FAIL", id)) != NULL)
		return MR_USERDB_FAIL;
	*rest_r = judge_greeting(line);
	return **rest_r == '\0' ? MR_USERDB_GREETING : MR_USERDB_GARBAGE;
}
