/* relay/intake/proxied.c - connections of load balancers: whom they speak for is read before a session begins. */
#include "relay/intake/proxied.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "relay/intake/admission.h"
#include "relay/intake/dialog.h"
#include "relay/intake/sessions.h"
#include "relay/net/preamble.h"
#include "relay/wire/proxy.h"

#define HEADER_MS SECONDS(10) /* a proxy says it at once */

/* Owned by its intake's list, until a session takes over or it is disconnected. */
struct proxied {
	struct intake *intake;
	struct proxied *next, **link;
	int fd;
	struct ip_port peer, client; /* client: whom main counts it as */
	struct conf *conf;          /* a reference */
	struct conf_listen listen;
	struct tls_server *tls;     /* a reference, or NULL */
	struct preamble *preamble;
	uint64_t admission;
	struct proxy_reader reader;
	struct err_detail why;
	bool malformed;
};

static void unlink_from(struct proxied *p)
{
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	p->intake->session_count--;
}

static void proxied_free(struct proxied *p)
{
	preamble_cancel(&p->preamble);
	admission_forget(p->intake, &p->admission);
	tls_server_unref(&p->tls);
	conf_unref(&p->conf);
	free(p);
}

static void disconnect(struct proxied *p)
{
	struct intake *intake = p->intake;

	(void)close(p->fd);
	unlink_from(p);
	intake->env->on_session_end(intake->env->arg, &p->client);
	proxied_free(p);
	sessions_one_less(intake);
}

static void refuse(struct proxied *p, const char *reason)
{
	struct log_line line;
	char text[IP_TEXT];

	log_begin(&line, LOG_WARN, "proxy-refused");
	log_str(&line, "client", ip_format(&p->peer.addr, text));
	log_str(&line, "reason", reason);
	log_end(&line);
	disconnect(p);
}

/* A session takes over socket, count and references. */
static void on_admitted(void *arg, const char *busy)
{
	struct proxied *p = arg;

	p->admission = 0;
	unlink_from(p);
	dialog_create(p->intake, p->fd, &p->client, p->conf, &p->listen, p->tls, NULL, busy);
	proxied_free(p);
}

static size_t take(void *arg, const char *data, size_t len, bool *done_out)
{
	struct proxied *p = arg;
	size_t used;
	enum proxy_status status = proxy_read(&p->reader, data, len, &used, &p->why);

	p->malformed = status == PROXY_BAD;
	*done_out = status != PROXY_MORE;
	return used;
}

static void on_header_end(void *arg, const char *trouble)
{
	struct proxied *p = arg;
	struct ip_port before = p->client;
	uint64_t number;

	p->preamble = NULL;
	/* A balancer that looks whether we are there says nothing. */
	if (trouble != NULL && p->reader.len == 0) {
		disconnect(p);
		return;
	}
	if (trouble != NULL || p->malformed) {
		refuse(p, trouble != NULL ? trouble : p->why.text);
		return;
	}
	if (!p->reader.has_client) { /* a health check, say */
		on_admitted(p, NULL);
		return;
	}
	p->client = p->reader.client;
	number = admission_ask(p->intake, &before, &p->client, on_admitted, p);
	if (number != 0)
		p->admission = number;
}

void proxied_create(struct intake *intake, int fd, const struct ip_port *peer, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls)
{
	static const struct preamble_ops ops = { take, on_header_end };
	struct proxied *p = xcalloc(1, sizeof(*p));

	p->intake = intake;
	p->next = intake->proxied;
	p->link = &intake->proxied;
	if (p->next != NULL)
		p->next->link = &p->next;
	intake->proxied = p;
	intake->session_count++;
	p->fd = fd;
	p->peer = p->client = *peer;
	p->conf = conf_ref(conf);
	p->listen = *listen;
	p->tls = tls != NULL ? tls_server_ref(tls) : NULL;
	proxy_reader_init(&p->reader);
	if (conf_trusts(conf, &peer->addr))
		p->preamble = preamble_start(intake->env->loop, fd, HEADER_MS, &ops, p);
	else
		refuse(p, "not a trusted proxy");
}

void proxied_drain(struct intake *intake)
{
	while (intake->proxied != NULL)
		disconnect(intake->proxied);
}
