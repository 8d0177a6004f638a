/* relay/wire/dot.c - message content on the wire: line discipline and transparency.
 *
 * One rule for line ends everywhere: only CRLF ends a line (RFC 5321 section 2.3.8). A bare CR or LF is a byte of the line it stands in, so
 * that it can never make a dot look like the end of the message, and it makes the message refusable, so that it can never do that at the
 * next hop either. */
#include "relay/wire/dot.h"

#include <string.h>

/* Where the reader stands; also those of dot_check, which knows no dots. */
enum read_state {
	READ_LINE_START, /* at the beginning, and after CRLF */
	READ_TEXT,       /* inside a line */
	READ_CR,         /* after a CR inside a line */
	READ_DOT,        /* after a dot at a line start, which is not content */
	READ_DOT_CR,     /* after that dot and a CR: an LF now ends the message */
};

enum write_state {
	WRITE_LINE_START, /* at the beginning, and after CRLF */
	WRITE_TEXT,
	WRITE_CR,
	WRITE_STUFFED, /* before a dot whose double has been asked for */
};

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Which bytes of `word` are zero? The lowest set bit is exact (Hacker's Delight, section 6-1): at little end it is the first such byte. */
static inline uint64_t zero_bytes(uint64_t word)
{
	return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* Length of the run without CR, LF and NUL at the start of `in`; all bits of its bytes are or'ed into *bits. */
static size_t plain_run(const char *in, size_t len, uint64_t *bits)
{
	size_t n = 0;

	for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, in + n, sizeof(word));
		if (zero_bytes(word) | zero_bytes(word ^ EACH_BYTE('\r')) | zero_bytes(word ^ EACH_BYTE('\n')))
			break;
		*bits |= word;
	}
	for (; n < len && in[n] != '\r' && in[n] != '\n' && in[n] != '\0'; n++)
		*bits |= (uint8_t)in[n];
	return n;
}

const char *dot_fault_text(enum dot_fault fault)
{
	static const char *const texts[] = {
		[DOT_CLEAN] = "no fault",
		[DOT_BARE_LF] = "bare LF in message content",
		[DOT_BARE_CR] = "bare CR in message content",
		[DOT_LONG_LINE] = "line too long in message content",
		[DOT_NUL] = "NUL in message content",
	};

	return texts[fault];
}

void dot_reader_init(struct dot_reader *reader, uint32_t line_max, bool reject_nul)
{
	*reader = (struct dot_reader){
		.state = READ_LINE_START,
		.line_max = line_max,
		.reject_nul = reject_nul,
	};
}

static void set_fault(struct dot_reader *reader, enum dot_fault fault)
{
	if (reader->fault == DOT_CLEAN)
		reader->fault = fault;
}

/* The dot that transparency adds does not count (RFC 5321 section 4.5.3.1.6). */
static void count_line(struct dot_reader *reader, size_t bytes)
{
	if (bytes > UINT32_MAX - reader->line_len)
		reader->line_len = UINT32_MAX;
	else
		reader->line_len += (uint32_t)bytes;
	if (reader->line_max != 0 && reader->line_len > reader->line_max)
		set_fault(reader, DOT_LONG_LINE);
}

/* A CR, LF or NUL inside a line. */
static void take_control(struct dot_reader *reader, char c)
{
	count_line(reader, 1);
	if (c == '\n' && reader->state == READ_CR) {
		reader->state = READ_LINE_START;
		reader->line_len = 0;
		return;
	}
	if (reader->state == READ_CR)
		set_fault(reader, DOT_BARE_CR);
	if (c == '\n')
		set_fault(reader, DOT_BARE_LF);
	if (c == '\0' && reader->reject_nul)
		set_fault(reader, DOT_NUL);
	reader->state = c == '\r' ? READ_CR : READ_TEXT;
}

/* Plain bytes, and the one control byte behind them, up to the end of the line at most. Returns how many were taken, at least 1. */
static size_t take_line(struct dot_reader *reader, const char *in, size_t len)
{
	uint64_t bits = 0;
	size_t run = plain_run(in, len, &bits);

	if (run > 0) {
		if (reader->state == READ_CR)
			set_fault(reader, DOT_BARE_CR);
		if (bits & EACH_BYTE(0x80))
			reader->eight_bit = true;
		count_line(reader, run);
		reader->state = READ_TEXT;
	}
	if (run == len)
		return run;
	take_control(reader, in[run]);
	return run + 1;
}

/* The bytes that decide what a dot at a line start is. True: `c` has been used up. */
static bool take_dot(struct dot_reader *reader, char c)
{
	switch ((enum read_state)reader->state) {
	case READ_LINE_START:
		if (c != '.')
			return false;
		reader->state = READ_DOT;
		return true;
	case READ_DOT:
		reader->state = c == '\r' ? READ_DOT_CR : READ_TEXT;
		return c == '\r';
	case READ_DOT_CR:
		if (c == '\n') {
			reader->done = true;
			return true;
		}
		/* The CR was content, a bare one, and goes unwritten: nobody keeps a message with a fault. */
		count_line(reader, 1);
		reader->state = READ_CR;
		return false;
	case READ_TEXT:
	case READ_CR:
		return false;
	}
	return false;
}

void dot_read(struct dot_reader *reader, const char *in, size_t in_len, char *out, size_t *used_out, size_t *out_len)
{
	size_t used = 0, copied = 0, written = 0;

	/* in[copied..used) waits to be copied: in one piece, until a dot goes missing. */
	while (used < in_len && !reader->done) {
		if (!take_dot(reader, in[used])) {
			used += take_line(reader, in + used, in_len - used);
			continue;
		}
		memmove(out + written, in + copied, used - copied);
		written += used - copied;
		copied = ++used;
	}
	memmove(out + written, in + copied, used - copied);
	*used_out = used;
	*out_len = written + (used - copied);
}

void dot_check(struct dot_reader *reader, const char *in, size_t len)
{
	for (size_t used = 0; used < len;)
		used += take_line(reader, in + used, len - used);
}

void dot_check_end(struct dot_reader *reader)
{
	if (reader->state == READ_CR)
		set_fault(reader, DOT_BARE_CR);
}

void dot_writer_init(struct dot_writer *writer)
{
	writer->state = WRITE_LINE_START;
}

/* The state behind `len` bytes without an LF; `before` when there are none. */
static uint8_t state_behind(uint8_t before, const char *in, size_t len)
{
	if (len == 0)
		return before;
	return in[len - 1] == '\r' ? WRITE_CR : WRITE_TEXT;
}

size_t dot_write(struct dot_writer *writer, const char *in, size_t len)
{
	size_t pos = 0;

	if (len == 0)
		return 0;
	if (writer->state == WRITE_LINE_START && in[0] == '.') {
		writer->state = WRITE_STUFFED;
		return 0;
	}
	for (;;) {
		const char *lf = memchr(in + pos, '\n', len - pos);
		size_t line_len = lf == NULL ? len - pos : (size_t)(lf - in) - pos;

		writer->state = state_behind(writer->state, in + pos, line_len);
		if (lf == NULL)
			return len;
		pos += line_len + 1;
		writer->state = writer->state == WRITE_CR ? WRITE_LINE_START : WRITE_TEXT;
		if (pos == len)
			return len;
		if (writer->state == WRITE_LINE_START && in[pos] == '.') {
			writer->state = WRITE_STUFFED;
			return pos;
		}
	}
}

const char *dot_writer_end(const struct dot_writer *writer)
{
	return writer->state == WRITE_LINE_START ? ".\r\n" : "\r\n.\r\n";
}
