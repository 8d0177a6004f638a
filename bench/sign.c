/* bench/sign.c - what signing costs: hashing while a message streams by, and the signatures of each kind of key.
 *
 * usage: sign [SECONDS]      time for each line (default 0.5). CPU time of one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/sign/dkim.h"

#define PIECE 16384 /* bytes that a connection hands on at once */
#define HEAD  "From: Shop <info@shop.example>\r\nTo: a@customer.example\r\nSubject: your order\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n" \
	"Message-ID: <1@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"

static double seconds = 0.5;

static double cpu(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A message of `size` bytes with lines of a kind. */
static char *make_message(size_t size, const char *line)
{
	char *text = xcalloc(1, size + 1);
	size_t len = strlen(line);

	for (size_t at = 0; at < size; at += len)
		memcpy(text + at, line, len < size - at ? len : size - at);
	memcpy(text, HEAD, strlen(HEAD));
	return text;
}

static void sign(const char *text, size_t len, const struct dkim_signer *signers, size_t count, struct buf *out)
{
	struct dkim *dkim = dkim_create();
	struct err_detail why = { .text = "" };

	for (size_t at = 0; at < len; at += PIECE)
		dkim_feed(dkim, text + at, len - at < PIECE ? len - at : PIECE);
	buf_reset(out);
	if (dkim_finish(dkim, signers, count, 0, out, &why) != OK)
		(void)fprintf(stderr, "%s\n", why.text);
	dkim_destroy(&dkim);
}

static void measure(const char *label, const char *text, size_t len, const struct dkim_signer *signers, size_t count)
{
	double start = cpu(), used;
	unsigned long rounds = 0;
	struct buf out;

	buf_init(&out, DKIM_SIGNERS_MAX * DKIM_FIELD_MAX);
	do {
		sign(text, len, signers, count, &out);
		rounds++;
		used = cpu() - start;
	} while (used < seconds);
	(void)printf("%-44s %8.1f us a message %8.1f MB/s\n", label, used / (double)rounds * 1e6, (double)len * (double)rounds / used / 1e6);
	buf_fini(&out);
}

static void measure_keys(const char *text, size_t len)
{
	static const struct {
		const char *label;
		enum dkim_type type;
		unsigned bits;
	} rows[] = {
		{ "4 KiB, RSA 2048", DKIM_RSA, 2048 }, { "4 KiB, Ed25519", DKIM_ED25519, 0 }, { "4 KiB, RSA 4096", DKIM_RSA, 4096 },
	};
	struct dkim_signer signers[ARRAY_LEN(rows)];
	struct dkim_key *keys[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		keys[i] = dkim_key_generate(rows[i].type, rows[i].bits, NULL);
		signers[i] = (struct dkim_signer){ "shop.example", "r1", keys[i] };
		measure(rows[i].label, text, len, &signers[i], 1);
	}
	measure("4 KiB, RSA 2048 and Ed25519", text, len, signers, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		dkim_key_destroy(&keys[i]);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *label, *line;
		size_t size;
	} rows[] = {
		{ "4 KiB of text, hashed alone", "Thank you for your order, which will be sent on Tuesday.\r\n", 4096 },
		{ "1 MiB of text, hashed alone", "Thank you for your order, which will be sent on Tuesday.\r\n", 1 << 20 },
		{ "1 MiB of base64, hashed alone", "UGFja2FnZXMgYXJlIHNlbnQgZXZlcnkgVHVlc2RheSBhbmQgRnJpZGF5IG1vcm5pbmcgYXQgOGFt\r\n", 1 << 20 },
		{ "1 MiB of indented text, hashed alone", "    <td>  \t price </td>  \r\n", 1 << 20 },
	};

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = make_message(rows[i].size, rows[i].line);

		measure(rows[i].label, text, rows[i].size, NULL, 0);
		if (i == 0)
			measure_keys(text, rows[i].size);
		free(text);
	}
	return 0;
}
