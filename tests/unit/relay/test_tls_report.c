/* tests/unit/relay/test_tls_report.c - TLS reports as text: who wants them, figures, the report (RFC 8460). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "relay/notify/tls_json.h"
#include "relay/notify/tls_rua.h"

static void a_record_names_places_or_counts_for_nothing(void **state)
{
	static const struct {
		const char *label;
		const char *txt[3];
		const char *want; /* NULL: no reports */
	} rows[] = {
		{ "an address", { "v=TLSRPTv1;rua=mailto:reports@example.com" }, "reports@example.com " },
		{ "blanks and a last semicolon", { "v=TLSRPTv1 ; rua=mailto:reports@example.com ;" }, "reports@example.com " },
		{ "HTTPS", { "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt" }, "https://reporting.example.com/v1/tlsrpt " },
		{ "several", { "v=TLSRPTv1; rua=mailto:a@b.example , https://c.example/x,mailto:d@e.example" },
		  "a@b.example https://c.example/x d@e.example " },
		{ "no more than four", { "v=TLSRPTv1; rua=mailto:a@b.example,mailto:b@b.example,mailto:c@b.example,mailto:d@b.example,mailto:e@b.example" },
		  "a@b.example b@b.example c@b.example d@b.example " },
		{ "others are passed over", { "v=TLSRPTv1; rua=ftp://x/,mailto:a@b.example,http://c.example/" }, "a@b.example " },
		{ "encoded", { "v=TLSRPTv1; rua=MAILTO:a%2Bb%40c.example" }, "a+b@c.example " },
		{ "a query", { "v=TLSRPTv1; rua=mailto:a@b.example?subject=x" }, "a@b.example " },
		{ "extensions", { "v=TLSRPTv1; x=y; rua=mailto:a@b.example; z=1" }, "a@b.example " },
		{ "beside others", { "v=spf1", "v=TLSRPTv1; rua=mailto:a@b.example" }, "a@b.example " },
		{ "two records", { "v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1; rua=mailto:c@b.example" }, NULL },
		{ "no rua", { "v=TLSRPTv1; x=y" }, NULL },
		{ "two rua", { "v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@b.example" }, NULL },
		{ "empty rua", { "v=TLSRPTv1; rua=" }, NULL },
		{ "no place that we know", { "v=TLSRPTv1; rua=ftp://x/" }, NULL },
		{ "no domain", { "v=TLSRPTv1; rua=mailto:root" }, NULL },
		{ "a line break in disguise", { "v=TLSRPTv1; rua=mailto:a%0d%0a@b.example" }, NULL },
		{ "half an escape", { "v=TLSRPTv1; rua=mailto:a@b.example%4" }, NULL },
		{ "a password", { "v=TLSRPTv1; rua=https://user:pw@b.example/" }, NULL },
		{ "another version", { "v=TLSRPTv2; rua=mailto:a@b.example" }, NULL },
		{ "version not first", { "rua=mailto:a@b.example; v=TLSRPTv1" }, NULL },
		{ "a longer version", { "v=TLSRPTv11; rua=mailto:a@b.example" }, NULL },
		{ "an empty field", { "v=TLSRPTv1;; rua=mailto:a@b.example" }, NULL },
		{ "a field without a value", { "v=TLSRPTv1; rua" }, NULL },
		{ "nothing", { "" }, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[2400] = "";
		struct tls_rua rua;
		size_t count = 0;
		bool found;

		while (count < 3 && rows[i].txt[count])
			count++;
		found = tls_rua_read((char *const *)rows[i].txt, count, &rua);
		for (size_t k = 0; found && k < rua.count; k++) {
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", rua.to[k].text);
			assert_int_equal(rua.to[k].https, strncmp(rua.to[k].text, "https:", 6) == 0);
		}
		if (found != (rows[i].want != NULL) || (found && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].label, found ? got : "nothing");
	}
}

static struct tls_note note(enum tls_result result, const char *host, const char *why)
{
	struct tls_note n = { .result = result };

	snprintf(n.host, sizeof(n.host), "%s", host);
	snprintf(n.why, sizeof(n.why), "%s", why);
	assert_true(ip_parse("192.0.2.1", &n.local) && ip_parse("2001:db8::1", &n.remote));
	return n;
}

static void add(struct tls_figures *figures, enum tls_policy_type type, const char *text, struct tls_note n, unsigned times)
{
	while (times-- > 0)
		tls_figures_add(figures, type, text, type == TLS_POLICY_NONE ? "" : "mx.example\n", &n);
}

static struct tls_figures *some_figures(void)
{
	struct tls_figures *figures = tls_figures_create("example.com", 1459468800000);

	add(figures, TLS_POLICY_STS, "version: STSv1\nmode: testing\n", note(TLS_RESULT_GOOD, "mx.example", ""), 5);
	add(figures, TLS_POLICY_STS, "version: STSv1\nmode: testing\n", note(TLS_RESULT_EXPIRED, "mx.example", "say \"no\""), 2);
	add(figures, TLS_POLICY_STS, "version: STSv1\nmode: testing\n", note(TLS_RESULT_NAME, "mx.example", ""), 1);
	add(figures, TLS_POLICY_NONE, "", note(TLS_RESULT_NO_STARTTLS, "mx.example", ""), 1);
	figures->end = figures->start + DAYS(1);
	return figures;
}

/* What zlib makes of it. */
static void gunzip(const struct buf *in, char *out, size_t size)
{
	z_stream z = { .next_in = (Bytef *)in->data, .avail_in = (uInt)in->len, .next_out = (Bytef *)out, .avail_out = (uInt)size - 1 };

	assert_int_equal(inflateInit2(&z, 31), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	out[z.total_out] = '\0';
	inflateEnd(&z);
}

static void the_report_has_the_form_of_the_rfc(void **state)
{
	static const char want[] =
	    "{\"organization-name\":\"Relay\",\"date-range\":{\"start-datetime\":\"2016-04-01T00:00:00Z\",\"end-datetime\":\"2016-04-01T23:59:59Z\"},"
	    "\"contact-info\":\"tls@relay.example\",\"report-id\":\"1459468800.1459555200.example.com@relay.example\",\"policies\":["
	    "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: testing\"],\"policy-domain\":\"example.com\","
	    "\"mx-host\":[\"mx.example\"]},\"summary\":{\"total-successful-session-count\":5,\"total-failure-session-count\":3},\"failure-details\":["
	    "{\"result-type\":\"certificate-expired\",\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example\","
	    "\"receiving-ip\":\"2001:db8::1\",\"failed-session-count\":2,\"failure-reason-code\":\"say ?no?\"},"
	    "{\"result-type\":\"certificate-host-mismatch\",\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example\","
	    "\"receiving-ip\":\"2001:db8::1\",\"failed-session-count\":1}]},"
	    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.com\"},"
	    "\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":1},\"failure-details\":["
	    "{\"result-type\":\"starttls-not-supported\",\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example\","
	    "\"receiving-ip\":\"2001:db8::1\",\"failed-session-count\":1}]}]}";
	static const struct tls_sender sender = { "Relay", "tls@relay.example", "relay.example" };
	struct tls_figures *figures = some_figures();
	char text[4096];
	struct buf gzip;

	buf_init(&gzip, 65536);
	assert_int_equal(tls_report_gzip(figures, &sender, &gzip), OK);
	gunzip(&gzip, text, sizeof(text));
	assert_string_equal(text, want);
	buf_fini(&gzip);
	buf_init(&gzip, 10);
	assert_int_equal(tls_report_gzip(figures, &sender, &gzip), ERR_LIMIT);
	buf_fini(&gzip);
	tls_figures_free(&figures);
}

static void figures_come_back_from_the_store_and_go_on(void **state)
{
	struct tls_figures *figures = some_figures(), *back;
	struct buf record, again;

	buf_init(&record, 65536);
	buf_init(&again, 65536);
	assert_int_equal(tls_figures_write(figures, &record), OK);
	back = tls_figures_read("example.com", record.data, record.len);
	assert_non_null(back);
	assert_int_equal(tls_figures_write(back, &again), OK);
	assert_string_equal(buf_str(&again), buf_str(&record));
	add(back, TLS_POLICY_STS, "version: STSv1\nmode: testing\n", note(TLS_RESULT_EXPIRED, "mx.example", "say \"no\""), 1);
	assert_int_equal(back->policy_count, 2);
	assert_int_equal(back->policies[0]->failures[0].count, 3);
	assert_int_equal(tls_figures_bad(back), 5);
	assert_null(tls_figures_read("example.com", record.data, record.len - 1));
	assert_null(tls_figures_read("example.com", "{\"v\":2,\"start\":1,\"end\":0,\"policies\":[]}", 39));
	assert_null(tls_figures_read("example.com", "{}", 2));
	tls_figures_free(&back);
	tls_figures_free(&figures);
	buf_fini(&record);
	buf_fini(&again);
}

static void who_was_told_comes_back_from_the_store(void **state)
{
	static const char earlier[] = "{\"v\":1,\"start\":1000,\"end\":0,\"policies\":[]}";
	struct tls_figures *figures = some_figures(), *back;
	struct buf record;

	buf_init(&record, 65536);
	figures->tried = 1459555300000;
	tls_figures_tell(figures, "tls@example.com");
	tls_figures_tell(figures, "https://example.com/in");
	tls_figures_tell(figures, "tls@example.com");
	assert_int_equal(figures->told_count, 2);
	assert_int_equal(tls_figures_write(figures, &record), OK);
	back = tls_figures_read("example.com", record.data, record.len);
	assert_non_null(back);
	assert_int_equal(back->tried, 1459555300000);
	assert_int_equal(back->told_count, 2);
	assert_true(tls_figures_told(back, "https://example.com/in"));
	assert_false(tls_figures_told(back, "https://example.com/"));
	tls_figures_free(&back);
	back = tls_figures_read("example.com", earlier, sizeof(earlier) - 1); /* what a release without them wrote */
	assert_non_null(back);
	assert_int_equal(back->tried, 0);
	assert_int_equal(back->told_count, 0);
	tls_figures_free(&back);
	tls_figures_free(&figures);
	buf_fini(&record);
}

/* RFC 8460 section 1.1. */
static void the_domain_of_a_dane_policy_is_the_base_domain_of_its_records(void **state)
{
	struct tls_figures *figures = tls_figures_create("example.com", 0);
	char *text;
	json_t *list;

	add(figures, TLS_POLICY_TLSA, "3 1 1 00FF\n", note(TLS_RESULT_GOOD, "mx.example", ""), 1);
	list = tls_json_policies(figures);
	text = json_dumps(list, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(text, "[{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 00FF\"],\"policy-domain\":\"mx.example\","
	    "\"mx-host\":[\"mx.example\"]},\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]");
	free(text);
	json_decref(list);
	tls_figures_free(&figures);
}

/* However many policies and failures there are, the record fits into the store. */
static void figures_have_bounds(void **state)
{
	struct tls_figures *figures = tls_figures_create("example.com", 0);
	char text[6001], host[256], why[128];
	struct buf record;

	memset(host, 'h', sizeof(host) - 1);
	memset(why, '\\', sizeof(why) - 1);
	for (unsigned p = 0; p < 6; p++) {
		memset(text, (int)('a' + p), sizeof(text) - 1);
		for (size_t i = 99; i < sizeof(text); i += 100)
			text[i] = '\n';
		text[6000] = '\0';
		for (unsigned f = 0; f < 40; f++) {
			snprintf(host, 8, "%u", f);
			host[strlen(host)] = 'h';
			host[255] = why[127] = '\0';
			struct tls_note n = note(TLS_RESULT_STS_FETCH, host, why);

			tls_figures_add(figures, TLS_POLICY_STS, text, text, &n);
		}
	}
	assert_int_equal(figures->policy_count, TLS_POLICIES_MAX);
	assert_int_equal(figures->policies[0]->failure_count, TLS_FAILURES_MAX);
	assert_int_equal(tls_figures_bad(figures), 240);
	assert_true(strlen(figures->policies[0]->text) <= TLS_LINES_MAX);
	buf_init(&record, 60000);
	assert_int_equal(tls_figures_write(figures, &record), OK);
	buf_fini(&record);
	tls_figures_free(&figures);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_names_places_or_counts_for_nothing),
		cmocka_unit_test(the_report_has_the_form_of_the_rfc),
		cmocka_unit_test(figures_come_back_from_the_store_and_go_on),
		cmocka_unit_test(who_was_told_comes_back_from_the_store),
		cmocka_unit_test(the_domain_of_a_dane_policy_is_the_base_domain_of_its_records),
		cmocka_unit_test(figures_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
