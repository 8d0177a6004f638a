/* tests/unit/relay/test_dkim.c - from message bytes to DKIM-Signature fields, against the vectors of RFC 8463 and by recomputing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "base/rand.h"
#include "relay/sign/dkim.h"
#include "tests/unit/relay/dkim_vector.h"

#define NOW      INT64_C(1528637909999)
#define OUT_MAX  (DKIM_SIGNERS_MAX * DKIM_FIELD_MAX)
#define LINE_MAX_COLUMNS 78

static struct dkim_key *keys[DKIM_TYPES];

static int load_keys(void **state)
{
	keys[DKIM_RSA] = dkim_key_parse(VECTOR_RSA_KEY, strlen(VECTOR_RSA_KEY), NULL, NULL);
	keys[DKIM_ED25519] = dkim_key_parse(VECTOR_ED25519_KEY, strlen(VECTOR_ED25519_KEY), NULL, NULL);
	return keys[DKIM_RSA] && keys[DKIM_ED25519] ? 0 : -1;
}

static int free_keys(void **state)
{
	dkim_key_destroy(&keys[DKIM_RSA]);
	dkim_key_destroy(&keys[DKIM_ED25519]);
	return 0;
}

static struct dkim *feed(const char *text, size_t len, struct rand *r)
{
	struct dkim *dkim = dkim_create();

	for (size_t at = 0, part; at < len; at += part) {
		part = r ? 1 + rand_below(r, 100) : len;
		part = part < len - at ? part : len - at;
		dkim_feed(dkim, text + at, part);
	}
	return dkim;
}

static char *base64(const uint8_t *data, size_t len, char *out)
{
	(void)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	return out;
}

static void signatures_of_rfc_8463_appendix_a_are_made_again(void **state)
{
	static const struct {
		enum dkim_type type;
		const char *field, *want;
	} rows[] = {
		{ DKIM_ED25519, VECTOR_ED25519_FIELD, VECTOR_ED25519_SIGNATURE },
		{ DKIM_RSA, VECTOR_RSA_FIELD, VECTOR_RSA_SIGNATURE },
	};
	static const char *const names[] = VECTOR_NAMES;
	uint8_t hash[DKIM_HASH], signature[DKIM_SIGNATURE_MAX];
	char text[2048];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim *dkim = feed(VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), NULL);

		dkim_body_hash(dkim, hash);
		assert_string_equal(base64(hash, DKIM_HASH, text), VECTOR_BODY_HASH);
		dkim_header_hash(dkim, names, ARRAY_LEN(names), rows[i].field, strlen(rows[i].field), hash);
		assert_int_equal(dkim_key_sign(keys[rows[i].type], hash, signature, &len, NULL), OK);
		assert_string_equal(base64(signature, len, text), rows[i].want);
		dkim_destroy(&dkim);
	}
}

static void an_empty_body_has_the_hash_of_nothing(void **state)
{
	static const char *const messages[] = { "From: a@b.example\r\n\r\n", "From: a@b.example\r\n", "From: a@b.example\r\n\r\n\r\n \r\n" };
	uint8_t hash[DKIM_HASH];
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct dkim *dkim = feed(messages[i], strlen(messages[i]), NULL);

		dkim_body_hash(dkim, hash); /* RFC 6376 section 3.4.4 */
		assert_string_equal(base64(hash, DKIM_HASH, text), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
		dkim_destroy(&dkim);
	}
}

/* Sign `text` with both keys; the result is the caller's. */
static enum err sign(const char *text, size_t len, struct rand *r, struct buf *out, struct err_detail *why)
{
	const struct dkim_signer signers[] = {
		{ "football.example.com", "test", keys[DKIM_RSA] }, { "football.example.com", "brisbane", keys[DKIM_ED25519] },
	};
	struct dkim *dkim = feed(text, len, r);
	enum err err = dkim_finish(dkim, signers, ARRAY_LEN(signers), NOW, out, why);

	dkim_destroy(&dkim);
	return err;
}

/* The value of a tag without white space. */
static void tag(const char *field, const char *name, char *out)
{
	char wanted[16];
	const char *p;

	snprintf(wanted, sizeof(wanted), "%s=", name);
	for (p = field; (p = strstr(p, wanted)) && p[-1] != ' ' && p[-1] != '\t'; p++)
		continue;
	assert_non_null(p);
	for (p += strlen(wanted); *p && *p != ';'; p++)
		if (!strchr(" \t\r\n", *p))
			*out++ = *p;
	*out = '\0';
}

/* Take the field apart, hash again what it names, sign again: both algorithms give the same signature each time. */
static void recompute(const char *message, const char *field, enum dkim_type type)
{
	struct dkim *dkim = feed(message, strlen(message), NULL);
	const char *names[256], *b = strstr(field, "b=");
	uint8_t hash[DKIM_HASH], signature[DKIM_SIGNATURE_MAX];
	char want[2048], got[2048], list[8192], *rest = NULL;
	size_t count = 0, len;

	while (b[-1] != ' ' && b[-1] != '\t')
		b = strstr(b + 1, "b=");
	dkim_body_hash(dkim, hash);
	tag(field, "bh", got);
	assert_string_equal(got, base64(hash, DKIM_HASH, want));
	tag(field, "h", list);
	for (char *name = strtok_r(list, ":", &rest); name; name = strtok_r(NULL, ":", &rest))
		names[count++] = name;
	dkim_header_hash(dkim, names, count, field, (size_t)(b + 2 - field), hash);
	assert_int_equal(dkim_key_sign(keys[type], hash, signature, &len, NULL), OK);
	tag(field, "b", got);
	assert_string_equal(got, base64(signature, len, want));
	dkim_destroy(&dkim);
}

static void both_signatures_are_what_their_own_tags_say(void **state)
{
	struct buf out;
	char *second;

	buf_init(&out, OUT_MAX);
	assert_int_equal(sign(VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), NULL, &out, NULL), OK);
	second = strstr(out.data + 1, "DKIM-Signature:");
	assert_non_null(second);
	recompute(VECTOR_MESSAGE, second, DKIM_ED25519);
	*second = '\0';
	recompute(VECTOR_MESSAGE, out.data, DKIM_RSA);
	buf_fini(&out);
}

static void tags_say_what_was_asked_for(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "v", "1" }, { "a", "rsa-sha256" }, { "c", "relaxed/relaxed" }, { "d", "football.example.com" }, { "s", "test" },
		{ "t", "1528637909" }, { "h", "From:From:Subject:Subject:Date:Date:To:To:Message-ID" }, { "bh", VECTOR_BODY_HASH },
	};
	struct buf out;
	char got[2048];

	buf_init(&out, OUT_MAX);
	assert_int_equal(sign(VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), NULL, &out, NULL), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tag(out.data, rows[i].name, got);
		assert_string_equal(got, rows[i].want);
	}
	assert_null(strstr(out.data, " l="));
	assert_null(strstr(out.data, " i="));
	buf_fini(&out);
}

static void fields_in_h_follow_the_message(void **state)
{
	static const struct {
		const char *label, *header, *want;
	} rows[] = {
		{ "nothing but From", "From: a@b.example\r\n", "From:From:Subject:Date:To" },
		{ "all that can be there more than once", "To: a@x\r\nfrom : a@b.example\r\nTO: c@x\r\nCc: d@x\r\ncc: e@x\r\n",
		    "From:From:Subject:Date:To:To:To:Cc:Cc" },
		{ "trace and foreign fields are left out", "Received: x\r\nX-Mailer: y\r\nDKIM-Signature: v=1\r\nReturn-Path: <>\r\nBcc: z@x\r\n"
		    "From: a@b.example\r\n", "From:From:Subject:Date:To" },
		{ "MIME and lists", "List-Unsubscribe: <https://b.example/>\r\nList-Unsubscribe-Post: x\r\nMIME-Version: 1.0\r\n"
		    "Content-Type: text/plain;\r\n charset=utf-8\r\nFrom: a@b.example\r\nReply-To: r@b.example\r\n",
		    "From:From:Reply-To:Subject:Date:To:MIME-Version:Content-Type:List-Unsubscribe:List-Unsubscribe-Post" },
	};
	char text[1024], got[2048];
	struct buf out;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "%s\r\nbody\r\n", rows[i].header);
		buf_reset(&out);
		assert_int_equal(sign(text, strlen(text), NULL, &out, NULL), OK);
		tag(out.data, "h", got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].label, got, rows[i].want);
		*strstr(out.data + 1, "DKIM-Signature:") = '\0';
		recompute(text, out.data, DKIM_RSA);
	}
	buf_fini(&out);
}

static void lines_are_folded_below_78_columns_and_end_in_crlf(void **state)
{
	struct buf out;

	buf_init(&out, OUT_MAX);
	assert_int_equal(sign(VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), NULL, &out, NULL), OK);
	for (const char *line = out.data, *end; *line; line = end + 2) {
		size_t columns;

		end = strstr(line, "\r\n");
		assert_non_null(end);
		columns = (size_t)(end - line) + (*line == '\t' ? 7 : 0);
		assert_in_range(columns, 3, LINE_MAX_COLUMNS - 1);
		assert_true(*line == '\t' || strncmp(line, "DKIM-Signature: v=1;", 20) == 0);
		assert_null(memchr(line, '\n', (size_t)(end - line)));
	}
	buf_fini(&out);
}

static void any_split_gives_the_same_signature(void **state)
{
	struct buf message, want, got;
	struct rand r;

	rand_seed(&r, 11);
	buf_init(&message, 100000);
	buf_init(&want, OUT_MAX);
	buf_init(&got, OUT_MAX);
	assert_int_equal(buf_add_str(&message, VECTOR_MESSAGE), OK);
	for (int i = 0; i < 300; i++)
		assert_int_equal(buf_printf(&message, "line %d \t of %u\r\n%s", i, rand_below(&r, 1000), i % 7 ? "" : " \r\n\r\n"), OK);
	assert_int_equal(sign(message.data, message.len, NULL, &want, NULL), OK);
	for (int i = 0; i < 50; i++) {
		buf_reset(&got);
		assert_int_equal(sign(message.data, message.len, &r, &got, NULL), OK);
		assert_string_equal(got.data, want.data);
	}
	buf_fini(&message);
	buf_fini(&want);
	buf_fini(&got);
}

static void one_changed_byte_changes_the_signature(void **state)
{
	static const char *const changes[] = { "Joe SixPack", "Suzie Q", "dinner", "Fri,", "hungry" };
	struct buf want, got;

	buf_init(&want, OUT_MAX);
	buf_init(&got, OUT_MAX);
	assert_int_equal(sign(VECTOR_MESSAGE, strlen(VECTOR_MESSAGE), NULL, &want, NULL), OK);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		char *text = xstrdup(VECTOR_MESSAGE);

		strstr(text, changes[i])[1] ^= 1;
		buf_reset(&got);
		assert_int_equal(sign(text, strlen(text), NULL, &got, NULL), OK);
		assert_string_not_equal(got.data, want.data);
		free(text);
	}
	buf_fini(&want);
	buf_fini(&got);
}

static void what_cannot_be_signed_says_why_and_leaves_nothing(void **state)
{
	struct err_detail why;
	struct buf text, out;

	buf_init(&text, 1000000);
	buf_init(&out, OUT_MAX);
	assert_int_equal(sign("Subject: x\r\n\r\nbody\r\n", 20, NULL, &out, &why), ERR_INVALID);
	assert_string_equal(why.text, "no From field");

	assert_int_equal(buf_add_str(&text, "From: a@b.example\r\n"), OK);
	while (text.len <= DKIM_HEADER_MAX)
		assert_int_equal(buf_add_str(&text, "X-Filler: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n"), OK);
	assert_int_equal(sign(text.data, text.len, NULL, &out, &why), ERR_INVALID);
	assert_string_equal(why.text, "header section above 262144 bytes");

	buf_reset(&text);
	assert_int_equal(buf_add_str(&text, "From: a@b.example\r\n"), OK);
	for (int i = 0; i < 300; i++)
		assert_int_equal(buf_add_str(&text, "To: a@b.example\r\n"), OK);
	assert_int_equal(sign(text.data, text.len, NULL, &out, &why), ERR_LIMIT);
	assert_string_equal(why.text, "too many header fields");

	buf_reset(&text);
	assert_int_equal(buf_add_str(&text, "From: a@b.example\r\n"), OK);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buf_add_str(&text, "X: y\r\n"), OK);
	assert_int_equal(sign(text.data, text.len, NULL, &out, &why), ERR_LIMIT);
	assert_int_equal(out.len, 0);
	buf_fini(&text);
	buf_fini(&out);
}

static void the_author_is_found_in_the_header_alone(void **state)
{
	static const struct {
		const char *label, *text, *want;
		enum err err;
	} rows[] = {
		{ "plain", "Subject: x\r\nFrom: Joe\r\n <a@b.example>\r\n\r\n", "b.example", OK },
		{ "in capitals, blank before the colon", "FROM : a@b.example\r\n\r\n", "b.example", OK },
		{ "in the body", "Subject: x\r\n\r\nFrom: a@b.example\r\n", "", ERR_INVALID },
		{ "as the value of another", "Subject: x\r\n From: a@b.example\r\n\r\n", "", ERR_INVALID },
		{ "twice", "From: a@b.example\r\nFrom: a@c.example\r\n\r\n", "", ERR_LIMIT },
		{ "without a domain", "From: a\r\n\r\n", "", ERR_NOT_FOUND },
		{ "a line without colon is no field", "From\r\nFrom: a@b.example\r\n\r\n", "b.example", OK },
	};
	char got[AUTHOR_DOMAIN];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim *dkim = feed(rows[i].text, strlen(rows[i].text), NULL);
		enum err err = dkim_author(dkim, got, NULL);

		if (err != rows[i].err || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s \"%s\"", rows[i].label, err_name(err), got);
		dkim_destroy(&dkim);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_of_rfc_8463_appendix_a_are_made_again),
		cmocka_unit_test(an_empty_body_has_the_hash_of_nothing),
		cmocka_unit_test(both_signatures_are_what_their_own_tags_say),
		cmocka_unit_test(tags_say_what_was_asked_for),
		cmocka_unit_test(fields_in_h_follow_the_message),
		cmocka_unit_test(lines_are_folded_below_78_columns_and_end_in_crlf),
		cmocka_unit_test(any_split_gives_the_same_signature),
		cmocka_unit_test(one_changed_byte_changes_the_signature),
		cmocka_unit_test(what_cannot_be_signed_says_why_and_leaves_nothing),
		cmocka_unit_test(the_author_is_found_in_the_header_alone),
	};

	return cmocka_run_group_tests(tests, load_keys, free_keys);
}
