/* relay/sign/dkim_key.h - private keys of DKIM: load, make, sign, and the DNS record of the public half (RFC 6376, RFC 8463). */
#ifndef SIGN_DKIM_KEY_H
#define SIGN_DKIM_KEY_H

#include "base/buf.h"
#include "base/err.h"

#define DKIM_HASH          32   /* bytes of a SHA-256 */
#define DKIM_SIGNATURE_MAX 1024 /* bytes of a signature: RSA with 8192 bits */

enum dkim_type { DKIM_RSA, DKIM_ED25519, DKIM_TYPES };

/* Read-only once it is made: any number of threads may sign with it. */
struct dkim_key;

/*
 * Read a private key in PEM (PKCS#8 or PKCS#1, not encrypted).
 *
 *   warning_out  static text that the operator should know, or NULL; may itself be NULL
 *
 * NULL: `why` has ERR_IO or ERR_NOT_FOUND (the file), ERR_INVALID (no such key inside, RSA below 1024 bits, RFC 8301 section 3.2),
 * ERR_LIMIT (RSA above 8192 bits). Below 2048 bits is a warning, likewise above 4096.
 */
struct dkim_key *dkim_key_load(const char *path, const char **warning_out, struct err_detail *why) MUST_USE;

/* The same from memory. */
struct dkim_key *dkim_key_parse(const char *pem, size_t len, const char **warning_out, struct err_detail *why) MUST_USE;

/* Make a key; `bits` counts for RSA alone. NULL: ERR_IO. RSA takes up to seconds. */
struct dkim_key *dkim_key_generate(enum dkim_type type, unsigned bits, struct err_detail *why) MUST_USE;

/* Write it in PEM (PKCS#8) to a new file with mode 0600. ERR_EXISTS: there is such a file, and it stays as it is. ERR_IO, ERR_FULL:
 * no file is left. */
MUST_USE enum err dkim_key_write(const struct dkim_key *key, const char *path, struct err_detail *why);

void dkim_key_destroy(struct dkim_key **key);

/* RSA or Ed25519; bits of the modulus, 256 for Ed25519. */
enum dkim_type dkim_key_type(const struct dkim_key *key);
unsigned dkim_key_bits(const struct dkim_key *key);

/* "rsa-sha256", "ed25519-sha256" (a=) and "rsa", "ed25519" (k=). */
const char *dkim_type_algorithm(enum dkim_type type);
const char *dkim_type_name(enum dkim_type type);

/* Append the content of the TXT record at SELECTOR._domainkey.DOMAIN (RFC 6376 section 3.6.1). ERR_LIMIT by the buffer alone. */
MUST_USE enum err dkim_key_record(const struct dkim_key *key, struct buf *out);

/* Sign the SHA-256 of the canonical header. `out` holds DKIM_SIGNATURE_MAX bytes. ERR_IO: OpenSSL's words in `why`. Any thread. */
MUST_USE enum err dkim_key_sign(
    const struct dkim_key *key, const uint8_t hash[DKIM_HASH], uint8_t *out, size_t *len_out, struct err_detail *why);

/* How long a signature takes on a slow machine, in microseconds: what takes more than a millisecond does not belong on a loop. */
unsigned dkim_key_cost_us(const struct dkim_key *key);

#endif
