/* conf/fault.h - gather everything that is wrong with a configuration, to be shown in the order of the file. */
#ifndef CONF_FAULT_H
#define CONF_FAULT_H

#include "conf/conf.h"

#define FAULT_QUOTE 96  /* bytes that fault_quote needs */
#define FAULT_MAX   200 /* more than that are only counted */

/* A place in a file; line and column count from 1, line 0: the file as a whole. `file` is borrowed. */
struct place {
	const char *file;
	uint32_t line, column;
};

struct fault {
	struct place at;
	bool warning;
	size_t order;
	char *text;
};

/* Zero-initialised is empty. Owned by one load. */
struct fault_list {
	struct fault *items;
	size_t count, cap;
	size_t errors;
};

/* Note an error, or something the operator should know. The text says what was found and what was expected. */
void fault_error(struct fault_list *list, struct place at, const char *format, ...) PRINTF_LIKE(3, 4);
void fault_warn(struct fault_list *list, struct place at, const char *format, ...) PRINTF_LIKE(3, 4);

/* Make text from the file fit to be shown: printable, in double quotes, cut when long. Returns `out`. */
const char *fault_quote(const char *text, char out[FAULT_QUOTE]);

/* Append the list, sorted by place, to `out` (zeroed, or filled by an earlier call) and free it. */
void fault_export(struct fault_list *list, struct conf_faults *out);

#endif
