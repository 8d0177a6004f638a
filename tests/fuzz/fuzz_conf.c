/* tests/fuzz/fuzz_conf.c - any bytes as relay.yaml: refused with faults, or a snapshot whose dump loads again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A snapshot can be asked everything, and is not lost by writing it down. */
static void use(const struct conf *conf)
{
	const char *host = "mx.example.org";
	struct ip_addr addr = { AF_INET, { 127, 0, 0, 1 } };
	struct conf_faults faults;
	struct conf *again;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	must(out);
	must(conf->workers > 0 && conf->source_count > 0 && conf->pool_count > 0 && conf->bounce_pool);
	for (size_t i = 0; i < conf->tenant_count; i++)
		must(conf_pool_find(conf, conf->tenants[i].pool));
	(void)conf_tenant_by_address(conf, &addr);
	(void)conf_tenant_by_login(conf, "user", NULL);
	(void)conf_route_find(conf, host);
	(void)conf_provider_by_mx(conf, &host, 1);
	conf_dump(conf, out);
	fclose(out);
	again = conf_load_text("/f/relay.yaml", text, len, &faults);
	if (!again)
		fprintf(stderr, "%s\n%s", faults.text, text);
	must(again);
	conf_faults_free(&faults);
	conf_unref(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_faults faults;
	struct conf *conf = conf_load_text("/f/relay.yaml", (const char *)data, size, &faults);

	must((conf == NULL) == (faults.count > 0));
	must((faults.count > 0) == (faults.text[0] != '\0'));
	if (conf)
		use(conf);
	conf_unref(&conf);
	conf_faults_free(&faults);
	return 0;
}
