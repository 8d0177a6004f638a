/* relay/wire/trace.c - trace and other header fields that we add or look for. */
#include "relay/wire/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/utf8.h"

#define LINE_COLUMNS 77 /* below the 78 of RFC 5322 section 2.1.1 */
#define HELO_MAX     255

/* A header field that is being written word by word. */
struct fold {
	struct buf *out;
	size_t column;
	enum err err; /* the first one; nothing is appended after it */
};

static void fold_add(struct fold *fold, const char *text, size_t columns)
{
	if (fold->err == OK)
		fold->err = buf_add_str(fold->out, text);
	fold->column += columns;
}

static void fold_line(struct fold *fold)
{
	fold_add(fold, "\r\n\t", 0);
	fold->column = 8;
}

/* A word, on the next line when this one is full. */
static void fold_word(struct fold *fold, const char *word)
{
	size_t len = strlen(word);

	if (fold->column + 1 + len > LINE_COLUMNS)
		fold_line(fold);
	else if (fold->column > 8)
		fold_add(fold, " ", 1);
	fold_add(fold, word, len);
}

static void fold_clause(struct fold *fold, const char *name, const char *word)
{
	fold_word(fold, name);
	fold_word(fold, word);
}

/* "with" protocol types (RFC 3848 section 2, RFC 6531 section 4.3), by TLS and login. */
static const char *protocol(const struct trace *trace)
{
	static const char *const esmtp[2][2] = { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } };
	static const char *const utf8[2][2] = { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } };

	if (trace->http)
		return trace->tls ? "HTTPS" : "HTTP";
	if (trace->utf8)
		return utf8[trace->tls][trace->auth];
	return trace->esmtp ? esmtp[trace->tls][trace->auth] : "SMTP";
}

/* The client's name may be anything; nothing in it may end the word, open a comment or close one. */
static void clean_helo(const char *helo, bool utf8, char out[HELO_MAX + 1])
{
	size_t len = strlen(helo), used = 0;

	for (size_t n; len > 0 && used < HELO_MAX; helo += n, len -= n) {
		n = utf8_char(helo, len);
		if (n > 1 && utf8 && used + n <= HELO_MAX) {
			memcpy(out + used, helo, n);
			used += n;
			continue;
		}
		n = n == 0 ? 1 : n;
		out[used++] = n > 1 || *helo <= ' ' || *helo == 0x7f || strchr("()<>,;\\\"@", *helo) != NULL ? '?' : *helo;
	}
	out[used] = '\0';
}

static void add_from(struct fold *fold, const struct trace *trace)
{
	char helo[HELO_MAX + 1], client[IP_TEXT], literal[IP_TEXT + 16];

	clean_helo(trace->helo, trace->utf8, helo);
	fold_add(fold, "Received:", 9);
	fold_clause(fold, "from", helo[0] != '\0' ? helo : "unknown");
	if (trace->client.family == 0)
		return;
	/* TCP-info of RFC 5321 section 4.4; the literal's form is that of section 4.1.3. */
	snprintf(literal, sizeof(literal), "([%s%s])", trace->client.family == AF_INET6 ? "IPv6:" : "",
	    ip_format(&trace->client, client));
	fold_word(fold, literal);
}

static void add_comment(struct fold *fold, const char *text)
{
	char comment[128];

	snprintf(comment, sizeof(comment), "(%s)", text);
	fold_word(fold, comment);
}

enum err trace_received(const struct trace *trace, struct buf *out)
{
	struct fold fold = { .out = out };
	size_t start = out->len;
	char date[CLOCK_TEXT], word[400];

	add_from(&fold, trace);
	fold_line(&fold);
	fold_clause(&fold, "by", trace->hostname);
	fold_clause(&fold, "with", protocol(trace));
	if (trace->tls_text != NULL)
		add_comment(&fold, trace->tls_text);
	snprintf(word, sizeof(word), "id %s%s", trace->id, trace->rcpt == NULL ? ";" : "");
	fold_word(&fold, word);
	fold_line(&fold);
	if (trace->rcpt != NULL) {
		snprintf(word, sizeof(word), "<%s>;", trace->rcpt);
		fold_clause(&fold, "for", word);
	}
	fold_word(&fold, clock_rfc5322(trace->when, date));
	fold_add(&fold, "\r\n", 0);
	if (fold.err != OK && out->len > start) {
		out->len = start;
		out->data[start] = '\0';
	}
	return fold.err;
}

/* --- header_scan ------------------------------------------------------------------------------------------------------- */

static const char received_name[] = "received";

enum scan_state {
	SCAN_NAME,  /* from a line start on, while what was read fits the name looked for */
	SCAN_BLANK, /* behind the name, before the colon */
	SCAN_REST,  /* the rest of the line */
	SCAN_CR,    /* behind a CR at a line start: an LF makes it the empty line */
};

void header_scan_init(struct header_scan *scan)
{
	memset(scan, 0, sizeof(*scan));
	scan->state = SCAN_NAME;
}

static void line_start(struct header_scan *scan)
{
	scan->state = SCAN_NAME;
	scan->matched = 0;
}

/* A byte at the start of a line or in the name of a field. */
static void scan_byte(struct header_scan *scan, char c)
{
	if (scan->state == SCAN_CR && c == '\n') {
		scan->in_body = true;
		scan->header_bytes -= 2;
	} else if (c == '\n') {
		line_start(scan);
	} else if (scan->state == SCAN_NAME && scan->matched == 0 && c == '\r') {
		scan->state = SCAN_CR;
	} else if (scan->state == SCAN_NAME && ascii_lower(c) == received_name[scan->matched]) {
		scan->matched++;
		if (received_name[scan->matched] == '\0')
			scan->state = SCAN_BLANK;
	} else if (scan->state == SCAN_BLANK && c == ':') {
		scan->received++;
		scan->state = SCAN_REST;
	} else if (scan->state != SCAN_BLANK || (c != ' ' && c != '\t')) {
		scan->state = SCAN_REST;
	}
}

void header_scan_feed(struct header_scan *scan, const char *data, size_t len)
{
	const char *end = data + len;

	while (data < end && !scan->in_body) {
		const char *next = data + 1;

		if (scan->state == SCAN_REST) {
			const char *lf = memchr(data, '\n', (size_t)(end - data));

			next = lf != NULL ? lf + 1 : end;
			if (lf != NULL)
				line_start(scan);
			scan->header_bytes += (size_t)(next - data);
		} else {
			scan->header_bytes++;
			scan_byte(scan, *data);
		}
		data = next;
	}
}
