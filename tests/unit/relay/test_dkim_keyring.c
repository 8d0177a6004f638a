/* tests/unit/relay/test_dkim_keyring.c - which keys of a configuration sign for whom, and messages signed by that choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "relay/sign/signing.h"
#include "tests/unit/relay/dkim_vector.h"

#define NOW       INT64_C(1528637909000)
#define SELECTORS 64

static char folder[64];
static const char *const FILES[] = { "rsa.pem", "ed.pem", "bad.pem" };

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/dkim-test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	put_file("rsa.pem", VECTOR_RSA_KEY);
	put_file("ed.pem", VECTOR_ED25519_KEY);
	put_file("bad.pem", "no key\n");
	return 0;
}

static int remove_files(void **state)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, FILES[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

/* A configuration with these lines; NULL: faults->text says why. */
static struct conf *load(const char *lines, struct conf_faults *faults)
{
	char file[128], text[4096];

	snprintf(file, sizeof(file), "%s/relay.yaml", folder);
	snprintf(text, sizeof(text), "hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:2525\"}]\nuser: root\n"
	    "tenants: [{name: t, from: [127.0.0.0/8]}]\n%s", lines);
	return conf_load_text(file, text, strlen(text), faults);
}

static struct conf *load_keys(const char *lines)
{
	struct conf_faults faults;
	struct conf *conf = load(lines, &faults);

	if (!conf)
		fail_msg("%s", faults.text);
	if (!keyring_attach(conf, &faults))
		fail_msg("%s", faults.text);
	conf_faults_free(&faults);
	return conf;
}

#define KEYS \
	"dkim:\n" \
	"  - {domain: shop.example, selector: r1, key: rsa.pem}\n" \
	"  - {domain: relay.example.net, selector: f1, key: rsa.pem}\n" \
	"  - {domain: shop.example, selector: e1, key: ed.pem}\n" \
	"  - {domain: a.shop.example, selector: a1, key: ed.pem}\n"

static void keys_are_found_by_domain_then_by_its_parents(void **state)
{
	static const struct {
		const char *domain, *want;
	} rows[] = {
		{ "shop.example", "r1 e1 " }, { "news.shop.example", "r1 e1 " }, { "a.shop.example", "a1 " }, { "b.a.shop.example", "a1 " },
		{ "relay.example.net", "f1 " }, { "xshop.example", "" }, { "example", "" }, { "shop.example.net", "" }, { "", "" },
	};
	struct conf *conf = load_keys(KEYS);
	const struct keyring *ring = keyring_of(conf);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct dkim_signer *signers;
		size_t count = keyring_find(ring, rows[i].domain, &signers);
		char got[64] = "";

		for (size_t n = 0; n < count; n++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", signers[n].selector);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].domain, got, rows[i].want);
	}
	conf_unref(&conf);
}

static void without_keys_there_is_no_ring(void **state)
{
	struct conf *conf = load_keys("");

	assert_null(keyring_of(conf));
	assert_null(signing_begin(keyring_of(conf), NULL, 0));
	conf_unref(&conf);
}

static void broken_keys_are_all_told_with_their_places(void **state)
{
	struct conf_faults faults;
	struct conf *conf = load("dkim:\n  - {domain: a.example, selector: s, key: bad.pem}\n  - {domain: b.example, selector: s, key: rsa.pem}\n"
	    "  - {domain: c.example, selector: s, key: none.pem}\n", &faults);
	char want[1024];

	assert_non_null(conf);
	assert_false(keyring_attach(conf, &faults));
	assert_null(keyring_of(conf));
	snprintf(want, sizeof(want), "%s/relay.yaml:6:43: dkim.key: %s/bad.pem: found no private key, expected a private key in PEM\n"
	    "%s/relay.yaml:8:43: dkim.key: %s/none.pem: cannot be opened (No such file or directory)\n", folder, folder, folder, folder);
	assert_string_equal(faults.text, want);
	assert_int_equal(faults.count, 2);
	assert_non_null(strstr(faults.warnings, "relay.yaml:7:43: dkim.key: "));
	conf_faults_free(&faults);
	conf_unref(&conf);
}

static void the_fallback_must_be_a_domain_with_keys(void **state)
{
	struct conf_faults faults;

	assert_null(load(KEYS "signing: {fallback: relay.example.nte}\n", &faults));
	assert_non_null(strstr(faults.text, "no key of \"relay.example.nte\" stands in dkim, did you mean \"relay.example.net\"?"));
	conf_faults_free(&faults);
	assert_null(load("signing: {fallback: relay.example.net}\n", &faults));
	assert_non_null(strstr(faults.text, "no key of \"relay.example.net\" stands in dkim, expected one"));
	conf_faults_free(&faults);
}

/* Selectors of the signatures that a message gets, each with a blank behind it; "error" when it cannot be signed. */
static void selectors_of(const struct conf *conf, char **domains, size_t domain_count, const char *message, char got[SELECTORS])
{
	struct signing *signing = signing_begin(keyring_of(conf), domains, domain_count);
	size_t len = 0;
	struct buf out;

	buf_init(&out, SIGNING_TEXT_MAX);
	signing_feed(signing, message, strlen(message));
	(void)signing_cost_us(signing);
	snprintf(got, SELECTORS, "%s", signing_finish(signing, NOW, &out, NULL) == OK ? "" : "error");
	for (const char *p = buf_str(&out); (p = strstr(p, "s=")); p++)
		if (p[-1] == ' ' || p[-1] == '\t')
			len += (size_t)snprintf(got + len, SELECTORS - len, "%.*s ", (int)strcspn(p + 2, ";"), p + 2);
	signing_end(&signing);
	buf_fini(&out);
}

static void messages_are_signed_for_their_author_else_by_the_fallback(void **state)
{
	static char *own[] = { (char *)(uintptr_t)"shop.example" };
	static const struct {
		const char *label, *message, *want;
		bool limited;
	} rows[] = {
		{ "a domain with two keys", "From: a@shop.example\r\n\r\nx\r\n", "r1 e1 ", false },
		{ "below it", "From: a@www.shop.example\r\n\r\nx\r\n", "r1 e1 ", false },
		{ "a stranger", "From: a@other.example\r\n\r\nx\r\n", "f1 ", false },
		{ "two authors", "From: a@shop.example, b@shop.example\r\n\r\nx\r\n", "f1 ", false },
		{ "no domain", "From: root\r\n\r\nx\r\n", "f1 ", false },
		{ "no From", "Subject: x\r\n\r\nx\r\n", "error", false },
		{ "header alone", "From: a@shop.example\r\n", "r1 e1 ", false },
		{ "the tenant's own", "From: a@shop.example\r\n\r\nx\r\n", "r1 e1 ", true },
		{ "his neighbour's", "From: a@a.shop.example\r\n\r\nx\r\n", "f1 ", true },
	};
	struct conf *conf = load_keys(KEYS "signing: {fallback: relay.example.net}\n");
	char got[SELECTORS];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		selectors_of(conf, own, rows[i].limited ? 1 : 0, rows[i].message, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].label, got, rows[i].want);
	}
	conf_unref(&conf);
}

static void without_a_fallback_strangers_stay_unsigned(void **state)
{
	struct conf *conf = load_keys(KEYS);
	struct signing *signing = signing_begin(keyring_of(conf), NULL, 0);
	struct buf out;

	buf_init(&out, SIGNING_TEXT_MAX);
	signing_feed(signing, "From: a@other.example\r\n\r\nx\r\n", 28);
	assert_int_equal(signing_cost_us(signing), 0);
	assert_int_equal(signing_finish(signing, NOW, &out, NULL), OK);
	assert_int_equal(out.len, 0);
	signing_end(&signing);
	conf_unref(&conf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_found_by_domain_then_by_its_parents),
		cmocka_unit_test(without_keys_there_is_no_ring),
		cmocka_unit_test(broken_keys_are_all_told_with_their_places),
		cmocka_unit_test(the_fallback_must_be_a_domain_with_keys),
		cmocka_unit_test(messages_are_signed_for_their_author_else_by_the_fallback),
		cmocka_unit_test(without_a_fallback_strangers_stay_unsigned),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
