/* relay/deliver/dispatch_tlsrpt.c - TLS reports between dispatcher and queue: what attempts found out, and the mail that reports are. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>

#include "relay/deliver/tlsrpt.h"

/* The request is the report's; this travels with it. */
struct reporting {
	struct queue_accept accept;
	struct dispatch *dispatch;
	struct tlsrpt_mail *mail;
};

static void stored(struct queue_req *req)
{
	struct reporting *r = CONTAINER_OF(req, struct reporting, accept.req);
	struct dispatch *d = r->dispatch;

	d->settles_open--;
	if (req->result == OK) {
		dispatch_add_bounce(d, &r->accept, dispatch_now(d));
		dispatch_pump_soon(d);
	}
	/* Handed in before a crash already: it has been sent. */
	tlsrpt_stored(r->mail, req->result == OK || req->result == ERR_EXISTS, req->why);
	free(r);
	dispatch_check_drained(d);
}

static void store(void *arg, struct tlsrpt_mail *mail)
{
	struct dispatch *d = arg;
	struct reporting *r = xcalloc(1, sizeof(*r));

	r->accept = *tlsrpt_accept(mail);
	r->accept.req.reply_to = loop_mailbox(d->env.loop);
	r->accept.req.done = stored;
	r->dispatch = d;
	r->mail = mail;
	d->settles_open++;
	queue_submit(d->env.queue, &r->accept.req);
}

static wall_ms now(void *arg)
{
	return dispatch_now(arg);
}

void dispatch_tlsrpt_start(struct dispatch *d)
{
	struct tlsrpt_env env = {
	    .loop = d->env.loop, .fetcher = d->fetcher, .queue = d->env.queue, .reader = d->env.reader, .now = now, .store = store, .arg = d,
	};

	d->tlsrpt = tlsrpt_create(&env, d->conf, d->resolver, rand_u64(&d->rand));
}

/* A TLS report of ours: nothing else of ours sets aside what its domain demands. */
static bool is_report(const struct queue_job *job)
{
	const uint32_t both = MSG_BOUNCE | MSG_TLS_OPTIONAL;

	return job && (job->message.flags & both) == both;
}

/* RFC 8460 section 3: how reports fared is not reported. Two relays would tell each other of them day after day, though there is no other mail. */
void dispatch_tls_notes(struct dispatch *d, const struct attempt *attempt)
{
	const struct route *route = dispatch_route(d, attempt->domain);

	if (route && !is_report(attempt->delivery.job))
		tlsrpt_add(d->tlsrpt, route, attempt->delivery.tls_notes, attempt->delivery.tls_note_count);
}

struct tlsrpt *dispatch_tlsrpt(struct dispatch *d)
{
	return d->tlsrpt;
}
