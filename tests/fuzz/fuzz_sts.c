/* tests/fuzz/fuzz_sts.c - fuzz target for relay/deliver/sts_policy.h and its row in the store: policies and records from the network. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "relay/deliver/sts_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be stored, and comes back as it was. */
static void check_row(struct sts_policy *policy)
{
	struct sts_found found = { .policy = *policy, .has_policy = true, .id = "a1" }, *back;
	struct buf row;
	wall_ms fetched;

	buf_init(&row, QUEUE_NOTE_MAX);
	must(sts_encode(&found, 5, &row) == OK);
	back = sts_decode(row.data, row.len, &fetched);
	must(back && fetched == 5 && back->policy.mode == policy->mode && back->policy.max_age == policy->max_age &&
	    back->policy.mx_count == policy->mx_count);
	for (size_t i = 0; i < policy->mx_count; i++)
		must(strcmp(policy->mx[i], back->policy.mx[i]) == 0);
	sts_found_unref(&back);
	buf_fini(&row);
}

static void try_record(const char *text)
{
	char *txt[] = { (char *)text, (char *)text };
	char id[STS_ID_MAX + 1];

	if (sts_record_id(txt, 1, id))
		must(id[0] && strlen(id) <= STS_ID_MAX && !sts_record_id(txt, 2, id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_policy policy;
	struct sts_found *found;
	struct err_detail why;
	wall_ms fetched;
	char *text = xstrndup((const char *)data, size);

	if (sts_policy_parse((const char *)data, size, &policy, &why) == OK) {
		must(policy.max_age <= STS_AGE_MAX && (policy.mx_count > 0 || policy.mode == STS_NONE));
		(void)sts_policy_allows(&policy, "mx.example.net");
		check_row(&policy);
	}
	sts_policy_fini(&policy);
	try_record(text);
	(void)sts_type_is_right(text);
	found = sts_decode(data, size, &fetched);
	sts_found_unref(&found);
	free(text);
	return 0;
}
