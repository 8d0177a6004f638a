/* relay/relayq/print_tls.c - the answer of tls-report for people: a row for each domain and policy. */
#include <stdlib.h>

#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

/* The failure that came most often; NULL: none. */
static const json_t *worst_of(const json_t *policy)
{
	const json_t *list = json_object_get(policy, "failure-details"), *worst = NULL;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *failure = json_array_get(list, i);

		if (!worst || field_number(failure, "failed-session-count") > field_number(worst, "failed-session-count"))
			worst = failure;
	}
	return worst;
}

static void policy_row(struct print *print, const json_t *row, const json_t *policy)
{
	const json_t *summary = json_object_get(policy, "summary"), *worst = worst_of(policy);
	char good[TEXT_SHORT], failed[TEXT_SHORT], sent[TEXT_SHORT];
	const char *cells[7];

	cells[0] = field_text(row, "domain");
	cells[1] = field_text(json_object_get(policy, "policy"), "policy-type");
	cells[2] = text_grouped(field_number(summary, "total-successful-session-count"), good);
	cells[3] = text_grouped(field_number(summary, "total-failure-session-count"), failed);
	cells[4] = worst ? field_text(worst, "result-type") : "";
	cells[5] = worst ? field_text(worst, "receiving-mx-hostname") : "";
	cells[6] = text_relative(field_time(row, "send_at"), print->now, sent);
	columns_add(print->columns, cells, NULL);
}

static void tls_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "DOMAIN", false, 12 }, { "POLICY", false, 0 }, { "GOOD", true, 0 }, { "FAILED", true, 0 }, { "MOSTLY", false, 12 },
		{ "HOST", false, 12 }, { "SENT", true, 0 },
	};
	const json_t *policies = json_object_get(row, "policies");

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	for (size_t i = 0; i < json_array_size(policies); i++)
		policy_row(print, row, json_array_get(policies, i));
	print->rows++;
}

static void tls_end(struct print *print, const json_t *end)
{
	const char *message = field_text(end, "message");

	columns_finish(&print->columns);
	if (field_number(end, "exit") != OPS_DONE)
		return;
	if (message[0])
		(void)fprintf(print->out, "%s\n", message);
	else if (print->rows == 0)
		(void)fputs("nothing to report: no domain that asks for it has got mail\n", print->out);
}

const struct printer print_tls = { .row = tls_row, .end = tls_end };
