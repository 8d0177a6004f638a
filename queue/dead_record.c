/* queue/dead_record.c - the stored form of a dead letter: encode, decode. */
#include "queue/dead_record.h"

#include <string.h>

#define VERSION 1

/* clang-format off */
static const struct codec_field texts[] = {
	CODEC_FIELD(queue_letter, rcpt.address,    512,  true), /* all of it was in the queue, which has the same bounds: nothing is cut */
	CODEC_FIELD(queue_letter, destination,     400,  true),
	CODEC_FIELD(queue_letter, rcpt.reason,     600,  true),
	CODEC_FIELD(queue_letter, rcpt.source,     255,  true),
	CODEC_FIELD(queue_letter, rcpt.relay,      400,  true),
	CODEC_FIELD(queue_letter, rcpt.reply,      2000, true),
	CODEC_FIELD(queue_letter, rcpt.class_name, 64,   true),
	CODEC_FIELD(queue_letter, rcpt.orcpt,      500,  true),
};
/* clang-format on */

size_t dead_record_encode(const struct queue_letter *letter, uint8_t *out)
{
	struct codec_out o = { .at = out, .end = out + CODEC_RECORD_MAX };

	codec_put_u8(&o, VERSION);
	codec_put_u32(&o, letter->rcpt.job);
	codec_put_u8(&o, (uint8_t)letter->cause);
	codec_put_u8(&o, letter->rcpt.notify);
	codec_put_u32(&o, letter->rcpt.attempts);
	codec_put_u64(&o, (uint64_t)letter->rcpt.last_attempt);
	codec_put_u64(&o, (uint64_t)letter->died);
	codec_put_u32(&o, letter->seq);
	codec_put_u64(&o, letter->dsn);
	codec_put_u64(&o, letter->replayed);
	codec_put_u64(&o, (uint64_t)letter->replayed_at);
	codec_put_texts(&o, letter, texts, ARRAY_LEN(texts));
	must(!o.failed);
	return (size_t)(o.at - out);
}

static bool is_sound(const struct queue_letter *letter)
{
	const struct queue_rcpt *rcpt = &letter->rcpt;

	return rcpt->job <= rcpt->n && rcpt->address && rcpt->address[0] != '\0' && rcpt->notify <= NOTIFY_ALL &&
	    letter->cause > LETTER_NONE && letter->cause < LETTER_CAUSES;
}

enum err dead_record_decode(
    uint32_t n, const void *data, size_t len, struct queue_letter *out, struct codec_texts *room, struct err_detail *why)
{
	struct codec_in in;
	const char *at;
	enum err e = codec_begin(&in, data, len, VERSION, "dead letter", why);

	if (e != OK)
		return e;
	*out = (struct queue_letter){ .rcpt.n = n };
	out->rcpt.job = codec_get_u32(&in);
	out->cause = codec_get_u8(&in);
	out->rcpt.notify = codec_get_u8(&in);
	out->rcpt.attempts = codec_get_u32(&in);
	out->rcpt.last_attempt = codec_get_time(&in);
	out->died = codec_get_time(&in);
	out->seq = codec_get_u32(&in);
	out->dsn = codec_get_u64(&in);
	out->replayed = codec_get_u64(&in);
	out->replayed_at = codec_get_time(&in);
	codec_get_texts(&in, out, texts, ARRAY_LEN(texts), room);
	if (in.failed || !is_sound(out)) {
		in.failed = true;
		return codec_end(&in, "dead letter", why);
	}
	at = strrchr(out->rcpt.address, '@');
	out->rcpt.domain = at ? at + 1 : out->rcpt.address + strlen(out->rcpt.address);
	return codec_end(&in, "dead letter", why);
}
