/* tests/fuzz/fuzz_dns.c - fuzz target for relay/net/dns_packet.h: answers from the network stay within their bounds. */
#include <string.h>

#include "relay/net/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct dns_answer *answer)
{
	must(answer->status == DNS_FOUND || answer->status == DNS_NO_DATA || answer->status == DNS_NO_NAME ||
	    answer->status == DNS_FAILED);
	must(strlen(answer->why) < sizeof(answer->why));
	for (size_t i = 0; i < answer->mx_count; i++)
		must(answer->mx[i].host && strlen(answer->mx[i].host) <= 1024);
	for (size_t i = 0; i < answer->addr_count; i++)
		must(answer->addrs[i].family != 0);
	(void)tlsa_any_usable(answer->tlsa, answer->tlsa_count);
}

/* The first byte chooses the type that was asked for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type TYPES[] = { DNS_A, DNS_MX, DNS_AAAA, DNS_TLSA, DNS_TXT };
	struct dns_answer answer = { 0 };

	if (size == 0)
		return 0;
	dns_packet_read(data + 1, size - 1, "mx.example.net", TYPES[data[0] % ARRAY_LEN(TYPES)], &answer);
	check_answer(&answer);
	dns_packet_free(&answer);
	return 0;
}
