/* relay/ops/submit.h - POST /api/v1/messages: one message from an HTTP request into the queue, on the main loop.
 *
 * The request becomes a client of our own SMTP side (struct intake_inner): what holds there for tenants, logins, bans, quotas, sizes,
 * headers and signatures holds here, and 202 is said when the commit was told. */
#ifndef OPS_SUBMIT_H
#define OPS_SUBMIT_H

#include "conf/conf.h"
#include "relay/intake/intake.h"
#include "relay/net/http.h"

struct submit_env {
	struct loop *loop;
	struct mailbox *helpers; /* reads JSON and writes MIME off the loop */
	/* Start a session on `fd`, which it takes, for this client. */
	void (*admit)(void *arg, int fd, const struct ip_port *client, const struct intake_inner *inner);
	void *arg;
};

/*
 * Take the request and answer it, now or later. `env` is borrowed until then; of `conf` a reference is taken.
 *
 * The content is JSON (application/json: relay/ops/letter.h) or a message as it is (message/rfc822), whose envelope stands in the query
 * (from, to; to may be repeated) or in the fields Envelope-From and Envelope-To. HTTP Basic logs in, over TLS or from this host alone;
 * else the client's network decides. Idempotency-Key: see struct queue_accept.
 *
 * Answers 202 {"id": ..., "recipients": N}, with "duplicate": true when the key was used before for the same request; or
 * {"error": ..., "detail": ...} with 400, 401, 403, 409 (key used for another request), 413, 415, 429, 503. All recipients are taken or none.
 */
void submit_start(const struct submit_env *env, struct conf *conf, struct http_request *request);

/* Answer with that status and {"error": NAME, "detail": DETAIL}; NAME follows from the status. */
void submit_refuse(struct http_request *request, int status, const char *detail);

#endif
