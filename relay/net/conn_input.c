/* relay/net/conn_input.c - the unread input of one connection: lines, raw pieces, and where the bytes live. */
#include "relay/net/conn_input.h"

#include <stdlib.h>
#include <string.h>

/* Part of a password may have been inside. */
static void own_release(struct conn_input *input)
{
	if (input->own != NULL)
		explicit_bzero(input->own, input->own_size);
	free(input->own);
	input->own = NULL;
	input->own_size = 0;
}

void conn_input_fini(struct conn_input *input)
{
	own_release(input);
	*input = (struct conn_input){ .data = NULL };
}

char *conn_input_begin(struct conn_input *input, char *scratch, size_t *room_out)
{
	if (input->len > 0)
		memmove(scratch, input->data, input->len);
	input->data = scratch;
	*room_out = CONN_INPUT_MAX - input->len;
	return scratch + input->len;
}

void conn_input_settle(struct conn_input *input)
{
	if (input->len == 0) {
		own_release(input);
		input->data = NULL;
		return;
	}
	if (input->own_size < input->len) {
		char *bigger = xcalloc(1, input->len);

		memcpy(bigger, input->data, input->len);
		own_release(input);
		input->own_size = input->len;
		input->own = bigger;
	} else if (input->data != input->own) {
		memmove(input->own, input->data, input->len);
	}
	input->data = input->own;
}

void conn_input_consume(struct conn_input *input, size_t len)
{
	must(len <= input->len);
	input->data += len;
	input->len -= len;
}

void conn_input_discard(struct conn_input *input)
{
	input->len = 0;
	input->skipping = false;
}

/* Length of the first line with its line end, 0: none yet. */
static size_t find_end(const struct conn_input *input, bool strict)
{
	const char *at = input->data, *end = input->data + input->len;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (!strict || (at - input->data >= 2 && at[-2] == '\r'))
			return (size_t)(at - input->data);
	}
	return 0;
}

/* Drop what is there of an overlong line. True: its end was among it. */
static bool skip_line(struct conn_input *input, bool strict)
{
	size_t end = find_end(input, strict);

	if (end == 0) {
		/* A CR at the end may be the first half of the line end. */
		size_t keep = input->len > 0 && input->data[input->len - 1] == '\r' ? 1 : 0;

		conn_input_consume(input, input->len - keep);
		return false;
	}
	conn_input_consume(input, end);
	input->skipping = false;
	return true;
}

bool conn_input_line(struct conn_input *input, size_t max, bool strict, struct conn_line *out)
{
	size_t end = 0, len;

	*out = (struct conn_line){ .text = "" };
	if (input->len == 0)
		return false;
	if (!input->skipping) {
		end = find_end(input, strict);
		if (end == 0 && input->len < max)
			return false;
		input->skipping = end == 0 || end > max;
	}
	if (input->skipping) {
		out->too_long = true;
		return skip_line(input, strict);
	}
	len = end - 1;
	if (len > 0 && input->data[len - 1] == '\r')
		len--;
	out->text = input->data;
	out->len = len;
	out->bare = memchr(out->text, '\r', len) != NULL || memchr(out->text, '\n', len) != NULL || memchr(out->text, 0, len) != NULL;
	conn_input_consume(input, end);
	return true;
}

void conn_line_wipe(struct conn_line *line)
{
	/* The bytes are ours: in `own` or in the loop's scratch. */
	explicit_bzero((void *)(uintptr_t)line->text, line->len);
}
