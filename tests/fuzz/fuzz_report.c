/* tests/fuzz/fuzz_report.c - fuzz target for relay/notify/report.h: no words of strangers break the form of a report. */
#include <stdlib.h>
#include <string.h>

/* The text alone, without the layer it lives in, which needs every library there is. */
#include "relay/notify/report.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Take a text up to the next line feed off the input; malloc'ed. */
static char *take_text(const char **next, const char *end)
{
	const char *lf = memchr(*next, '\n', (size_t)(end - *next));
	char *text = xstrndup(*next, (size_t)((lf != NULL ? lf : end) - *next));

	*next = lf != NULL ? lf + 1 : end;
	return text;
}

static unsigned count(const struct buf *buf, const char *text)
{
	unsigned n = 0;

	for (const char *at = buf_str(buf); (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	return n;
}

static void check_form(const struct buf *buf, const struct report *report)
{
	char boundary[64], delimiter[80];
	const char *line = buf->data, *end = buf->data + buf->len;

	must(memchr(buf->data, '\0', buf->len) == NULL);
	while (line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		must(lf != NULL && lf > line && lf[-1] == '\r' && lf - line < 998);
		must(memchr(line, '\r', (size_t)(lf - 1 - line)) == NULL);
		line = lf + 1;
	}
	make_boundary(report, boundary, sizeof(boundary));
	snprintf(delimiter, sizeof(delimiter), "\r\n--%s", boundary);
	must(count(buf, delimiter) == 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *next = (const char *)data + 1, *end = (const char *)data + size;
	struct report_rcpt rcpt = { .last_attempt = 1000 };
	struct report report = { .id = "R1", .about_id = "M1", .hostname = "relay.example", .sender = "a@b", .rcpts = &rcpt, .rcpt_count = 1 };
	char *address, *status, *reply, *relay;
	struct buf buf;

	if (size == 0)
		return 0;
	address = take_text(&next, end);
	status = take_text(&next, end);
	reply = take_text(&next, end);
	relay = take_text(&next, end);
	rcpt.kind = (enum report_kind)(data[0] % 3);
	rcpt.code = data[0] & 64 ? 550 : 0;
	rcpt.address = address;
	rcpt.status = status;
	rcpt.reply = reply;
	rcpt.relay = relay;
	report.smtputf8 = data[0] & 128;
	report.original_smtputf8 = data[0] & 32;
	rcpt.orcpt = data[0] & 16 ? address : NULL;
	report.headers = next;
	report.headers_len = (size_t)(end - next);
	buf_init(&buf, 16 << 20);
	if (report_format(&report, &buf) == OK)
		check_form(&buf, &report);
	buf_fini(&buf);
	free(address);
	free(status);
	free(reply);
	free(relay);
	return 0;
}
