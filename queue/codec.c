/* queue/codec.c - bytes of stored records: big-endian numbers and counted texts, every length checked. */
#include "queue/codec.h"

#include <string.h>

#include "base/bigend.h"

static void put_number(struct codec_out *out, uint64_t v, unsigned bytes)
{
	if ((size_t)(out->end - out->at) < bytes)
		out->failed = true;
	if (out->failed)
		return;
	out->at = bigend_put(out->at, v, bytes);
}

void codec_put_u8(struct codec_out *out, uint8_t v)
{
	put_number(out, v, 1);
}
void codec_put_u32(struct codec_out *out, uint32_t v)
{
	put_number(out, v, 4);
}
void codec_put_u64(struct codec_out *out, uint64_t v)
{
	put_number(out, v, 8);
}

static const char *text_of(const void *record, const struct codec_field *field)
{
	const char *text;

	memcpy(&text, (const char *)record + field->offset, sizeof(text));
	return text ? text : "";
}

/* Length of `text` when cut to `max` bytes, not inside a UTF-8 character. */
static size_t clipped(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void codec_put_texts(struct codec_out *out, const void *record, const struct codec_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = text_of(record, &fields[i]);
		size_t len = clipped(text, fields[i].max);

		put_number(out, len, 2);
		if ((size_t)(out->end - out->at) < len)
			out->failed = true;
		if (out->failed)
			return;
		memcpy(out->at, text, len);
		out->at += len;
	}
}

static uint64_t get_number(struct codec_in *in, unsigned bytes)
{
	if ((size_t)(in->end - in->at) < bytes)
		in->failed = true;
	if (in->failed)
		return 0;
	return bigend_get(&in->at, bytes);
}

uint8_t codec_get_u8(struct codec_in *in)
{
	return (uint8_t)get_number(in, 1);
}
uint32_t codec_get_u32(struct codec_in *in)
{
	return (uint32_t)get_number(in, 4);
}
uint64_t codec_get_u64(struct codec_in *in)
{
	return get_number(in, 8);
}

int64_t codec_get_time(struct codec_in *in)
{
	uint64_t v = get_number(in, 8);

	if (v > INT64_MAX)
		in->failed = true;
	return in->failed ? 0 : (int64_t)v;
}

static const char *get_text(struct codec_in *in, size_t max, struct codec_texts *room)
{
	size_t len = get_number(in, 2);
	char *text = room->at;

	if (in->failed || len > max || (size_t)(in->end - in->at) < len || memchr(in->at, 0, len) ||
	    (size_t)(room->end - room->at) < len + 1) {
		in->failed = true;
		return "";
	}
	memcpy(text, in->at, len);
	text[len] = '\0';
	in->at += len;
	room->at += len + 1;
	return text;
}

void codec_get_texts(
    struct codec_in *in, void *record, const struct codec_field *fields, size_t count, struct codec_texts *room)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = get_text(in, fields[i].max, room);

		memcpy((char *)record + fields[i].offset, &text, sizeof(text));
	}
}

enum err codec_begin(
    struct codec_in *in, const void *data, size_t len, uint8_t known, const char *what, struct err_detail *why)
{
	uint8_t version;

	*in = (struct codec_in){ .at = data, .end = (const uint8_t *)data + len };
	version = codec_get_u8(in);
	if (version > known)
		return err_set(
		    why, ERR_VERSION, "%s record of version %u, this program knows up to %u", what, version, known);
	if (version == 0)
		return err_set(why, ERR_CORRUPT, "%s record does not start with a version", what);
	return OK;
}

enum err codec_end(const struct codec_in *in, const char *what, struct err_detail *why)
{
	if (in->failed)
		return err_set(why, ERR_CORRUPT, "%s record is cut short or holds impossible values", what);
	if (in->at != in->end)
		return err_set(why, ERR_CORRUPT, "%s record has %zu bytes too many", what, (size_t)(in->end - in->at));
	return OK;
}

enum err codec_check_texts(const void *record, const struct codec_field *fields, size_t count, struct err_detail *why)
{
	for (size_t i = 0; i < count; i++) {
		const char *text = text_of(record, &fields[i]);

		if (!fields[i].clip && strnlen(text, fields[i].max + 1u) > fields[i].max)
			return err_set(why, ERR_LIMIT, "%s is longer than %u bytes", fields[i].name, fields[i].max);
	}
	return OK;
}
