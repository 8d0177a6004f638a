/* relay/net/scram.c - SCRAM-SHA-256 (RFC 5802, RFC 7677): verifiers, proofs and signatures. */
#include "relay/net/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/credential.h"

#define SALT_LEN 16 /* of the verifiers that we make */

static void hmac(const uint8_t key[SCRAM_KEY], const void *data, size_t len, uint8_t out[SCRAM_KEY])
{
	must(HMAC(EVP_sha256(), key, SCRAM_KEY, data, len, out, NULL) != NULL);
}

static void hash(const uint8_t data[SCRAM_KEY], uint8_t out[SCRAM_KEY])
{
	must(EVP_Digest(data, SCRAM_KEY, out, NULL, EVP_sha256(), NULL) == 1);
}

void scram_encode(const void *data, size_t len, char *out)
{
	(void)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

/* `len` characters of base64 with their padding. Returns the bytes, 0 for something else. */
static size_t decode(const char *text, size_t len, uint8_t *out, size_t room)
{
	uint8_t block[SCRAM_SALT_MAX + 3];
	size_t padding = 0;
	int got;

	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	if (len == 0 || len % 4 != 0 || len / 4 * 3 > sizeof(block))
		return 0;
	got = EVP_DecodeBlock(block, (const unsigned char *)text, (int)len);
	if (got < 0 || (size_t)got - padding > room)
		return 0;
	memcpy(out, block, (size_t)got - padding);
	return (size_t)got - padding;
}

bool scram_verifier_parse(const char *text, struct scram_verifier *out)
{
	const char *salt, *stored, *server;
	unsigned long iterations;
	char *end;

	memset(out, 0, sizeof(*out));
	if (strncmp(text, SCRAM_PREFIX, strlen(SCRAM_PREFIX)) != 0)
		return false;
	iterations = strtoul(text + strlen(SCRAM_PREFIX), &end, 10);
	salt = end + 1;
	stored = strchr(end, '$');
	server = stored != NULL ? strchr(stored, ':') : NULL;
	if (*end != ':' || server == NULL || iterations == 0 || iterations > UINT32_MAX ||
	    (size_t)(stored - salt) >= sizeof(out->salt_text))
		return false;
	out->iterations = (uint32_t)iterations;
	out->salt_len = decode(salt, (size_t)(stored - salt), out->salt, sizeof(out->salt));
	memcpy(out->salt_text, salt, (size_t)(stored - salt));
	stored++;
	return out->salt_len > 0 && decode(stored, (size_t)(server - stored), out->stored_key, SCRAM_KEY) == SCRAM_KEY &&
	    decode(server + 1, strlen(server + 1), out->server_key, SCRAM_KEY) == SCRAM_KEY;
}

/* RFC 5802 section 3: SaltedPassword, and from it the two keys that are kept. */
static void derive(const char *password, struct scram_verifier *v)
{
	uint8_t salted[SCRAM_KEY], client_key[SCRAM_KEY];

	must(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), v->salt, (int)v->salt_len, (int)v->iterations, EVP_sha256(), SCRAM_KEY,
	    salted) == 1);
	hmac(salted, "Client Key", 10, client_key);
	hash(client_key, v->stored_key);
	hmac(salted, "Server Key", 10, v->server_key);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
}

void scram_verifier_pretend(const char *user, struct scram_verifier *out)
{
	uint8_t tag[CREDENTIAL_TAG];

	memset(out, 0, sizeof(*out));
	credential_tag(user, SCRAM_PREFIX, "", tag);
	out->iterations = SCRAM_ITERATIONS;
	out->salt_len = SALT_LEN;
	memcpy(out->salt, tag, SALT_LEN);
	scram_encode(out->salt, SALT_LEN, out->salt_text);
	must(RAND_bytes(out->stored_key, SCRAM_KEY) == 1 && RAND_bytes(out->server_key, SCRAM_KEY) == 1);
}

char *scram_verifier_make(const char *password)
{
	struct scram_verifier v = { .iterations = SCRAM_ITERATIONS, .salt_len = SALT_LEN };
	char stored[45], server[45];

	must(RAND_bytes(v.salt, SALT_LEN) == 1);
	scram_encode(v.salt, SALT_LEN, v.salt_text);
	derive(password, &v);
	scram_encode(v.stored_key, SCRAM_KEY, stored);
	scram_encode(v.server_key, SCRAM_KEY, server);
	return xasprintf(SCRAM_PREFIX "%u:%s$%s:%s", v.iterations, v.salt_text, stored, server);
}

bool scram_check_password(const struct scram_verifier *verifier, const char *password)
{
	struct scram_verifier made = *verifier;

	derive(password, &made);
	return CRYPTO_memcmp(made.stored_key, verifier->stored_key, SCRAM_KEY) == 0;
}

bool scram_check_proof(const struct scram_verifier *verifier, const char *auth_message, const uint8_t proof[SCRAM_KEY])
{
	uint8_t signature[SCRAM_KEY], client_key[SCRAM_KEY], stored_key[SCRAM_KEY];

	hmac(verifier->stored_key, auth_message, strlen(auth_message), signature);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		client_key[i] = proof[i] ^ signature[i];
	hash(client_key, stored_key);
	OPENSSL_cleanse(client_key, sizeof(client_key));
	return CRYPTO_memcmp(stored_key, verifier->stored_key, SCRAM_KEY) == 0;
}

void scram_server_signature(const struct scram_verifier *verifier, const char *auth_message, char out[45])
{
	uint8_t signature[SCRAM_KEY];

	hmac(verifier->server_key, auth_message, strlen(auth_message), signature);
	scram_encode(signature, SCRAM_KEY, out);
}

void scram_nonce(char out[25])
{
	uint8_t bytes[18];

	must(RAND_bytes(bytes, sizeof(bytes)) == 1);
	scram_encode(bytes, sizeof(bytes), out);
}
