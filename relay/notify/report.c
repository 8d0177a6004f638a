/* relay/notify/report.c - the text of a delivery status notification (RFC 3464, 6522, 6533): its header, the part for people, and all of it.
 *
 * Everything that others said (replies, addresses, the original header) is cleaned on its way in: no control byte, no malformed UTF-8, no
 * overlong line, and no boundary of ours can come out of it. */
#include "relay/notify/report.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/notify/report_int.h"
#include "relay/wire/mime.h"
#include "relay/wire/utf8.h"

#define PARTS_MAX (4 * 1024 * 1024) /* bytes: more than any buffer of a report takes */

/* What the report is about as a whole: the worst of its recipients. */
enum tenor { TENOR_RELAYED, TENOR_DELAYED, TENOR_FAILED };

static enum tenor tenor_of(const struct report *report)
{
	static const enum tenor tenors[] = {
		[REPORT_FAILED] = TENOR_FAILED, [REPORT_EXPIRED] = TENOR_FAILED, [REPORT_DELAYED] = TENOR_DELAYED, [REPORT_RELAYED] = TENOR_RELAYED,
	};
	enum tenor worst = TENOR_RELAYED;

	for (size_t i = 0; i < report->rcpt_count; i++)
		if (tenors[report->rcpts[i].kind] > worst)
			worst = tenors[report->rcpts[i].kind];
	return worst;
}

static bool says(const char *text, const char *boundary)
{
	return text != NULL && strstr(text, boundary) != NULL;
}

/* Whether anything that others worded holds the boundary. Cleaning and folding join no letters, so that it need not be asked of the outcome. */
static bool is_taken(const struct report *report, const char *boundary)
{
	if (memmem(report->headers, report->headers_len, boundary, strlen(boundary)) != NULL)
		return true;
	for (size_t i = 0; i < report->rcpt_count; i++) {
		const struct report_rcpt *rcpt = &report->rcpts[i];
		const char *texts[] = { rcpt->address, rcpt->status, rcpt->reply, rcpt->relay, rcpt->orcpt };

		for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
			if (says(texts[n], boundary))
				return true;
	}
	return says(report->envid, boundary) || says(report->sender, boundary);
}

static void make_boundary(const struct report *report, char *out, size_t size)
{
	unsigned tries = 0;

	do {
		snprintf(out, size, "=_%.40s_%u", report->id, tries++);
	} while (is_taken(report, out));
}

/* The Message-ID of the original, so that clients show both together; "" when there is none that fits in a line. */
static void find_message_id(const struct report *report, char *out, size_t size)
{
	static const char name[] = "Message-ID:";
	const char *line = report->headers, *end = report->headers + report->headers_len;

	out[0] = '\0';
	while (line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		const char *stop = lf != NULL ? lf : end;

		if ((size_t)(stop - line) > strlen(name) && ascii_equal_n(line, strlen(name), name)) {
			const char *open = memchr(line, '<', (size_t)(stop - line));
			const char *close = open != NULL ? memchr(open, '>', (size_t)(stop - open)) : NULL;

			if (close != NULL && (size_t)(close - open) + 2 <= size)
				snprintf(out, size, "%.*s", (int)(close - open) + 1, open);
			return;
		}
		line = stop + 1;
	}
}

static void put_header(struct words *words, const struct report *report, const char *boundary, bool ascii)
{
	static const char *const subjects[] = {
		[TENOR_RELAYED] = "Mail handed on to its destination",
		[TENOR_DELAYED] = "Delayed mail: still being tried",
		[TENOR_FAILED] = "Undelivered mail returned to sender",
	};
	char message_id[WORDS_LONGEST];

	words_format(words, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", report->hostname);
	words_format(words, "To: <%s>\r\n", report->sender);
	words_field(words, "Subject", subjects[tenor_of(report)]);
	words_date_field(words, "Date", report->now);
	words_format(words, "Message-ID: <%s@%s>\r\n", report->id, report->hostname);
	find_message_id(report, message_id, sizeof(message_id));
	/* An id that cannot be written as it is would be another one. */
	if (message_id[0] != '\0' && (report->smtputf8 || utf8_is_ascii(message_id, strlen(message_id)))) {
		words_field(words, "In-Reply-To", message_id);
		words_field(words, "References", message_id);
	}
	words_put(words, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	words_format(words, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n", boundary);
	words_format(words, "Content-Transfer-Encoding: %s\r\n", ascii ? "7bit" : "8bit");
	words_put(words, "\r\nThis is a delivery report in MIME format.\r\n");
}

/* --- the part for people -------------------------------------------------------------------------------------------------- */

static const char *const words_of_kind[] = {
	[REPORT_FAILED] = "was refused and has been given up:",
	[REPORT_EXPIRED] = "could not be delivered in time and has been given up. The last answer was:",
	[REPORT_DELAYED] = "could not be delivered yet; it is still being tried. The last answer was:",
	[REPORT_RELAYED] = "was handed to the next mail system, which sends no reports of its own. Its answer was:",
};

static void put_person_rcpt(struct words *words, const struct report_rcpt *rcpt)
{
	char date[CLOCK_TEXT], text[512];

	words_put(words, "\r\n");
	snprintf(text, sizeof(text), "<%s>", rcpt->address);
	words_paragraph(words, text, "");
	words_paragraph(words, words_of_kind[rcpt->kind], "  ");
	if (rcpt->relay[0] != '\0') {
		snprintf(text, sizeof(text), "%s said:", rcpt->relay);
		words_paragraph(words, text, "    ");
	}
	words_paragraph(words, rcpt->reply[0] != '\0' ? rcpt->reply : "(no answer)", "    ");
	if (rcpt->kind == REPORT_DELAYED && rcpt->will_retry_until != 0) {
		snprintf(text, sizeof(text), "It will be tried until %s.", clock_rfc5322(rcpt->will_retry_until, date));
		words_paragraph(words, text, "  ");
	}
}

static void put_person_text(struct words *words, const struct report *report)
{
	static const char *const summaries[] = {
		[TENOR_RELAYED] = "is on its way, as far as this mail system can tell.",
		[TENOR_DELAYED] = "is on its way, but has not reached everybody yet. You need not send it again.",
		[TENOR_FAILED] = "did not reach everybody it was meant for.",
	};
	char text[512], date[CLOCK_TEXT];

	snprintf(text, sizeof(text), "This is the mail system at %s.", report->hostname);
	words_paragraph(words, text, "");
	words_put(words, "\r\n");
	snprintf(text, sizeof(text), "Your message of %s, which has the number %s here, %s", clock_rfc5322(report->arrived, date),
	    report->about_id, summaries[tenor_of(report)]);
	words_paragraph(words, text, "");
	for (size_t i = 0; i < report->rcpt_count; i++)
		put_person_rcpt(words, &report->rcpts[i]);
	if (report->left_out == 0)
		return;
	words_put(words, "\r\n");
	snprintf(text, sizeof(text), "%zu more recipient%s of the message have no place in this report.", report->left_out,
	    report->left_out == 1 ? "" : "s");
	words_paragraph(words, text, "");
}

/* In lines of ASCII, whatever was said. */
static void put_person_part(struct words *words, const struct report *report)
{
	struct buf text;
	struct words person = { .out = &text, .utf8 = true };
	enum mime_encoding encoding;

	buf_init(&text, PARTS_MAX);
	put_person_text(&person, report);
	encoding = mime_encoding_of(buf_str(&text), text.len);
	words_format(words, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", mime_encoding_name(encoding));
	words->err = words->err == OK ? person.err : words->err;
	if (words->err == OK)
		words->err = mime_text(text.data, text.len, encoding, words->out);
	buf_fini(&text);
}

static void put_parts(struct words *words, const struct report *report, const char *boundary)
{
	words_format(words, "\r\n--%s\r\n", boundary);
	put_person_part(words, report);
	words_format(words, "\r\n--%s\r\n", boundary);
	report_put_status(words, report);
	words_format(words, "\r\n--%s\r\n", boundary);
	report_put_original(words, report);
	words_format(words, "\r\n--%s--\r\n", boundary);
}

/* The parts first: what they are encoded in stands in the header (RFC 2045 section 6.4). */
enum err report_format(const struct report *report, struct buf *out)
{
	struct buf text;
	struct words parts = { .out = &text, .utf8 = report->smtputf8 }, all = { .out = out, .utf8 = report->smtputf8 };
	size_t start = out->len;
	char boundary[64];

	make_boundary(report, boundary, sizeof(boundary));
	buf_init(&text, PARTS_MAX);
	put_parts(&parts, report, boundary);
	put_header(&all, report, boundary, utf8_is_ascii(buf_str(&text), text.len));
	all.err = all.err == OK ? parts.err : all.err;
	words_put_bytes(&all, buf_str(&text), text.len);
	buf_fini(&text);
	if (all.err != OK && out->data != NULL) {
		out->len = start;
		out->data[start] = '\0';
	}
	return all.err;
}
