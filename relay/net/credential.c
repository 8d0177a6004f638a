/* relay/net/credential.c - passwords against what is stored of them: crypt(3) hashes and SCRAM verifiers. */
#include "relay/net/credential.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/scram.h"

static bool crypt_check(const char *stored, const char *password)
{
	struct crypt_data *data = xcalloc(1, sizeof(*data)); /* 32 KB */
	const char *got = crypt_r(password, stored, data);
	size_t len = strlen(stored);
	/* A failure text of crypt_r begins with '*' and equals no hash. */
	bool equal = got != NULL && strlen(got) == len && CRYPTO_memcmp(got, stored, len) == 0;

	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return equal;
}

bool credential_check(const char *stored, const char *password)
{
	struct scram_verifier verifier;

	if (scram_verifier_parse(stored, &verifier))
		return scram_check_password(&verifier, password);
	return crypt_check(stored, password);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint8_t process_key[32];

static void make_process_key(void)
{
	must(RAND_priv_bytes(process_key, sizeof(process_key)) == 1);
}

void credential_tag(const char *user, const char *stored, const char *password, uint8_t tag[CREDENTIAL_TAG])
{
	size_t user_len = strlen(user) + 1, stored_len = strlen(stored) + 1, password_len = strlen(password) + 1;
	size_t len = user_len + stored_len + password_len;
	char *text = xcalloc(1, len);

	/* Each with its NUL: no two triples make the same text. */
	memcpy(text, user, user_len);
	memcpy(text + user_len, stored, stored_len);
	memcpy(text + user_len + stored_len, password, password_len);
	must(pthread_once(&once, make_process_key) == 0);
	must(HMAC(EVP_sha256(), process_key, sizeof(process_key), (const unsigned char *)text, len, tag, NULL) != NULL);
	OPENSSL_cleanse(text, len);
	free(text);
}

bool credential_tag_equal(const uint8_t a[CREDENTIAL_TAG], const uint8_t b[CREDENTIAL_TAG])
{
	return CRYPTO_memcmp(a, b, CREDENTIAL_TAG) == 0;
}
