/* relay/net/tlsa.h - TLSA records (RFC 6698 section 2.1): what DNS says about a server's key or its issuer. Pure. */
#ifndef NET_TLSA_H
#define NET_TLSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tlsa {
	uint8_t usage;    /* 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE */
	uint8_t selector; /* 0 the certificate, 1 its public key */
	uint8_t matching; /* 0 as it is, 1 SHA2-256, 2 SHA2-512 */
	size_t len;
	uint8_t *data;
};

/* Can SMTP use it? RFC 7672 section 3.1.3: usages 0 and 1 are not for SMTP; unknown selectors and matching types, digests of a
 * wrong length, and certificates and keys that are none say nothing. */
bool tlsa_is_usable(const struct tlsa *record);
bool tlsa_any_usable(const struct tlsa *records, size_t count);

/* The same for equal sets in whatever order; 0 for none. Differs from process to process. */
uint64_t tlsa_set_hash(const struct tlsa *records, size_t count);

/* A malloc'ed copy with its data; NULL for none. */
struct tlsa *tlsa_copy(const struct tlsa *records, size_t count);
void tlsa_free(struct tlsa *records, size_t count);

#endif
