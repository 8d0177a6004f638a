/* relay/relayq/print.h - answers for people: what each verb makes of the JSON objects of its answer. */
#ifndef RELAYQ_PRINT_H
#define RELAYQ_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "relay/relayq/columns.h"

#define PRINT_REASONS 5 /* the most frequent ones that stats tells */

struct print_reason {
	char *text;
	uint64_t rcpts;
};

/* One answer being printed. The first five are the caller's to fill in, the rest is zero at first; print_end frees all. */
struct print {
	FILE *out, *err;
	bool json, all;
	size_t width; /* of the terminal, 0: none */
	wall_ms now;
	struct columns *columns;
	uint64_t rows, hidden;
	json_t *held;                 /* rows of stats, until the total tells which columns are needed */
	struct print_reason *reasons; /* of stats */
	size_t reason_count;
	const char *picture;          /* file that a forecast is drawn to, or NULL */
	bool failed; /* out could not be written */
};

struct printer {
	bool is_raw;     /* not JSON even with --json: the bytes of a message */
	bool tells_end;  /* with --json the last object is part of the answer */
	void (*row)(struct print *print, const json_t *row);
	void (*end)(struct print *print, const json_t *end); /* may be NULL */
};

extern const struct printer print_stats, print_list, print_show, print_cat, print_why, print_source, print_change, print_check,
    print_outcome, print_warmup, print_ban, print_suppress, print_alerts, print_hosts, print_tls, print_dead, print_dead_change;

/* One object of an answer, in its order; the last with print_end, which also tells the message of what was refused on `err`. */
void print_row(struct print *print, const struct printer *printer, const json_t *row);
void print_end(struct print *print, const struct printer *printer, const json_t *end);

/* For printers whose answer is a table or one message: end the table; say the message, or `none` when nothing was listed. */
void print_finish(struct print *print, const json_t *end, const char *none);

#endif
