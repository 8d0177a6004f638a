/* tests/unit/relay/test_header.c - header sections: what is refused, removed, replaced and added, and that nothing else is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "relay/intake/header.h"

#define ADDRESS "web@own.test"

static char own[] = "own.test", unicode[] = "xn--bcher-kva.test", name[] = "t", address[] = ADDRESS;
static char *domains[] = { own, unicode };
static const struct conf_hygiene usual = { true, true, true, true, DUPLICATES_REFUSE, RULE_ACCEPT, RULE_ACCEPT };
static const struct conf_hygiene first = { true, true, true, true, DUPLICATES_FIRST, RULE_ACCEPT, RULE_ACCEPT };
static const struct conf_hygiene strict = { true, true, true, true, DUPLICATES_REFUSE, RULE_REFUSE, RULE_REFUSE };
static const struct conf_hygiene none = { false, false, false, false, DUPLICATES_ACCEPT, RULE_ACCEPT, RULE_ACCEPT };

/* What a section becomes; `want` NULL: it is not changed. `refusal`: how the reply begins, NULL: none. */
struct row {
	const char *label;
	const struct conf_hygiene *hygiene;
	enum conf_others others; /* of From */
	const char *in, *refusal, *want;
};

static struct conf_tenant tenant_for(enum conf_others others)
{
	return (struct conf_tenant){ .name = name, .domains = domains, .domain_count = ARRAY_LEN(domains), .others_from = others,
		.others_address = address };
}

static void check(const struct row *row)
{
	struct conf_tenant tenant = tenant_for(row->others);
	struct header_rules rules = { row->hygiene, &tenant, false };
	struct header_verdict verdict;
	struct buf out;

	header_judge(row->in, strlen(row->in), &rules, &verdict);
	if ((verdict.refusal == NULL) != (row->refusal == NULL) ||
	    (row->refusal != NULL && strncmp(verdict.refusal, row->refusal, strlen(row->refusal)) != 0))
		fail_msg("%s: refusal %s", row->label, verdict.refusal != NULL ? verdict.refusal : "none");
	if (row->refusal != NULL)
		return;
	if (verdict.changed != (row->want != NULL))
		fail_msg("%s: changed %d", row->label, verdict.changed);
	buf_init(&out, 100000);
	assert_int_equal(header_write(row->in, strlen(row->in), &rules, &out), OK);
	if (strcmp(buf_str(&out), row->want != NULL ? row->want : row->in) != 0)
		fail_msg("%s: became \"%s\"", row->label, buf_str(&out));
	buf_fini(&out);
}

static void check_all(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i]);
}

static void fields_are_removed_or_refused_by_rule(void **state)
{
	static const struct row rows[] = {
		{ "plain", &usual, OTHERS_ALLOW, "From: a@b\r\nTo: c@d\r\nX: 1\r\nX: 1\r\n", NULL, NULL },
		{ "bcc", &usual, OTHERS_ALLOW, "A: 1\r\nbcc : x,\r\n y\r\nB: 2\r\n", NULL, "A: 1\r\nB: 2\r\n" },
		{ "bcc twice", &usual, OTHERS_ALLOW, "Bcc: x\r\nBcc:\r\nB: 2\r\n", NULL, "B: 2\r\n" },
		{ "resent-bcc", &usual, OTHERS_ALLOW, "Resent-Bcc: x\r\nB: 2\r\n", NULL, "B: 2\r\n" },
		{ "return-path at the end", &usual, OTHERS_ALLOW, "B: 2\r\nReturn-Path: <x>", NULL, "B: 2\r\n" },
		{ "nothing is removed", &none, OTHERS_ALLOW, "Bcc: x\r\nReturn-Path: <x>\r\nDate: 1\r\nDate: 2\r\n", NULL, NULL },
		{ "a name that begins so", &usual, OTHERS_ALLOW, "Bccx: 1\r\nBc: 2\r\nX-Bcc: 3\r\n", NULL, NULL },
		{ "two subjects", &usual, OTHERS_ALLOW, "Subject: 1\r\nsubject:2\r\n", "550 5.6.0 more than one Subject field", NULL },
		{ "two message ids", &usual, OTHERS_ALLOW, "Message-Id: 1\r\nMESSAGE-ID: 2\r\n", "550 5.6.0 more than one Message-ID", NULL },
		{ "two authors", &usual, OTHERS_ALLOW, "From: a@own.test\r\nX: 1\r\nFrom : b@own.test\r\n", "550 5.6.0 more than one From", NULL },
		{ "the first is kept", &first, OTHERS_ALLOW, "To: a\r\nTo: b\r\n c\r\nCc: d\r\nTo: e\r\n", NULL, "To: a\r\nCc: d\r\n" },
		{ "resent fields may come again", &usual, OTHERS_ALLOW, "Resent-From: a\r\nResent-From: b\r\nReceived: 1\r\nReceived: 2\r\n", NULL, NULL },
		{ "no field", &usual, OTHERS_ALLOW, "hello\r\n:\r\n : x\r\na b: c\r\n", NULL, NULL },
		{ "no field, refused", &strict, OTHERS_ALLOW, "A: 1\r\nhello\r\n", "550 5.6.0 line in the header that is no field", NULL },
		{ "a first line that continues nothing", &strict, OTHERS_ALLOW, " A: 1\r\n", "550 5.6.0 line in the header", NULL },
		{ "a blank in a name", &strict, OTHERS_ALLOW, "a b: 1\r\n", "550 5.6.0 line in the header", NULL },
		{ "control characters", &strict, OTHERS_ALLOW, "A: \a\r\n", "550 5.6.0 control character", NULL },
		{ "tabs are none", &strict, OTHERS_ALLOW, "A:\t1\r\n\t2\r\n", NULL, NULL },
		{ "a bare CR", &usual, OTHERS_ALLOW, "A: x\ry\r\n", "550 5.6.0 bare CR", NULL },
		{ "a bare CR at the end", &usual, OTHERS_ALLOW, "A: x\r\nB: 1\r", "550 5.6.0 bare CR", NULL },
		{ "two CR", &usual, OTHERS_ALLOW, "A: x\r\r\n", "550 5.6.0 bare CR", NULL },
		{ "a bare LF", &usual, OTHERS_ALLOW, "A: x\r\nB: y\nC: z\r\n", "550 5.6.0 bare LF", NULL },
		{ "8-bit", &strict, OTHERS_ALLOW, "A: \xc3\xa4\r\n", "550 5.6.7", NULL },
		{ "8-bit, accepted", &usual, OTHERS_ALLOW, "A: \xc3\xa4\r\n", NULL, NULL },
	};

	check_all(rows, ARRAY_LEN(rows));
}

static void a_nul_is_refused(void **state)
{
	static const char in[] = "From: a@own.test\0.else.test\r\n";
	struct header_rules rules = { &none, NULL, false };
	struct header_verdict verdict;

	header_judge(in, sizeof(in) - 1, &rules, &verdict);
	assert_non_null(verdict.refusal);
}

static void authors_of_other_domains_are_treated_by_policy(void **state)
{
	static const struct row rows[] = {
		{ "own", &usual, OTHERS_REFUSE, "From: \"X\" <a@OWN.test>\r\n", NULL, NULL },
		{ "own, in Unicode", &usual, OTHERS_REFUSE, "From: a@b\xc3\xbc" "cher.test\r\n", NULL, NULL },
		{ "own, several", &usual, OTHERS_REFUSE, "From: a@own.test,\r\n b <b@own.test>\r\n", NULL, NULL },
		{ "no author at all", &usual, OTHERS_REFUSE, "To: x@y\r\n", NULL, NULL },
		{ "another", &usual, OTHERS_REFUSE, "From: a@else.test\r\n", "550 5.7.1", NULL },
		{ "below one's own", &usual, OTHERS_REFUSE, "From: a@sub.own.test\r\n", "550 5.7.1", NULL },
		{ "one of several", &usual, OTHERS_REFUSE, "From: a@own.test, b@else.test\r\n", "550 5.7.1", NULL },
		{ "own in the name alone", &usual, OTHERS_REFUSE, "From: \"a@own.test\" <b@else.test>\r\n", "550 5.7.1", NULL },
		{ "nobody", &usual, OTHERS_REFUSE, "From:\r\n", "550 5.7.1", NULL },
		{ "behind a line that is no field", &usual, OTHERS_REFUSE, "hello\r\nFrom: a@else.test\r\n", "550 5.7.1", NULL },
		{ "the second one", &first, OTHERS_REFUSE, "From: a@own.test\r\nFrom: a@else.test\r\n", NULL, "From: a@own.test\r\n" },
		{ "allowed", &usual, OTHERS_ALLOW, "From: a@else.test\r\n", NULL, NULL },
		{ "rewritten", &usual, OTHERS_REWRITE, "From: a@else.test\r\nTo: x@y\r\n", NULL,
		  "From: " ADDRESS "\r\nReply-To: a@else.test\r\nTo: x@y\r\n" },
		{ "rewritten with its name", &usual, OTHERS_REWRITE, "from:\"A, <b>\" <a@else.test>\r\n", NULL,
		  "From:\"A, <b>\" <" ADDRESS ">\r\nReply-To:\"A, <b>\" <a@else.test>\r\n" },
		{ "rewritten with a folded name", &usual, OTHERS_REWRITE, "From: A\r\n\t<a@else.test>\r\n", NULL,
		  "From: A <" ADDRESS ">\r\nReply-To: A\r\n\t<a@else.test>\r\n" },
		{ "rewritten with a long name", &usual, OTHERS_REWRITE, "From: " "0123456789012345678901234567890123456789012345678" " <a@else.test>\r\n",
		  NULL, "From: 0123456789012345678901234567890123456789012345678\r\n <" ADDRESS ">\r\n"
		  "Reply-To: 0123456789012345678901234567890123456789012345678 <a@else.test>\r\n" },
		{ "with a Reply-To of its own", &usual, OTHERS_REWRITE, "From: a@else.test\r\nReply-To: x@y.test\r\n", NULL,
		  "From: " ADDRESS "\r\nReply-To: x@y.test\r\n" },
		{ "several authors", &usual, OTHERS_REWRITE, "From: A <a@else.test>, b@own.test\r\n", NULL,
		  "From: " ADDRESS "\r\nReply-To: A <a@else.test>, b@own.test\r\n" },
		{ "without a usable address", &usual, OTHERS_REWRITE, "From: nobody\r\n", NULL, "From: " ADDRESS "\r\n" },
		{ "own is left alone", &usual, OTHERS_REWRITE, "From: A <a@own.test>\r\n", NULL, NULL },
	};

	check_all(rows, ARRAY_LEN(rows));
}

static void a_held_author_passes_with_a_reason(void **state)
{
	static const char in[] = "From: a@else.test\r\n";
	struct conf_tenant tenant = tenant_for(OTHERS_HOLD);
	struct header_rules rules = { &usual, &tenant, false };
	struct header_verdict verdict;

	header_judge(in, sizeof(in) - 1, &rules, &verdict);
	assert_null(verdict.refusal);
	assert_non_null(verdict.hold);
	assert_false(verdict.changed);
}

static void what_is_missing_is_added(void **state)
{
	static const struct {
		const char *label, *in, *want;
	} rows[] = {
		{ "both", "From: a@own.test\r\n", "Date: Tue, 24 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1m87@relay.test>\r\n" },
		{ "empty", "", "Date: Tue, 24 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1m87@relay.test>\r\n" },
		{ "date", "message-id: 1\r\n", "Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n" },
		{ "id", "DATE : 1\r\nX-Message-ID: 1\r\n", "Message-ID: <1m87@relay.test>\r\n" },
		{ "none", "Date: 1\r\nMessage-ID: 1", "" },
		{ "above a line that would continue it", " x\r\nFrom: a@own.test\r\n", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_rules rules = { &usual, NULL, false };
		struct header_verdict verdict;
		struct buf out;

		buf_init(&out, 1000);
		header_judge(rows[i].in, strlen(rows[i].in), &rules, &verdict);
		assert_int_equal(header_add(&verdict, INT64_C(1795478400000), "1m87", "relay.test", &out), OK);
		if (strcmp(buf_str(&out), rows[i].want) != 0)
			fail_msg("%s: \"%s\"", rows[i].label, buf_str(&out));
		buf_fini(&out);
	}
}

/* A section of random pieces; `kept`: the same without what is removed. Pieces that are removed bring their own continuation. */
static void make_section(struct rand *rand, struct buf *in, struct buf *kept)
{
	static const char *const keep[] = { "X:1\r\n", "To: a@b\r\n", "junk\r\n", "Y: \xff\x01\r\n", "Z:\r\n", ":\r\n", "\t\r\n", " bcc: x\r\n", "Bcc x\r\n" };
	static const char *const drop[] = { "Bcc: x\r\n", "BCC:\r\n y\r\n", "return-path \t: <>\r\n", "Resent-bcc: 1\r\n\t2\r\n" };

	for (unsigned i = rand_below(rand, 12); i > 0; i--) {
		bool dropped = rand_below(rand, 3) == 0;
		const char *piece = dropped ? drop[rand_below(rand, ARRAY_LEN(drop))] : keep[rand_below(rand, ARRAY_LEN(keep))];

		/* A line that begins with a blank belongs to what is above it. */
		if (!dropped && (piece[0] == '\t' || piece[0] == ' ') && in->len > 0 && (kept->len == 0 || i % 2 == 0))
			piece = "W: 1\r\n";
		assert_int_equal(buf_add_str(in, piece), OK);
		if (!dropped)
			assert_int_equal(buf_add_str(kept, piece), OK);
		if (dropped) { /* and ends here, whatever comes next */
			assert_int_equal(buf_add_str(in, "End: 1\r\n"), OK);
			assert_int_equal(buf_add_str(kept, "End: 1\r\n"), OK);
		}
	}
}

static void nothing_else_is_touched(void **state)
{
	static const struct conf_hygiene hygiene = { true, true, true, true, DUPLICATES_ACCEPT, RULE_ACCEPT, RULE_ACCEPT };
	struct header_rules rules = { &hygiene, NULL, false };
	struct rand rand;

	rand_seed(&rand, 3);
	for (int round = 0; round < 20000; round++) {
		struct header_verdict verdict;
		struct buf in, kept, out;

		buf_init(&in, 10000);
		buf_init(&kept, 10000);
		buf_init(&out, 10000);
		make_section(&rand, &in, &kept);
		header_judge(buf_str(&in), in.len, &rules, &verdict);
		assert_null(verdict.refusal);
		assert_int_equal(verdict.changed, in.len != kept.len);
		assert_int_equal(header_write(buf_str(&in), in.len, &rules, &out), OK);
		assert_string_equal(buf_str(&out), buf_str(&kept));
		buf_fini(&in);
		buf_fini(&kept);
		buf_fini(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_removed_or_refused_by_rule),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(authors_of_other_domains_are_treated_by_policy),
		cmocka_unit_test(a_held_author_passes_with_a_reason),
		cmocka_unit_test(what_is_missing_is_added),
		cmocka_unit_test(nothing_else_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
