/* tests/unit/net/test_tls_server.c - several certificates, tickets over a reload, certificates of clients: against a plain OpenSSL client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509v3.h>
#include <string.h>

#include "relay/net/tls.h"
#include "relay/net/tls_context.h"
#include "relay/net/tls_ticket.h"
#include "tests/unit/net/certificate.h"

/* A certificate for the names of `san` in PEM files. */
static void create_named(struct certificate *c, const char *san)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = certificate_sign(key, -3600, 3600);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	FILE *file;

	assert_non_null(names);
	assert_int_equal(X509_add_ext(cert, names, -1), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	snprintf(c->folder, sizeof(c->folder), "/tmp/warmrelay-cert.XXXXXX");
	assert_non_null(mkdtemp(c->folder));
	snprintf(c->cert, sizeof(c->cert), "%s/cert.pem", c->folder);
	snprintf(c->key, sizeof(c->key), "%s/key.pem", c->folder);
	file = fopen(c->cert, "w");
	assert_true(file != NULL && PEM_write_X509(file, cert) == 1 && fclose(file) == 0);
	file = fopen(c->key, "w");
	assert_true(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0);
	X509_EXTENSION_free(names);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static struct certificate first, second;
static SSL_CTX *client;
static SSL_SESSION *kept;
static char seen[400]; /* names of the server's certificate */

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static int setup(void **state)
{
	create_named(&first, "DNS:one.test,DNS:*.one.test");
	create_named(&second, "DNS:two.test");
	client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, on_new_session);
	return 0;
}

static int teardown(void **state)
{
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(client);
	certificate_remove(&first);
	certificate_remove(&second);
	return 0;
}

static struct tls_server *load(bool both)
{
	const char *warning;
	struct tls_server *server = tls_server_create(first.cert, first.key, &warning, NULL);

	assert_non_null(server);
	if (both)
		assert_int_equal(tls_server_add(server, second.cert, second.key, &warning, NULL), OK);
	return server;
}

static void note_names(SSL *ssl)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(SSL_get0_peer_certificate(ssl), NID_subject_alt_name, NULL, NULL);

	seen[0] = '\0';
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const ASN1_STRING *name = sk_GENERAL_NAME_value(names, i)->d.dNSName;

		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%.*s", i > 0 ? " " : "", ASN1_STRING_length(name),
		    (const char *)ASN1_STRING_get0_data(name));
	}
	GENERAL_NAMES_free(names);
}

/* A handshake of at most `version` that asks for `name`. Returns whether a session was resumed; `shown`: whether the client has shown a certificate. */
static bool shake(struct tls_server *server, const char *name, int version, char shown[10])
{
	SSL *ends[2] = { SSL_new(server->ctx), SSL_new(client) };
	BIO *bios[2];
	char byte;
	bool resumed;

	assert_int_equal(BIO_new_bio_pair(&bios[0], 0, &bios[1], 0), 1);
	for (int i = 0; i < 2; i++)
		SSL_set_bio(ends[i], bios[i], bios[i]);
	SSL_set_accept_state(ends[0]);
	SSL_set_connect_state(ends[1]);
	SSL_set_max_proto_version(ends[1], version);
	if (name != NULL)
		SSL_set_tlsext_host_name(ends[1], name);
	if (kept != NULL)
		SSL_set_session(ends[1], kept);
	for (int i = 0; i < 20; i++)
		(void)SSL_do_handshake(ends[i % 2]);
	assert_true(SSL_is_init_finished(ends[0]) && SSL_is_init_finished(ends[1]));
	(void)SSL_read(ends[1], &byte, 1); /* takes the ticket of TLS 1.3 */
	note_names(ends[1]);
	resumed = SSL_session_reused(ends[0]) == 1;
	if (shown != NULL)
		snprintf(shown, 10, "%s", SSL_get0_peer_certificate(ends[0]) != NULL ? "shown" : "");
	for (int i = 0; i < 2; i++) {
		SSL_set_shutdown(ends[i], SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(ends[i]);
	}
	return resumed;
}

static void a_client_gets_the_certificate_of_the_name_it_asks_for(void **state)
{
	static const struct { const char *label, *name, *want; } rows[] = {
		{ "no name", NULL, "one.test *.one.test" },       { "a name of the first", "one.test", "one.test *.one.test" },
		{ "of the second", "two.test", "two.test" },      { "in other case", "TWO.test", "two.test" },
		{ "by its wildcard", "x.one.test", "one.test *.one.test" }, { "unknown", "three.test", "one.test *.one.test" },
		{ "below a name", "x.two.test", "one.test *.one.test" },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_server *server = load(true);

	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			(void)shake(server, rows[i].name, versions[v], NULL);
			SSL_SESSION_free(kept);
			kept = NULL;
			if (strcmp(seen, rows[i].want) != 0)
				fail_msg("%s: got %s", rows[i].label, seen);
		}
	}
	tls_server_unref(&server);
}

static void a_session_is_resumed_after_a_reload_and_under_another_name(void **state)
{
	static const struct { int version; const char *name; } rows[] = {
		{ TLS1_2_VERSION, "one.test" }, { TLS1_3_VERSION, "one.test" }, { TLS1_2_VERSION, "two.test" }, { TLS1_3_VERSION, "two.test" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_server *before = load(true), *after = load(true);

		assert_false(shake(before, rows[i].name, rows[i].version, NULL));
		assert_non_null(kept);
		if (!shake(after, rows[i].name, rows[i].version, NULL))
			fail_msg("row %zu: a full handshake", i);
		SSL_SESSION_free(kept);
		kept = NULL;
		tls_server_unref(&before);
		tls_server_unref(&after);
	}
}

static void a_client_certificate_is_seen_in_a_resumed_session_too(void **state)
{
	struct tls_server *server = load(false);
	char shown[10];

	tls_server_ask(server);
	(void)shake(server, NULL, TLS1_3_VERSION, shown);
	assert_string_equal(shown, ""); /* none is demanded */
	SSL_SESSION_free(kept);
	kept = NULL;
	assert_int_equal(SSL_CTX_use_certificate_file(client, second.cert, SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(client, second.key, SSL_FILETYPE_PEM), 1);
	assert_false(shake(server, NULL, TLS1_3_VERSION, shown));
	assert_string_equal(shown, "shown");
	assert_true(shake(server, NULL, TLS1_3_VERSION, shown));
	assert_string_equal(shown, "shown");
	tls_server_unref(&server);
}

static void ticket_keys_change_and_the_former_is_still_taken(void **state)
{
	mono_ms now = clock_mono() + DAYS(100);
	unsigned char names[3][16];

	for (int i = 0; i < 3; i++)
		tls_ticket_key_name(now + i * TLS_TICKET_PERIOD_MS, names[i]);
	now += 2 * TLS_TICKET_PERIOD_MS;
	assert_memory_not_equal(names[0], names[1], 16);
	assert_memory_not_equal(names[1], names[2], 16);
	assert_true(tls_ticket_is_known(now, names[2]));
	assert_true(tls_ticket_is_known(now + TLS_TICKET_PERIOD_MS - 1, names[1]));
	assert_false(tls_ticket_is_known(now, names[0]));
	assert_false(tls_ticket_is_known(now + 3 * TLS_TICKET_PERIOD_MS, names[2]));
}

static void a_certificate_that_cannot_be_added_is_named(void **state)
{
	struct tls_server *server = load(false);
	const char *warning;
	struct err_detail why;

	assert_int_equal(tls_server_add(server, second.cert, first.key, &warning, &why), ERR_INVALID);
	assert_non_null(strstr(why.text, first.key));
	assert_int_equal(tls_server_add(server, "/nonexistent.pem", first.key, &warning, &why), ERR_NOT_FOUND);
	(void)shake(server, "two.test", TLS1_3_VERSION, NULL);
	assert_string_equal(seen, "one.test *.one.test");
	tls_server_unref(&server);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_client_gets_the_certificate_of_the_name_it_asks_for),
		TEST(a_session_is_resumed_after_a_reload_and_under_another_name),
		TEST(a_client_certificate_is_seen_in_a_resumed_session_too),
		TEST(a_certificate_that_cannot_be_added_is_named),
		TEST(ticket_keys_change_and_the_former_is_still_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
