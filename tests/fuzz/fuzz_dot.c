/* tests/fuzz/fuzz_dot.c - fuzz target for relay/wire/dot.h and the header scan: splits change nothing, and stuffing can be undone. */
#include <stdlib.h>
#include <string.h>

#include "relay/wire/dot.h"
#include "relay/wire/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct content {
	struct dot_reader reader;
	size_t used, len;
	char *out;
};

/* Read in pieces of `step` bytes. */
static struct content read_all(const char *in, size_t size, size_t step)
{
	struct content content = { .out = xcalloc(size + 1, 1) };

	dot_reader_init(&content.reader, 80, true);
	while (content.used < size && !content.reader.done) {
		size_t piece = size - content.used < step ? size - content.used : step;
		size_t used, len;

		dot_read(&content.reader, in + content.used, piece, content.out + content.len, &used, &len);
		must(used == piece || content.reader.done);
		must(len <= used);
		content.used += used;
		content.len += len;
	}
	return content;
}

static void check_end(const char *in, const struct content *content)
{
	const char *first = memmem(in, content->used, "\r\n.\r\n", 5);

	if (!content->reader.done)
		return;
	if (content->used == 3)
		must(memcmp(in, ".\r\n", 3) == 0);
	else
		must(first != NULL && (size_t)(first - in) + 5 == content->used);
}

/* Content without a fault, stuffed and read again, is the same with its last line ended. */
static void check_stuffing(const char *in, size_t size, size_t step)
{
	struct dot_writer writer;
	char *wire = xcalloc(2 * size + 6, 1);
	struct content content;
	size_t len = 0;

	dot_writer_init(&writer);
	for (size_t pos = 0; pos < size;) {
		size_t piece = size - pos < step ? size - pos : step;
		size_t n = dot_write(&writer, in + pos, piece);

		must(n <= piece);
		memcpy(wire + len, in + pos, n);
		len += n;
		if (n < piece)
			wire[len++] = '.';
		pos += n;
	}
	memcpy(wire + len, dot_writer_end(&writer), strlen(dot_writer_end(&writer)));
	len += strlen(dot_writer_end(&writer));
	content = read_all(wire, len, step);
	must(content.reader.done && content.used == len);
	must(content.len == size || content.len == size + 2);
	must(memcmp(content.out, in, size) == 0);
	free(content.out);
	free(wire);
}

static void check_scan(const char *in, size_t size, size_t step)
{
	struct header_scan whole, pieces;

	header_scan_init(&whole);
	header_scan_init(&pieces);
	header_scan_feed(&whole, in, size);
	for (size_t pos = 0; pos < size; pos += step)
		header_scan_feed(&pieces, in + pos, size - pos < step ? size - pos : step);
	must(whole.received == pieces.received && whole.in_body == pieces.in_body && whole.header_bytes == pieces.header_bytes);
	must(whole.header_bytes <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + 1;
	size_t step;
	struct content whole, pieces;
	struct dot_reader reader;

	if (size < 2)
		return 0;
	step = 1 + data[0] % 32;
	size--;
	whole = read_all(in, size, size);
	pieces = read_all(in, size, step);
	must(whole.used == pieces.used && whole.reader.done == pieces.reader.done && whole.reader.fault == pieces.reader.fault);
	must(whole.reader.eight_bit == pieces.reader.eight_bit);
	if (whole.reader.fault == DOT_CLEAN)
		must(whole.len == pieces.len && memcmp(whole.out, pieces.out, whole.len) == 0);
	check_end(in, &whole);
	check_scan(in, size, step);
	free(whole.out);
	free(pieces.out);
	dot_reader_init(&reader, 0, true);
	dot_check(&reader, in, size);
	dot_check_end(&reader);
	if (reader.fault == DOT_CLEAN)
		check_stuffing(in, size, step);
	return 0;
}
