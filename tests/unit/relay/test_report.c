/* tests/unit/relay/test_report.c - unit tests for relay/notify/report.h; Python's email package reads what was written. */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/notify/report.h"

#define HEADERS "From: a@example.org\r\nMessage-ID: <orig@example.org>\r\nSubject: hello\r\n"
#define T0      INT64_C(1700000000000) /* Tue, 14 Nov 2023 22:13:20 +0000 */

/* Prints each part as `type`, then its fields or text, in one line each. */
static const char reader[] =
    "import base64, quopri, sys, email, email.policy\n"
    "raw = open(sys.argv[1], 'rb').read()\n"
    "assert b'\\n' not in raw.replace(b'\\r\\n', b''), 'bare LF'\n"
    "assert b'\\r' not in raw.replace(b'\\r\\n', b''), 'bare CR'\n"
    "assert max(map(len, raw.split(b'\\r\\n'))) < 998, 'long line'\n"
    "m = email.message_from_bytes(raw)\n"
    "for p in m.walk():\n"
    "    assert not p.defects, p.defects\n"
    "print(m.get_content_type(), m.get_param('report-type'), m['Auto-Submitted'], m['From'], m['To'], m['In-Reply-To'], sep='|')\n"
    "person, status, original = m.get_payload()\n"
    "print(person.get_content_type(), person.get_content_charset(), sep='|')\n"
    "print(status.get_content_type())\n"
    "blocks = status.as_bytes().replace(b'\\r\\n', b'\\n').strip().split(b'\\n\\n')[1:]\n"
    "if status.get_content_type() == 'message/delivery-status':\n"
    "    assert len(status.get_payload()) == len(blocks), 'blocks'\n"
    "for block in (email.message_from_string(b.decode('utf-8')) for b in blocks):\n"
    "    print('|'.join(f'{k}: {\" \".join(v.split())}' for k, v in block.items()))\n"
    "print(original.get_content_type(), len(original.as_bytes().split(b'\\n')), original['Content-Transfer-Encoding'], sep='|')\n"
    "print(m['Content-Transfer-Encoding'], person['Content-Transfer-Encoding'], max(raw) < 128, sep='|')\n"
    "coding, coded = original['Content-Transfer-Encoding'], original.as_bytes().split(b'\\n\\n' if b'\\r' not in original.as_bytes() else b'\\r\\n\\r\\n', 1)[1]\n"
    "shown = base64.b64decode(coded) if coding == 'base64' else quopri.decodestring(coded) if coding == 'quoted-printable' else coded\n"
    "print('original:', shown.decode('utf-8', 'backslashreplace').replace('\\r\\n', '\\n').replace('\\n', '~'))\n"
    "sys.stdout.write(person.get_payload(decode=True).decode('utf-8'))\n";

/* Start Python on the file; its output and its complaints come through *out_fd. */
static pid_t start_reader(const char *path, int *out_fd)
{
	const char *const argv[] = { "/usr/bin/python3", "-X", "utf8", "-c", reader, path, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO), 0);
	assert_int_equal(posix_spawn_file_actions_addclose(&actions, ends[0]), 0);
	assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	*out_fd = ends[0];
	return pid;
}

/* Write the report to a file, read it with Python; the result is malloc'ed. */
static char *read_back(const struct report *report)
{
	char path[] = "/tmp/test_report.XXXXXX", *text = xcalloc(1, 64 * 1024);
	int fd = mkstemp(path), status;
	size_t len = 0;
	ssize_t n;
	struct buf buf;
	pid_t pid;

	assert_true(fd >= 0);
	buf_init(&buf, 1 << 20);
	assert_int_equal(report_format(report, &buf), OK);
	assert_int_equal(write(fd, buf.data, buf.len), buf.len);
	close(fd);
	buf_fini(&buf);
	pid = start_reader(path, &fd);
	while ((n = read(fd, text + len, 64 * 1024 - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	if (status != 0)
		fail_msg("%s", text);
	return text;
}

static void must_say(const char *text, const char *want)
{
	if (strstr(text, want) == NULL)
		fail_msg("no \"%s\" in:\n%s", want, text);
}

static struct report_rcpt refused(void)
{
	return (struct report_rcpt){
		.kind = REPORT_FAILED, .address = "jo@example.net", .status = "5.1.1", .code = 550,
		.reply = "550 5.1.1 no such user / ask the postmaster", .relay = "mx.example.net[192.0.2.7]", .last_attempt = T0 + 5000,
	};
}

static struct report sample(const struct report_rcpt *rcpts, size_t count)
{
	return (struct report){
		.id = "R1", .about_id = "M1", .hostname = "relay.example.net", .sender = "a@example.org", .arrived = T0,
		.now = T0 + 10000, .rcpts = rcpts, .rcpt_count = count, .headers = HEADERS, .headers_len = sizeof(HEADERS) - 1,
	};
}

static void a_refusal_has_every_field_of_rfc_3464(void **state)
{
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	char *text = read_back(&report);

	(void)state;
	must_say(text, "multipart/report|delivery-status|auto-replied|Mail Delivery System <MAILER-DAEMON@relay.example.net>|"
	    "<a@example.org>|<orig@example.org>\n");
	must_say(text, "text/plain|utf-8\nmessage/delivery-status\n"
	    "Reporting-MTA: dns; relay.example.net|X-Warmrelay-Queue-ID: M1|Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
	    "Final-Recipient: rfc822; jo@example.net|Action: failed|Status: 5.1.1|Remote-MTA: dns; mx.example.net|"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user / ask the postmaster|"
	    "Last-Attempt-Date: Tue, 14 Nov 2023 22:13:25 +0000\n"
	    "text/rfc822-headers|");
	must_say(text, "mx.example.net[192.0.2.7] said:\r\n    550 5.1.1 no such user / ask the postmaster\r\n");
	free(text);
}

static void each_kind_of_outcome_has_its_action_status_and_words(void **state)
{
	static const struct {
		const char *label;
		struct report_rcpt rcpt;
		const char *fields, *words;
	} rows[] = {
		{ "expired after a 4xx", { REPORT_EXPIRED, "j@b", "4.2.2", 452, "mailbox full", "mx.b[192.0.2.1]", T0, 0, NULL },
		  "Action: failed|Status: 4.2.2|Remote-MTA: dns; mx.b|Diagnostic-Code: smtp; 452 4.2.2 mailbox full|Last-Attempt-Date: ",
		  "could not be delivered in time" },
		{ "expired, nobody ever answered", { REPORT_EXPIRED, "j@b", "", 0, "connection timed out", "", T0, 0, NULL },
		  "Action: failed|Status: 4.4.7|Diagnostic-Code: x-warmrelay; connection timed out|Last-Attempt-Date: ", "in time" },
		{ "delayed", { REPORT_DELAYED, "j@b", "", 450, "busy", "mx.b", 0, T0, NULL },
		  "Action: delayed|Status: 4.0.0|Remote-MTA: dns; mx.b|Diagnostic-Code: smtp; 450 busy|Will-Retry-Until: Tue, 14 Nov",
		  "will be tried until Tue, 14 Nov 2023" },
		{ "refused without enhanced code", { REPORT_FAILED, "j@b", "", 554, "554 no", "[192.0.2.1]", 0, 0, NULL },
		  "Action: failed|Status: 5.0.0|Remote-MTA: dns; [192.0.2.1]|Diagnostic-Code: smtp; 554 no\n", "was refused" },
		{ "refused by ourselves", { REPORT_FAILED, "j@b", "5.1.10", 0, "the domain accepts no mail", "", 0, 0, NULL },
		  "Action: failed|Status: 5.1.10|Diagnostic-Code: x-warmrelay; the domain accepts no mail\n", "accepts no mail" },
		{ "nothing known", { REPORT_FAILED, "j@b", "", 0, "", "", 0, 0, NULL }, "Action: failed|Status: 5.0.0\n", "(no answer)" },
		{ "quoted local part", { REPORT_FAILED, "\"a, b\"@c", "", 0, "", "", 0, 0, NULL }, "rfc822; \"a, b\"@c|Action", "<\"a, b\"@c>" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report report = sample(&rows[i].rcpt, 1);
		char *text = read_back(&report);

		if (strstr(text, rows[i].fields) == NULL || strstr(text, rows[i].words) == NULL)
			fail_msg("%s:\n%s", rows[i].label, text);
		free(text);
	}
}

static void replies_that_are_long_or_not_ascii_stay_within_the_rules(void **state)
{
	struct report_rcpt rcpts[2] = { refused(), refused() };
	struct report report = sample(rcpts, 2);
	char *text, word[3001];

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	rcpts[0].reply = "b\xC3\xBCro \x1b[31m\xFF\r\n--=_R1_0\r\nX: y";
	rcpts[1].reply = word;
	text = read_back(&report);
	must_say(text, "Diagnostic-Code: smtp; 550 5.1.1 b\\x{FC}ro ?[31m? --=_R1_0 X: y|");
	must_say(text, "    b\xC3\xBCro ?[31m? --=_R1_0 X: y\r\n");
	free(text);
}

static void internationalised_mail_gets_the_parts_of_rfc_6533(void **state)
{
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	char *text;

	(void)state;
	rcpt.address = "j\xC3\xBCrgen@b\xC3\xBCro.example";
	rcpt.reply = "550 5.1.1 b\xC3\xBCro";
	report.smtputf8 = report.original_smtputf8 = true;
	report.headers = "Subject: b\xC3\xBCro\r\n";
	report.headers_len = strlen(report.headers);
	text = read_back(&report);
	must_say(text, "\nmessage/global-delivery-status\n");
	must_say(text, "Final-Recipient: utf-8; j\xC3\xBCrgen@b\xC3\xBCro.example|");
	must_say(text, "Diagnostic-Code: smtp; 550 5.1.1 b\xC3\xBCro|");
	must_say(text, "\nmessage/global-headers|");
	must_say(text, "|8bit\n8bit|quoted-printable|False\noriginal: Subject: b\xC3\xBCro~");
	free(text);
	rcpt.orcpt = "utf-8;j\\x{FC}\\x{2B}@b.example";
	text = read_back(&report);
	must_say(text, "Original-Recipient: utf-8; j\xC3\xBC+@b.example|");
	free(text);
	rcpt.address = "plain@dest.example";
	text = read_back(&report);
	must_say(text, "\nmessage/global-delivery-status\n");
	must_say(text, "Final-Recipient: rfc822; plain@dest.example|");
	free(text);
}

/* RFC 6533 section 3: of a message that was SMTPUTF8, to a sender with a plain address, who may be behind hosts that know nothing of it. */
static void a_sender_in_ascii_gets_a_report_in_ascii(void **state)
{
	struct report_rcpt rcpts[2] = { refused(), refused() };
	struct report report = sample(rcpts, 2);
	char *text;

	rcpts[0].address = "j\xC3\xBCrgen+x@b\xC3\xBCro.example";
	rcpts[0].reply = "550 5.1.1 b\xC3\xBCro \xF0\x9F\x98\x80";
	rcpts[0].orcpt = "utf-8;j\xC3\xBC\\x{2B}@b.example";
	rcpts[1].orcpt = "utf-8;plain@b.example";
	report.original_smtputf8 = true;
	report.headers = "Message-ID: <\xC3\xBC@b.example>\r\nSubject: b\xC3\xBCro = 1\r\n";
	report.headers_len = strlen(report.headers);
	text = read_back(&report);
	must_say(text, "|<a@example.org>|None\n"); /* an id that cannot be written is not written */
	must_say(text, "\nmessage/delivery-status\n");
	must_say(text, "Original-Recipient: utf-8; j\\x{FC}\\x{2B}@b.example|Final-Recipient: utf-8; j\\x{FC}rgen\\x{2B}x@b\\x{FC}ro.example|");
	must_say(text, "Diagnostic-Code: smtp; 550 5.1.1 b\\x{FC}ro \\x{1F600}|");
	must_say(text, "Original-Recipient: utf-8; plain@b.example|Final-Recipient: rfc822; jo@example.net|");
	must_say(text, "\nmessage/global-headers|");
	must_say(text, "|quoted-printable\n7bit|quoted-printable|True\noriginal: Message-ID: <\xC3\xBC@b.example>~Subject: b\xC3\xBCro = 1~");
	must_say(text, "<j\xC3\xBCrgen+x@b\xC3\xBCro.example>");
	free(text);
	report.original_smtputf8 = false; /* 8-bit where there may be none, from somebody careless */
	report.headers = "Subject: b\xFCro\r\n";
	report.headers_len = strlen(report.headers);
	text = read_back(&report);
	must_say(text, "\ntext/rfc822-headers|");
	must_say(text, "|quoted-printable\n7bit|quoted-printable|True\noriginal: Subject: b\\xfcro~");
	free(text);
}

static void a_whole_message_comes_in_the_form_that_its_report_can_carry(void **state)
{
	static const struct {
		const char *label, *original;
		bool smtputf8, original_smtputf8;
		const char *type, *coding;
	} rows[] = {
		{ "ASCII", "Subject: x\r\n\r\ntext\r\n", false, true, "message/rfc822", "7bit|True" },
		{ "8-bit body, ASCII header", "Subject: x\r\n\r\nb\xC3\xBCro\r\n", false, false, "message/rfc822", "8bit|False" },
		{ "SMTPUTF8 towards ASCII", "Subject: b\xC3\xBCro\r\n\r\nb\xC3\xBCro\r\n", false, true, "message/global", "base64|True" },
		{ "SMTPUTF8 towards SMTPUTF8", "Subject: b\xC3\xBCro\r\n\r\nb\xC3\xBCro\r\n", true, true, "message/global", "8bit|False" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report_rcpt rcpt = refused();
		struct report report = sample(&rcpt, 1);
		char want[200];
		struct buf buf;
		bool found;

		report.full = true;
		report.smtputf8 = rows[i].smtputf8;
		report.original_smtputf8 = rows[i].original_smtputf8;
		report.headers = rows[i].original;
		report.headers_len = strlen(rows[i].original);
		buf_init(&buf, 1 << 20);
		assert_int_equal(report_format(&report, &buf), OK);
		snprintf(want, sizeof(want), "Content-Type: %s\r\nContent-Transfer-Encoding: %.*s\r\n\r\n", rows[i].type, (int)strcspn(rows[i].coding, "|"), rows[i].coding);
		found = strstr(buf_str(&buf), want);
		for (size_t k = 0; k < buf.len && strstr(rows[i].coding, "True"); k++)
			found = found && (unsigned char)buf.data[k] < 128;
		if (!found)
			fail_msg("%s:\n%s", rows[i].label, buf_str(&buf));
		snprintf(want, sizeof(want), "\r\nContent-Transfer-Encoding: %s\r\n\r\nThis is a delivery report", strstr(rows[i].coding, "True") ? "7bit" : "8bit");
		if (!strstr(buf_str(&buf), want))
			fail_msg("%s: the whole of it\n%s", rows[i].label, buf_str(&buf));
		buf_fini(&buf);
	}
}

static void a_huge_header_is_cut_at_a_line_end_and_its_long_lines_are_folded(void **state)
{
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	char *headers = xcalloc(1, 70 * 1100 + 1200), *text;
	size_t len = 0;
	struct buf buf;

	(void)state;
	for (unsigned i = 0; i < 70; i++)
		len += (size_t)snprintf(headers + len, 1200, "X-%02u: %01092d\r\n", i, 0);
	report.headers = headers;
	report.headers_len = len;
	text = read_back(&report);
	free(text);
	buf_init(&buf, 1 << 20);
	assert_int_equal(report_format(&report, &buf), OK);
	assert_non_null(strstr(buf_str(&buf), "\r\nX-58: "));
	assert_null(strstr(buf_str(&buf), "\r\nX-59: "));
	buf_fini(&buf);
	free(headers);
}

static void the_original_cannot_end_our_part(void **state)
{
	static const char headers[] = "Subject: x\r\n\r\n--=_R1_0--\r\n\r\n--=_R1_1\r\nX: \n\r\0y\r\n";
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	char *text;

	(void)state;
	report.headers = headers;
	report.headers_len = sizeof(headers) - 1;
	text = read_back(&report);
	must_say(text, "text/rfc822-headers|");
	free(text);
}

/* A quoted local part may hold blanks, at which a line of the part for people is folded. */
static void no_address_and_no_reply_can_end_our_part(void **state)
{
	char address[256];
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	char *text;

	(void)state;
	snprintf(address, sizeof(address), "\"%070d --=_%s_0 %070d\"@example.org", 0, report.id, 0);
	rcpt.address = address;
	rcpt.reply = address;
	text = read_back(&report);
	must_say(text, "text/rfc822-headers|");
	free(text);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	struct buf buf;

	(void)state;
	for (size_t max = 10; max < 1500; max += 97) {
		buf_init(&buf, max);
		assert_int_equal(buf_add_str(&buf, "before"), OK);
		assert_int_equal(report_format(&report, &buf), ERR_LIMIT);
		assert_string_equal(buf_str(&buf), "before");
		buf_fini(&buf);
	}
}

static void the_envelope_comes_back_as_the_sender_named_it(void **state)
{
	struct report_rcpt rcpts[2] = { refused(), refused() };
	struct report report = sample(rcpts, 2);
	char *text;

	rcpts[0].orcpt = "rfc822;jo+2Bnews@example.org";
	report.envid = "job+2B17";
	text = read_back(&report);
	assert_non_null(strstr(text, "Original-Envelope-Id: job+17"));
	assert_non_null(strstr(text, "Original-Recipient: rfc822;jo+news@example.org"));
	assert_null(strstr(strstr(text, "Original-Recipient") + 1, "Original-Recipient"));
	free(text);
}

static void what_was_handed_on_is_no_failure(void **state)
{
	struct report_rcpt rcpts[2] = { refused(), refused() };
	struct report report = sample(rcpts, 1);
	char *text;

	rcpts[0] = (struct report_rcpt){ .kind = REPORT_RELAYED, .address = "jo@example.net", .status = "2.0.0", .code = 250,
		.reply = "250 2.0.0 taken", .relay = "mx.example.net[192.0.2.1]" };
	text = read_back(&report);
	assert_non_null(strstr(text, "as far as this mail system can tell"));
	assert_non_null(strstr(text, "Action: relayed"));
	assert_non_null(strstr(text, "Status: 2.0.0"));
	assert_null(strstr(text, "did not reach"));
	free(text);
	report.rcpt_count = 2;
	text = read_back(&report);
	assert_non_null(strstr(text, "did not reach"));
	free(text);
}

static void a_message_that_is_wanted_back_whole_comes_back_whole(void **state)
{
	static const char original[] = "Subject: x\r\n\r\nfirst line\r\n.\r\nlast line";
	struct report_rcpt rcpt = refused();
	struct report report = sample(&rcpt, 1);
	struct buf buf;

	report.full = true;
	report.headers = original;
	report.headers_len = sizeof(original) - 1;
	buf_init(&buf, 1 << 20);
	assert_int_equal(report_format(&report, &buf), OK);
	assert_non_null(strstr(buf.data, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\nfirst line\r\n.\r\nlast line\r\n--"));
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_has_every_field_of_rfc_3464),
		cmocka_unit_test(each_kind_of_outcome_has_its_action_status_and_words),
		cmocka_unit_test(replies_that_are_long_or_not_ascii_stay_within_the_rules),
		cmocka_unit_test(internationalised_mail_gets_the_parts_of_rfc_6533),
		cmocka_unit_test(a_sender_in_ascii_gets_a_report_in_ascii),
		cmocka_unit_test(a_whole_message_comes_in_the_form_that_its_report_can_carry),
		cmocka_unit_test(a_huge_header_is_cut_at_a_line_end_and_its_long_lines_are_folded),
		cmocka_unit_test(the_original_cannot_end_our_part),
		cmocka_unit_test(no_address_and_no_reply_can_end_our_part),
		cmocka_unit_test(a_full_buffer_is_left_as_it_was),
		cmocka_unit_test(the_envelope_comes_back_as_the_sender_named_it),
		cmocka_unit_test(what_was_handed_on_is_no_failure),
		cmocka_unit_test(a_message_that_is_wanted_back_whole_comes_back_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
