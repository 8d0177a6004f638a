/* relay/intake/behalf.c - XCLIENT: a trusted proxy names the client that it speaks for (postfix.org/XCLIENT_README.html). */
#include "relay/wire/xclient.h"

#include <stdlib.h>

#include "base/log.h"
#include "relay/intake/admission.h"
#include "relay/intake/admit.h"
#include "relay/intake/dialog.h"

bool behalf_is_offered(const struct dialog *d)
{
	return d->inner == NULL && conf_trusts(d->conf, &d->peer.addr);
}

bool behalf_check(struct dialog *d, const struct command *c)
{
	if (behalf_is_offered(d))
		return true;
	dialog_refuse(d, "550 5.7.0 XCLIENT is not for you");
	return false;
}

static void replace(char **text, const char *value)
{
	free(*text);
	*text = value != NULL ? xstrdup(value) : NULL;
}

/* Whoever the session was before, it is somebody else now: what was not told of the new client is not known. */
static void become(struct dialog *d, const struct xclient *x)
{
	if (x->has_addr) {
		d->client.addr = x->addr;
		ip_format(&d->client.addr, d->client_text);
	}
	if (x->has_addr || x->has_port)
		d->client.port = x->has_port ? x->port : 0;
	if (x->has_addr || x->has_login || x->no_login)
		replace(&d->login, x->has_login ? x->login : NULL);
	if (x->has_addr || x->has_helo)
		replace(&d->told_helo, x->has_helo ? x->helo : NULL);
	/* A certificate was the proxy's own. */
	d->by_certificate = false;
	d->fingerprint[0] = '\0';
	replace(&d->helo, NULL);
	d->mails = 0;
	d->esmtp = false;
}

static void on_admitted(void *arg, const char *busy)
{
	struct dialog *d = arg;

	d->admission = 0;
	dialog_enter(d, DIALOG_START);
	if (busy == NULL && !admit_enter(d))
		busy = ADMIT_BUSY;
	if (busy != NULL) {
		conn_printf(d->conn, "421 4.7.0 %s %s\r\n", d->conf->hostname, busy);
		dialog_close(d, true);
		return;
	}
	dialog_greet(d);
	dialog_go_on(d);
}

static void log_client(const struct dialog *d)
{
	struct log_line line;
	char peer[IP_TEXT];

	log_begin(&line, LOG_DEBUG, "xclient");
	log_str(&line, "proxy", ip_format(&d->peer.addr, peer));
	log_str(&line, "client", d->client_text);
	log_str(&line, "login", d->login);
	log_end(&line);
}

void behalf_take(struct dialog *d, const struct command *c)
{
	struct ip_port before = d->client;
	struct err_detail why;
	struct xclient x;
	uint64_t number;

	if (xclient_parse(c->arg, c->arg_len, &x, &why) != OK) {
		conn_printf(d->conn, "501 5.5.4 %s\r\n", why.text);
		d->errors++;
		return;
	}
	become(d, &x);
	log_client(d);
	dialog_enter(d, DIALOG_ADMITTING);
	dialog_wait(d);
	number = admission_ask(d->intake, &before, &d->client, on_admitted, d);
	if (number != 0)
		d->admission = number;
}
