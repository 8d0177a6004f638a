/* tests/fuzz/fuzz_reply.c - fuzz target for relay/wire/reply.h and capability.h: what servers say stays clean and bounded. */
#include <string.h>

#include "relay/wire/capability.h"
#include "relay/wire/reply.h"
#include "relay/wire/utf8.h"

#define MAX_LINES 50

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *text, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++)
		must(((uint8_t)text[i] >= ' ' && text[i] != 0x7f) || (lines && text[i] == '\n'));
}

static void check_reply(const struct reply *reply)
{
	struct capabilities caps;
	char line[300];

	must(reply->code >= 200 && reply->code <= 599 && reply->lines <= MAX_LINES);
	must(reply->text.len <= REPLY_TEXT_MAX);
	must(reply->enhanced[0] == '\0' || reply->enhanced[0] - '0' == reply_class(reply));
	check_clean(buf_str(&reply->text), reply->text.len, true);
	for (size_t size = 1; size <= sizeof(line); size += 13) {
		reply_line(reply, line, size);
		must(strlen(line) < size);
		check_clean(line, strlen(line), false);
	}
	capabilities_parse(buf_str(&reply->text), &caps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;
	enum reply_status status = REPLY_MORE;
	struct err_detail why;
	struct reply reply;

	reply_init(&reply);
	while (line < end && status != REPLY_BROKEN) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((lf != NULL ? lf : end) - line);

		status = reply_feed(&reply, line, len, MAX_LINES, &why);
		if (status == REPLY_DONE) {
			check_reply(&reply);
			reply_reset(&reply);
		}
		line += len + 1;
	}
	reply_fini(&reply);
	return 0;
}
