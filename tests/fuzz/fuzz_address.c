/* tests/fuzz/fuzz_address.c - fuzz target for relay/wire/address.h: what is taken can be sent on, and reads back as itself. */
#include <string.h>

#include "relay/wire/address.h"
#include "relay/wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const struct address *address)
{
	size_t len = strlen(address->text);
	struct address again;

	must(len <= ADDRESS_MAX && strpbrk(address->text, "\r\n") == NULL);
	must(address->utf8 != utf8_is_ascii(address->text, len) && utf8_is_valid(address->text, len));
	must(strchr(address_domain(address), '@') == NULL);
	if (len == 0)
		return;
	must(address_parse(address->text, address->utf8, &again, NULL) == OK);
	must(strcmp(again.text, address->text) == 0 && again.at == address->at && again.utf8 == address->utf8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address address;
	struct err_detail why;
	size_t used;

	if (size == 0)
		return 0;
	if (address_parse_path((const char *)data + 1, size - 1, data[0] & 1, &address, &used, &why) != OK) {
		must(why.text[0] != '\0' && strlen(why.text) < 150);
		return 0;
	}
	must(used <= size - 1 && used > 0);
	must((data[0] & 1) || !address.utf8);
	check_address(&address);
	return 0;
}
