/* tests/unit/net/test_scram.c - SCRAM-SHA-256 with the example of RFC 7677 section 3, and passwords against either kind of hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/credential.h"
#include "relay/net/scram.h"

/* User "user", password "pencil". */
#define RFC_VERIFIER "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define RFC_NONCE   "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_MESSAGE "n=user,r=rOprNGfwEbeRWgbNEkqO,r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=" RFC_NONCE

static void the_example_of_the_rfc_comes_out(void **state)
{
	static const char proof_text[] = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
	struct scram_verifier verifier;
	uint8_t proof[33];
	char signature[45];

	assert_true(scram_verifier_parse(RFC_VERIFIER, &verifier));
	assert_int_equal(verifier.iterations, 4096);
	assert_int_equal(verifier.salt_len, 16);
	assert_string_equal(verifier.salt_text, "W22ZaJ0SNY7soEsUEjb6gQ==");
	assert_int_equal(EVP_DecodeBlock(proof, (const unsigned char *)proof_text, 44), 33);
	assert_true(scram_check_proof(&verifier, RFC_MESSAGE, proof));
	scram_server_signature(&verifier, RFC_MESSAGE, signature);
	assert_string_equal(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_true(scram_check_password(&verifier, "pencil"));
	assert_false(scram_check_password(&verifier, "Pencil"));
	proof[31] ^= 1;
	assert_false(scram_check_proof(&verifier, RFC_MESSAGE, proof));
	proof[31] ^= 1;
	assert_false(scram_check_proof(&verifier, RFC_MESSAGE "x", proof));
}

static void what_is_no_verifier_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "SCRAM-SHA-256$", "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$a:b", "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$a:b",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d:WG5d", "SCRAM-SHA-256$4096:$a:b", "$6$rounds=1000$saltsalt$x",
	};
	struct scram_verifier verifier;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (scram_verifier_parse(rows[i], &verifier))
			fail_msg("\"%s\" is taken", rows[i]);
}

static void a_verifier_that_we_make_fits_its_password_alone(void **state)
{
	char *one = scram_verifier_make("secret word"), *two = scram_verifier_make("secret word");

	assert_string_not_equal(one, two); /* salted */
	assert_true(credential_check(one, "secret word"));
	assert_true(credential_check(two, "secret word"));
	assert_false(credential_check(one, "secret worD"));
	assert_false(credential_check(one, ""));
	free(one);
	free(two);
}

static void a_crypt_hash_fits_its_password_alone(void **state)
{
	char *hash = strdup(crypt("secret word", "$6$rounds=1000$saltsalt$"));

	assert_true(credential_check(hash, "secret word"));
	assert_false(credential_check(hash, "secret worD"));
	assert_false(credential_check("*0", "secret word"));
	assert_false(credential_check("", "secret word"));
	free(hash);
}

static void a_user_who_does_not_exist_looks_the_same_each_time(void **state)
{
	struct scram_verifier one, again, other;

	scram_verifier_pretend("nobody", &one);
	scram_verifier_pretend("nobody", &again);
	scram_verifier_pretend("noone", &other);
	assert_string_equal(one.salt_text, again.salt_text);
	assert_string_not_equal(one.salt_text, other.salt_text);
	assert_int_equal(one.iterations, SCRAM_ITERATIONS);
	assert_int_equal(strlen(one.salt_text), 24);
}

static void a_tag_changes_with_each_of_its_parts(void **state)
{
	static const char *const rows[][3] = { { "a", "b", "c" }, { "a", "b", "d" }, { "a", "c", "c" }, { "b", "b", "c" }, { "ab", "", "c" },
		{ "a", "bc", "" } };
	uint8_t tags[ARRAY_LEN(rows)][CREDENTIAL_TAG], again[CREDENTIAL_TAG];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		credential_tag(rows[i][0], rows[i][1], rows[i][2], tags[i]);
	credential_tag("a", "b", "c", again);
	assert_true(credential_tag_equal(tags[0], again));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < i; k++)
			assert_false(credential_tag_equal(tags[i], tags[k]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_comes_out),
		cmocka_unit_test(what_is_no_verifier_is_refused),
		cmocka_unit_test(a_verifier_that_we_make_fits_its_password_alone),
		cmocka_unit_test(a_crypt_hash_fits_its_password_alone),
		cmocka_unit_test(a_user_who_does_not_exist_looks_the_same_each_time),
		cmocka_unit_test(a_tag_changes_with_each_of_its_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
