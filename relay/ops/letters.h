/* relay/ops/letters.h - dead letters as the operator sees them: the walk over those that were asked for, and their facts. */
#ifndef OPS_LETTERS_H
#define OPS_LETTERS_H

#include "queue/dead.h"
#include "relay/ops/choice.h"

/* A row that the filters of a choice can look at; `state` and what the scheduler knows mean nothing. */
void letters_row(struct row *row, const struct queue_letters *letters, size_t i);

/* The members of `dead list`: id rcpt sender tenant destination died cause reason class attempts reply source dsn size replayed. */
json_t *letters_json(const struct queue_letters *letters, size_t i) MUST_USE;

/* Called with each message of which letters[which[]] were chosen; env->reader must not be used. False: the slice ends. */
typedef bool (*letters_fn)(void *arg, const struct queue_letters *letters, const size_t *which, size_t count);

/* Visit up to `max` messages more. *end_out: there are no more. */
MUST_USE enum err letters_walk(struct choice *choice, const struct ops_env *env, size_t max, letters_fn fn, void *arg, bool *end_out,
    struct err_detail *why);

#endif
