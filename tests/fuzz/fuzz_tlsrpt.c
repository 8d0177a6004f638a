/* tests/fuzz/fuzz_tlsrpt.c - fuzz target for relay/notify/tls_rua.h and tls_figures.h: records from the network, figures from the store. */
#include <stdlib.h>
#include <string.h>

#include "relay/notify/tls_figures.h"
#include "relay/notify/tls_rua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_places(const struct tls_rua *rua)
{
	must(rua->count > 0 && rua->count <= TLS_RUA_MAX);
	for (size_t i = 0; i < rua->count; i++) {
		size_t len = strlen(rua->to[i].text);

		must(len > 0 && len < TLS_RUA_TEXT);
		for (size_t k = 0; k < len; k++)
			must(rua->to[i].text[k] > ' ' && rua->to[i].text[k] < 0x7f);
		must(rua->to[i].https || strchr(rua->to[i].text, '@'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	struct tls_figures *figures;
	struct tls_rua rua;

	if (tls_rua_read(&text, 1, &rua))
		check_places(&rua);
	figures = tls_figures_read("example.net", data, size);
	if (figures) {
		struct buf record;

		buf_init(&record, 1 << 20);
		must(tls_figures_write(figures, &record) == OK);
		buf_fini(&record);
	}
	tls_figures_free(&figures);
	free(text);
	return 0;
}
