/* queue/message.c - the stored form of a message: encode, decode. */
#include "queue/message.h"

#define VERSION_FULL  1 /* no more chunks than the size needs */
#define VERSION_SHORT 2 /* one more, as the first is short: damaged in the eyes of who knows version 1 alone. Otherwise the same */
#define VERSION_EXTRAS 3 /* either number of chunks; priority and ENVID follow. Written only when there is something to say in it */

#define FLAGS_EXTRAS (MSG_BINARY | MSG_REQUIRETLS | MSG_RET_FULL | MSG_RET_HDRS | MSG_TLS_OPTIONAL) /* an older program would not heed them */
#define PRIORITY_MAX 9
#define ENVID_MAX    100 /* RFC 3461 section 4.4 */

/* clang-format off */
static const struct codec_field texts[] = {
	CODEC_FIELD(queue_message, sender, 512, false),
	CODEC_FIELD(queue_message, tenant, 255, false),
	CODEC_FIELD(queue_message, pool,   255, false),
	CODEC_FIELD(queue_message, client, 600, true),
	CODEC_FIELD(queue_message, login,  255, true),
};

static const struct codec_field extra_texts[] = {
	CODEC_FIELD(queue_message, envid, ENVID_MAX, false),
};
/* clang-format on */

/* Chunks of a body of that size whose first chunk is full; there is one more at most when it is short. */
static uint32_t message_chunks(uint64_t size_bytes)
{
	return (uint32_t)((size_bytes + QUEUE_CHUNK - 1) / QUEUE_CHUNK);
}

static bool is_sound(const struct queue_message *m)
{
	uint32_t least;

	if (m->size_bytes > (uint64_t)QUEUE_CHUNK * (UINT32_MAX - 1))
		return false;
	least = message_chunks(m->size_bytes);
	return m->chunks >= least && m->chunks <= least + 1 && m->chunks <= m->size_bytes && m->rcpt_count > 0 && m->arrived >= 0 &&
	    m->deadline >= 0 && m->priority >= -PRIORITY_MAX && m->priority <= PRIORITY_MAX;
}

enum err message_check(const struct queue_message *message, struct err_detail *why)
{
	if (message->id == 0 || !is_sound(message))
		return err_set(why, ERR_INVALID, "message without id or recipients, or size and chunks disagree");
	if (codec_check_texts(message, extra_texts, ARRAY_LEN(extra_texts), why) != OK)
		return ERR_LIMIT;
	return codec_check_texts(message, texts, ARRAY_LEN(texts), why);
}

static bool has_extras(const struct queue_message *m)
{
	return (m->flags & FLAGS_EXTRAS) || m->priority != 0 || (m->envid && m->envid[0] != '\0');
}

static uint8_t version_of(const struct queue_message *message)
{
	if (has_extras(message))
		return VERSION_EXTRAS;
	return message->chunks == message_chunks(message->size_bytes) ? VERSION_FULL : VERSION_SHORT;
}

size_t message_encode(const struct queue_message *message, uint8_t *out)
{
	struct codec_out o = { .at = out, .end = out + CODEC_RECORD_MAX };

	codec_put_u8(&o, version_of(message));
	codec_put_u64(&o, (uint64_t)message->arrived);
	codec_put_u64(&o, (uint64_t)message->deadline);
	codec_put_u64(&o, message->size_bytes);
	codec_put_u32(&o, message->chunks);
	codec_put_u32(&o, message->rcpt_count);
	codec_put_u32(&o, message->flags);
	codec_put_texts(&o, message, texts, ARRAY_LEN(texts));
	if (has_extras(message)) {
		codec_put_u8(&o, (uint8_t)(message->priority + PRIORITY_MAX));
		codec_put_texts(&o, message, extra_texts, ARRAY_LEN(extra_texts));
	}
	must(!o.failed);
	return (size_t)(o.at - out);
}

enum err message_decode(msg_id id, const void *data, size_t len, struct queue_message *out, struct codec_texts *room,
    struct err_detail *why)
{
	struct codec_in in;
	enum err e = codec_begin(&in, data, len, VERSION_EXTRAS, "message", why);

	if (e != OK)
		return e;
	*out = (struct queue_message){ .id = id, .envid = "" };
	out->arrived = codec_get_time(&in);
	out->deadline = codec_get_time(&in);
	out->size_bytes = codec_get_u64(&in);
	out->chunks = codec_get_u32(&in);
	out->rcpt_count = codec_get_u32(&in);
	out->flags = codec_get_u32(&in);
	codec_get_texts(&in, out, texts, ARRAY_LEN(texts), room);
	if (*(const uint8_t *)data == VERSION_EXTRAS) {
		out->priority = (int8_t)(codec_get_u8(&in) - PRIORITY_MAX);
		codec_get_texts(&in, out, extra_texts, ARRAY_LEN(extra_texts), room);
	}
	if (!is_sound(out) || version_of(out) != *(const uint8_t *)data)
		in.failed = true;
	return codec_end(&in, "message", why);
}
