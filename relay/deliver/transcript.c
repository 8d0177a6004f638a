/* relay/deliver/transcript.c - what was said in one attempt. */
#include "relay/deliver/transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "relay/wire/utf8.h"

#define LINE_MAX_BYTES 600 /* of a line of the transcript: the longest command or reply line of RFC 5321 and its time */
#define CUT            " ..."
#define ROOM_FOR_COUNT 60  /* "... N lines ..." */

void transcript_init(struct transcript *t, size_t max)
{
	size_t room = max - ROOM_FOR_COUNT;

	*t = (struct transcript){ .left_out = 0 };
	buf_init(&t->head, room * 2 / 3);
	buf_init(&t->tail, room / 3);
}

void transcript_fini(struct transcript *t)
{
	buf_fini(&t->head);
	buf_fini(&t->tail);
}

void transcript_begin(struct transcript *t, mono_ms now)
{
	buf_reset(&t->head);
	buf_reset(&t->tail);
	t->left_out = 0;
	t->start = now;
}

/* Once the head is full, the last lines: the oldest of them make room. */
static void add_last(struct transcript *t, const char *line)
{
	while (buf_add_str(&t->tail, line) != OK) {
		const char *end = memchr(t->tail.data, '\n', t->tail.len);

		if (!end)
			return;
		buf_consume(&t->tail, (size_t)(end + 1 - (const char *)t->tail.data));
		t->left_out++;
	}
}

static bool is_printable(unsigned char c)
{
	return c >= 0x20 && c != 0x7f;
}

void transcript_line(struct transcript *t, mono_ms now, enum transcript_mark mark, const char *text, size_t len)
{
	char line[LINE_MAX_BYTES + sizeof(CUT) + 2];
	int used = snprintf(line, sizeof(line), "%7.3f %c ", (double)(now - t->start) / 1000, (int)mark);
	size_t at = (size_t)used, room = LINE_MAX_BYTES - at;
	bool cut = len > room;

	if (cut)
		len = utf8_cut(text, len, room);
	for (size_t i = 0; i < len; i++)
		line[at++] = (char)(is_printable((unsigned char)text[i]) ? text[i] : '?');
	(void)snprintf(line + at, sizeof(line) - at, "%s\n", cut ? CUT : "");
	if (t->tail.len > 0 || buf_add_str(&t->head, line) != OK)
		add_last(t, line);
}

void transcript_note(struct transcript *t, mono_ms now, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	transcript_line(t, now, TRANSCRIPT_NOTE, text, strlen(text));
}

void transcript_sent(struct transcript *t, mono_ms now, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\r', (size_t)(end - text));

		if (!stop)
			stop = end;
		transcript_line(t, now, TRANSCRIPT_SENT, text, (size_t)(stop - text));
		text = stop + 2 <= end ? stop + 2 : end;
	}
}

char *transcript_text(const struct transcript *t)
{
	if (t->left_out == 0)
		return xasprintf("%.*s%.*s", (int)t->head.len, (const char *)t->head.data, (int)t->tail.len, (const char *)t->tail.data);
	return xasprintf("%.*s... %zu lines ...\n%.*s", (int)t->head.len, (const char *)t->head.data, t->left_out, (int)t->tail.len,
	    (const char *)t->tail.data);
}
