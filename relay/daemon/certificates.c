/* relay/daemon/certificates.c - the certificates that a configuration names, loaded for its listeners. */
#include "relay/daemon/certificates.h"

struct loading {
	const struct conf *conf;
	struct conf_faults *faults;
	struct tls_server *server; /* NULL: nothing is loaded yet */
	bool strict, failed;
};

static void load_one(struct loading *l, const char *key_name, char *const *cert, char *const *key)
{
	struct err_detail why = { .text = "" };
	const char *warning = NULL;
	bool good;

	if (l->server) {
		good = tls_server_add(l->server, *cert, *key, &warning, &why) == OK;
	} else {
		l->server = tls_server_create(*cert, *key, &warning, &why);
		good = l->server != NULL;
	}
	if (!good)
		conf_fault(l->conf, cert, true, l->faults, "%s: %s", key_name, why.text);
	else if (warning)
		conf_fault(l->conf, cert, l->strict, l->faults, "%s: %s: %s", key_name, *cert, warning);
	l->failed = l->failed || !good || (warning && l->strict);
}

struct tls_server *certificates_load(const struct conf *conf, bool strict, struct conf_faults *faults)
{
	struct loading l = { .conf = conf, .faults = faults, .strict = strict };

	if (!conf->tls_cert)
		return NULL;
	load_one(&l, "tls", &conf->tls_cert, &conf->tls_key);
	for (size_t i = 0; i < conf->tls_more_count; i++)
		load_one(&l, "tls.more", &conf->tls_more[i].cert, &conf->tls_more[i].key);
	if (l.failed)
		tls_server_unref(&l.server);
	else if (conf->client_certs)
		tls_server_ask(l.server);
	return l.server;
}
