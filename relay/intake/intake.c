/* relay/intake/intake.c - the SMTP server side of one worker: its sessions, their start and their common end. */
#include "relay/intake/intake.h"

#include <stdlib.h>

#include "relay/intake/dialog.h"
#include "relay/intake/proxied.h"
#include "relay/intake/sessions.h"

struct intake *intake_create(struct intake_env *env)
{
	struct intake *intake = xcalloc(1, sizeof(*intake));

	intake->env = env;
	chunk_pool_init(&intake->pool, env->memory_used);
	login_cache_init(&intake->logins);
	return intake;
}

void intake_destroy(struct intake **intake)
{
	struct intake *i = *intake;

	if (i == NULL)
		return;
	must(i->session_count == 0 && i->pending == 0);
	chunk_pool_fini(&i->pool);
	login_cache_fini(&i->logins);
	free(i);
	*intake = NULL;
}

void intake_start(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls, const char *busy)
{
	if (intake->draining)
		busy = "shutting down";
	if (listen->proxy && busy == NULL)
		proxied_create(intake, fd, client, conf, listen, tls);
	else
		dialog_create(intake, fd, client, conf, listen, tls, NULL, busy);
}

void intake_start_inner(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct intake_inner *inner,
    const char *busy)
{
	static const struct conf_listen listen = { .tls = LISTEN_TLS_NONE, .auth = AUTH_OPTIONAL };

	dialog_create(intake, fd, client, conf, &listen, NULL, inner, intake->draining ? "shutting down" : busy);
}

void sessions_one_less(struct intake *intake)
{
	if (!intake->draining || intake->drained || intake->session_count > 0 || intake->pending > 0)
		return;
	intake->drained = true;
	/* Memory of the last sessions goes at the end of this turn; `done` comes after that. */
	loop_later(intake->env->loop, intake->done, intake->done_arg);
}

void intake_drain(struct intake *intake, void (*done)(void *arg), void *arg)
{
	struct dialog *next;

	intake->draining = true;
	intake->done = done;
	intake->done_arg = arg;
	for (struct dialog *d = intake->dialogs; d != NULL; d = next) {
		next = d->next;
		dialog_drain(d);
	}
	proxied_drain(intake);
	sessions_one_less(intake);
}

size_t intake_session_count(const struct intake *intake)
{
	return intake->session_count;
}
