/* relay/relayq/event.h - one line of the event log: does the operator mean it, and how it reads. Pure. */
#ifndef RELAYQ_EVENT_H
#define RELAYQ_EVENT_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Does an event pass the arguments of `tail`? "ids" (ID: all of a message; ID.n), the filters event destination tenant sender rcpt reply source
 * class, each a text or an array of texts of which one must match (shell wildcards, without regard to case), and "level", the least one.
 * An event without the field that a filter is about does not pass.
 */
bool event_passes(const json_t *event, const json_t *args);

/* Is `level` one that events have? */
bool event_has_level(const char *level);

/* "TIME EVENT key=value ..." as the daemon writes it on standard error, with the time; no control characters. malloc'ed. */
char *event_line(const json_t *event);

#endif
