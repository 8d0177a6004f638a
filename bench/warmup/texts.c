/* bench/warmup/texts.c - what the providers say: wordings of real ones, put through the classifier that runs live. */
#include <stdlib.h>
#include <string.h>

#include "conf/replies.h"
#include "relay/deliver/lane_news.h"
#include "relay/deliver/verdict.h"
#include "sim.h"

#include "responses.tsv.h"

#define TEXTS_MAX 2000
#define GRAINS    16 /* an answer about many recipients has no more wordings than that */

/* One wording: what it is by those who know, and what the relay makes of it. */
struct wording {
	enum replies_class class;
	bool hard;
	enum lane_news news;
};

static struct wording wordings[TEXTS_MAX];
static size_t wording_count;

/* Those of a topic, by class: a class is drawn first, so that one of which few wordings are known is as likely as any. */
static struct {
	uint16_t items[TEXTS_MAX];
	size_t count;
} shelves[TOPICS][CLASS_COUNT];
static unsigned shelf_of[TOPICS][CLASS_COUNT], shelf_count[TOPICS];

static bool fits(enum topic topic, const struct wording *w)
{
	switch (topic) {
	case TOPIC_LIMIT:
		return !w->hard && w->class == CLASS_THROTTLE;
	case TOPIC_WARNING:
		return !w->hard && (w->class == CLASS_THROTTLE || w->class == CLASS_GREYLIST);
	case TOPIC_TROUBLE:
		return !w->hard && w->class == CLASS_TRANSIENT_SYSTEM;
	case TOPIC_BLOCK:
		return w->hard && w->class == CLASS_REPUTATION_BLOCK;
	case TOPIC_LIMIT_MISLED: /* a rate limit worded as anything else, as an unknown user even for good */
		return w->class != CLASS_THROTTLE && (!w->hard || w->class == CLASS_BAD_MAILBOX);
	case TOPIC_BLOCK_MISLED: /* a block worded as anything else, as greylisting too */
		return w->class != CLASS_REPUTATION_BLOCK && (w->hard || w->class == CLASS_GREYLIST);
	case TOPICS:
		break;
	}
	return false;
}

static void shelve(uint16_t number)
{
	const struct wording *w = &wordings[number];

	for (unsigned topic = 0; topic < TOPICS; topic++) {
		if (!fits((enum topic)topic, w))
			continue;
		if (shelves[topic][w->class].count == 0)
			shelf_of[topic][shelf_count[topic]++] = w->class;
		shelves[topic][w->class].items[shelves[topic][w->class].count++] = number;
	}
}

/* provider, reply, class, ... */
static void read_line(struct verdict_rules *rules, char *line)
{
	char *save = NULL, *provider = strtok_r(line, "\t", &save), *reply = strtok_r(NULL, "\t", &save);
	const char *class = strtok_r(NULL, "\t", &save);
	struct wording *w = &wordings[wording_count];
	struct verdict verdict;

	if (provider == NULL || provider[0] == '#' || class == NULL || wording_count == TEXTS_MAX)
		return;
	w->class = CLASS_OTHER;
	for (unsigned i = 0; i < CLASS_COUNT; i++)
		if (strcmp(replies_class_name((enum replies_class)i), class) == 0)
			w->class = (enum replies_class)i;
	w->hard = reply[0] == '5';
	verdict_of(rules, provider, reply, &verdict);
	w->news = lane_news_of(replies_class_name(verdict.class), w->hard);
	shelve((uint16_t)wording_count++);
}

void texts_load(void)
{
	struct memory memory = { NULL };
	struct fault_list faults = { 0 };
	struct conf_faults told = { 0 };
	struct verdict_rules *rules = verdict_rules_create(replies_load(&memory, NULL, &faults), &faults);
	char *text = xcalloc(1, sizeof(responses_tsv) + 1), *save = NULL;

	memcpy(text, responses_tsv, sizeof(responses_tsv));
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		read_line(rules, line);
	for (unsigned topic = 0; topic < TOPICS; topic++)
		must(shelf_count[topic] > 0);
	free(text);
	verdict_rules_destroy(&rules);
	fault_export(&faults, &told);
	conf_faults_free(&told);
	memory_fini(&memory);
}

static enum lane_news draw(struct rand *rand, enum topic topic)
{
	unsigned class = shelf_of[topic][rand_below(rand, shelf_count[topic])];

	return wordings[shelves[topic][class].items[rand_below(rand, shelves[topic][class].count)]].news;
}

void texts_say(struct rand *rand, enum topic topic, uint32_t count, struct reply_counts *r)
{
	uint32_t *counts[LANE_NEWS] = { [NEWS_DEFERRED] = &r->deferred, [NEWS_THROTTLED] = &r->throttled,
		[NEWS_BLOCKED] = &r->blocked, [NEWS_UNKNOWN] = &r->unknown, [NEWS_REFUSED] = &r->refused };
	uint32_t grain = count / GRAINS + 1;

	while (count > 0) {
		uint32_t some = count < grain ? count : grain;

		*counts[draw(rand, topic)] += some;
		count -= some;
	}
}
