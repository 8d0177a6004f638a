/* queue/claim.c - the stored form of a claim: encode, decode. */
#include "queue/claim.h"

#define VERSION 1

/* clang-format off */
static const struct codec_field texts[] = {
	CODEC_FIELD(claim, source,      255, false),
	CODEC_FIELD(claim, destination, 400, false),
};
/* clang-format on */

bool claim_is_doubtful(const struct claim *claim, msg_id run)
{
	return claim->flags & CLAIM_DOUBT || claim->run != run;
}

enum err claim_check(const struct claim *claim, struct err_detail *why)
{
	if (claim->at < 0)
		return err_set(why, ERR_INVALID, "claim before 1970");
	return codec_check_texts(claim, texts, ARRAY_LEN(texts), why);
}

size_t claim_encode(const struct claim *claim, uint8_t *out)
{
	struct codec_out o = { .at = out, .end = out + CODEC_RECORD_MAX };

	codec_put_u8(&o, VERSION);
	codec_put_u8(&o, claim->flags);
	codec_put_u64(&o, claim->run);
	codec_put_u32(&o, claim->rcpts);
	codec_put_u64(&o, (uint64_t)claim->at);
	codec_put_texts(&o, claim, texts, ARRAY_LEN(texts));
	must(!o.failed);
	return (size_t)(o.at - out);
}

enum err claim_decode(const void *data, size_t len, struct claim *out, struct codec_texts *room, struct err_detail *why)
{
	struct codec_in in;
	enum err e = codec_begin(&in, data, len, VERSION, "claim", why);

	if (e != OK)
		return e;
	*out = (struct claim){ .flags = codec_get_u8(&in) };
	out->run = codec_get_u64(&in);
	out->rcpts = codec_get_u32(&in);
	out->at = codec_get_time(&in);
	codec_get_texts(&in, out, texts, ARRAY_LEN(texts), room);
	return codec_end(&in, "claim", why);
}
