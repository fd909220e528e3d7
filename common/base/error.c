/* error - see error.h. */
/* SPDX-License-Identifier: ISC */
#include "common/base/error.h"

#include <stdarg.h>
#include <stdio.h>

int mr_error_set(struct mr_error *error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error->text, sizeof(error->text), format, ap);
	va_end(ap);
	return -1;
}
