/* tests/fuzz/fuzz_record.c - fuzz target for stored records: what decodes is sound and is written back as it was read.
 *
 * The first byte chooses the kind of record, the rest is the record. */
#include <string.h>

#include "queue/claim.h"
#include "queue/counts.h"
#include "queue/dead_record.h"
#include "queue/message.h"
#include "queue/recipient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[CODEC_RECORD_MAX];
static uint8_t again[CODEC_RECORD_MAX];

static struct codec_texts room(size_t len)
{
	/* A record's own length is always enough for its texts: give no byte more. */
	return (struct codec_texts){ text, text + (len < sizeof(text) ? len : sizeof(text)) };
}

static void must_be_same(const uint8_t *data, size_t len, size_t len_again)
{
	must(len == len_again && memcmp(data, again, len) == 0);
}

static void fuzz_message(const uint8_t *data, size_t len)
{
	struct codec_texts to = room(len);
	struct queue_message message;
	struct err_detail why;

	if (message_decode(1, data, len, &message, &to, &why) != OK)
		return;
	must(message_check(&message, &why) == OK);
	must_be_same(data, len, message_encode(&message, again));
}

static void fuzz_recipient(const uint8_t *data, size_t len)
{
	struct codec_texts to = room(len);
	struct queue_rcpt rcpt;
	struct err_detail why;

	if (recipient_decode(7, data, len, &rcpt, &to, &why) != OK)
		return;
	must(recipient_check(&rcpt, &why) == OK);
	must(rcpt.domain >= rcpt.address && rcpt.domain <= rcpt.address + strlen(rcpt.address));
	must_be_same(data, len, recipient_encode(&rcpt, again));
}

static void fuzz_claim(const uint8_t *data, size_t len)
{
	struct codec_texts to = room(len);
	struct claim claim;
	struct err_detail why;

	if (claim_decode(data, len, &claim, &to, &why) != OK)
		return;
	must(claim_check(&claim, &why) == OK);
	must_be_same(data, len, claim_encode(&claim, again));
}

static void fuzz_counts(const uint8_t *data, size_t len)
{
	struct queue_counts counts;

	if (counts_decode(data, len, &counts, NULL) != OK)
		return;
	counts_encode(&counts, again);
	must_be_same(data, len, COUNTS_RECORD);
}

static void fuzz_letter(const uint8_t *data, size_t len)
{
	struct codec_texts to = room(len);
	struct queue_letter letter;

	if (dead_record_decode(7, data, len, &letter, &to, NULL) != OK)
		return;
	must(letter.rcpt.domain >= letter.rcpt.address && letter.rcpt.domain <= letter.rcpt.address + strlen(letter.rcpt.address));
	must_be_same(data, len, dead_record_encode(&letter, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(const uint8_t *data, size_t len) = {
		fuzz_message,
		fuzz_recipient,
		fuzz_claim,
		fuzz_counts,
		fuzz_letter,
	};

	if (size > 0)
		kinds[data[0] % ARRAY_LEN(kinds)](data + 1, size - 1);
	return 0;
}
