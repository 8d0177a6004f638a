/* relay/wire/reply.c - SMTP replies (RFC 5321 section 4.2) and enhanced status codes (RFC 3463, 2034). */
#include "relay/wire/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/utf8.h"

#define CODE_LEN 3

void reply_init(struct reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	buf_init(&reply->text, REPLY_TEXT_MAX);
}

void reply_fini(struct reply *reply)
{
	buf_fini(&reply->text);
	reply_reset(reply);
}

void reply_reset(struct reply *reply)
{
	reply->code = 0;
	reply->lines = 0;
	reply->enhanced[0] = '\0';
	buf_reset(&reply->text);
}

static bool is_control(char c)
{
	return (uint8_t)c < ' ' || c == 0x7f;
}

static enum reply_status broken(const char *what, const char *line, size_t len, struct err_detail *why)
{
	char shown[81];
	size_t n = len < sizeof(shown) - 1 ? len : sizeof(shown) - 1;

	for (size_t i = 0; i < n; i++)
		shown[i] = is_control(line[i]) ? '?' : line[i];
	shown[n] = '\0';
	(void)err_set(why, ERR_INVALID, "%s: \"%s\"", what, shown);
	return REPLY_BROKEN;
}

/* 200..599 at the start of `line`, followed by a blank, a hyphen or nothing; 0: it is none. */
static int parse_code(const char *line, size_t len)
{
	if (len < CODE_LEN || line[0] < '2' || line[0] > '5' || !ascii_is_digit(line[1]) || !ascii_is_digit(line[2]))
		return 0;
	if (len > CODE_LEN && line[CODE_LEN] != ' ' && line[CODE_LEN] != '-')
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* "." and one to three digits (RFC 3463 section 2). Returns the length, 0: it is not there. */
static size_t subcode_len(const char *text, size_t len)
{
	size_t n = 1;

	if (len < 2 || text[0] != '.')
		return 0;
	while (n < len && n <= 3 && ascii_is_digit(text[n]))
		n++;
	return n > 1 ? n : 0;
}

/* Length of the enhanced code at the start of `text`, 0 when there is none of that class. */
static size_t enhanced_len(const char *text, size_t len, int class)
{
	size_t subject, detail, total;

	if (len == 0 || text[0] != '0' + class || class == 3)
		return 0;
	subject = subcode_len(text + 1, len - 1);
	if (subject == 0)
		return 0;
	detail = subcode_len(text + 1 + subject, len - 1 - subject);
	total = 1 + subject + detail;
	if (detail == 0 || (total < len && text[total] != ' '))
		return 0;
	return total;
}

/* Strip the enhanced code of the reply, which the first line that has one decides; another code stays in the text. */
static void take_enhanced(struct reply *reply, const char **text, size_t *len)
{
	size_t code_len = enhanced_len(*text, *len, reply_class(reply));

	if (code_len == 0 || code_len >= sizeof(reply->enhanced))
		return;
	if (reply->enhanced[0] == '\0')
		memcpy(reply->enhanced, *text, code_len);
	else if (strncmp(reply->enhanced, *text, code_len) != 0)
		return;
	reply->enhanced[code_len] = '\0';
	*text += code_len;
	*len -= code_len;
	while (*len > 0 && **text == ' ') {
		(*text)++;
		(*len)--;
	}
}

/* Append as much of a line as the cap lets in. */
static void add_text(struct reply *reply, const char *text, size_t len)
{
	struct buf *buf = &reply->text;
	size_t joint = reply->lines > 0 ? 1 : 0;
	size_t room = buf->max - buf->len;
	char *to;

	if (len > REPLY_LINE_MAX)
		len = utf8_cut(text, len, REPLY_LINE_MAX);
	if (room < joint)
		return;
	if (len > room - joint)
		len = utf8_cut(text, len, room - joint);
	to = buf_extend(buf, joint + len);
	if (to == NULL)
		return;
	if (joint)
		*to++ = '\n';
	for (size_t i = 0; i < len; i++)
		to[i] = is_control(text[i]) ? '?' : text[i];
}

enum reply_status reply_feed(struct reply *reply, const char *line, size_t len, unsigned max_lines, struct err_detail *why)
{
	int code = parse_code(line, len);
	bool more = len > CODE_LEN && line[CODE_LEN] == '-';
	const char *text = line + (len > CODE_LEN ? CODE_LEN + 1 : len);
	size_t text_len = (size_t)(line + len - text);

	if (code == 0)
		return broken("not an SMTP reply", line, len, why);
	if (reply->code != 0 && reply->code != code)
		return broken("reply code changes between lines", line, len, why);
	if (reply->lines >= max_lines)
		return broken("reply has too many lines", line, len, why);
	reply->code = code;
	take_enhanced(reply, &text, &text_len);
	add_text(reply, text, text_len);
	reply->lines++;
	return more ? REPLY_MORE : REPLY_DONE;
}

/* A text that ends for good where something did not fit. */
struct line {
	char *out;
	size_t used, size;
	bool full;
};

static void line_add(struct line *line, const char *text, size_t len)
{
	size_t n = line->full ? 0 : utf8_cut(text, len, line->size - 1 - line->used);

	memcpy(line->out + line->used, text, n);
	line->used += n;
	line->out[line->used] = '\0';
	line->full = line->full || n < len;
}

char *reply_line(const struct reply *reply, char *out, size_t size)
{
	struct line line = { .out = out, .size = size };
	const char *text = buf_str(&reply->text);
	char codes[32];

	if (size == 0)
		return out;
	snprintf(codes, sizeof(codes), "%03d%s%s", reply->code, reply->enhanced[0] ? " " : "", reply->enhanced);
	line_add(&line, codes, strlen(codes));
	for (bool first = true; text != NULL;) {
		const char *lf = strchr(text, '\n');
		size_t len = lf != NULL ? (size_t)(lf - text) : strlen(text);

		if (len > 0) {
			line_add(&line, first ? " " : " / ", first ? 1 : 3);
			line_add(&line, text, len);
			first = false;
		}
		text = lf != NULL ? lf + 1 : NULL;
	}
	return out;
}
