/* base/log.c - one line for each fact, as key=value on standard error and as JSON in the event log. */
#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log_file.h"

#define TEXT_TAIL 16  /* " level=error\n" */
#define JSON_TAIL 2   /* "}\n" */
#define RESERVE   512 /* kept free behind a long value for the fields that follow */
#define LONG      128 /* bytes from which a value is long */
#define CUT       "..."

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static atomic_int stderr_level = LOG_INFO;
static atomic_bool has_events;

/* Guards `events` and `events_failed`; held for one write, never while a line is built. */
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_file *events;
static bool events_failed;

/* --- values ------------------------------------------------------------------------------------------------------- */

/* A place to write to: bytes up to `limit` in a line's text or json. */
struct sink {
	char *data;
	size_t len;
	size_t limit;
};

static bool put(struct sink *sink, const char *bytes, size_t len)
{
	if (len > sink->limit - sink->len)
		return false;
	memcpy(sink->data + sink->len, bytes, len);
	sink->len += len;
	return true;
}

/* As much of it as there is room for; false: not all. */
static bool put_cut(struct sink *sink, const char *bytes, size_t len)
{
	size_t room = sink->limit - sink->len;

	put(sink, bytes, len < room ? len : room);
	return len <= room;
}

static bool put_str(struct sink *sink, const char *text)
{
	return put(sink, text, strlen(text));
}

/* Length of the UTF-8 character at `s` (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0 when it is none. */
static size_t utf8_len(const unsigned char *s)
{
	unsigned lead = s[0], low = 0x80, high = 0xbf;
	size_t len;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* C0, DEL, and the C1 controls U+0080..U+009F, which terminals obey as well. */
static bool is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

/* Printable ASCII that stands for itself in both forms; most of what is logged. */
static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* Write the special character at `s` in one of the forms; returns the bytes used of `s`, and those in out[]. */
typedef size_t escape_fn(const unsigned char *s, char out[16], size_t *out_len);

static size_t escape_text(const unsigned char *s, char out[16], size_t *out_len)
{
	size_t len = utf8_len(s);

	if (len == 0 || is_control(s)) {
		*out_len = (size_t)snprintf(out, 16, "\\x%02x", s[0]);
		return 1; /* the second byte of a C1 control is no character by itself and is escaped next */
	}
	*out_len = (size_t)snprintf(out, 16, "%s%.*s", len == 1 ? "\\" : "", (int)len, (const char *)s);
	return len;
}

static size_t escape_json(const unsigned char *s, char out[16], size_t *out_len)
{
	size_t len = utf8_len(s);

	if (len == 0) {
		*out_len = (size_t)snprintf(out, 16, "\\ufffd");
		return 1;
	}
	if (is_control(s))
		*out_len = (size_t)snprintf(out, 16, "\\u%04x", len == 1 ? s[0] : s[1]);
	else
		*out_len = (size_t)snprintf(out, 16, "%s%.*s", len == 1 ? "\\" : "", (int)len, (const char *)s);
	return len;
}

/* Write the whole value escaped or, when it would pass the limit, its beginning and "...". */
static void put_value(struct sink *sink, const char *value, escape_fn *escape)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t start = sink->len;
	size_t last_cut = sink->limit >= start + strlen(CUT) ? sink->limit - strlen(CUT) : start;
	size_t cut_at = start; /* where a character ends and "..." still fits */
	bool fits = true;

	while (*s != '\0' && fits) {
		char form[16];
		size_t len = 0;

		while (is_plain(s[len]))
			len++;
		if (len > 0) {
			if (sink->len <= last_cut)
				cut_at = sink->len + len < last_cut ? sink->len + len : last_cut;
			fits = put_cut(sink, (const char *)s, len);
			s += len;
			continue;
		}
		s += escape(s, form, &len);
		fits = put(sink, form, len);
		if (fits && sink->len <= last_cut)
			cut_at = sink->len;
	}
	if (!fits) {
		sink->len = cut_at;
		put_str(sink, CUT);
	}
}

/* A space is plain but needs quotes, and so does '='. */
static bool needs_quotes(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t len;

	for (; *s != '\0'; s += len) {
		len = 1;
		if (*s == ' ' || *s == '=')
			return true;
		if (is_plain(*s))
			continue;
		len = utf8_len(s);
		if (len <= 1 || is_control(s))
			return true;
	}
	return s == (const unsigned char *)value;
}

/* The sink for one field: up to the tail of the line, a long value not into the reserve. */
static struct sink sink_of(char *data, size_t len, size_t tail, size_t value_len)
{
	struct sink sink = { .data = data, .len = len, .limit = LOG_LINE_MAX - tail };

	if (value_len >= LONG)
		sink.limit -= RESERVE;
	if (sink.limit < len)
		sink.limit = len;
	return sink;
}

static void text_field(struct log_line *line, const char *key, const char *value)
{
	struct sink sink = sink_of(line->text, line->text_len, TEXT_TAIL, strlen(value));
	bool quoted = needs_quotes(value);

	if (strlen(key) + sizeof(" =\"...\"") > sink.limit - sink.len)
		return;
	put_str(&sink, " ");
	put_str(&sink, key);
	put_str(&sink, quoted ? "=\"" : "=");
	sink.limit -= quoted ? 1 : 0;
	put_value(&sink, value, escape_text);
	sink.limit += quoted ? 1 : 0;
	if (quoted)
		put_str(&sink, "\"");
	line->text_len = sink.len;
}

/* `quote` is "\"" for a text and "" for a number. */
static void json_field(struct log_line *line, const char *key, const char *value, const char *quote)
{
	struct sink sink = sink_of(line->json, line->json_len, JSON_TAIL, strlen(value));

	if (strlen(key) + sizeof(",\"\":\"...\"") + (*quote == '\0' ? strlen(value) : 0) > sink.limit - sink.len)
		return;
	put_str(&sink, ",\"");
	put_str(&sink, key);
	put_str(&sink, "\":");
	put_str(&sink, quote);
	sink.limit -= strlen(quote);
	put_value(&sink, value, escape_json);
	sink.limit += strlen(quote);
	put_str(&sink, quote);
	line->json_len = sink.len;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&stderr_level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
	char now[CLOCK_TEXT];

	line->level = level;
	line->event = event;
	line->text_len = 0;
	line->json_len = 0;
	if ((int)level >= atomic_load_explicit(&stderr_level, memory_order_relaxed))
		line->text_len = (size_t)snprintf(line->text, sizeof(line->text), "%.64s", event);
	if (level >= LOG_INFO && atomic_load_explicit(&has_events, memory_order_relaxed))
		line->json_len = (size_t)snprintf(line->json, sizeof(line->json),
		    "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%.64s\"", clock_rfc3339(clock_wall(), now),
		    level_names[level], event);
}

static void add(struct log_line *line, const char *key, const char *value, const char *quote)
{
	if (line->text_len > 0)
		text_field(line, key, value);
	if (line->json_len > 0)
		json_field(line, key, value, quote);
}

void log_str(struct log_line *line, const char *key, const char *value)
{
	if (value != NULL)
		add(line, key, value, "\"");
}

static void add_formatted(struct log_line *line, const char *key, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void add_formatted(struct log_line *line, const char *key, const char *format, va_list args)
{
	char value[LOG_LINE_MAX];

	vsnprintf(value, sizeof(value), format, args);
	add(line, key, value, "\"");
}

void log_fmt(struct log_line *line, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_formatted(line, key, format, args);
	va_end(args);
}

void log_num(struct log_line *line, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add(line, key, text, "");
}

/* Standard error may be gone or full; there is nobody left to tell. */
static void write_stderr(const char *text, size_t len)
{
	if (write(STDERR_FILENO, text, len) < 0)
		return;
}

static void write_event(const struct log_line *line)
{
	struct err_detail why;
	struct log_line failure;
	bool first_failure = false;
	enum err err = OK;

	must(pthread_mutex_lock(&events_lock) == 0);
	if (events != NULL) {
		err = log_file_write(events, clock_wall(), line->json, line->json_len, &why);
		first_failure = err != OK && !events_failed;
		events_failed = err != OK;
	}
	must(pthread_mutex_unlock(&events_lock) == 0);
	if (!first_failure)
		return;
	log_begin(&failure, LOG_ERROR, "event-log-failed");
	failure.json_len = 0; /* it could not be written there */
	log_str(&failure, "text", why.text);
	log_end(&failure);
}

void log_end(struct log_line *line)
{
	if (line->text_len > 0) {
		line->text_len += (size_t)snprintf(line->text + line->text_len, TEXT_TAIL, "%s%s\n",
		    line->level > LOG_INFO ? " level=" : "", line->level > LOG_INFO ? level_names[line->level] : "");
		write_stderr(line->text, line->text_len);
	}
	if (line->json_len > 0) {
		memcpy(line->json + line->json_len, "}\n", JSON_TAIL);
		line->json_len += JSON_TAIL;
		write_event(line);
	}
}

void log_text(enum log_level level, const char *event, const char *format, ...)
{
	struct log_line line;
	va_list args;

	log_begin(&line, level, event);
	va_start(args, format);
	add_formatted(&line, "text", format, args);
	va_end(args);
	log_end(&line);
}

/* --- the event log ------------------------------------------------------------------------------------------------ */

static void replace_events(struct log_file *file)
{
	must(pthread_mutex_lock(&events_lock) == 0);
	log_file_close(&events);
	events = file;
	events_failed = false;
	must(pthread_mutex_unlock(&events_lock) == 0);
	atomic_store_explicit(&has_events, file != NULL, memory_order_relaxed);
}

enum err log_open_events(const char *dir, int keep_days, uint64_t max_bytes, struct err_detail *why)
{
	struct log_file *file;
	enum err err = log_file_open(dir, keep_days, max_bytes, clock_wall(), &file, why);

	if (err == OK)
		replace_events(file);
	return err;
}

void log_close_events(void)
{
	replace_events(NULL);
}
