/* tests/unit/relay/test_letter.c - unit tests for relay/ops/letter.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/ops/letter.h"

static const struct letter_env ENV = { .hostname = "relay.example", .message_bytes = 4000, .recipients = 3, .seed = { 1, 2 } };

static enum err read_json(const char *text, struct letter *letter, struct err_detail *why)
{
	memset(letter, 0, sizeof(*letter));
	return letter_read_json(&ENV, text, strlen(text), letter, why);
}

#define FROM "\"from\":\"Shop <news@shop.example>\","

static void recipients_come_from_three_fields(void **state)
{
	static const struct {
		const char *label, *json, *want; /* addresses, joined by blanks */
	} rows[] = {
		{ "one text", "{" FROM "\"to\":\"a@x.example\",\"text\":\"\"}", "a@x.example" },
		{ "an array", "{" FROM "\"to\":[\"a@x.example\",\"B <b@x.example>\"],\"text\":\"\"}", "a@x.example b@x.example" },
		{ "all three", "{" FROM "\"to\":[\"a@x.example\"],\"cc\":\"b@x.example\",\"bcc\":[\"c@x.example\"],\"text\":\"\"}",
		  "a@x.example b@x.example c@x.example" },
		{ "blind ones alone", "{" FROM "\"bcc\":\"c@x.example\",\"text\":\"\",\"to\":null,\"cc\":[]}", "c@x.example" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_detail why = { .text = "" };
		struct letter letter;
		struct buf got;

		if (read_json(rows[i].json, &letter, &why) != OK)
			fail_msg("%s: %s", rows[i].label, why.text);
		buf_init(&got, 1000);
		for (size_t n = 0; n < letter.rcpt_count; n++)
			assert_int_equal(buf_printf(&got, "%s%s", n > 0 ? " " : "", letter.rcpts[n].text), OK);
		if (strcmp(buf_str(&got), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, buf_str(&got));
		assert_string_equal(letter.sender.text, "news@shop.example");
		assert_null(strstr(buf_str(&letter.message), "c@x.example")); /* blind */
		assert_false(letter.utf8 || letter.eight_bit);
		buf_fini(&got);
		letter_free(&letter);
	}
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *json;
		enum err want;
		const char *why;
	} rows[] = {
		{ "", ERR_INVALID, "empty" },
		{ "7", ERR_INVALID, "not JSON" },
		{ "[]", ERR_INVALID, "not an object" },
		{ "{}", ERR_INVALID, "no recipients" },
		{ "{" FROM "\"to\":\"a@x.example\"}", ERR_INVALID, "neither" },
		{ "{\"to\":\"a@x.example\",\"text\":\"\"}", ERR_INVALID, "\"from\"" },
		{ "{" FROM "\"to\":\"a@x.example\",\"txt\":\"\"}", ERR_INVALID, "unknown field \"txt\"" },
		{ "{" FROM "\"to\":\"a@x.example\",\"priority\":10}", ERR_INVALID, "\"priority\" must be a whole number from -9 to 9" },
		{ "{" FROM "\"to\":\"a@x.example\",\"priority\":\"4\"}", ERR_INVALID, "\"priority\" must be a whole number from -9 to 9" },
		{ "{" FROM "\"to\":\"a@x.example\",\"priority\":0.5}", ERR_INVALID, "\"priority\" must be a whole number from -9 to 9" },
		{ "{" FROM "\"to\":{},\"text\":\"\"}", ERR_INVALID, "\"to\"" },
		{ "{" FROM "\"to\":[\"a@x\",\"b@x\",\"c@x\",\"d@x\"],\"text\":\"\"}", ERR_LIMIT, "recipients" },
		{ "{" FROM "\"to\":[\"a@x\",\"b@x\"],\"bcc\":[\"c@x\",\"d@x\"],\"text\":\"\"}", ERR_LIMIT, "recipients" },
		{ "{" FROM "\"to\":\"a@x\",\"text\":\"a\\u0000b\"}", ERR_INVALID, "not JSON" },
		{ "{" FROM "\"to\":\"a@x\",\"text\":\"\",\"headers\":{\"X\":[\"a\",7]}}", ERR_INVALID, "\"headers\"" },
		{ "{" FROM "\"to\":\"a@x\",\"text\":\"\",\"headers\":{\"Bcc\":\"b@x\"}}", ERR_INVALID, "Bcc" },
		{ "{" FROM "\"to\":\"a@x\",\"attachments\":[{\"content\":\"YQ==\",\"x\":1}]}", ERR_INVALID, "\"attachments\"" },
		{ "{" FROM "\"to\":\"a@x\",\"attachments\":[{\"content\":\"YQ==\",\"name\":1}]}", ERR_INVALID, "\"attachments\"" },
		{ "{" FROM "\"to\":\"a@x\",\"raw\":\"YQ==\",\"text\":\"\"}", ERR_INVALID, "beside \"raw\"" },
		{ "{" FROM "\"to\":\"a@x\",\"raw\":7}", ERR_INVALID, "\"raw\"" },
		{ "{\"to\":\"a@x\",\"raw\":\"YQ==\"}", ERR_INVALID, "\"from\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_detail why = { .text = "" };
		struct letter letter;
		enum err err = read_json(rows[i].json, &letter, &why);

		if (err != rows[i].want || strstr(why.text, rows[i].why) == NULL)
			fail_msg("%s: %s, %s", rows[i].json, err_name(err), why.text);
		letter_free(&letter);
	}
}

static void a_priority_stands_beside_fields_and_beside_a_raw_message(void **state)
{
	static const struct {
		const char *json;
		int want;
	} rows[] = {
		{ "{" FROM "\"to\":\"a@x.example\",\"text\":\"\"}", 0 },
		{ "{" FROM "\"to\":\"a@x.example\",\"text\":\"\",\"priority\":null}", 0 },
		{ "{" FROM "\"to\":\"a@x.example\",\"text\":\"\",\"priority\":9}", 9 },
		{ "{\"from\":\"\",\"to\":\"a@x.example\",\"raw\":\"U3ViamVjdDogeA0KDQo=\",\"priority\":-9}", -9 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_detail why = { .text = "" };
		struct letter letter;

		if (read_json(rows[i].json, &letter, &why) != OK)
			fail_msg("%s: %s", rows[i].json, why.text);
		assert_int_equal(letter.priority, rows[i].want);
		letter_free(&letter);
	}
}

static void a_raw_message_is_taken_as_it_is(void **state)
{
	static const struct {
		const char *label, *json, *sender, *message;
		bool utf8, eight_bit;
	} rows[] = {
		{ "ASCII", "{\"from\":\"a@x\",\"to\":\"b@x\",\"raw\":\"QTogYg0KDQpjDQo=\"}", "a@x", "A: b\r\n\r\nc\r\n", false, false },
		{ "the null sender", "{\"from\":\"\",\"to\":\"b@x\",\"raw\":\"QTogYg0KDQpjDQo=\"}", "", "A: b\r\n\r\nc\r\n", false, false },
		{ "8-bit body", "{\"from\":\"a@x\",\"to\":\"b@x\",\"raw\":\"QTogYg0KDQrDvA0K\"}", "a@x", "A: b\r\n\r\n\xc3\xbc\r\n", false, true },
		{ "8-bit header", "{\"from\":\"a@x\",\"to\":\"b@x\",\"raw\":\"QTogw7wNCg0KYw0K\"}", "a@x", "A: \xc3\xbc\r\n\r\nc\r\n", true, true },
		{ "an address", "{\"from\":\"\xc3\xbc@x\",\"to\":\"b@x\",\"raw\":\"YQ==\"}", "\xc3\xbc@x", "a", true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_detail why = { .text = "" };
		struct letter letter;

		if (read_json(rows[i].json, &letter, &why) != OK)
			fail_msg("%s: %s", rows[i].label, why.text);
		if (strcmp(letter.sender.text, rows[i].sender) != 0 || strcmp(buf_str(&letter.message), rows[i].message) != 0 ||
		    letter.utf8 != rows[i].utf8 || letter.eight_bit != rows[i].eight_bit)
			fail_msg("%s: %s, %s, %d, %d", rows[i].label, letter.sender.text, buf_str(&letter.message), letter.utf8, letter.eight_bit);
		letter_free(&letter);
	}
}

static void an_envelope_stands_beside_a_raw_message(void **state)
{
	struct err_detail why;
	struct letter letter = { .rcpt_count = 0 };

	assert_int_equal(letter_read_raw(&ENV, "A: b\r\n", 6, &letter, &why), OK);
	assert_int_equal(letter_from(&letter, "<>", &why), OK);
	assert_string_equal(letter.sender.text, "");
	assert_int_equal(letter_from(&letter, "<a@x>", &why), OK);
	assert_string_equal(letter.sender.text, "a@x");
	assert_int_equal(letter_to(&ENV, &letter, "b@x, <c@x>", &why), OK);
	assert_int_equal(letter.rcpt_count, 2);
	assert_string_equal(letter.rcpts[1].text, "c@x");
	assert_int_equal(letter_to(&ENV, &letter, "", &why), ERR_INVALID);
	assert_int_equal(letter_to(&ENV, &letter, "d@x,", &why), ERR_INVALID);
	assert_int_equal(letter_to(&ENV, &letter, "e@x,f@x", &why), ERR_LIMIT);
	letter_free(&letter);
}

static void a_message_has_its_limit(void **state)
{
	char text[6000];
	struct err_detail why;
	struct letter letter = { .rcpt_count = 0 };

	memset(text, 'a', sizeof(text));
	assert_int_equal(letter_read_raw(&ENV, text, 4001, &letter, &why), ERR_LIMIT);
	letter_free(&letter);
	assert_int_equal(letter_read_raw(&ENV, text, 4000, &letter, &why), OK);
	letter_free(&letter);
	assert_int_equal(letter_read_raw(&ENV, text, 0, &letter, &why), ERR_INVALID);
	letter_free(&letter);
	(void)memcpy(text, "{" FROM "\"to\":\"a@x\",\"text\":\"", sizeof("{" FROM "\"to\":\"a@x\",\"text\":\"") - 1);
	(void)memcpy(text + sizeof(text) - 3, "\"}", 3);
	assert_int_equal(read_json(text, &letter, &why), ERR_LIMIT);
	letter_free(&letter);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_come_from_three_fields),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(a_priority_stands_beside_fields_and_beside_a_raw_message),
		cmocka_unit_test(a_raw_message_is_taken_as_it_is),
		cmocka_unit_test(an_envelope_stands_beside_a_raw_message),
		cmocka_unit_test(a_message_has_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
