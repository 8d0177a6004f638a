/* relay/notify/alert.c - what somebody must be told of: open alerts, and which of them are to be told now. */
#include "relay/notify/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/codec.h"

#define VERSION 1

struct alerts {
	struct alert *list[ALERT_OPEN_MAX]; /* in the order in which they began */
	size_t count;
};

/* What a record holds beside its numbers. */
struct alert_texts {
	const char *object, *text;
};

static const struct codec_field fields[] = {
	CODEC_FIELD(alert_texts, object, ALERT_OBJECT_MAX, false), CODEC_FIELD(alert_texts, text, ALERT_TEXT_MAX, true),
};

const char *alert_kind_name(enum alert_kind kind)
{
	static const char *const names[ALERT_KINDS] = { "block", "blocklist", "source", "held", "disk", "store", "late", "dnssec" };

	return names[kind];
}

const char *alert_news_name(enum alert_news news)
{
	static const char *const names[] = { "begins", "lasts", "ends" };

	return names[news];
}

struct alerts *alerts_create(void)
{
	return xcalloc(1, sizeof(struct alerts));
}

void alerts_destroy(struct alerts **alerts)
{
	if (!*alerts)
		return;
	for (size_t i = 0; i < (*alerts)->count; i++)
		free((*alerts)->list[i]);
	free(*alerts);
	*alerts = NULL;
}

static struct alert *find(const struct alerts *alerts, enum alert_kind kind, const char *object)
{
	for (size_t i = 0; i < alerts->count; i++)
		if (alerts->list[i]->kind == kind && strncmp(alerts->list[i]->object, object, ALERT_OBJECT_MAX) == 0)
			return alerts->list[i];
	return NULL;
}

static struct alert *add(struct alerts *alerts, enum alert_kind kind, const char *object)
{
	struct alert *alert;

	if (alerts->count == ALERT_OPEN_MAX)
		return NULL;
	alert = xcalloc(1, sizeof(*alert));
	alert->kind = kind;
	(void)snprintf(alert->object, sizeof(alert->object), "%s", object);
	alerts->list[alerts->count++] = alert;
	return alert;
}

static void set_text(struct alert *alert, const char *text)
{
	(void)snprintf(alert->text, sizeof(alert->text), "%s", text);
}

void alerts_raise(struct alerts *alerts, enum alert_kind kind, const char *object, const char *text, wall_ms until, wall_ms now)
{
	struct alert *alert = find(alerts, kind, object);

	if (!alert) {
		alert = add(alerts, kind, object);
		if (!alert)
			return;
		alert->since = now;
	}
	alert->ended = 0;
	alert->until = until;
	set_text(alert, text);
}

static void forget(struct alerts *alerts, size_t i)
{
	free(alerts->list[i]);
	memmove(&alerts->list[i], &alerts->list[i + 1], (--alerts->count - i) * sizeof(alerts->list[0]));
}

void alerts_clear(struct alerts *alerts, enum alert_kind kind, const char *object, wall_ms now)
{
	struct alert *alert = find(alerts, kind, object);

	if (alert && alert->ended == 0)
		alert->ended = now;
}

static wall_ms end_of(const struct alert *alert)
{
	return alert->ended ? alert->ended : alert->until;
}

/* An alert that ended before it was told is not told at all: it is due for being forgotten. */
static wall_ms due_of(const struct alert *alert, int64_t gather_ms, int64_t every_ms)
{
	wall_ms due = alert->told ? alert->told + every_ms : alert->since + gather_ms;

	if (end_of(alert) && end_of(alert) + gather_ms < due)
		due = end_of(alert) + gather_ms;
	return due;
}

wall_ms alerts_due(struct alerts *alerts, int64_t gather_ms, int64_t every_ms)
{
	wall_ms due = WALL_NEVER;

	for (size_t i = 0; i < alerts->count; i++) {
		wall_ms own = due_of(alerts->list[i], gather_ms, every_ms);

		due = own < due ? own : due;
	}
	return due;
}

/* Tell it, if there is news. False: it is over. */
static bool take(struct alert *alert, int64_t every_ms, wall_ms now, alert_fn fn, void *arg, size_t *count)
{
	wall_ms end = end_of(alert);

	if (end && end <= now) {
		alert->ended = end;
		if (alert->told) {
			fn(arg, alert, ALERT_ENDS);
			(*count)++;
		}
		return false;
	}
	if (alert->told == 0 || alert->told + every_ms <= now) {
		enum alert_news news = alert->told ? ALERT_LASTS : ALERT_BEGINS;

		alert->told = now;
		fn(arg, alert, news);
		(*count)++;
	}
	return true;
}

size_t alerts_take(struct alerts *alerts, int64_t gather_ms, int64_t every_ms, wall_ms now, alert_fn fn, void *arg)
{
	size_t count = 0;

	if (alerts_due(alerts, gather_ms, every_ms) > now)
		return 0;
	for (size_t i = 0; i < alerts->count;) {
		if (take(alerts->list[i], every_ms, now, fn, arg, &count))
			i++;
		else
			forget(alerts, i);
	}
	return count;
}

void alerts_walk(const struct alerts *alerts, alert_walk_fn fn, void *arg)
{
	for (size_t i = 0; i < alerts->count; i++)
		if (alerts->list[i]->ended == 0)
			fn(arg, alerts->list[i]);
}

/* --- stored ----------------------------------------------------------------------------------------------------------------- */

size_t alert_encode(const struct alert *alert, uint8_t out[ALERT_RECORD_MAX])
{
	struct codec_out to = { .at = out, .end = out + ALERT_RECORD_MAX };
	struct alert_texts texts = { alert->object, alert->text };

	codec_put_u8(&to, VERSION);
	codec_put_u8(&to, (uint8_t)alert->kind);
	codec_put_u64(&to, (uint64_t)alert->since);
	codec_put_u64(&to, (uint64_t)alert->told);
	codec_put_texts(&to, &texts, fields, ARRAY_LEN(fields));
	must(!to.failed);
	return (size_t)(to.at - out);
}

bool alerts_restore(struct alerts *alerts, const void *data, size_t len, wall_ms until)
{
	char room[ALERT_RECORD_MAX];
	struct codec_texts texts_room = { room, room + sizeof(room) };
	struct alert_texts texts = { "", "" };
	struct alert *alert;
	struct codec_in in;
	wall_ms since, told;
	uint8_t kind;

	if (codec_begin(&in, data, len, VERSION, "alert", NULL) != OK)
		return false;
	kind = codec_get_u8(&in);
	since = codec_get_time(&in);
	told = codec_get_time(&in);
	codec_get_texts(&in, &texts, fields, ARRAY_LEN(fields), &texts_room);
	if (codec_end(&in, "alert", NULL) != OK || kind >= ALERT_KINDS || find(alerts, kind, texts.object))
		return false;
	alert = add(alerts, kind, texts.object);
	if (!alert)
		return false;
	alert->since = since;
	alert->told = told;
	alert->until = until;
	set_text(alert, texts.text);
	return true;
}
