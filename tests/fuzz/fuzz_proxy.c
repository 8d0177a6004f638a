/* tests/fuzz/fuzz_proxy.c - fuzz target for relay/wire/proxy.h and relay/wire/xclient.h: what a proxy says is whole, or refused; however it is cut.
 *
 * The first byte says where the rest is cut in two; the rest is a PROXY header, and an argument of XCLIENT. */
#include <string.h>

#include "relay/wire/proxy.h"
#include "relay/wire/xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_header(const char *in, size_t len, size_t cut)
{
	struct proxy_reader whole, parts;
	struct err_detail why;
	size_t used, first, second = 0;
	enum proxy_status status, again;

	proxy_reader_init(&whole);
	proxy_reader_init(&parts);
	status = proxy_read(&whole, in, len, &used, &why);
	must(used <= len && used <= PROXY_HEADER_MAX);
	must(status != PROXY_MORE || used == len);
	again = proxy_read(&parts, in, cut, &first, &why);
	if (again == PROXY_MORE)
		again = proxy_read(&parts, in + cut, len - cut, &second, &why);
	must(again == status && first + second == used && parts.has_client == whole.has_client);
	must(!whole.has_client || (status == PROXY_DONE && ip_equal(&parts.client.addr, &whole.client.addr)));
	must(!whole.has_client || whole.client.addr.family == AF_INET || whole.client.addr.family == AF_INET6);
}

static void fuzz_xclient(const char *in, size_t len)
{
	struct err_detail why;
	struct xclient x;

	if (xclient_parse(in, len, &x, &why) != OK) {
		must(strpbrk(why.text, "\r\n") == NULL && why.text[0] != '\0');
		return;
	}
	must(!x.has_helo || (x.helo[0] != '\0' && strpbrk(x.helo, " \r\n") == NULL));
	must(!x.has_login || (x.login[0] != '\0' && strpbrk(x.login, "\r\n") == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	fuzz_header((const char *)data + 1, size - 1, data[0] % size);
	fuzz_xclient((const char *)data + 1, size - 1);
	return 0;
}
