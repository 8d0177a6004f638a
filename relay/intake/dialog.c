/* relay/intake/dialog.c - one SMTP session on the server side: its states, its connection, its end.
 *
 * Input is consumed as long as nothing asynchronous is under way, so that pipelined commands are answered together (RFC 2920). */
#include "relay/intake/dialog.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/intake/admission.h"
#include "relay/intake/admit.h"
#include "relay/intake/sessions.h"

#define OUTPUT_MAX      65536 /* replies that wait for a client which does not read */
#define HANDSHAKE_MS    SECONDS(60)
#define TLS_HELLO       0x16  /* RFC 8446 section 5.1: the first byte of a handshake record */

#define AT(state) (1U << DIALOG_##state)

/* clang-format off */
static const struct {
	const char *name;
	unsigned next;
} states[DIALOG_STATES] = {
[DIALOG_SECURING]  = { "securing",  AT(START) | AT(OVER) },
[DIALOG_START]     = { "start",     AT(READY) | AT(CHUNK) | AT(ADMITTING) | AT(OVER) },
[DIALOG_READY]     = { "ready",     AT(READY) | AT(MAIL) | AT(SECURING) | AT(LOGIN) | AT(VERIFY) | AT(CHUNK) | AT(ADMITTING) | AT(OVER) },
[DIALOG_MAIL]      = { "mail",      AT(RCPT) | AT(CHUNK) | AT(READY) | AT(OVER) },
[DIALOG_RCPT]      = { "rcpt",      AT(RCPT) | AT(DATA) | AT(CHUNK) | AT(READY) | AT(OVER) },
[DIALOG_DATA]      = { "data",      AT(FINISHING) | AT(READY) | AT(OVER) },
[DIALOG_CHUNK]     = { "chunk",     AT(BDAT) | AT(FINISHING) | AT(START) | AT(READY) | AT(MAIL) | AT(RCPT) | AT(OVER) },
[DIALOG_BDAT]      = { "bdat",      AT(CHUNK) | AT(READY) | AT(OVER) },
[DIALOG_FINISHING] = { "finishing", AT(READY) | AT(OVER) },
[DIALOG_LOGIN]     = { "login",     AT(LOGIN) | AT(VERIFY) | AT(READY) | AT(OVER) },
[DIALOG_VERIFY]    = { "verify",    AT(LOGIN) | AT(READY) | AT(OVER) },
[DIALOG_ADMITTING] = { "admitting", AT(START) | AT(OVER) },
[DIALOG_OVER]      = { "over",      0 },
};
/* clang-format on */

static void dialog_run(struct dialog *d);

/* --- replies ------------------------------------------------------------------------------------------------------------- */

void dialog_reply(struct dialog *d, const char *line)
{
	conn_write(d->conn, line, strlen(line));
	conn_write(d->conn, "\r\n", 2);
}

void dialog_refuse(struct dialog *d, const char *line)
{
	dialog_reply(d, line);
	d->errors++;
}

const char *dialog_trouble_reply(enum err err)
{
	if (err == ERR_FULL)
		return "452 4.3.1 no room for more mail now; try again later";
	if (err == ERR_LIMIT)
		return "452 4.5.3 too much at once; try again later";
	return "451 4.3.0 the queue cannot take the message now; try again later";
}

void dialog_log_refusal(const struct dialog *d, const char *sender, const char *rcpt, const char *reply)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "rejected");
	log_str(&line, "client", d->client_text);
	log_str(&line, "helo", d->helo);
	log_str(&line, "tenant", d->tenant != NULL ? d->tenant->name : NULL);
	log_str(&line, "sender", sender);
	log_str(&line, "rcpt", rcpt);
	log_str(&line, "reply", reply);
	log_end(&line);
}

/* --- states -------------------------------------------------------------------------------------------------------------- */

void dialog_enter(struct dialog *d, enum dialog_state next)
{
	must(states[d->state].next & (1U << next));
	d->state = next;
}

void dialog_wait(struct dialog *d)
{
	d->waiting = true;
	conn_pause(d->conn, true);
}

void dialog_go_on(struct dialog *d)
{
	if (!d->waiting || d->state == DIALOG_OVER)
		return;
	d->waiting = false;
	conn_deadline(d->conn, d->conf->limits.idle_ms);
	conn_pause(d->conn, false);
}

void dialog_refresh(struct dialog *d)
{
	struct intake_env *env = d->intake->env;
	struct conf *latest = env->conf_latest != NULL ? env->conf_latest(env->arg) : d->conf;

	if (latest == d->conf || d->tx != NULL)
		return;
	conf_unref(&d->conf);
	d->conf = conf_ref(latest);
	admit_again(d);
}

void dialog_reset(struct dialog *d)
{
	transaction_drop(&d->tx);
	if (d->helo != NULL && d->state != DIALOG_READY)
		dialog_enter(d, DIALOG_READY);
	dialog_refresh(d);
}

/* --- the end ------------------------------------------------------------------------------------------------------------- */

static void dialog_free(void *arg)
{
	struct dialog *d = arg;

	tls_server_unref(&d->tls);
	conf_unref(&d->conf);
	free(d->login);
	login_forget(d);
	free(d->helo);
	free(d->inner);
	free(d->told_helo);
	free(d);
}

void dialog_close(struct dialog *d, bool flush)
{
	struct intake *intake = d->intake;

	if (d->state == DIALOG_OVER)
		return;
	dialog_enter(d, DIALOG_OVER);
	transaction_drop(&d->tx);
	login_detach(d);
	admit_leave(d);
	admission_forget(intake, &d->admission);
	conn_close(&d->conn, flush);
	*d->link = d->next;
	if (d->next != NULL)
		d->next->link = d->link;
	intake->session_count--;
	intake->env->on_session_end(intake->env->arg, &d->client);
	/* Its handlers are still on the stack. */
	loop_later(intake->env->loop, dialog_free, d);
	sessions_one_less(intake);
}

void dialog_end(struct dialog *d, const char *line)
{
	if (d->state == DIALOG_OVER)
		return;
	if (d->state != DIALOG_SECURING) /* no plain text into a handshake */
		dialog_reply(d, line);
	dialog_close(d, true);
}

void dialog_drain(struct dialog *d)
{
	if (d->state != DIALOG_FINISHING)
		dialog_end(d, "421 4.3.2 shutting down; try again later");
}

void dialog_committed(struct dialog *d, enum err result, msg_id id)
{
	char text[MSG_ID_TEXT];

	if (result == OK) {
		conn_printf(d->conn, "250 2.0.0 queued as %s\r\n", msg_id_format(id, text));
		d->commands = 0;
	} else if (result == ERR_EXISTS && id != 0) {
		conn_printf(d->conn, "250 2.0.0 queued already as %s\r\n", msg_id_format(id, text));
	} else if (result == ERR_EXISTS) {
		dialog_refuse(d, "554 5.5.3 the key was used for another message");
	} else {
		dialog_reply(d, dialog_trouble_reply(result));
	}
	dialog_enter(d, DIALOG_READY);
	dialog_refresh(d);
	dialog_go_on(d);
	if (d->intake->draining)
		dialog_drain(d);
}

/* --- input --------------------------------------------------------------------------------------------------------------- */

static bool step(struct dialog *d)
{
	switch (d->state) {
	case DIALOG_START:
	case DIALOG_READY:
	case DIALOG_MAIL:
	case DIALOG_RCPT:
	case DIALOG_BDAT:
	case DIALOG_LOGIN:
		return dialog_take_line(d);
	case DIALOG_DATA:
		return receive_read_data(d);
	case DIALOG_CHUNK:
		return receive_read_chunk(d);
	case DIALOG_SECURING:
	case DIALOG_FINISHING:
	case DIALOG_VERIFY:
	case DIALOG_ADMITTING:
	case DIALOG_OVER:
	case DIALOG_STATES:
		break;
	}
	return false;
}

static void dialog_run(struct dialog *d)
{
	while (!d->waiting && step(d)) {
		/* Not before a chunk: it may be one without bytes, which no input would bring to mind again. */
		if (d->state != DIALOG_OVER && d->state != DIALOG_CHUNK && conn_output_len(d->conn) > OUTPUT_MAX)
			dialog_wait(d);
	}
	if (d->state == DIALOG_OVER)
		return;
	if (d->state == DIALOG_SECURING)
		conn_deadline(d->conn, HANDSHAKE_MS);
	/* Nobody waits for the client while the store or a helper has the word; output must flow, though. */
	else if (d->waiting && conn_output_len(d->conn) <= OUTPUT_MAX)
		conn_deadline(d->conn, 0);
	else
		conn_deadline(d->conn, d->conf->limits.idle_ms);
}

/* --- the connection's handlers ------------------------------------------------------------------------------------------- */

static void on_data(void *arg)
{
	struct dialog *d = arg;
	const char *data;

	if (!d->spoken) {
		d->spoken = true;
		if (conn_peek(d->conn, &data) > 0 && data[0] == TLS_HELLO) {
			dialog_end_foreign(d, "tls");
			return;
		}
	}
	dialog_run(d);
}

static void on_drained(void *arg)
{
	struct dialog *d = arg;

	/* Waiting for a client that did not read, not for the store. */
	if (d->waiting && d->state != DIALOG_FINISHING && d->state != DIALOG_VERIFY && d->state != DIALOG_ADMITTING)
		dialog_go_on(d);
}

void dialog_greet(struct dialog *d)
{
	conn_printf(d->conn, "220 %s ESMTP warmrelay\r\n", d->conf->hostname);
	conn_deadline(d->conn, d->conf->limits.idle_ms);
}

static void on_secured(void *arg)
{
	struct dialog *d = arg;
	struct tls_info info;

	conn_tls_info(d->conn, &info);
	snprintf(d->tls_text, sizeof(d->tls_text), "%s %s", info.version, info.cipher);
	dialog_enter(d, DIALOG_START);
	d->spoken = true;
	if (!login_by_certificate(d)) {
		dialog_end(d, "421 4.7.0 " ADMIT_BUSY);
		return;
	}
	if (d->listen.tls == LISTEN_TLS_IMPLICIT)
		dialog_greet(d);
	else
		conn_deadline(d->conn, d->conf->limits.idle_ms);
}

static void on_end(void *arg, enum conn_end end, const char *text)
{
	struct dialog *d = arg;

	if (end == CONN_DEADLINE) {
		dialog_end(d, "421 4.4.2 timeout");
		return;
	}
	if (end == CONN_TLS_FAILED)
		log_text(LOG_INFO, "tls-failed", "%s: %s", d->client_text, text);
	dialog_close(d, false);
}

static const struct conn_ops conn_ops = {
	.on_secured = on_secured, .on_data = on_data, .on_drained = on_drained, .on_end = on_end,
};

/* --- the start ----------------------------------------------------------------------------------------------------------- */

static void link_to(struct dialog *d, struct intake *intake)
{
	d->intake = intake;
	d->next = intake->dialogs;
	d->link = &intake->dialogs;
	if (d->next != NULL)
		d->next->link = &d->next;
	intake->dialogs = d;
	intake->session_count++;
}

static void open_with(struct dialog *d, const char *busy)
{
	struct intake_figures *figures = &d->intake->env->figures;

	if (busy != NULL) {
		atomic_fetch_add_explicit(&figures->refused_sessions, 1, memory_order_relaxed);
		if (d->state != DIALOG_SECURING)
			conn_printf(d->conn, "421 4.7.0 %s %s\r\n", d->conf->hostname, busy);
		dialog_close(d, true);
	} else if (d->state == DIALOG_START) {
		dialog_greet(d);
	} else if (d->tls != NULL) {
		conn_deadline(d->conn, HANDSHAKE_MS);
		conn_secure_server(d->conn, d->tls);
	} else {
		log_text(LOG_WARN, "tls-failed", "%s: no certificate is loaded", d->client_text);
		dialog_close(d, false);
	}
}

void dialog_create(struct intake *intake, int fd, const struct ip_port *client, struct conf *conf, const struct conf_listen *listen,
    struct tls_server *tls, const struct intake_inner *inner, const char *busy)
{
	struct dialog *d = xcalloc(1, sizeof(*d));

	atomic_fetch_add_explicit(&intake->env->figures.sessions, 1, memory_order_relaxed);
	link_to(d, intake);
	d->conf = conf_ref(conf);
	d->listen = *listen;
	d->tls = tls != NULL ? tls_server_ref(tls) : NULL;
	d->client = *client;
	ip_unmap(&d->client.addr);
	d->peer = d->client;
	ip_format(&d->client.addr, d->client_text);
	if (inner != NULL) {
		d->inner = xcalloc(1, sizeof(*d->inner));
		*d->inner = *inner;
		memcpy(d->tls_text, inner->tls_text, sizeof(d->tls_text));
	}
	if (busy == NULL && !admit_enter(d))
		busy = ADMIT_BUSY;
	d->state = listen->tls == LISTEN_TLS_IMPLICIT ? DIALOG_SECURING : DIALOG_START;
	d->conn = conn_accept(intake->env->loop, fd, &conn_ops, d);
	open_with(d, busy);
}
