/* relay/relayq/field.h - members of the objects of an answer; what is absent or of another type is empty. */
#ifndef RELAYQ_FIELD_H
#define RELAYQ_FIELD_H

#include <jansson.h>

#include "base/clock.h"
#include "base/err.h"

/* Borrowed; "" when absent. */
const char *field_text(const json_t *object, const char *key);
/* 0 when absent; field_time reads RFC 3339. */
uint64_t field_number(const json_t *object, const char *key);
wall_ms field_time(const json_t *object, const char *key);
bool field_bool(const json_t *object, const char *key);
/* The texts of an array with `between` between them; malloc'ed. */
char *field_joined(const json_t *object, const char *key, const char *between) MUST_USE;

#endif
