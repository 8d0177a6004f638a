/* bench/warmup/setting.c - the configuration of a run: so many cold and warm sources towards so many providers. */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

void run_domain(unsigned site, char out[32])
{
	snprintf(out, 32, site == 0 ? "sim.example" : "sim%u.example", site);
}

static void put_providers(FILE *out, unsigned sites)
{
	char domain[32];

	fputs("providers:\n", out);
	for (unsigned i = 0; i < sites; i++) {
		run_domain(i, domain);
		fprintf(out, "  - {name: sim%.0u, domains: [%s], mx: [mx.%s], connections: 1000, messages: 100000}\n", i,
		    domain, domain);
	}
}

struct conf *run_conf(const struct run_plan *plan, unsigned cold, unsigned warm, unsigned sites)
{
	struct conf_faults faults;
	struct conf *conf;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	must(out);
	fputs("hostname: relay.sim.example\nlisten: [{at: \"127.0.0.1:2525\"}]\n"
	      "tenants: [{name: clean, from: [127.0.0.0/8]}, {name: dirty, from: [10.0.0.0/8]}]\n"
	      "retry: {first: 5m, max: 1h}\ndelivery: {connections: 10000}\n"
	      "plans:\n  - {name: oracle-bound, start: 20, growth: 1, ceiling: 1000000000}\n",
	    out);
	if (plan->text)
		fprintf(out, "  - {name: %s, %s}\n", plan->name, plan->text);
	put_providers(out, sites);
	fputs("sources:\n", out);
	for (unsigned i = 0; i < cold + warm; i++) {
		fprintf(out, "  - {name: s%u, ip: 127.0.1.%u", i, i + 1);
		if (i < cold)
			fprintf(out, ", warmup: {plan: %s}", plan->name);
		fputs("}\n", out);
	}
	fclose(out);
	conf = conf_load_text("sim.yaml", text, len, &faults);
	if (!conf)
		fputs(faults.text, stderr);
	conf_faults_free(&faults);
	free(text);
	return conf;
}
