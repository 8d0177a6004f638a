/* tests/fuzz/fuzz_verdict.c - any bytes as a reply: there is a verdict, the same each time, and a waiting time within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "relay/deliver/verdict.h"
#include "relay/deliver/waiting.h"
#include "relay/deliver/wording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verdict_rules *shipped(void)
{
	static struct memory memory;
	struct fault_list faults = { 0 };

	return verdict_rules_create(replies_load(&memory, NULL, &faults), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct verdict_rules *rules;
	struct verdict first, again;
	struct wording wording;
	char *reply = xcalloc(size + 1, 1);

	memcpy(reply, data, size);
	if (!rules)
		rules = shipped();
	wording_read(&wording, reply);
	must(wording.len == strlen(wording.text) && wording.len < WORDING_MAX && wording.code >= 0 && wording.code <= 999);
	verdict_of(rules, "", reply, &first);
	verdict_of(rules, "another", "250 to forget the last one", &again);
	verdict_of(rules, "", reply, &again);
	must(first.rule == again.rule && first.wait_ms == again.wait_ms && first.action == again.action);
	must(first.class < CLASS_COUNT && first.action < ACTION_COUNT && first.wait_ms >= 0 && first.wait_ms <= WAITING_MAX_MS);
	free(reply);
	return 0;
}
