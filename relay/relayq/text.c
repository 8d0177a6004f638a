/* relay/relayq/text.c - how facts read for people: clean texts, widths, times, sizes, numbers. */
#include "relay/relayq/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "base/ascii.h"

/* One character: its bytes (at least 1) and columns; columns < 0: not to be shown as it is. */
static size_t character(const char *text, int *columns_out)
{
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n = mbrtowc(&wc, text, MB_CUR_MAX, &state);

	if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
		*columns_out = -1;
		return 1;
	}
	*columns_out = iswcntrl((wint_t)wc) ? -1 : wcwidth(wc);
	return n;
}

char *text_clean(const char *text)
{
	size_t len = strlen(text), out = 0;
	char *clean = xcalloc(len + 1, 1);

	for (size_t at = 0; at < len;) {
		int columns;
		size_t n = character(text + at, &columns);

		if (columns < 0) {
			clean[out++] = text[at] == '\n' || text[at] == '\t' || text[at] == '\r' ? ' ' : '?';
		} else {
			memcpy(clean + out, text + at, n);
			out += n;
		}
		at += n;
	}
	return clean;
}

size_t text_width(const char *text)
{
	size_t width;

	(void)text_prefix(text, SIZE_MAX, &width);
	return width;
}

size_t text_prefix(const char *text, size_t columns, size_t *width_out)
{
	size_t at = 0, width = 0;

	while (text[at]) {
		int w;
		size_t n = character(text + at, &w);

		w = w < 0 ? 1 : w;
		if (width + (size_t)w > columns)
			break;
		width += (size_t)w;
		at += n;
	}
	*width_out = width;
	return at;
}

char *text_span(int64_t ms, char out[TEXT_SHORT])
{
	/* From two of the larger unit on, the smaller one is noise. */
	int64_t s = ms > 0 ? ms / 1000 : 0;

	if (s < 120)
		(void)snprintf(out, TEXT_SHORT, "%" PRId64 "s", s);
	else if (s < 120 * 60)
		(void)snprintf(out, TEXT_SHORT, "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		(void)snprintf(out, TEXT_SHORT, "%" PRId64 "h", s / 3600);
	else
		(void)snprintf(out, TEXT_SHORT, "%" PRId64 "d", s / 86400);
	return out;
}

char *text_relative(wall_ms when, wall_ms now, char out[TEXT_SHORT])
{
	char span[TEXT_SHORT];

	if (when == 0)
		out[0] = '\0';
	else if (when - now < 1000 && now - when < 1000)
		(void)snprintf(out, TEXT_SHORT, "now");
	else if (when > now)
		(void)snprintf(out, TEXT_SHORT, "in %.30s", text_span(when - now, span));
	else
		(void)snprintf(out, TEXT_SHORT, "%.30s ago", text_span(now - when, span));
	return out;
}

char *text_date(wall_ms when, char out[TEXT_SHORT])
{
	char text[CLOCK_TEXT];

	(void)clock_rfc3339(when, text);
	if (strlen(text) < 16 || text[10] != 'T')
		(void)snprintf(out, TEXT_SHORT, "%s", text);
	else
		(void)snprintf(out, TEXT_SHORT, "%.10s %.5s UTC", text, text + 11);
	return out;
}

char *text_size(uint64_t bytes, char out[TEXT_SHORT])
{
	static const char UNITS[] = "KMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(out, TEXT_SHORT, "%" PRIu64, bytes);
		return out;
	}
	value /= 1024;
	while (value >= 999.5 && unit + 1 < sizeof(UNITS) - 1) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(out, TEXT_SHORT, value < 9.95 ? "%.1f%c" : "%.0f%c", value, UNITS[unit]);
	return out;
}

char *text_grouped(uint64_t number, char out[TEXT_SHORT])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, number), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

char *text_counted(uint64_t number, const char *noun, char out[TEXT_SHORT + 24])
{
	char grouped[TEXT_SHORT];

	(void)snprintf(out, TEXT_SHORT + 24, "%s %.20s%s", text_grouped(number, grouped), noun, number == 1 ? "" : "s");
	return out;
}

wall_ms text_parse_time(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	wall_ms ms = 0;

	if (!rest)
		return 0;
	if (*rest == '.') {
		rest++;
		for (wall_ms unit = 100; ascii_is_digit(*rest); unit /= 10)
			ms += unit * (*rest++ - '0');
	}
	return strcmp(rest, "Z") == 0 ? (wall_ms)timegm(&tm) * 1000 + ms : 0;
}
