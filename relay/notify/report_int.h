/* relay/notify/report_int.h - what the files of reports share; included by report*.c alone. */
#ifndef NOTIFY_REPORT_INT_H
#define NOTIFY_REPORT_INT_H

#include "relay/notify/report.h"
#include "relay/notify/words.h"

/* report_status.c: with its MIME fields, like the next one. */
void report_put_status(struct words *words, const struct report *report);

/* report_original.c */
void report_put_original(struct words *words, const struct report *report);

#endif
