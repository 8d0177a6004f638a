/* relay/deliver/tlsrpt_unwanted.c - domains that want no TLS reports today: most do not, so that little may be kept of each. */
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/tlsrpt_int.h"

#define UNWANTED_MAX 100000 /* beyond, all are forgotten and asked again: the resolver knows the answers */

/* Names are known by their hash: two that share one of 64 bits cost one of them its report. */
struct tls_unwanted {
	uint64_t name;
	UT_hash_handle hh;
};

void tls_unwanted_clear(struct tlsrpt *tlsrpt)
{
	struct tls_unwanted *entry, *tmp;

	HASH_ITER(hh, tlsrpt->unwanted, entry, tmp) {
		HASH_DEL(tlsrpt->unwanted, entry);
		free(entry);
	}
}

bool tls_unwanted_has(struct tlsrpt *tlsrpt, const char *domain, wall_ms day)
{
	uint64_t name = table_hash(domain, strlen(domain));
	struct tls_unwanted *entry;

	if (tlsrpt->unwanted_day != day)
		tls_unwanted_clear(tlsrpt);
	tlsrpt->unwanted_day = day;
	HASH_FIND(hh, tlsrpt->unwanted, &name, sizeof(name), entry);
	return entry;
}

void tls_unwanted_add(struct tlsrpt *tlsrpt, const char *domain, wall_ms day)
{
	struct tls_unwanted *entry;

	/* An answer that was long under way may tell of a day that is over. */
	if (day < tlsrpt->unwanted_day || tls_unwanted_has(tlsrpt, domain, day))
		return;
	if (HASH_COUNT(tlsrpt->unwanted) >= UNWANTED_MAX)
		tls_unwanted_clear(tlsrpt);
	entry = xcalloc(1, sizeof(*entry));
	entry->name = table_hash(domain, strlen(domain));
	HASH_ADD(hh, tlsrpt->unwanted, name, sizeof(entry->name), entry);
}
