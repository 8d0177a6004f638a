/* queue/codec.h - bytes of stored records: big-endian numbers and counted texts, every length checked.
 *
 * A record starts with its version (u8). Numbers are big-endian, a text is a u16 length and that many bytes without NUL.
 * The byte tables are in docs/ON_DISK.md. Pure: no state, no I/O. */
#ifndef QUEUE_CODEC_H
#define QUEUE_CODEC_H

#include "base/err.h"

#define CODEC_RECORD_MAX 8192 /* bytes; no record of any kind is longer (the sum of its fields' caps) */

/* Where the next byte goes; `failed` sticks once a field did not fit. */
struct codec_out {
	uint8_t *at, *end;
	bool failed;
};

/* Where the next byte comes from; `failed` sticks once a field was cut or impossible. */
struct codec_in {
	const uint8_t *at, *end;
	bool failed;
};

/* Room for decoded texts. A record's own length is always enough: each text takes its length field's place for its NUL. */
struct codec_texts {
	char *at, *end;
};

/* A `const char *` field of a record; an array of them gives the order on disk. */
struct codec_field {
	const char *name;
	size_t offset;
	uint16_t max; /* bytes */
	bool clip;    /* too long: cut at a character (words for people), otherwise refuse (names, addresses) */
};

#define CODEC_FIELD(type, field, max, clip) \
	{ \
#field, offsetof(struct type, field), (max), (clip) \
	}

void codec_put_u8(struct codec_out *out, uint8_t v);
void codec_put_u32(struct codec_out *out, uint32_t v);
void codec_put_u64(struct codec_out *out, uint64_t v);
/* NULL counts as "". Texts that are too long are cut, see codec_check_texts. */
void codec_put_texts(struct codec_out *out, const void *record, const struct codec_field *fields, size_t count);

uint8_t codec_get_u8(struct codec_in *in);
uint32_t codec_get_u32(struct codec_in *in);
uint64_t codec_get_u64(struct codec_in *in);
int64_t codec_get_time(struct codec_in *in); /* wall_ms; a negative one fails */
/* Copy the texts into `room`, NUL-terminated, and point the fields there. */
void codec_get_texts(
    struct codec_in *in, void *record, const struct codec_field *fields, size_t count, struct codec_texts *room);

/* Start reading a record: ERR_VERSION when it is newer than `known`, ERR_CORRUPT when it is empty or of version 0. */
MUST_USE enum err codec_begin(
    struct codec_in *in, const void *data, size_t len, uint8_t known, const char *what, struct err_detail *why);
/* ERR_CORRUPT unless all fields were there and nothing is left over. */
MUST_USE enum err codec_end(const struct codec_in *in, const char *what, struct err_detail *why);

/* ERR_LIMIT when a text that may not be cut is too long. */
MUST_USE enum err codec_check_texts(
    const void *record, const struct codec_field *fields, size_t count, struct err_detail *why);

#endif
