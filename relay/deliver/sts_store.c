/* relay/deliver/sts_store.c - a policy as a row of the store: encode, decode. */
#include "relay/deliver/sts_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"

#define VERSION 1

static enum err put(struct buf *out, uint64_t value, unsigned bytes)
{
	uint8_t text[8];

	(void)bigend_put(text, value, bytes);
	return buf_add(out, text, bytes);
}

static enum err put_text(struct buf *out, const char *text)
{
	enum err err = put(out, strlen(text), 1);

	return err == OK ? buf_add_str(out, text) : err;
}

/* version u8, fetched u64, max_age u32, mode u8, id, patterns u16 and each of them; a text is a u8 length and its bytes. */
enum err sts_encode(const struct sts_found *found, wall_ms fetched, struct buf *out)
{
	const struct sts_policy *policy = &found->policy;
	enum err err = put(out, VERSION, 1);

	err = err == OK ? put(out, (uint64_t)fetched, 8) : err;
	err = err == OK ? put(out, policy->max_age, 4) : err;
	err = err == OK ? put(out, policy->mode, 1) : err;
	err = err == OK ? put_text(out, found->id) : err;
	err = err == OK ? put(out, policy->mx_count, 2) : err;
	for (size_t i = 0; i < policy->mx_count && err == OK; i++)
		err = put_text(out, policy->mx[i]);
	return err;
}

/* What is left to read. */
struct source {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t get(struct source *in, unsigned bytes)
{
	if ((size_t)(in->end - in->at) < bytes) {
		in->failed = true;
		return 0;
	}
	return bigend_get(&in->at, bytes);
}

/* malloc'ed; NULL: cut off, or with a NUL inside. */
static char *get_text(struct source *in)
{
	size_t len = (size_t)get(in, 1);
	char *text;

	if (in->failed || (size_t)(in->end - in->at) < len || memchr(in->at, '\0', len)) {
		in->failed = true;
		return NULL;
	}
	text = xstrndup((const char *)in->at, len);
	in->at += len;
	return text;
}

static void get_patterns(struct source *in, struct sts_policy *policy)
{
	size_t count = (size_t)get(in, 2);

	if (in->failed || count > STS_MX_MAX) {
		in->failed = true;
		return;
	}
	policy->mx = xcalloc(count + 1, sizeof(policy->mx[0]));
	while (policy->mx_count < count && !in->failed) {
		char *pattern = get_text(in);

		if (pattern)
			policy->mx[policy->mx_count++] = pattern;
	}
}

struct sts_found *sts_decode(const void *data, size_t len, wall_ms *fetched_out)
{
	struct source in = { data, (const uint8_t *)data + len, false };
	struct sts_found *found;
	char *id;

	if (get(&in, 1) != VERSION)
		return NULL;
	found = sts_found_create();
	found->has_policy = true;
	*fetched_out = (wall_ms)(get(&in, 8) & INT64_MAX);
	found->policy.max_age = (uint32_t)get(&in, 4);
	found->policy.mode = (enum sts_mode)get(&in, 1);
	id = get_text(&in);
	if (id && strlen(id) <= STS_ID_MAX)
		memcpy(found->id, id, strlen(id) + 1);
	else
		in.failed = true;
	free(id);
	get_patterns(&in, &found->policy);
	if (in.failed || in.at != in.end || found->policy.mode > STS_ENFORCE || found->policy.max_age > STS_AGE_MAX)
		sts_found_unref(&found);
	return found;
}
