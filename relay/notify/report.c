/* relay/notify/report.c - the text of a delivery status notification (RFC 3464, 6522, 6533).
 *
 * Everything that others said (replies, addresses, the original header) is cleaned on its way in: no control byte, no malformed UTF-8, no
 * overlong line, and no boundary of ours can come out of it. */
#include "relay/notify/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/param.h"
#include "relay/wire/utf8.h"
#include "relay/wire/xtext.h"

#define COLUMNS      76          /* where text is wrapped */
#define WORD_MAX     400         /* bytes; a longer word is broken */
#define LINE_MAX_OUT 900         /* bytes of an original header line; RFC 5322 allows 998 */
#define HEADERS_MAX  (64 * 1024) /* bytes of the original header section */

/* The report that is being written. */
struct writer {
	struct buf *out;
	enum err err; /* the first one; nothing is appended after it */
	size_t column;
	bool utf8;    /* words may hold non-ASCII */
};

static void put_bytes(struct writer *writer, const char *data, size_t len)
{
	if (writer->err == OK)
		writer->err = buf_add(writer->out, data, len);
}

static void put(struct writer *writer, const char *text)
{
	put_bytes(writer, text, strlen(text));
}

static void put_format(struct writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);

static void put_format(struct writer *writer, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put(writer, text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Replace by "?" what may not stand in a word. */
static size_t clean(const char *text, size_t len, bool utf8, char *out)
{
	size_t written = 0;

	for (size_t used = 0, n; used < len; used += n) {
		n = utf8_char(text + used, len - used);
		if (n > 1 && utf8) {
			memcpy(out + written, text + used, n);
			written += n;
			continue;
		}
		n = n == 0 ? 1 : n;
		out[written++] = n > 1 || (uint8_t)text[used] < ' ' || (uint8_t)text[used] >= 0x7f ? '?' : text[used];
	}
	return written;
}

/* A word behind a blank, or behind `indent` on the next line when this one is full. */
static void put_word(struct writer *writer, const char *word, size_t len, const char *indent)
{
	char cleaned[WORD_MAX];
	size_t cleaned_len = clean(word, len, writer->utf8, cleaned);

	if (writer->column > strlen(indent) && writer->column + 1 + cleaned_len > COLUMNS) {
		put(writer, "\r\n");
		put(writer, indent);
		writer->column = strlen(indent);
	} else if (writer->column > strlen(indent)) {
		put(writer, " ");
		writer->column++;
	}
	put_bytes(writer, cleaned, cleaned_len);
	writer->column += cleaned_len;
}

/* All words of `text`; the line so far ends at writer->column. */
static void put_words(struct writer *writer, const char *text, const char *indent)
{
	size_t len = strlen(text);

	while (len > 0) {
		size_t word = 0;

		while (word < len && !is_blank(text[word]))
			word++;
		word = utf8_cut(text, word, WORD_MAX);
		if (word > 0)
			put_word(writer, text, word, indent);
		text += word;
		len -= word;
		while (len > 0 && is_blank(*text)) {
			text++;
			len--;
		}
	}
}

/* "Name: value", folded. */
static void put_field(struct writer *writer, const char *name, const char *value)
{
	put(writer, name);
	put(writer, ":");
	writer->column = strlen(name) + 1;
	put_words(writer, value, " ");
	put(writer, "\r\n");
}

/* "Name: type;" of RFC 3464 section 2.1.2; the value follows. */
static void put_type(struct writer *writer, const char *name, const char *type)
{
	put_format(writer, "%s: %s;", name, type);
	writer->column = strlen(name) + strlen(type) + 3;
}

static void put_typed_field(struct writer *writer, const char *name, const char *type, const char *value)
{
	put_type(writer, name, type);
	put_words(writer, value, " ");
	put(writer, "\r\n");
}

static void put_date_field(struct writer *writer, const char *name, wall_ms when)
{
	char date[CLOCK_TEXT];

	put_field(writer, name, clock_rfc5322(when, date));
}

/* A paragraph, or with an indent a quotation, of the part for people. */
static void put_paragraph(struct writer *writer, const char *text, const char *indent)
{
	put(writer, indent);
	writer->column = strlen(indent);
	put_words(writer, text, indent);
	put(writer, "\r\n");
}

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

static bool is_ascii(const struct report *report)
{
	if (!utf8_is_ascii(report->headers, report->headers_len) || !utf8_is_ascii(report->sender, strlen(report->sender)))
		return false;
	for (size_t i = 0; i < report->rcpt_count; i++) {
		const struct report_rcpt *rcpt = &report->rcpts[i];

		if (!utf8_is_ascii(rcpt->reply, strlen(rcpt->reply)) || !utf8_is_ascii(rcpt->address, strlen(rcpt->address)))
			return false;
	}
	return true;
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

static void put_header(struct writer *writer, const struct report *report, const char *boundary)
{
	static const char *const subjects[] = {
		[TENOR_RELAYED] = "Mail handed on to its destination",
		[TENOR_DELAYED] = "Delayed mail: still being tried",
		[TENOR_FAILED] = "Undelivered mail returned to sender",
	};
	char message_id[WORD_MAX];

	put_format(writer, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", report->hostname);
	put_format(writer, "To: <%s>\r\n", report->sender);
	put_field(writer, "Subject", subjects[tenor_of(report)]);
	put_date_field(writer, "Date", report->now);
	put_format(writer, "Message-ID: <%s@%s>\r\n", report->id, report->hostname);
	find_message_id(report, message_id, sizeof(message_id));
	if (message_id[0] != '\0') {
		put_field(writer, "In-Reply-To", message_id);
		put_field(writer, "References", message_id);
	}
	put(writer, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	put_format(writer, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n", boundary);
	put_format(writer, "Content-Transfer-Encoding: %s\r\n", is_ascii(report) ? "7bit" : "8bit");
	put(writer, "\r\nThis is a delivery report in MIME format.\r\n");
}

/* --- the part for people -------------------------------------------------------------------------------------------------- */

static const char *const words_of_kind[] = {
	[REPORT_FAILED] = "was refused and has been given up:",
	[REPORT_EXPIRED] = "could not be delivered in time and has been given up. The last answer was:",
	[REPORT_DELAYED] = "could not be delivered yet; it is still being tried. The last answer was:",
	[REPORT_RELAYED] = "was handed to the next mail system, which sends no reports of its own. Its answer was:",
};

static void put_person_rcpt(struct writer *writer, const struct report_rcpt *rcpt)
{
	char date[CLOCK_TEXT], text[512];

	put(writer, "\r\n");
	snprintf(text, sizeof(text), "<%s>", rcpt->address);
	put_paragraph(writer, text, "");
	put_paragraph(writer, words_of_kind[rcpt->kind], "  ");
	if (rcpt->relay[0] != '\0') {
		snprintf(text, sizeof(text), "%s said:", rcpt->relay);
		put_paragraph(writer, text, "    ");
	}
	put_paragraph(writer, rcpt->reply[0] != '\0' ? rcpt->reply : "(no answer)", "    ");
	if (rcpt->kind == REPORT_DELAYED && rcpt->will_retry_until != 0) {
		snprintf(text, sizeof(text), "It will be tried until %s.", clock_rfc5322(rcpt->will_retry_until, date));
		put_paragraph(writer, text, "  ");
	}
}

static void put_person_part(struct writer *writer, const struct report *report)
{
	static const char *const summaries[] = {
		[TENOR_RELAYED] = "is on its way, as far as this mail system can tell.",
		[TENOR_DELAYED] = "is on its way, but has not reached everybody yet. You need not send it again.",
		[TENOR_FAILED] = "did not reach everybody it was meant for.",
	};
	char text[512], date[CLOCK_TEXT];

	writer->utf8 = true;
	put(writer, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	snprintf(text, sizeof(text), "This is the mail system at %s.", report->hostname);
	put_paragraph(writer, text, "");
	put(writer, "\r\n");
	snprintf(text, sizeof(text), "Your message of %s, which has the number %s here, %s", clock_rfc5322(report->arrived, date),
	    report->about_id, summaries[tenor_of(report)]);
	put_paragraph(writer, text, "");
	for (size_t i = 0; i < report->rcpt_count; i++)
		put_person_rcpt(writer, &report->rcpts[i]);
	if (report->left_out == 0)
		return;
	put(writer, "\r\n");
	snprintf(text, sizeof(text), "%zu more recipient%s of the message have no place in this report.", report->left_out,
	    report->left_out == 1 ? "" : "s");
	put_paragraph(writer, text, "");
}

/* --- the part for programs ------------------------------------------------------------------------------------------------ */

/* The enhanced code behind the code of a reply, "450 4.2.1 words". */
static bool status_of_reply(const char *reply, char out[16])
{
	int len = 0;

	return sscanf(reply, "%*3[0-9] %15[0-9.]%n", out, &len) == 1 && len >= 9 && (out[0] == '4' || out[0] == '5') && out[1] == '.' &&
	    (reply[len] == ' ' || reply[len] == '\0');
}

/* RFC 3463: the remote's own class where it gave no detail; X.4.7 is "delivery time expired". */
static void put_status(struct writer *writer, const struct report_rcpt *rcpt)
{
	static const char *const of_kind[] = { [REPORT_FAILED] = "5.0.0", [REPORT_EXPIRED] = "4.4.7", [REPORT_DELAYED] = "4.0.0",
		[REPORT_RELAYED] = "2.0.0" };
	const char *status = rcpt->status;
	char said[16];

	if (status[0] == '\0' && rcpt->kind == REPORT_DELAYED && status_of_reply(rcpt->reply, said))
		status = said;
	if (status[0] == '\0')
		status = rcpt->kind == REPORT_FAILED && rcpt->code / 100 == 4 ? "4.0.0" : of_kind[rcpt->kind];
	put_field(writer, "Status", status);
}

/* "host[address]" has no place in a field of type dns: the host, or the literal when it has no name. */
static void put_remote(struct writer *writer, const char *relay)
{
	char host[300];
	const char *bracket = strchr(relay, '[');

	snprintf(host, sizeof(host), "%s", relay);
	if (bracket != NULL && bracket > relay && (size_t)(bracket - relay) < sizeof(host))
		host[bracket - relay] = '\0';
	put_typed_field(writer, "Remote-MTA", "dns", host);
}

/* `reply` may begin with the code already. Words of our own are no SMTP reply and say so. */
static void put_diagnostic(struct writer *writer, const struct report_rcpt *rcpt)
{
	char code[16];

	if (rcpt->reply[0] == '\0' && rcpt->code == 0)
		return;
	if (rcpt->code == 0) {
		put_typed_field(writer, "Diagnostic-Code", "x-warmrelay", rcpt->reply);
		return;
	}
	snprintf(code, sizeof(code), "%03d", rcpt->code);
	if (strncmp(rcpt->reply, code, strlen(code)) == 0) {
		put_typed_field(writer, "Diagnostic-Code", "smtp", rcpt->reply);
		return;
	}
	put_format(writer, "Diagnostic-Code: smtp; %s", code);
	writer->column = strlen("Diagnostic-Code: smtp; 550");
	put_words(writer, rcpt->status, " ");
	put_words(writer, rcpt->reply, " ");
	put(writer, "\r\n");
}

/* RFC 3464 section 2.3.1 */
static void put_original_recipient(struct writer *writer, const char *orcpt)
{
	char text[ORCPT_MAX + 1];

	if (orcpt == NULL || orcpt[0] == '\0')
		return;
	xtext_decode(orcpt, strlen(orcpt), text, sizeof(text));
	put_field(writer, "Original-Recipient", text);
}

/* RFC 3464 section 2.2.1 */
static void put_envelope_id(struct writer *writer, const char *envid)
{
	char text[ENVID_MAX + 1];

	if (envid == NULL || envid[0] == '\0')
		return;
	xtext_decode(envid, strlen(envid), text, sizeof(text));
	put_field(writer, "Original-Envelope-Id", text);
}

static void put_status_rcpt(struct writer *writer, const struct report *report, const struct report_rcpt *rcpt)
{
	static const char *const actions[] = {
		[REPORT_FAILED] = "failed", [REPORT_EXPIRED] = "failed", [REPORT_DELAYED] = "delayed", [REPORT_RELAYED] = "relayed",
	};

	put(writer, "\r\n");
	put_original_recipient(writer, rcpt->orcpt);
	/* RFC 6533, section 3: the type is for addresses that are not ASCII; older readers know the others by rfc822. */
	put_type(writer, "Final-Recipient",
	    report->smtputf8 && !utf8_is_ascii(rcpt->address, strlen(rcpt->address)) ? "utf-8" : "rfc822");
	put_word(writer, rcpt->address, utf8_cut(rcpt->address, strlen(rcpt->address), WORD_MAX), " ");
	put(writer, "\r\n");
	put_field(writer, "Action", actions[rcpt->kind]);
	put_status(writer, rcpt);
	if (rcpt->relay[0] != '\0')
		put_remote(writer, rcpt->relay);
	put_diagnostic(writer, rcpt);
	if (rcpt->last_attempt != 0)
		put_date_field(writer, "Last-Attempt-Date", rcpt->last_attempt);
	if (rcpt->kind == REPORT_DELAYED && rcpt->will_retry_until != 0)
		put_date_field(writer, "Will-Retry-Until", rcpt->will_retry_until);
}

static void put_status_part(struct writer *writer, const struct report *report)
{
	writer->utf8 = report->smtputf8;
	put_format(writer, "Content-Type: message/%sdelivery-status\r\n", report->smtputf8 ? "global-" : "");
	put_format(writer, "Content-Transfer-Encoding: %s\r\n\r\n", report->smtputf8 ? "8bit" : "7bit");
	put_envelope_id(writer, report->envid);
	put_typed_field(writer, "Reporting-MTA", "dns", report->hostname);
	put_field(writer, "X-Warmrelay-Queue-ID", report->about_id);
	put_date_field(writer, "Arrival-Date", report->arrived);
	for (size_t i = 0; i < report->rcpt_count; i++)
		put_status_rcpt(writer, report, &report->rcpts[i]);
}

/* --- the original header section ------------------------------------------------------------------------------------------ */

/* One line without its end, in pieces that are not too long. */
static void put_original_line(struct writer *writer, const char *line, size_t len)
{
	while (len > 0) {
		size_t piece = utf8_cut(line, len, LINE_MAX_OUT);
		char copy[LINE_MAX_OUT];

		for (size_t i = 0; i < piece; i++)
			copy[i] = line[i] == '\r' || line[i] == '\n' || line[i] == '\0' ? ' ' : line[i];
		put_bytes(writer, copy, piece);
		put(writer, piece < len ? "\r\n " : "\r\n");
		line += piece;
		len -= piece;
	}
}

/* RFC 6522 section 3 */
static void put_whole(struct writer *writer, const struct report *report)
{
	put_format(writer, "Content-Type: %s\r\n", report->smtputf8 ? "message/global" : "message/rfc822");
	put_format(writer, "Content-Transfer-Encoding: %s\r\n\r\n",
	    utf8_is_ascii(report->headers, report->headers_len) ? "7bit" : "8bit");
	put_bytes(writer, report->headers, report->headers_len);
}

static void put_original_part(struct writer *writer, const struct report *report)
{
	const char *line = report->headers;
	const char *end = line + (report->headers_len < HEADERS_MAX ? report->headers_len : HEADERS_MAX);

	if (report->full) {
		put_whole(writer, report);
		return;
	}
	put_format(writer, "Content-Type: %s\r\n", report->smtputf8 ? "message/global-headers" : "text/rfc822-headers");
	put_format(writer, "Content-Transfer-Encoding: %s\r\n\r\n",
	    utf8_is_ascii(report->headers, report->headers_len) ? "7bit" : "8bit");
	while (line < end) {
		const char *lf = memmem(line, (size_t)(end - line), "\r\n", 2);

		/* The cut falls at a line end; a header section that came without one is still worth showing. */
		if (lf == NULL && report->headers_len > HEADERS_MAX)
			break;
		put_original_line(writer, line, (size_t)((lf != NULL ? lf : end) - line));
		line = lf != NULL ? lf + 2 : end;
	}
}

enum err report_format(const struct report *report, struct buf *out)
{
	struct writer writer = { .out = out, .utf8 = report->smtputf8 };
	size_t start = out->len;
	char boundary[64];

	make_boundary(report, boundary, sizeof(boundary));
	put_header(&writer, report, boundary);
	put_format(&writer, "\r\n--%s\r\n", boundary);
	put_person_part(&writer, report);
	put_format(&writer, "\r\n--%s\r\n", boundary);
	put_status_part(&writer, report);
	put_format(&writer, "\r\n--%s\r\n", boundary);
	put_original_part(&writer, report);
	put_format(&writer, "\r\n--%s--\r\n", boundary);
	if (writer.err != OK && out->data != NULL) {
		out->len = start;
		out->data[start] = '\0';
	}
	return writer.err;
}
