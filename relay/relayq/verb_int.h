/* relay/relayq/verb_int.h - what the tables of verbs and the parser share; included by verb*.c alone. */
#ifndef RELAYQ_VERB_INT_H
#define RELAYQ_VERB_INT_H

#include "relay/relayq/verb.h"

enum option_kind { KIND_TEXT, KIND_TEXTS, KIND_DURATION, KIND_COUNT, KIND_FLAG, KIND_ALL, KIND_FILE, KIND_JSON, KIND_HELP, KIND_VERSION };

#define BIT(i)  (1u << (i))
#define GLOBAL  BIT(0)
#define FILTERS BIT(1)
#define STATES  BIT(2)
#define LIMIT   BIT(3)
#define REASON  BIT(4)
#define CHANGES BIT(5)
#define SCOPE   BIT(6)
#define ROWS    BIT(7)
#define KEYS    BIT(8)
#define HASH    BIT(9)
#define SPAN    BIT(10)
#define POOL    BIT(11)
#define LETTERS BIT(12) /* filters of verbs in which --source means something else */
#define REPLAYS BIT(13)
#define WARM    BIT(14)
#define WATCH   BIT(15) /* filters that events have fields for */
#define EVENTS  BIT(16)
#define LOOKS   BIT(17)

#define VERB_GROUP "dead" /* its verbs are two words */

struct option_row {
	const char *name, *key, *metavar, *help;
	enum option_kind kind;
	unsigned group; /* verbs of the same bit take it */
};
extern const struct option_row verb_options[];
extern const size_t verb_option_count;

const struct verb *verb_find(const char *name); /* "dead" alone is its list */

/* So many wrong letters are too many for `word` to be taken for another: three, or half of it. */
unsigned verb_near(const char *word);

/* The verb that looks most like `word`; NULL: none does. */
const char *verb_nearest(const char *word);

#endif
