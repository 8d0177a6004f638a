/* queue/recipient.c - the stored form of a recipient and what a settle changes of it. */
#include "queue/recipient.h"

#include <string.h>

#define VERSION_PLAIN  1
#define VERSION_EXTRAS 2 /* what the sender asked to be told, and was, follows. Written only when there is something to say in it */
#define VERSION_MOVED  3 /* the same, whether there is something to say or not; it has had its one other source */
#define VERSION_APART  4 /* the same, and then what version 3 says by its number: it is tried apart from others of its job */

#define ORCPT_MAX 500 /* RFC 3461 section 4.2 */

/* clang-format off */
static const struct codec_field texts[] = {
	CODEC_FIELD(queue_rcpt, address,    512,  false),
	CODEC_FIELD(queue_rcpt, reason,     600,  true),
	CODEC_FIELD(queue_rcpt, source,     255,  false),
	CODEC_FIELD(queue_rcpt, relay,      400,  true),
	CODEC_FIELD(queue_rcpt, reply,      2000, true),
	CODEC_FIELD(queue_rcpt, class_name, 64,   true),
};

static const struct codec_field extra_texts[] = {
	CODEC_FIELD(queue_rcpt, orcpt, ORCPT_MAX, false),
};
/* clang-format on */

static bool is_sound(const struct queue_rcpt *r)
{
	return r->job <= r->n && (unsigned)r->state < RCPT_STATES && r->next >= 0 && r->last_attempt >= 0 &&
	    r->address && r->address[0] != '\0' && r->notify <= NOTIFY_ALL &&
	    (!(r->notify & NOTIFY_NEVER) || r->notify == NOTIFY_NEVER);
}

enum err recipient_check(const struct queue_rcpt *rcpt, struct err_detail *why)
{
	if (!is_sound(rcpt))
		return err_set(why, ERR_INVALID, "recipient %u: no address, or impossible job, state or time", rcpt->n);
	if (codec_check_texts(rcpt, extra_texts, ARRAY_LEN(extra_texts), why) != OK)
		return ERR_LIMIT;
	return codec_check_texts(rcpt, texts, ARRAY_LEN(texts), why);
}

static bool has_extras(const struct queue_rcpt *r)
{
	return r->notify != 0 || r->warned || (r->orcpt && r->orcpt[0] != '\0');
}

static uint8_t version_of(const struct queue_rcpt *r)
{
	return r->apart ? VERSION_APART : r->moved ? VERSION_MOVED : has_extras(r) ? VERSION_EXTRAS : VERSION_PLAIN;
}

size_t recipient_encode(const struct queue_rcpt *rcpt, uint8_t *out)
{
	struct codec_out o = { .at = out, .end = out + CODEC_RECORD_MAX };

	codec_put_u8(&o, version_of(rcpt));
	codec_put_u32(&o, rcpt->job);
	codec_put_u8(&o, (uint8_t)rcpt->state);
	codec_put_u32(&o, rcpt->attempts);
	codec_put_u64(&o, (uint64_t)rcpt->next);
	codec_put_u64(&o, (uint64_t)rcpt->last_attempt);
	codec_put_texts(&o, rcpt, texts, ARRAY_LEN(texts));
	if (version_of(rcpt) != VERSION_PLAIN) {
		codec_put_u8(&o, rcpt->notify);
		codec_put_u8(&o, rcpt->warned);
		codec_put_texts(&o, rcpt, extra_texts, ARRAY_LEN(extra_texts));
	}
	if (rcpt->apart)
		codec_put_u8(&o, rcpt->moved);
	must(!o.failed);
	return (size_t)(o.at - out);
}

static void get_extras(struct codec_in *in, struct queue_rcpt *out, struct codec_texts *room)
{
	uint8_t warned;

	out->notify = codec_get_u8(in);
	warned = codec_get_u8(in);
	out->warned = warned == 1;
	codec_get_texts(in, out, extra_texts, ARRAY_LEN(extra_texts), room);
	if (warned > 1)
		in->failed = true;
}

static void get_apart(struct codec_in *in, struct queue_rcpt *out)
{
	uint8_t moved = codec_get_u8(in);

	out->apart = true;
	out->moved = moved == 1;
	if (moved > 1)
		in->failed = true;
}

enum err recipient_decode(
    uint32_t n, const void *data, size_t len, struct queue_rcpt *out, struct codec_texts *room, struct err_detail *why)
{
	struct codec_in in;
	const char *at;
	enum err e = codec_begin(&in, data, len, VERSION_APART, "recipient", why);

	if (e != OK)
		return e;
	*out = (struct queue_rcpt){ .n = n, .orcpt = "" };
	out->job = codec_get_u32(&in);
	out->state = codec_get_u8(&in);
	out->attempts = codec_get_u32(&in);
	out->next = codec_get_time(&in);
	out->last_attempt = codec_get_time(&in);
	codec_get_texts(&in, out, texts, ARRAY_LEN(texts), room);
	out->moved = *(const uint8_t *)data == VERSION_MOVED;
	if (*(const uint8_t *)data != VERSION_PLAIN)
		get_extras(&in, out, room);
	if (*(const uint8_t *)data == VERSION_APART)
		get_apart(&in, out);
	if (!is_sound(out) || version_of(out) != *(const uint8_t *)data)
		in.failed = true;
	at = strrchr(out->address, '@');
	out->domain = at ? at + 1 : out->address + strlen(out->address);
	return codec_end(&in, "recipient", why);
}

bool recipient_leaves(enum settle_op op)
{
	return op <= SETTLE_DROPPED;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void recipient_change(struct queue_rcpt *rcpt, enum settle_op op, const struct queue_rcpt *change)
{
	switch (op) {
	case SETTLE_UPDATE: {
		struct queue_rcpt old = *rcpt;

		*rcpt = *change;
		rcpt->n = old.n;
		rcpt->job = old.job;
		rcpt->address = old.address;
		rcpt->domain = old.domain;
		rcpt->notify = old.notify;
		rcpt->orcpt = old.orcpt;
		break;
	}
	case SETTLE_HOLD:
		rcpt->state = change->state == RCPT_WAITING ? RCPT_HELD : change->state;
		rcpt->reason = or_empty(change->reason);
		break;
	case SETTLE_RELEASE:
		rcpt->state = RCPT_WAITING;
		rcpt->moved = false;
		rcpt->reason = or_empty(change->reason);
		rcpt->next = change->next;
		break;
	case SETTLE_RETRY:
		if (rcpt->state == RCPT_BLOCKED)
			rcpt->state = RCPT_WAITING;
		if (rcpt->state == RCPT_WAITING)
			rcpt->moved = false;
		rcpt->next = change->next;
		break;
	case SETTLE_DELIVERED:
	case SETTLE_BOUNCED:
	case SETTLE_DROPPED:
		break;
	}
}
