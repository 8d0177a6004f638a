/* relay/ops/fact.h - facts as members of JSON objects. */
#ifndef OPS_FACT_H
#define OPS_FACT_H

#include <jansson.h>

#include "base/clock.h"
#include "base/err.h"

/* A text that anybody may have written: what is not well-formed UTF-8 becomes U+FFFD. NULL: null. */
void fact_text(json_t *object, const char *key, const char *text);
void fact_text_n(json_t *object, const char *key, const char *text, size_t len);

void fact_number(json_t *object, const char *key, uint64_t number);
void fact_bool(json_t *object, const char *key, bool value);
void fact_time(json_t *object, const char *key, wall_ms when); /* RFC 3339; 0 and WALL_NEVER: null */
void fact_json(json_t *object, const char *key, json_t *value); /* takes the reference */

#endif
