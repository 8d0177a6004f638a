/* tests/unit/relay/test_dkim_key.c - private keys: what is taken, what is refused, files, DNS records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "relay/sign/dkim_key.h"
#include "tests/unit/relay/dkim_vector.h"

static char folder[64];

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/dkim-test.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	return rmdir(folder);
}

static EVP_PKEY *key_of(const char *type, int bits)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	if (bits > 0)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static void put_private(BIO *bio, EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, "x", cipher ? 1 : 0, NULL, NULL), 1);
	EVP_PKEY_free(pkey);
}

/* --- what files may hold, appended to `bio` --- */

static void nothing(BIO *bio)
{
}

static void words(BIO *bio)
{
	assert_true(BIO_puts(bio, "hello\n") > 0);
}

static void public_key(BIO *bio)
{
	EVP_PKEY *pkey = key_of("ED25519", 0);

	assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
	EVP_PKEY_free(pkey);
}

static void encrypted_key(BIO *bio)
{
	put_private(bio, key_of("ED25519", 0), EVP_aes_128_cbc());
}

static void small_key(BIO *bio)
{
	put_private(bio, key_of("RSA", 512), NULL);
}

static void other_key(BIO *bio)
{
	put_private(bio, EVP_EC_gen("P-256"), NULL);
}

static void pss_key(BIO *bio)
{
	put_private(bio, key_of("RSA-PSS", 1024), NULL);
}

static void records_of_the_rfc_are_made_from_its_keys(void **state)
{
	static const struct {
		const char *pem, *want;
		enum dkim_type type;
		unsigned bits;
	} rows[] = {
		{ VECTOR_RSA_KEY, VECTOR_RSA_RECORD, DKIM_RSA, 1024 },
		{ VECTOR_ED25519_KEY, VECTOR_ED25519_RECORD, DKIM_ED25519, 256 },
	};
	struct buf record;

	buf_init(&record, 4096);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim_key *key = dkim_key_parse(rows[i].pem, strlen(rows[i].pem), NULL, NULL);

		assert_non_null(key);
		buf_reset(&record);
		assert_int_equal(dkim_key_record(key, &record), OK);
		assert_string_equal(buf_str(&record), rows[i].want);
		assert_int_equal(dkim_key_type(key), rows[i].type);
		assert_int_equal(dkim_key_bits(key), rows[i].bits);
		dkim_key_destroy(&key);
	}
	buf_fini(&record);
}

static void what_is_no_usable_key_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *label;
		void (*make)(BIO *bio);
		const char *why;
	} rows[] = {
		{ "nothing", nothing, "found no private key, expected a private key in PEM" },
		{ "words", words, "found no private key, expected a private key in PEM" },
		{ "a public key", public_key, "found no private key, expected a private key in PEM" },
		{ "encrypted", encrypted_key, "found an encrypted key, expected a private key in PEM" },
		{ "too small", small_key, "RSA key of 512 bits, expected 2048" },
		{ "of another kind", other_key, "private key of type EC, expected RSA or Ed25519" },
		{ "RSA-PSS", pss_key, "private key of type RSA-PSS, expected RSA or Ed25519" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		BIO *bio = BIO_new(BIO_s_mem());
		struct err_detail why = { .text = "" };
		struct dkim_key *key;
		char *pem = NULL;
		long len;

		rows[i].make(bio);
		len = BIO_get_mem_data(bio, &pem);
		key = dkim_key_parse(len > 0 ? pem : "", (size_t)len, NULL, &why);
		BIO_free(bio);

		if (key || strcmp(why.text, rows[i].why) != 0)
			fail_msg("%s: %s \"%s\"", rows[i].label, key ? "taken" : "refused", why.text);
		assert_int_equal(why.code, ERR_INVALID);
	}
}

static void weak_keys_are_taken_with_a_warning(void **state)
{
	const char *warning;
	struct dkim_key *key = dkim_key_parse(VECTOR_RSA_KEY, strlen(VECTOR_RSA_KEY), &warning, NULL);

	assert_string_equal(warning, "RSA key below 2048 bits: receivers may not trust it");
	dkim_key_destroy(&key);
	key = dkim_key_parse(VECTOR_ED25519_KEY, strlen(VECTOR_ED25519_KEY), &warning, NULL);
	assert_null(warning);
	dkim_key_destroy(&key);
}

static void a_made_key_survives_its_file(void **state)
{
	struct buf before, after;
	char path[128];

	snprintf(path, sizeof(path), "%s/key.pem", folder);
	buf_init(&before, 4096);
	buf_init(&after, 4096);
	for (int type = 0; type < DKIM_TYPES; type++) {
		struct dkim_key *key = dkim_key_generate((enum dkim_type)type, 2048, NULL), *again;
		struct err_detail why;
		struct stat status;
		const char *warning;

		assert_non_null(key);
		assert_int_equal(dkim_key_bits(key), type == DKIM_RSA ? 2048 : 256);
		assert_int_equal(dkim_key_write(key, path, &why), OK);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
		assert_int_equal(dkim_key_write(key, path, &why), ERR_EXISTS);
		again = dkim_key_load(path, &warning, &why);
		assert_non_null(again);
		assert_null(warning);
		buf_reset(&before);
		buf_reset(&after);
		assert_int_equal(dkim_key_record(key, &before), OK);
		assert_int_equal(dkim_key_record(again, &after), OK);
		assert_string_equal(buf_str(&before), buf_str(&after));
		dkim_key_destroy(&key);
		dkim_key_destroy(&again);
		assert_int_equal(unlink(path), 0);
	}
	buf_fini(&before);
	buf_fini(&after);
}

static void files_that_cannot_be_had_say_so(void **state)
{
	struct err_detail why;
	char path[128];

	snprintf(path, sizeof(path), "%s/none.pem", folder);
	assert_null(dkim_key_load(path, NULL, &why));
	assert_int_equal(why.code, ERR_NOT_FOUND);
	assert_string_equal(why.text, "cannot be opened (No such file or directory)");
	assert_null(dkim_key_load(folder, NULL, &why));
	assert_int_equal(why.code, ERR_IO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_the_rfc_are_made_from_its_keys),
		cmocka_unit_test(what_is_no_usable_key_is_refused_with_its_reason),
		cmocka_unit_test(weak_keys_are_taken_with_a_warning),
		cmocka_unit_test(a_made_key_survives_its_file),
		cmocka_unit_test(files_that_cannot_be_had_say_so),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
