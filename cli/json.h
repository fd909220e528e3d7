/* json - answers for programs; the one door to <jansson>. */
/* SPDX-License-Identifier: ISC */
#ifndef MR_CLI_JSON_H
#define MR_CLI_JSON_H

/* Lines of name=value as one object: whole numbers become numbers; a name that
 * occurs more than once has an array.  `text` is only read. */
void mr_json_print_pairs(const char *text);

#endif
