/* tests/fuzz/fuzz_transfer.c - fuzz target for relay/relayq/transfer.h: a line of a list of suppressed addresses; what is read has an address. */
#include <string.h>

#include "relay/relayq/field.h"
#include "relay/relayq/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	json_t *entry = transfer_read_line((const char *)data, size, &why);

	if (entry) {
		const json_t *until = json_object_get(entry, "until");

		must(!why && field_text(entry, "address")[0] != '\0');
		must(!until || json_integer_value(until) > 0);
	}
	json_decref(entry);
	return 0;
}
