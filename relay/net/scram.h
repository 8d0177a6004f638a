/* relay/net/scram.h - SCRAM-SHA-256 (RFC 5802, RFC 7677): verifiers, proofs and signatures. The messages are in relay/intake/login_scram.c.
 *
 * A verifier is a text, SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY with base64 inside: it proves a password and cannot be used
 * to log in elsewhere. */
#ifndef NET_SCRAM_H
#define NET_SCRAM_H

#include "base/err.h"

#define SCRAM_PREFIX     "SCRAM-SHA-256$"
#define SCRAM_KEY        32
#define SCRAM_SALT_MAX   96
#define SCRAM_ITERATIONS 4096 /* of the verifiers that we make: RFC 7677 section 4 */

struct scram_verifier {
	uint32_t iterations;
	size_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	char salt_text[SCRAM_SALT_MAX / 3 * 4 + 1]; /* in base64 */
	uint8_t stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
};

/* Read a verifier. False: it is none. Pure. */
MUST_USE bool scram_verifier_parse(const char *text, struct scram_verifier *out);

/* What a user who does not exist is asked with: the same each time as long as the process lives, and no proof fits. */
void scram_verifier_pretend(const char *user, struct scram_verifier *out);

/* Make the verifier of a password with a fresh salt; malloc'ed text. Takes some milliseconds. Passwords beyond ASCII would need SASLprep
 * (RFC 4013), which is not done here: refuse them before. */
char *scram_verifier_make(const char *password) MUST_USE;

/* Whether `password` is the one of the verifier. Takes milliseconds: not on a loop. */
MUST_USE bool scram_check_password(const struct scram_verifier *verifier, const char *password);

/* Whether the client knows the password (RFC 5802 section 3, ClientProof). */
MUST_USE bool scram_check_proof(const struct scram_verifier *verifier, const char *auth_message, const uint8_t proof[SCRAM_KEY]);

/* ServerSignature in base64: 44 characters and NUL. */
void scram_server_signature(const struct scram_verifier *verifier, const char *auth_message, char out[45]);

/* base64 with padding of `len` bytes; `out` holds (len + 2) / 3 * 4 + 1. */
void scram_encode(const void *data, size_t len, char *out);

/* A nonce of ours: 24 characters of base64 and NUL. */
void scram_nonce(char out[25]);

#endif
