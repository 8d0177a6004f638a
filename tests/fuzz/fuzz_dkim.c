/* tests/fuzz/fuzz_dkim.c - fuzz target for relay/sign/: any message, cut anywhere, gets the same signature, or none, and no bad line. */
#include <stdlib.h>
#include <string.h>

#include "relay/sign/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dkim_key *key;

static void make_key(void)
{
	if (key == NULL)
		key = dkim_key_generate(DKIM_ED25519, 0, NULL);
	must(key != NULL);
}

/* Sign in pieces of `part` bytes. */
static enum err sign(const char *text, size_t len, size_t part, struct buf *out, char author[AUTHOR_DOMAIN])
{
	const struct dkim_signer signer = { "shop.example", "r1", key };
	struct dkim *dkim = dkim_create();
	enum err err;

	for (size_t at = 0; at < len; at += part)
		dkim_feed(dkim, text + at, len - at < part ? len - at : part);
	(void)!dkim_author(dkim, author, NULL);
	err = dkim_finish(dkim, &signer, 1, 1700000000000, out, NULL);
	dkim_destroy(&dkim);
	return err;
}

static void check_lines(const struct buf *out)
{
	const char *line = out->data, *end = out->data + out->len;

	must(memchr(out->data, '\0', out->len) == NULL);
	while (line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		must(lf != NULL && lf > line && lf[-1] == '\r' && lf - line < 78);
		must(line == out->data ? strncmp(line, "DKIM-Signature: ", 16) == 0 : *line == '\t');
		line = lf + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char author[2][AUTHOR_DOMAIN];
	struct buf whole, parts;
	enum err err;

	if (size == 0)
		return 0;
	make_key();
	buf_init(&whole, DKIM_FIELD_MAX);
	buf_init(&parts, DKIM_FIELD_MAX);
	err = sign((const char *)data + 1, size - 1, size, &whole, author[0]);
	must(sign((const char *)data + 1, size - 1, 1 + data[0] % 16, &parts, author[1]) == err);
	must(strcmp(author[0], author[1]) == 0);
	must(whole.len == parts.len && (whole.len == 0 || memcmp(whole.data, parts.data, whole.len) == 0));
	must((err == OK) == (whole.len > 0));
	if (err == OK)
		check_lines(&whole);
	buf_fini(&whole);
	buf_fini(&parts);
	return 0;
}
