/* relay/net/tlsa.c - TLSA records: which are of use, and sets of them as values. */
#include "relay/net/tlsa.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define USAGE_DANE_TA 2
#define USAGE_DANE_EE 3

/* A whole certificate, or a whole key, of a kind that we know, and nothing after it: what OpenSSL asks of one, too. */
static bool parses(const struct tlsa *record)
{
	const unsigned char *at = record->data;
	bool whole = false;

	if (record->len == 0 || record->len > LONG_MAX)
		return false;
	if (record->selector == 0) {
		X509 *cert = d2i_X509(NULL, &at, (long)record->len);

		whole = cert && X509_get0_pubkey(cert);
		X509_free(cert);
	} else {
		EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)record->len);

		whole = key != NULL;
		EVP_PKEY_free(key);
	}
	ERR_clear_error();
	return whole && at == record->data + record->len;
}

static bool data_fits(const struct tlsa *record)
{
	switch (record->matching) {
	case 0:
		return parses(record);
	case 1:
		return record->len == 32;
	case 2:
		return record->len == 64;
	default:
		return false;
	}
}

bool tlsa_is_usable(const struct tlsa *record)
{
	return (record->usage == USAGE_DANE_TA || record->usage == USAGE_DANE_EE) && record->selector <= 1 && data_fits(record);
}

bool tlsa_any_usable(const struct tlsa *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (tlsa_is_usable(&records[i]))
			return true;
	return false;
}

uint64_t tlsa_set_hash(const struct tlsa *records, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		const struct tlsa *r = &records[i];
		uint64_t parts[] = { r->usage, r->selector, r->matching, table_hash(r->data, r->len) };

		sum += table_hash(parts, sizeof(parts));
	}
	return sum;
}

struct tlsa *tlsa_copy(const struct tlsa *records, size_t count)
{
	struct tlsa *copy;

	if (count == 0)
		return NULL;
	copy = xcalloc(count, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = records[i];
		copy[i].data = xcalloc(1, records[i].len + 1);
		memcpy(copy[i].data, records[i].data, records[i].len);
	}
	return copy;
}

void tlsa_free(struct tlsa *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(records[i].data);
	free(records);
}
