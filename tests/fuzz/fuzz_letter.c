/* tests/fuzz/fuzz_letter.c - fuzz target for relay/ops/letter.h: no request makes a message that is none, or has a field of its own making. */
#include <string.h>

#include "relay/ops/letter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Names that the header may hold once at most. */
static void check_single(const char *header, const char *end, const char *name)
{
	unsigned count = 0;

	for (const char *line = header; line < end; line = strstr(line, "\r\n") + 2)
		count += strncmp(line, name, strlen(name)) == 0;
	must(count <= 1);
}

static void check_lines(const struct buf *message)
{
	const char *line = message->data, *end = message->data + message->len;

	must(memchr(line, '\0', message->len) == NULL);
	while (line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		must(lf != NULL && lf > line && lf[-1] == '\r' && lf - line < 1000);
		must(memchr(line, '\r', (size_t)(lf - 1 - line)) == NULL);
		line = lf + 1;
	}
}

static void check_message(const struct letter *letter)
{
	static const char *const single[] = { "From:", "To:", "Cc:", "Subject:", "MIME-Version:", "Content-Type:", "Content-Transfer-Encoding:" };
	const char *header = buf_str(&letter->message), *end = strstr(header, "\r\n\r\n");

	check_lines(&letter->message);
	must(end != NULL && strncmp(header, "Bcc:", 4) != 0);
	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		check_single(header, end, single[i]);
	for (const char *line = header; line < end; line = strstr(line, "\r\n") + 2) {
		const char *colon = strchr(line, ':');

		must(line[0] == ' ' || (colon != NULL && colon < strstr(line, "\r\n") && memchr(line, ' ', (size_t)(colon - line)) == NULL));
		must(strncmp(line, "Bcc:", 4) != 0 && strncmp(line, "bcc:", 4) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct letter_env env = { .hostname = "relay.example", .message_bytes = 1 << 20, .recipients = 20, .seed = { 0x1234567890abcdef, 2 } };
	struct letter letter = { .rcpt_count = 0 };
	struct err_detail why;

	if (letter_read_json(&env, (const char *)data, size, &letter, &why) == OK) {
		must(letter.rcpt_count > 0 && letter.rcpt_count <= 20);
		for (size_t i = 0; i < letter.rcpt_count; i++)
			must(letter.rcpts[i].text[strcspn(letter.rcpts[i].text, "\r\n")] == '\0');
		if (memmem(data, size, "raw", 3) == NULL && memchr(data, '\\', size) == NULL)
			check_message(&letter);
	}
	letter_free(&letter);
	return 0;
}
