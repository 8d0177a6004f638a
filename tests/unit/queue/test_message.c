/* tests/unit/queue/test_message.c - stored records: messages, recipients, claims, counters and the text form of ids. */
#include "tests/unit/queue/store.h"

#include "queue/claim.h"
#include "queue/counts.h"
#include "queue/message.h"
#include "queue/recipient.h"

static const struct queue_message a_message = {
	.id = 77,
	.arrived = 1700000000000,
	.deadline = 1700432000000,
	.size_bytes = 2 * QUEUE_CHUNK + 1,
	.chunks = 3,
	.rcpt_count = 2,
	.flags = MSG_8BIT | MSG_TLS,
	.sender = "\xc3\xa4@shop.example",
	.tenant = "shop",
	.pool = "main",
	.client = "10.1.2.3 web",
	.login = "shop-login",
};

static const struct queue_rcpt a_rcpt = {
	.n = 5,
	.job = 4,
	.state = RCPT_BLOCKED,
	.attempts = 9,
	.next = WALL_NEVER,
	.last_attempt = 12345,
	.address = "\"a@b\"@example.com",
	.reason = "reputation",
	.source = "a",
	.relay = "mx[192.0.2.1]",
	.reply = "550 5.7.1 no",
	.class_name = "reputation",
};

static const struct claim a_claim = {
	.flags = CLAIM_DOUBT,
	.run = 99,
	.rcpts = 3,
	.at = 4711,
	.source = "a",
	.destination = "example.com",
};

/* What every kind of record has to stand: encoded, decoded into `text`, and encoded again. */
struct record {
	const char *name;
	size_t (*encode)(uint8_t *out);
	enum err (*decode)(const uint8_t *data, size_t len, struct err_detail *why);
};

static char text[CODEC_RECORD_MAX];

static struct codec_texts room(void)
{
	return (struct codec_texts){ text, text + sizeof(text) };
}

static size_t encode_message(uint8_t *out)
{
	return message_encode(&a_message, out);
}

static enum err decode_message(const uint8_t *data, size_t len, struct err_detail *why)
{
	struct queue_message message;
	struct codec_texts to = room();

	return message_decode(77, data, len, &message, &to, why);
}

static size_t encode_rcpt(uint8_t *out)
{
	return recipient_encode(&a_rcpt, out);
}

static enum err decode_rcpt(const uint8_t *data, size_t len, struct err_detail *why)
{
	struct queue_rcpt rcpt;
	struct codec_texts to = room();

	return recipient_decode(5, data, len, &rcpt, &to, why);
}

static size_t encode_claim(uint8_t *out)
{
	return claim_encode(&a_claim, out);
}

static enum err decode_claim(const uint8_t *data, size_t len, struct err_detail *why)
{
	struct claim claim;
	struct codec_texts to = room();

	return claim_decode(data, len, &claim, &to, why);
}

static size_t encode_counts(uint8_t *out)
{
	counts_encode(&(struct queue_counts){ 1, 2, 3, 4, 5 }, out);
	return COUNTS_RECORD;
}

static enum err decode_counts(const uint8_t *data, size_t len, struct err_detail *why)
{
	struct queue_counts counts;

	return counts_decode(data, len, &counts, why);
}

static const struct record records[] = {
	{ "message", encode_message, decode_message },
	{ "recipient", encode_rcpt, decode_rcpt },
	{ "claim", encode_claim, decode_claim },
	{ "counter", encode_counts, decode_counts },
};

static void expect(const struct record *record, const char *label, const uint8_t *data, size_t len, enum err want)
{
	struct err_detail why = { .text = "" };
	enum err got = record->decode(data, len, &why);

	if (got != want)
		fail_msg("%s, %s (%zu bytes): got %s, want %s: %s", record->name, label, len, err_name(got),
		    err_name(want), why.text);
	if (got != OK && !strstr(why.text, record->name))
		fail_msg("%s, %s: text is \"%s\"", record->name, label, why.text);
}

static void a_record_is_refused_at_every_length_but_its_own(void **state)
{
	uint8_t data[CODEC_RECORD_MAX] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		size_t whole = records[i].encode(data);

		expect(&records[i], "whole", data, whole, OK);
		for (size_t len = 0; len < whole; len++)
			expect(&records[i], "cut", data, len, ERR_CORRUPT);
		data[whole] = 0;
		expect(&records[i], "longer", data, whole + 1, ERR_CORRUPT);
	}
}

static void a_newer_version_is_told_from_garbage(void **state)
{
	uint8_t data[CODEC_RECORD_MAX];

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		size_t len = records[i].encode(data);

		data[0] = 0;
		expect(&records[i], "version 0", data, len, ERR_CORRUPT);
		data[0] = 200;
		expect(&records[i], "a version to come", data, len, ERR_VERSION);
		expect(&records[i], "a version to come, alone", data, 1, ERR_VERSION);
	}
}

static void impossible_values_are_refused(void **state)
{
	static const struct {
		const char *label;
		size_t record, at;
		uint8_t value;
	} rows[] = {
		{ "arrival before 1970", 0, 1, 0x80 },
		{ "deadline before 1970", 0, 9, 0xff },
		{ "size without its chunks", 0, 17, 1 },
		{ "chunks without their size", 0, 28, 9 },
		{ "sender longer than the record", 0, 37, 0xff },
		{ "job behind the recipient", 1, 4, 6 },
		{ "unknown state", 1, 5, RCPT_STATES },
		{ "next attempt before 1970", 1, 10, 0x80 },
		{ "no address", 1, 27, 0 },
		{ "NUL inside the address", 1, 29, 0 },
		{ "claim before 1970", 2, 14, 0x80 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t data[CODEC_RECORD_MAX];
		size_t len = records[rows[i].record].encode(data);

		data[rows[i].at] = rows[i].value;
		expect(&records[rows[i].record], rows[i].label, data, len, ERR_CORRUPT);
	}
}

static void what_was_encoded_is_decoded(void **state)
{
	uint8_t data[CODEC_RECORD_MAX];
	struct codec_texts to = room();
	struct queue_message m;
	struct queue_rcpt r;
	struct claim c;
	struct queue_counts n;

	assert_int_equal(message_decode(77, data, message_encode(&a_message, data), &m, &to, NULL), OK);
	assert_true(m.id == 77 && m.arrived == a_message.arrived && m.deadline == a_message.deadline);
	assert_true(m.size_bytes == a_message.size_bytes && m.chunks == 3 && m.rcpt_count == 2);
	assert_int_equal(m.flags, a_message.flags);
	assert_string_equal(m.sender, a_message.sender);
	assert_string_equal(m.tenant, "shop");
	assert_string_equal(m.pool, "main");
	assert_string_equal(m.client, "10.1.2.3 web");
	assert_string_equal(m.login, "shop-login");
	assert_int_equal(recipient_decode(5, data, recipient_encode(&a_rcpt, data), &r, &to, NULL), OK);
	assert_true(r.n == 5 && r.job == 4 && r.state == RCPT_BLOCKED && r.attempts == 9);
	assert_true(r.next == WALL_NEVER && r.last_attempt == 12345);
	assert_string_equal(r.address, a_rcpt.address);
	assert_string_equal(r.domain, "example.com");
	assert_string_equal(r.reason, a_rcpt.reason);
	assert_string_equal(r.source, a_rcpt.source);
	assert_string_equal(r.relay, a_rcpt.relay);
	assert_string_equal(r.reply, a_rcpt.reply);
	assert_string_equal(r.class_name, a_rcpt.class_name);
	assert_int_equal(claim_decode(data, claim_encode(&a_claim, data), &c, &to, NULL), OK);
	assert_true(c.flags == CLAIM_DOUBT && c.run == 99 && c.rcpts == 3 && c.at == 4711);
	assert_string_equal(c.source, "a");
	assert_string_equal(c.destination, "example.com");
	encode_counts(data);
	assert_int_equal(counts_decode(data, COUNTS_RECORD, &n, NULL), OK);
	assert_true(n.accepted == 1 && n.delivered == 2 && n.bounced == 3 && n.dropped == 4 && n.in_doubt == 5);
}

static void what_senders_ask_to_be_told_is_kept(void **state)
{
	uint8_t data[CODEC_RECORD_MAX];
	struct codec_texts to = room();
	struct queue_message message = a_message, m;
	struct queue_rcpt rcpt = a_rcpt, r;

	assert_true(recipient_encode(&rcpt, data) > 0 && data[0] == 1);
	message.flags |= MSG_REQUIRETLS | MSG_RET_HDRS;
	message.priority = -9;
	message.envid = "job+2B17";
	assert_int_equal(message_decode(77, data, message_encode(&message, data), &m, &to, NULL), OK);
	assert_int_equal(data[0], 3);
	assert_int_equal(m.flags, message.flags);
	assert_int_equal(m.priority, -9);
	assert_string_equal(m.envid, "job+2B17");
	assert_string_equal(m.login, message.login);
	rcpt.notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	rcpt.warned = true;
	rcpt.orcpt = "rfc822;ann+2Bnews@example.com";
	assert_int_equal(recipient_decode(5, data, recipient_encode(&rcpt, data), &r, &to, NULL), OK);
	assert_int_equal(data[0], 2);
	assert_int_equal(r.notify, rcpt.notify);
	assert_true(r.warned);
	assert_string_equal(r.orcpt, rcpt.orcpt);
	assert_string_equal(r.class_name, rcpt.class_name);
}

static void that_a_recipient_has_had_its_other_source_is_kept_until_it_is_tried_anew(void **state)
{
	static const struct {
		const char *label;
		enum settle_op op;
		enum rcpt_state before;
		bool moved;
	} rows[] = {
		{ "retried", SETTLE_RETRY, RCPT_WAITING, false }, { "retried while blocked", SETTLE_RETRY, RCPT_BLOCKED, false },
		{ "retried while held", SETTLE_RETRY, RCPT_HELD, true }, { "released", SETTLE_RELEASE, RCPT_HELD, false },
		{ "held", SETTLE_HOLD, RCPT_WAITING, true }, { "deferred as one that has not", SETTLE_UPDATE, RCPT_WAITING, false },
	};
	struct queue_rcpt change = a_rcpt;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t data[CODEC_RECORD_MAX];
		struct codec_texts to = room();
		struct queue_rcpt rcpt = a_rcpt, r;
		size_t len;

		rcpt.moved = true;
		rcpt.state = rows[i].before;
		len = recipient_encode(&rcpt, data);
		assert_int_equal(data[0], 3);
		assert_int_equal(recipient_decode(5, data, len, &r, &to, NULL), OK);
		assert_true(r.moved);
		assert_string_equal(r.class_name, rcpt.class_name);
		data[0] = 2; /* an older program would not have written it so */
		assert_int_equal(recipient_decode(5, data, len, &r, &(struct codec_texts){ .at = to.at, .end = to.end }, NULL), ERR_CORRUPT);
		recipient_change(&rcpt, rows[i].op, &change);
		if (rcpt.moved != rows[i].moved)
			fail_msg("%s", rows[i].label);
	}
}

static void recipients_that_are_apart_stay_so(void **state)
{
	static const enum settle_op OPS[] = { SETTLE_RETRY, SETTLE_HOLD, SETTLE_RELEASE };
	uint8_t data[CODEC_RECORD_MAX];
	struct queue_rcpt rcpt = a_rcpt, r;

	for (int moved = 0; moved < 2; moved++) {
		struct codec_texts to = room();
		size_t len;

		rcpt.apart = true;
		rcpt.moved = moved;
		len = recipient_encode(&rcpt, data);
		assert_int_equal(data[0], 4);
		assert_int_equal(recipient_decode(5, data, len, &r, &to, NULL), OK);
		assert_true(r.apart);
		assert_int_equal(r.moved, moved);
		assert_string_equal(r.class_name, rcpt.class_name);
		to = room();
		data[len - 1] = 2;
		assert_int_equal(recipient_decode(5, data, len, &r, &to, NULL), ERR_CORRUPT);
		to = room();
		assert_int_equal(recipient_decode(5, data, len - 1, &r, &to, NULL), ERR_CORRUPT);
	}
	for (size_t i = 0; i < ARRAY_LEN(OPS); i++) {
		recipient_change(&rcpt, OPS[i], &a_rcpt);
		assert_true(rcpt.apart);
	}
	recipient_change(&rcpt, SETTLE_UPDATE, &a_rcpt);
	assert_false(rcpt.apart);
}

static void never_stands_alone_and_priorities_have_bounds(void **state)
{
	struct queue_message message = a_message;
	struct queue_rcpt rcpt = a_rcpt;

	rcpt.notify = NOTIFY_NEVER | NOTIFY_DELAY;
	assert_int_equal(recipient_check(&rcpt, NULL), ERR_INVALID);
	rcpt.notify = NOTIFY_NEVER;
	assert_int_equal(recipient_check(&rcpt, NULL), OK);
	message.priority = 9;
	assert_int_equal(message_check(&message, NULL), OK);
	message.priority = 10;
	assert_int_equal(message_check(&message, NULL), ERR_INVALID);
}

static void long_words_are_cut_at_a_character_and_long_names_refused(void **state)
{
	uint8_t data[CODEC_RECORD_MAX];
	struct codec_texts to = room();
	struct queue_rcpt rcpt = a_rcpt, back;
	char words[3000], address[600];

	/* 2000 is even: the cut would fall inside the two bytes of the 1000th letter when the text begins with one byte. */
	words[0] = 'x';
	for (size_t i = 1; i + 2 < sizeof(words); i += 2)
		memcpy(words + i, "\xc3\xa4", 3);
	rcpt.reply = words;
	assert_int_equal(recipient_check(&rcpt, NULL), OK);
	assert_int_equal(recipient_decode(5, data, recipient_encode(&rcpt, data), &back, &to, NULL), OK);
	assert_int_equal(strlen(back.reply), 1999);
	assert_memory_equal(back.reply, words, 1999);
	memset(address, 'a', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	rcpt.address = address;
	assert_int_equal(recipient_check(&rcpt, NULL), ERR_LIMIT);
}

static void an_id_reads_as_it_was_written_and_sorts_as_its_number(void **state)
{
	static const struct {
		msg_id id;
		const char *text;
	} rows[] = {
		{ 1, "0000000000001" },
		{ 31, "000000000000z" },
		{ 32, "0000000000010" },
		{ 0x123456789abcdef0, "14d2pf2dbsqqg" },
		{ UINT64_MAX, "fzzzzzzzzzzzz" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[MSG_ID_TEXT];
		msg_id id;

		assert_string_equal(msg_id_format(rows[i].id, out), rows[i].text);
		assert_true(msg_id_parse(out, 13, &id) && id == rows[i].id);
		assert_true(i == 0 || strcmp(rows[i - 1].text, rows[i].text) < 0);
	}
}

static void what_is_no_id_is_refused(void **state)
{
	static const char *const rows[] = { "", "1", "000000000000", "00000000000001", "0000000000000", "000000000000u",
		"000000000000-", "g000000000000", "000000 000001" };
	msg_id id;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (msg_id_parse(rows[i], strlen(rows[i]), &id))
			fail_msg("\"%s\" was taken", rows[i]);
	assert_true(msg_id_parse("000000000000Z", 13, &id) && id == 31);
	assert_false(msg_id_parse("000000000000\0", 13, &id));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_refused_at_every_length_but_its_own),
		cmocka_unit_test(a_newer_version_is_told_from_garbage),
		cmocka_unit_test(impossible_values_are_refused),
		cmocka_unit_test(what_was_encoded_is_decoded),
		cmocka_unit_test(what_senders_ask_to_be_told_is_kept),
		cmocka_unit_test(that_a_recipient_has_had_its_other_source_is_kept_until_it_is_tried_anew),
		cmocka_unit_test(recipients_that_are_apart_stay_so),
		cmocka_unit_test(never_stands_alone_and_priorities_have_bounds),
		cmocka_unit_test(long_words_are_cut_at_a_character_and_long_names_refused),
		cmocka_unit_test(an_id_reads_as_it_was_written_and_sorts_as_its_number),
		cmocka_unit_test(what_is_no_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
