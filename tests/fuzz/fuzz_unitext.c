/* tests/fuzz/fuzz_unitext.c - fuzz target for relay/wire/unitext.h and what param.h makes of it: what is read means the same however it is written. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "relay/wire/param.h"
#include "relay/wire/unitext.h"
#include "relay/wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const char *text, size_t len, bool ascii)
{
	size_t room = UNITEXT_CHAR * len + 1;
	char *meant = xcalloc(1, len + 1), *written = xcalloc(1, room), *again = xcalloc(1, len + 1);
	size_t meant_len = unitext_decode(text, len, meant, len + 1), written_len = unitext_encode(meant, meant_len, ascii, written, room);

	must(written_len < room && written_len == strlen(written) && unitext_is_valid(written, written_len));
	must(!ascii || utf8_is_ascii(written, written_len));
	must(unitext_decode(written, written_len, again, len + 1) == meant_len && memcmp(meant, again, meant_len) == 0);
	free(meant);
	free(written);
	free(again);
}

static void check_cut(const char *text, size_t len)
{
	char small[7];

	must(unitext_decode(text, len, small, sizeof(small)) < sizeof(small) && strlen(small) < sizeof(small));
	(void)unitext_encode(text, len, true, small, sizeof(small));
	must(strlen(small) < sizeof(small));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	char kept[ORCPT_MAX + 1], ascii[ORCPT_MAX + 1];
	size_t len = strlen(text);

	check_cut(text, len);
	if (unitext_is_valid(text, len)) {
		must(utf8_is_valid(text, len));
		check_round_trip(text, len, false);
		check_round_trip(text, len, true);
	}
	if (param_orcpt(text, len, kept) && param_orcpt_ascii(kept, ascii)) {
		must(utf8_is_ascii(ascii, strlen(ascii)));
		must(param_orcpt(ascii, strlen(ascii), kept));
	}
	free(text);
	return 0;
}
