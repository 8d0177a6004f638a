/* tests/fuzz/fuzz_socks.c - fuzz target for relay/wire/socks.h: whatever a proxy sends, however it is cut, the end is the same and nothing behind it is used.
 *
 * The first byte: bit 0 a login, the rest where the stream is cut. */
#include <string.h>

#include "relay/wire/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feed `len` bytes, of which the first `seen` come first; the rest waits as it would in a socket. */
static enum socks_result play(struct socks *socks, bool login, const uint8_t *in, size_t len, size_t seen, size_t *total_out)
{
	struct ip_port to = { .addr = { .family = AF_INET6 }, .port = 25 };
	enum socks_result result = SOCKS_MORE;
	size_t at = 0, used = 0;

	socks_begin(socks, &to, login ? "user" : NULL, login ? "password" : NULL);
	while (result == SOCKS_MORE) {
		size_t end = at < seen ? seen : len;

		result = socks_take(socks, in + at, end - at, &used);
		must(used <= end - at && socks->say_len <= sizeof(socks->say));
		at += used;
		if (result == SOCKS_MORE && used == 0) {
			if (end == len)
				break;
			seen = 0;
		}
	}
	*total_out = at;
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct socks whole, parts;
	size_t used, used_parts;
	enum socks_result result;
	bool login;

	if (size == 0)
		return 0;
	login = data[0] & 1;
	result = play(&whole, login, data + 1, size - 1, 0, &used);
	must(play(&parts, login, data + 1, size - 1, (data[0] >> 1) % size, &used_parts) == result);
	must(result != SOCKS_OPEN || used == used_parts);
	must((result == SOCKS_REMOTE_FAILS || result == SOCKS_PROXY_FAILS) == (whole.why != NULL));
	must(result == SOCKS_MORE || whole.user == NULL || result == SOCKS_OPEN);
	return 0;
}
