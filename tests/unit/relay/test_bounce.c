/* tests/unit/relay/test_bounce.c - delivery reports as messages of the queue: whatever was said to however many, one can be made. */
#include "tests/unit/queue/store.h"

#include "base/log.h"
#include "conf/conf.h"
#include "relay/notify/bounce.h"

#define RCPTS 1000

static const char CONF[] =
    "hostname: relay.example\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\ntenants: [{name: shop, from: [127.0.0.1], pool: main}]\n"
    "sources: [{name: a, ip: 127.0.0.11, ehlo: a.example}]\npools: [{name: main, sources: [a]}]\n";

static struct conf *load(void)
{
	struct conf_faults faults;
	struct conf *conf = conf_load_text("/t/relay.yaml", CONF, strlen(CONF), &faults);

	if (!conf)
		fail_msg("%s", faults.text);
	conf_faults_free(&faults);
	return conf;
}

/* A word of `len` bytes, as long as it may be. */
static char *word(char fill, size_t len, const char *end)
{
	char *text = xcalloc(1, len + strlen(end) + 1);

	memset(text, fill, len);
	memcpy(text + len, end, strlen(end));
	return text;
}

static char *text_of(struct bounce *bounce)
{
	const struct queue_accept *accept = bounce_accept(bounce);
	char *text = xcalloc(1, accept->message.size_bytes + 1);
	size_t at = 0;

	for (size_t i = 0; i < accept->blob_count; i++) {
		memcpy(text + at, accept->blobs[i].data, accept->blobs[i].len);
		at += accept->blobs[i].len;
	}
	assert_int_equal(at, accept->message.size_bytes);
	return text;
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		count++;
	return count;
}

/* How many of the recipients a report tells of, and that it says how many it leaves out. */
static size_t told_of(struct store *s, const struct report_rcpt *like, size_t count)
{
	static struct report_rcpt rcpts[RCPTS];
	struct conf *conf = load();
	struct queue_job *job = xcalloc(1, sizeof(*job));
	struct bounce *bounce;
	char *text, others[60];
	size_t told;

	for (size_t i = 0; i < count; i++)
		rcpts[i] = *like;
	job->message = (struct queue_message){ .id = 4711, .arrived = 1700000000000, .sender = "ann@shop.example", .tenant = "shop", .pool = "main",
		.client = "", .login = "", .envid = "" };
	bounce = bounce_create(s->queue, s->reader, conf, job, rcpts, count, 1700000100000);
	assert_non_null(bounce);
	text = text_of(bounce);
	told = count_of(text, "\r\nAction: failed\r\n");
	snprintf(others, sizeof(others), "\r\n%zu more recipient", count - told);
	assert_int_equal(count_of(text, others), told < count);
	free(text);
	bounce_destroy(&bounce);
	free(job);
	conf_unref(&conf);
	return told;
}

static void many_recipients_are_told_of_or_counted(void **state)
{
	struct report_rcpt like = { .kind = REPORT_FAILED, .address = "bob@example.net", .status = "5.1.1", .code = 550,
		.reply = "550 5.1.1 no such user", .relay = "mx.example.net[192.0.2.1]:25", .last_attempt = 1, .orcpt = "" };
	static const size_t counts[] = { 1, 499, 500, 501, RCPTS };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		assert_int_equal(told_of(*state, &like, counts[i]), counts[i] < 500 ? counts[i] : 500);
}

/* Everything as long as others may make it. */
static void a_report_fits_whatever_was_said(void **state)
{
	char *address = word('a', 64, "@"), *domain = word('d', 240, ".example"), *reply = word('w', 505, ""), *relay = word('h', 250, "[192.0.2.1]:25"),
	     *orcpt = word('o', 480, ""), *full = xasprintf("%s%s", address, domain), *typed = xasprintf("rfc822;%s", orcpt),
	     *said = xasprintf("550 %s", reply);
	struct report_rcpt like = { .kind = REPORT_FAILED, .address = full, .status = "5.1.1", .code = 550, .reply = said, .relay = relay,
		.last_attempt = 1, .orcpt = typed };

	assert_in_range(told_of(*state, &like, RCPTS), 100, 499);
	assert_int_equal(told_of(*state, &like, 1), 1);
	free(address);
	free(domain);
	free(reply);
	free(relay);
	free(orcpt);
	free(full);
	free(typed);
	free(said);
}

/* A domain in other letters has a name in ASCII; a local part has none. */
static void a_report_is_smtputf8_only_when_the_senders_address_is(void **state)
{
	static const struct {
		const char *sender, *to;
		bool utf8;
	} rows[] = {
		{ "ann@shop.example", "ann@shop.example", false }, { "ann@b\xc3\xbc" "cher.example", "ann@xn--bcher-kva.example", false },
		{ "j\xc3\xb6@shop.example", "j\xc3\xb6@shop.example", true },
	};
	struct report_rcpt rcpt = { .kind = REPORT_FAILED, .address = "j\xc3\xb6@example.net", .status = "5.1.1", .code = 550, .reply = "550 n\xc3\xb6",
		.relay = "", .orcpt = "" };
	struct store *s = *state;
	struct conf *conf = load();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_job *job = xcalloc(1, sizeof(*job));
		const struct queue_accept *accept;
		struct bounce *bounce;

		job->message = (struct queue_message){ .id = 4711, .arrived = 1700000000000, .sender = rows[i].sender, .tenant = "shop", .pool = "main",
			.client = "", .login = "", .envid = "", .flags = MSG_SMTPUTF8 | MSG_8BIT | MSG_REQUIRETLS };
		bounce = bounce_create(s->queue, s->reader, conf, job, &rcpt, 1, 1700000100000);
		assert_non_null(bounce);
		accept = bounce_accept(bounce);
		assert_string_equal(accept->rcpts[0].address, rows[i].to);
		assert_string_equal(accept->rcpts[0].domain, strrchr(rows[i].to, '@') + 1);
		assert_int_equal(accept->message.flags, MSG_BOUNCE | MSG_REQUIRETLS | (rows[i].utf8 ? MSG_SMTPUTF8 | MSG_8BIT : 0));
		bounce_destroy(&bounce);
		free(job);
	}
	conf_unref(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_recipients_are_told_of_or_counted, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_report_fits_whatever_was_said, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_report_is_smtputf8_only_when_the_senders_address_is, store_setup, store_teardown),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
