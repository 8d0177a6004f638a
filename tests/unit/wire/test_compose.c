/* tests/unit/wire/test_compose.c - unit tests for relay/wire/compose.h. tests/http/run compares what it writes with what others read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/wire/compose.h"

static struct compose_mailbox mailbox(const char *text)
{
	struct compose_mailbox box;
	struct err_detail why;

	if (compose_mailbox_parse(text, &box, &why) != OK)
		fail_msg("%s: %s", text, why.text);
	return box;
}

static void mailboxes_are_read(void **state)
{
	static const struct {
		const char *text, *name, *address; /* address NULL: refused */
	} rows[] = {
		{ "a@b.example", "", "a@b.example" },
		{ "  a@B.Example\t", "", "a@b.example" },
		{ "<a@b.example>", "", "a@b.example" },
		{ "Ann <a@b.example>", "Ann", "a@b.example" },
		{ "Ann Smith<a@b.example>", "Ann Smith", "a@b.example" },
		{ "\"Smith, \\\"Ann\\\"\" <a@b.example>", "Smith, \"Ann\"", "a@b.example" },
		{ "Smith, Ann (x) <a@b.example>", "Smith, Ann (x)", "a@b.example" },
		{ "\"<x>\" <a@b.example>", "<x>", "a@b.example" },
		{ "J\xc3\xb6rg <j\xc3\xb6rg@b.example>", "J\xc3\xb6rg", "j\xc3\xb6rg@b.example" },
		{ "", NULL, NULL }, { "<>", NULL, NULL }, { "Ann <>", NULL, NULL }, { "ann", NULL, NULL }, { "a@b@c d", NULL, NULL },
		{ "a@b.example\r\n", NULL, NULL }, { "Ann\r\nX: y <a@b.example>", NULL, NULL }, { "Ann\n <a@b.example>", NULL, NULL },
		{ "\xff <a@b.example>", NULL, NULL }, { "Ann <b <a@b.example>", NULL, NULL }, { "a@b.example, c@d.example", NULL, NULL },
		{ "postmaster", NULL, NULL }, { "a@b.example>", NULL, NULL }, { "<@x:a@b.example>", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compose_mailbox box;
		struct err_detail why = { .text = "" };
		enum err err = compose_mailbox_parse(rows[i].text, &box, &why);

		if (err != (rows[i].address != NULL ? OK : ERR_INVALID))
			fail_msg("\"%s\": %s, %s", rows[i].text, err_name(err), why.text);
		if (err != OK && why.text[0] == '\0')
			fail_msg("\"%s\": no word why", rows[i].text);
		if (err == OK && (strcmp(box.name, rows[i].name) != 0 || strcmp(box.address.text, rows[i].address) != 0))
			fail_msg("\"%s\": \"%s\" <%s>", rows[i].text, box.name, box.address.text);
	}
}

static void fields_are_checked(void **state)
{
	static const struct {
		const char *name, *value;
		enum err want;
	} rows[] = {
		{ "X-Tag", "a", OK }, { "X-Tag", "", OK }, { "X-Tag", "gr\xc3\xbcn", OK }, { "x", "a\tb", OK }, { "Date", "now", OK },
		{ "List-Unsubscribe", "<https://x.example>", OK }, { "Reply-To", "a@b.example, \"C, D\" <c@d.example>", OK },
		{ "", "a", ERR_INVALID }, { "X Y", "a", ERR_INVALID }, { "X:", "a", ERR_INVALID }, { "X\r\nY", "a", ERR_INVALID },
		{ "X\xc3\xbc", "a", ERR_INVALID }, { "X", "a\r\nY: b", ERR_INVALID }, { "X", "a\nb", ERR_INVALID }, { "X", "a\rb", ERR_INVALID },
		{ "X", "\xff", ERR_INVALID }, { "X", "\x01", ERR_INVALID }, { "X", "\x7f", ERR_INVALID }, { "From", "a@b.example", ERR_INVALID },
		{ "to", "a@b.example", ERR_INVALID }, { "BCC", "a@b.example", ERR_INVALID }, { "Subject", "x", ERR_INVALID },
		{ "content-type", "x", ERR_INVALID }, { "Content-Anything", "x", ERR_INVALID }, { "MIME-Version", "1.0", ERR_INVALID },
		{ "Received", "x", ERR_INVALID }, { "Return-Path", "<>", ERR_INVALID }, { "DKIM-Signature", "x", ERR_INVALID },
		{ "Resent-To", "x", ERR_INVALID }, { "Message-ID", "<\xc3\xbc@x>", ERR_INVALID }, { "Reply-To", "nobody", ERR_INVALID },
		{ "Reply-To", "", ERR_INVALID }, { "Reply-To", "a@b.example,", OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compose_field field = { rows[i].name, rows[i].value };
		struct err_detail why = { .text = "" };
		enum err err = compose_field_check(&field, &why);

		if (err != rows[i].want)
			fail_msg("%s: %s: %s %s", rows[i].name, rows[i].value, err_name(err), why.text);
	}
}

static void attachments_are_checked(void **state)
{
	static const struct {
		const char *name, *type;
		enum err want;
	} rows[] = {
		{ NULL, NULL, OK }, { "a.txt", "text/plain", OK }, { "gr\xc3\xbcn", "application/vnd.x+xml", OK },
		{ "a\r\nb", NULL, ERR_INVALID }, { "\xff", NULL, ERR_INVALID }, { NULL, "text", ERR_INVALID }, { NULL, "/plain", ERR_INVALID },
		{ NULL, "text/", ERR_INVALID }, { NULL, "text/plain; charset=x", ERR_INVALID }, { NULL, "a/b\r\nX: y", ERR_INVALID },
		{ NULL, "Multipart/mixed", ERR_INVALID }, { NULL, "message/rfc822", ERR_INVALID }, { NULL, "", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compose_attachment attachment = { .name = rows[i].name, .type = rows[i].type };

		if (compose_attachment_check(&attachment, NULL) != rows[i].want)
			fail_msg("%s, %s", rows[i].name, rows[i].type);
	}
}

static void a_short_message_is_written_in_full(void **state)
{
	struct compose_mailbox from = mailbox("Shop <news@shop.example>"), to[2] = { mailbox("ann@example.net"), mailbox("Bob <bob@example.org>") };
	struct compose_field field = { "X-Tag", "one" };
	struct compose c = { .from = &from, .to = { to, 2 }, .subject = "hello", .text = "hi\n", .text_len = 3, .fields = &field, .field_count = 1,
		.date = 0, .message_id = "id@relay.example", .seed = 1 };
	struct buf out;

	buf_init(&out, 10000);
	assert_int_equal(compose_message(&c, &out, NULL), OK);
	assert_string_equal(buf_str(&out),
	    "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"
	    "Message-ID: <id@relay.example>\r\n"
	    "From: Shop <news@shop.example>\r\n"
	    "To: ann@example.net, Bob <bob@example.org>\r\n"
	    "Subject: hello\r\n"
	    "X-Tag: one\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "hi\r\n");
	buf_fini(&out);
}

static void parts_stand_in_their_order(void **state)
{
	struct compose_mailbox from = mailbox("news@shop.example");
	struct compose_attachment attachment = { "a.txt", "text/plain", "abc", 3 };
	struct compose c = { .from = &from, .text = "t", .text_len = 1, .html = "<b>", .html_len = 3, .attachments = &attachment,
		.attachment_count = 1, .message_id = "id@relay.example", .seed = 0xabc };
	struct buf out;

	buf_init(&out, 10000);
	assert_int_equal(compose_message(&c, &out, NULL), OK);
	assert_string_equal(strstr(buf_str(&out), "To: undis"),
	    "To: undisclosed-recipients:;\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"=_0000000000000abc_0\"\r\n\r\n"
	    "\r\n--=_0000000000000abc_0\r\n"
	    "Content-Type: multipart/alternative; boundary=\"=_0000000000000abc_1\"\r\n\r\n"
	    "\r\n--=_0000000000000abc_1\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\nt\r\n"
	    "\r\n--=_0000000000000abc_1\r\n"
	    "Content-Type: text/html; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n<b>\r\n"
	    "\r\n--=_0000000000000abc_1--\r\n"
	    "\r\n--=_0000000000000abc_0\r\n"
	    "Content-Type: text/plain; name=a.txt\r\n"
	    "Content-Disposition: attachment; filename=a.txt\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n"
	    "\r\n--=_0000000000000abc_0--\r\n");
	buf_fini(&out);
}

static void what_would_break_the_form_is_refused(void **state)
{
	struct compose_mailbox from = mailbox("news@shop.example");
	struct compose_field field = { "X", "a\nb" };
	struct compose_attachment attachment = { "a\rb", NULL, "", 0 };
	const struct {
		const char *label;
		struct compose c;
		size_t room;
		enum err want;
	} rows[] = {
		{ "a subject of two lines", { .subject = "a\r\nBcc: x@y" }, 10000, ERR_INVALID },
		{ "a subject that is not UTF-8", { .subject = "\xff" }, 10000, ERR_INVALID },
		{ "NUL in a text", { .text = "a\0b", .text_len = 3 }, 10000, ERR_INVALID },
		{ "a text that is not UTF-8", { .text = "\xc3", .text_len = 1 }, 10000, ERR_INVALID },
		{ "HTML that is not UTF-8", { .html = "\xc3", .html_len = 1 }, 10000, ERR_INVALID },
		{ "a field of two lines", { .fields = &field, .field_count = 1 }, 10000, ERR_INVALID },
		{ "a name of two lines", { .attachments = &attachment, .attachment_count = 1 }, 10000, ERR_INVALID },
		{ "no room", { .text = "a", .text_len = 1 }, 100, ERR_LIMIT },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compose c = rows[i].c;
		struct buf out;
		enum err err;

		c.from = &from;
		c.message_id = "id@relay.example";
		buf_init(&out, rows[i].room);
		err = compose_message(&c, &out, NULL);
		if (err != rows[i].want)
			fail_msg("%s: %s", rows[i].label, err_name(err));
		buf_fini(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailboxes_are_read),
		cmocka_unit_test(fields_are_checked),
		cmocka_unit_test(attachments_are_checked),
		cmocka_unit_test(a_short_message_is_written_in_full),
		cmocka_unit_test(parts_stand_in_their_order),
		cmocka_unit_test(what_would_break_the_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
