/* tests/fuzz/fuzz_header.c - fuzz target for relay/intake/header.c: any section by any rules becomes one that nothing is to be done about.
 *
 * The first byte chooses the rules; the rest is the header section. */
#include <stdlib.h>
#include <string.h>

#include "relay/intake/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECTION_MAX 100000

/* As many fields as before, or fewer, and nothing that was not there but the rewritten author. */
static void check_result(const struct header_rules *rules, const struct header_verdict *before, const char *in, size_t len)
{
	struct header_verdict after;
	struct buf out;

	buf_init(&out, SECTION_MAX + 2 * HEADER_VALUE_MAX);
	must(header_write(in, len, rules, &out) == OK);
	must(before->changed || (out.len == len && memcmp(buf_str(&out), in, len) == 0));
	must(before->rewritten || out.len <= len);
	header_judge(buf_str(&out), out.len, rules, &after);
	must(after.refusal == NULL && !after.changed && !after.rewritten);
	must(after.needs_message_id == before->needs_message_id || out.len == 0 || before->changed);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char own[] = "own.test", address[] = "web@own.test", name[] = "t";
	static char *domains[] = { own };
	struct conf_hygiene hygiene = { true, true, true, true, DUPLICATES_FIRST, RULE_ACCEPT, RULE_ACCEPT };
	struct conf_tenant tenant = { .name = name, .domains = domains, .domain_count = 1, .others_address = address };
	struct header_rules rules = { &hygiene, &tenant, false };
	struct header_verdict verdict;

	if (size == 0 || size > SECTION_MAX)
		return 0;
	hygiene.bcc = data[0] & 1;
	hygiene.return_path = data[0] & 2;
	hygiene.malformed = data[0] & 4 ? RULE_REFUSE : RULE_ACCEPT;
	hygiene.duplicates = (enum conf_duplicates)((data[0] >> 3) % 3);
	tenant.others_from = (enum conf_others)((data[0] >> 5) % 4);
	header_judge((const char *)data + 1, size - 1, &rules, &verdict);
	if (verdict.refusal == NULL)
		check_result(&rules, &verdict, (const char *)data + 1, size - 1);
	return 0;
}
