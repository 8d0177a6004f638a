/* relay/notify/notice.c - alerts as a message of our own, and as JSON for a webhook. */
#include "relay/notify/notice.h"

#include <stdlib.h>
#include <string.h>

#include "relay/notify/bounce.h"
#include "relay/wire/utf8.h"

#define BLOBS (NOTICE_BYTES_MAX / QUEUE_CHUNK + 1)

struct notice {
	struct queue_accept accept;
	struct queue_rcpt rcpt;
	struct queue_blob blobs[BLOBS];
	struct buf lines, entries, text, json;
	char *to, *pool;
	char first[ALERT_OBJECT_MAX + 32]; /* for the subject */
	size_t count, left_out;
};

struct notice *notice_create(void)
{
	struct notice *notice = xcalloc(1, sizeof(*notice));

	buf_init(&notice->lines, NOTICE_BYTES_MAX - 4096);
	buf_init(&notice->entries, NOTICE_BYTES_MAX - 4096);
	buf_init(&notice->text, NOTICE_BYTES_MAX);
	buf_init(&notice->json, NOTICE_BYTES_MAX);
	return notice;
}

void notice_destroy(struct notice **notice)
{
	struct notice *n = *notice;

	*notice = NULL;
	if (!n)
		return;
	buf_fini(&n->lines);
	buf_fini(&n->entries);
	buf_fini(&n->text);
	buf_fini(&n->json);
	free(n->to);
	free(n->pool);
	free(n);
}

/* --- texts ------------------------------------------------------------------------------------------------------------------ */

/* Words of others on one line of a body: control characters and bytes that are not UTF-8 become "?". */
static void clean_to(char *out, const char *text, size_t size)
{
	size_t len = strlen(text), to = 0;

	for (size_t at = 0; at < len && to + 5 < size;) {
		size_t n = utf8_char(text + at, len - at);

		if (n == 0 || (n == 1 && (unsigned char)text[at] < ' ') || text[at] == 127) {
			out[to++] = '?';
			at++;
			continue;
		}
		memcpy(out + to, text + at, n);
		to += n;
		at += n;
	}
	out[to] = '\0';
}

static enum err json_text(struct buf *out, const char *text)
{
	enum err e = buf_add(out, "\"", 1);

	for (; *text && e == OK; text++)
		e = *text == '"' || *text == '\\' ? buf_printf(out, "\\%c", *text) : buf_add(out, text, 1);
	return e == OK ? buf_add(out, "\"", 1) : e;
}

static enum err json_member(struct buf *out, const char *key, const char *text)
{
	enum err e = buf_printf(out, ",\"%s\":", key);

	return e == OK ? json_text(out, text) : e;
}

void notice_add(struct notice *notice, const struct alert *alert, enum alert_news news)
{
	char object[sizeof(alert->object) + 8], text[sizeof(alert->text) + 8], since[CLOCK_TEXT];
	size_t lines = notice->lines.len, entries = notice->entries.len;
	enum err e;

	clean_to(object, alert->object, sizeof(object));
	clean_to(text, alert->text, sizeof(text));
	clock_rfc3339(alert->since, since);
	e = buf_printf(&notice->lines, "%s %s: %s\r\n    %s\r\n    since %s\r\n", alert_kind_name(alert->kind), alert_news_name(news), object, text,
	    since);
	if (e == OK)
		e = buf_printf(&notice->entries, "%s{\"news\":\"%s\",\"kind\":\"%s\"", entries ? "," : "", alert_news_name(news),
		    alert_kind_name(alert->kind));
	e = e == OK ? json_member(&notice->entries, "object", object) : e;
	e = e == OK ? json_member(&notice->entries, "text", text) : e;
	e = e == OK ? json_member(&notice->entries, "since", since) : e;
	e = e == OK ? buf_add(&notice->entries, "}", 1) : e;
	if (e != OK) {
		notice->lines.len = lines;
		notice->entries.len = entries;
		notice->left_out++;
		return;
	}
	if (notice->count++ == 0)
		(void)snprintf(notice->first, sizeof(notice->first), "%s %s: %s", alert_kind_name(alert->kind), alert_news_name(news), object);
}

/* --- the message ------------------------------------------------------------------------------------------------------------ */

/* A subject in ASCII (RFC 5322 section 2.2). */
static void subject_of(const struct notice *notice, char *out, size_t size)
{
	if (notice->count > 1)
		(void)snprintf(out, size, "%zu alerts, first: %.120s", notice->count + notice->left_out, notice->first);
	else
		(void)snprintf(out, size, "%.160s", notice->first);
	for (char *p = out; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static void write_text(struct notice *notice, const struct conf *conf, const char *id, wall_ms now)
{
	char subject[256], date[CLOCK_TEXT];

	subject_of(notice, subject, sizeof(subject));
	must(buf_printf(&notice->text,
	    "From: Mail relay <postmaster@%s>\r\nTo: <%s>\r\nSubject: [%s] %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    conf->hostname, conf->alerts.mail, conf->hostname, subject, clock_rfc5322(now, date), id, conf->hostname) == OK);
	must(buf_add(&notice->text, notice->lines.data, notice->lines.len) == OK);
	if (notice->left_out > 0)
		must(buf_printf(&notice->text, "and %zu more\r\n", notice->left_out) == OK);
	must(buf_printf(&notice->text, "\r\nrelayq alerts tells which ones last.\r\n") == OK);
}

static void blobs_set(struct notice *notice)
{
	struct queue_accept *accept = &notice->accept;

	accept->blobs = notice->blobs;
	for (size_t at = 0; at < notice->text.len; at += QUEUE_CHUNK) {
		size_t left = notice->text.len - at;

		notice->blobs[accept->blob_count++] = (struct queue_blob){ notice->text.data + at, left < QUEUE_CHUNK ? left : QUEUE_CHUNK };
	}
	accept->message.chunks = (uint32_t)accept->blob_count;
	accept->message.size_bytes = notice->text.len;
}

struct queue_accept *notice_accept(struct notice *notice, struct queue *queue, const struct conf *conf, wall_ms now)
{
	struct queue_message *message = &notice->accept.message;
	char id[MSG_ID_TEXT];

	notice->to = xstrdup(conf->alerts.mail);
	notice->pool = xstrdup(conf->alerts.pool ? conf->alerts.pool : conf->bounce_pool);
	*message = (struct queue_message){
		.id = queue_new_id(queue), .arrived = now, .deadline = now + conf->retry.expire_ms, .rcpt_count = 1, .flags = MSG_BOUNCE | MSG_8BIT,
		.sender = "", .tenant = BOUNCE_TENANT, .pool = notice->pool, .client = "", .login = "", .envid = "",
	};
	write_text(notice, conf, msg_id_format(message->id, id), now);
	bounce_sign(&notice->text, conf, id, now);
	blobs_set(notice);
	notice->rcpt = (struct queue_rcpt){
		.state = RCPT_WAITING, .next = now, .address = notice->to, .domain = strrchr(notice->to, '@') + 1,
		.reason = "", .source = "", .relay = "", .reply = "", .class_name = "", .orcpt = "",
	};
	notice->accept.rcpts = &notice->rcpt;
	notice->accept.rcpt_count = 1;
	notice->accept.req.kind = QUEUE_ACCEPT;
	return &notice->accept;
}

const char *notice_json(struct notice *notice, const struct conf *conf)
{
	buf_reset(&notice->json);
	must(buf_printf(&notice->json, "{\"host\":\"%s\",\"alerts\":[", conf->hostname) == OK);
	must(buf_add(&notice->json, notice->entries.data, notice->entries.len) == OK);
	must(buf_printf(&notice->json, "],\"more\":%zu}", notice->left_out) == OK);
	return buf_str(&notice->json);
}
