/* json - answers for programs; the one door to <jansson>. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_JSON_H
#define MR_CLI_JSON_H

/* Lines of name=value as one object: whole numbers become numbers; a name that
 * occurs more than once has an array.  Those of the policy daemon are the
 * object "policyd" in that of the milter.  Either may be NULL. */
void mr_json_print_status(const char *milter, const char *policyd);

/* An array of such objects; `texts` ends with NULL. */
void mr_json_print_objects(const char *const *texts);

#endif
