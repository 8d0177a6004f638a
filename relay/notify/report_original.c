/* relay/notify/report_original.c - the last part of a report: the header section of the message that it is about, or all of it (RFC 6522). */
#include <string.h>

#include "relay/notify/report_int.h"
#include "relay/wire/mime.h"
#include "relay/wire/utf8.h"

#define LINE_MAX_OUT 900         /* bytes of an original header line; RFC 5322 allows 998 */
#define HEADERS_MAX  (64 * 1024) /* bytes of the original header section */

/* One line without its end, in pieces that are not too long. */
static void put_original_line(struct words *words, const char *line, size_t len)
{
	while (len > 0) {
		size_t piece = utf8_cut(line, len, LINE_MAX_OUT);
		char copy[LINE_MAX_OUT];

		for (size_t i = 0; i < piece; i++)
			copy[i] = line[i] == '\r' || line[i] == '\n' || line[i] == '\0' ? ' ' : line[i];
		words_put_bytes(words, copy, piece);
		words_put(words, piece < len ? "\r\n " : "\r\n");
		line += piece;
		len -= piece;
	}
}

static void put_type(struct words *words, const char *type, const char *encoding)
{
	words_format(words, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type, encoding);
}

/* RFC 6522 section 3: message/rfc822 goes as it is (RFC 2046 section 5.2.1), message/global may be encoded (RFC 6532 section 3.7). */
static void put_whole(struct words *words, const struct report *report)
{
	bool ascii = utf8_is_ascii(report->headers, report->headers_len);
	bool global = report->original_smtputf8 && !ascii;

	if (global && !report->smtputf8) {
		put_type(words, "message/global", "base64");
		if (words->err == OK)
			words->err = mime_base64(report->headers, report->headers_len, words->out);
		return;
	}
	put_type(words, global ? "message/global" : "message/rfc822", ascii ? "7bit" : "8bit");
	words_put_bytes(words, report->headers, report->headers_len);
}

static void put_lines(struct words *words, const struct report *report)
{
	const char *line = report->headers;
	const char *end = line + (report->headers_len < HEADERS_MAX ? report->headers_len : HEADERS_MAX);

	while (line < end) {
		const char *lf = memmem(line, (size_t)(end - line), "\r\n", 2);

		/* The cut falls at a line end; a header section that came without one is still worth showing. */
		if (lf == NULL && report->headers_len > HEADERS_MAX)
			break;
		put_original_line(words, line, (size_t)((lf != NULL ? lf : end) - line));
		line = lf != NULL ? lf + 2 : end;
	}
}

/* Both types may be encoded (RFC 6533 section 6.3; RFC 2045), so that a report in ASCII shows any header. */
static void put_headers(struct words *words, const struct report *report)
{
	struct buf text;
	struct words lines = { .out = &text };
	bool ascii;

	buf_init(&text, 4 * HEADERS_MAX);
	put_lines(&lines, report);
	must(lines.err == OK);
	ascii = utf8_is_ascii(buf_str(&text), text.len);
	put_type(words, report->original_smtputf8 && !ascii ? "message/global-headers" : "text/rfc822-headers",
	    ascii ? "7bit" : report->smtputf8 ? "8bit" : "quoted-printable");
	if (ascii || report->smtputf8)
		words_put_bytes(words, buf_str(&text), text.len);
	else if (words->err == OK)
		words->err = mime_text(text.data, text.len, MIME_QUOTED, words->out);
	buf_fini(&text);
}

void report_put_original(struct words *words, const struct report *report)
{
	if (report->full)
		put_whole(words, report);
	else
		put_headers(words, report);
}
