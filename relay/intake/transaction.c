/* relay/intake/transaction.c - one mail transaction: envelope, content, and the commit that makes it a message. */
#include "relay/intake/transaction.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "relay/intake/dialog.h"
#include "relay/intake/rights.h"
#include "relay/intake/seal.h"
#include "relay/intake/sessions.h"
#include "relay/intake/suppressed.h"
#include "relay/intake/usage.h"

/* Room for texts beside the recipients: sender, client, HELO name, login. */
#define STRINGS_EXTRA 4096

static uint32_t string_add(struct transaction *tx, const char *text)
{
	uint32_t offset = (uint32_t)tx->strings.len;

	/* The cap has room for all that the limits of the envelope allow. */
	must(buf_add(&tx->strings, text, strlen(text) + 1) == OK);
	return offset;
}

/* "192.0.2.1 client.example" */
static uint32_t client_add(struct transaction *tx, const struct dialog *d)
{
	uint32_t offset = (uint32_t)tx->strings.len;

	must(buf_printf(&tx->strings, "%s %s", d->client_text, d->helo) == OK);
	must(buf_add(&tx->strings, "", 1) == OK);
	return offset;
}

/* What is asked to be told is stored as it was parsed. */
_Static_assert(TELL_NEVER == (int)NOTIFY_NEVER && TELL_SUCCESS == (int)NOTIFY_SUCCESS && TELL_FAILURE == (int)NOTIFY_FAILURE &&
    TELL_DELAY == (int)NOTIFY_DELAY, "bits of NOTIFY differ");

static uint32_t flags_of(const struct dialog *d, const struct command *mail)
{
	static const uint32_t bodies[] = { [BODY_8BITMIME] = MSG_8BIT, [BODY_BINARYMIME] = MSG_8BIT | MSG_BINARY };
	static const uint32_t rets[] = { [RET_FULL] = MSG_RET_FULL, [RET_HDRS] = MSG_RET_HDRS };

	return bodies[mail->body] | rets[mail->ret] | (mail->smtputf8 ? MSG_SMTPUTF8 : 0) | (mail->requiretls ? MSG_REQUIRETLS : 0) |
	    (d->tls_text[0] != '\0' ? MSG_TLS : 0);
}

struct transaction *transaction_create(struct dialog *d, const struct command *mail)
{
	struct transaction *tx = xcalloc(1, sizeof(*tx));

	tx->intake = d->intake;
	tx->intake->pending++;
	tx->dialog = d;
	tx->conf = conf_ref(d->conf);
	tx->tenant = d->tenant;
	tx->flags = flags_of(d, mail);
	tx->began = loop_now(d->intake->env->loop);
	buf_init(&tx->strings, STRINGS_EXTRA + (size_t)d->conf->limits.recipients * (ADDRESS_MAX + ORCPT_MAX + 2));
	tx->sender = string_add(tx, mail->path.text);
	tx->client = client_add(tx, d);
	tx->login = string_add(tx, d->login != NULL ? d->login : "");
	tx->envid = string_add(tx, mail->envid);
	tx->key = string_add(tx, d->inner != NULL ? d->inner->key : "");
	tx->fingerprint = d->inner != NULL ? d->inner->fingerprint : 0;
	return tx;
}

static bool has_rcpt(const struct transaction *tx, uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < tx->rcpt_count; i++) {
		const struct transaction_rcpt *rcpt = &tx->rcpts[i];

		if (rcpt->hash == hash && rcpt->len == len && memcmp(tx->strings.data + rcpt->text, text, len) == 0)
			return true;
	}
	return false;
}

/* Accepted, and left out of everything that follows. */
static enum err add_dropped(struct transaction *tx, const char *text)
{
	tx->dropping = false;
	if (tx->rcpt_count + tx->dropped_count >= rights_recipients(tx->conf, tx->tenant))
		return ERR_LIMIT;
	if (tx->dropped_count == tx->dropped_cap) {
		tx->dropped_cap = tx->dropped_cap > 0 ? 4 * tx->dropped_cap : 4;
		tx->dropped = xrealloc(tx->dropped, tx->dropped_cap * sizeof(tx->dropped[0]));
	}
	tx->dropped[tx->dropped_count++] = string_add(tx, text);
	return OK;
}

enum err transaction_add(struct transaction *tx, const struct command *c, wall_ms *opens_out)
{
	const struct address *rcpt = &c->path;
	size_t len = strlen(rcpt->text);
	uint64_t hash = table_hash(rcpt->text, len);

	if (tx->dropping)
		return add_dropped(tx, rcpt->text);
	if (has_rcpt(tx, hash, rcpt->text, len))
		return OK;
	if (tx->rcpt_count + tx->dropped_count >= rights_recipients(tx->conf, tx->tenant))
		return ERR_LIMIT;
	if (usage_take(tx->tenant, clock_wall(), conf_expire_ms(tx->conf, tx->tenant, tx->priority), opens_out) != OK)
		return ERR_BUSY;
	if (tx->rcpt_count == tx->rcpt_cap) {
		tx->rcpt_cap = tx->rcpt_cap > 0 ? 4 * tx->rcpt_cap : 4;
		tx->rcpts = xrealloc(tx->rcpts, tx->rcpt_cap * sizeof(*tx->rcpts));
	}
	tx->rcpts[tx->rcpt_count] = (struct transaction_rcpt){
		.hash = hash,
		.text = string_add(tx, rcpt->text),
		.order = (uint32_t)tx->rcpt_count,
		.orcpt = string_add(tx, c->orcpt),
		.at = rcpt->at,
		.len = (uint16_t)len,
		.notify = c->notify,
		.next = *opens_out,
	};
	tx->rcpt_count++;
	return OK;
}

void transaction_begin_content(struct transaction *tx)
{
	const struct dialog *d = tx->dialog;
	char id[MSG_ID_TEXT];
	struct trace trace = {
		.helo = d->helo,
		.client = d->client.addr,
		.hostname = tx->conf->hostname,
		.id = id,
		.rcpt = tx->rcpt_count == 1 ? tx->strings.data + tx->rcpts[0].text : NULL,
		.esmtp = d->esmtp,
		.tls = d->tls_text[0] != '\0',
		.auth = d->login != NULL,
		.utf8 = (tx->flags & MSG_SMTPUTF8) != 0,
		.http = d->inner != NULL,
		.tls_text = d->tls_text[0] != '\0' ? d->tls_text : NULL,
		.when = clock_wall(),
	};

	tx->id = queue_new_id(tx->intake->env->queue);
	tx->arrived = trace.when;
	msg_id_format(tx->id, id);
	content_init(tx);
	must(trace_received(&trace, &tx->content.own) == OK);
	seal_begin(tx);
}

static void transaction_free(struct transaction *tx)
{
	struct intake *intake = tx->intake;

	for (size_t i = 0; i < tx->rcpt_count && !tx->accepted; i++)
		usage_give(tx->tenant, tx->rcpts[i].next);
	content_fini(tx);
	signing_end(&tx->signing); /* before the keys, which hang on the configuration */
	conf_unref(&tx->conf);
	buf_fini(&tx->strings);
	free(tx->rcpts);
	free(tx->dropped);
	free(tx->rows);
	free(tx);
	intake->pending--;
	sessions_one_less(intake);
}

/* --- the commit ---------------------------------------------------------------------------------------------------------- */

/* For the comparison, which is handed recipients alone. One thread, one sort at a time. */
static _Thread_local const char *sort_strings;

static int by_domain_then_order(const void *left, const void *right)
{
	const struct transaction_rcpt *a = left, *b = right;
	int order = strcmp(sort_strings + a->text + a->at, sort_strings + b->text + b->at);

	return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* A job is delivered as a whole: when the quota lets the last of its recipients go. */
static void put_off(struct transaction *tx)
{
	for (uint32_t n = 0; n < tx->rcpt_count; n++) {
		struct queue_rcpt *first = &tx->rows[tx->rows[n].job];

		if (first->next < tx->rows[n].next)
			first->next = tx->rows[n].next;
	}
	for (uint32_t n = 0; n < tx->rcpt_count; n++)
		tx->rows[n].next = tx->rows[tx->rows[n].job].next;
}

/* The time for which a message may be tried begins here, too (RFC 4865 section 3). */
static wall_ms first_attempt(const struct transaction *tx)
{
	return tx->release > tx->arrived ? tx->release : tx->arrived;
}

/* Recipients of one domain become a job. Domains are in lower case already (wire/address.h). */
static void make_rows(struct transaction *tx)
{
	wall_ms first = first_attempt(tx);
	uint32_t job = 0;

	sort_strings = tx->strings.data;
	if (tx->rcpt_count > 1)
		qsort(tx->rcpts, tx->rcpt_count, sizeof(*tx->rcpts), by_domain_then_order);
	tx->rows = xcalloc(tx->rcpt_count, sizeof(*tx->rows));
	for (uint32_t n = 0; n < tx->rcpt_count; n++) {
		const struct transaction_rcpt *rcpt = &tx->rcpts[n];
		const char *text = tx->strings.data + rcpt->text, *domain = text + rcpt->at + 1;

		if (n > 0 && strcmp(tx->rows[job].domain, domain) != 0)
			job = n;
		tx->rows[n] = (struct queue_rcpt){
			.n = n, .job = job, .state = tx->hold != NULL ? RCPT_HELD : RCPT_WAITING,
			.next = rcpt->next > first ? rcpt->next : first, .address = text, .domain = domain,
			.reason = tx->hold != NULL ? tx->hold : "", .source = "", .relay = "", .reply = "", .class_name = "",
			.notify = rcpt->notify, .orcpt = tx->strings.data + rcpt->orcpt,
		};
	}
	put_off(tx);
}

static char *copy_to(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

static struct intake_job *job_create(const struct transaction *tx, uint32_t first, uint32_t rcpts)
{
	const char *domain = tx->rows[first].domain, *tenant = tx->tenant->name, *pool = tx->tenant->pool;
	struct intake_job *job = xcalloc(1, sizeof(*job) + strlen(domain) + strlen(tenant) + strlen(pool) + 3);
	char *at = (char *)(job + 1);

	job->id = tx->id;
	job->first = first;
	job->rcpts = rcpts;
	job->arrived = tx->arrived;
	job->due = tx->rows[first].next;
	job->held = tx->hold != NULL;
	job->priority = tx->priority;
	job->warns = tx->accept.message.sender[0] != '\0';
	job->deadline = tx->accept.message.deadline;
	job->domain = copy_to(&at, domain);
	job->tenant = copy_to(&at, tenant);
	job->pool = copy_to(&at, pool);
	return job;
}

static void announce_jobs(const struct transaction *tx)
{
	struct intake_env *env = tx->intake->env;

	for (uint32_t first = 0, end; first < tx->rcpt_count; first = end) {
		for (end = first + 1; end < tx->rcpt_count && tx->rows[end].job == first; end++)
			continue;
		env->on_job(env->arg, job_create(tx, first, end - first));
	}
}

static void log_accepted(const struct transaction *tx)
{
	const struct queue_message *message = &tx->accept.message;
	mono_ms now = loop_now(tx->intake->env->loop);
	struct log_line line;
	char id[MSG_ID_TEXT];

	log_begin(&line, LOG_INFO, "accepted");
	log_str(&line, "id", msg_id_format(tx->id, id));
	log_str(&line, "tenant", message->tenant);
	log_str(&line, "sender", message->sender);
	log_num(&line, "rcpts", (int64_t)tx->rcpt_count);
	log_num(&line, "size", (int64_t)message->size_bytes);
	log_str(&line, "client", message->client);
	log_str(&line, "tls", (tx->flags & MSG_TLS) != 0 ? "yes" : "no");
	log_str(&line, "login", message->login[0] != '\0' ? message->login : NULL);
	log_str(&line, "held", tx->hold);
	log_fmt(&line, "delays", "%.3f/%.3f", (double)(tx->ended - tx->began) / 1000, (double)(now - tx->ended) / 1000);
	log_end(&line);
}

static void discard_chunks(const struct transaction *tx)
{
	struct queue_discard *request;

	if (tx->content.streamed == 0)
		return;
	request = xcalloc(1, sizeof(*request));
	request->req.kind = QUEUE_DISCARD;
	request->id = tx->id;
	queue_submit(tx->intake->env->queue, &request->req);
}

static void log_dropped(const struct transaction *tx)
{
	for (size_t i = 0; i < tx->dropped_count; i++)
		suppressed_log_drop(tx, tx->strings.data + tx->dropped[i]);
}

/* All its recipients are suppressed: there is nothing to store. */
static void finish_dropped(void *arg)
{
	struct transaction *tx = arg;
	struct dialog *d = tx->dialog;
	msg_id id = tx->id;

	log_dropped(tx);
	discard_chunks(tx);
	if (d != NULL)
		d->tx = NULL;
	transaction_free(tx);
	if (d != NULL)
		dialog_committed(d, OK, id);
}

static void on_accepted(struct queue_req *req)
{
	struct transaction *tx = CONTAINER_OF(req, struct transaction, accept.req);
	struct dialog *d = tx->dialog;
	enum err result = req->result;
	msg_id id = tx->id;

	tx->accepted = result == OK;
	if (result == OK) {
		atomic_fetch_add_explicit(&tx->intake->env->figures.messages, 1, memory_order_relaxed);
		announce_jobs(tx);
		log_accepted(tx);
		log_dropped(tx);
	} else if (result == ERR_EXISTS && tx->strings.data[tx->key] != '\0') {
		id = tx->accept.earlier;
	} else {
		log_text(LOG_ERROR, "commit-failed", "%s: %s", err_name(result), req->why);
	}
	if (result != OK)
		discard_chunks(tx); /* nobody else would before the next start */
	if (d != NULL)
		d->tx = NULL;
	transaction_free(tx);
	if (d != NULL)
		dialog_committed(d, result, id);
}

static void submit(struct transaction *tx)
{
	if (tx->content.reader.eight_bit)
		tx->flags |= MSG_8BIT | MSG_HIGH_BYTES;
	tx->committing = true;
	if (tx->rcpt_count == 0) {
		loop_later(tx->intake->env->loop, finish_dropped, tx);
		return;
	}
	make_rows(tx);
	tx->accept = (struct queue_accept){
		.req = { .kind = QUEUE_ACCEPT, .reply_to = loop_mailbox(tx->intake->env->loop), .done = on_accepted },
		.message = {
			.id = tx->id,
			.arrived = tx->arrived,
			.deadline = first_attempt(tx) + conf_expire_ms(tx->conf, tx->tenant, tx->priority),
			.rcpt_count = (uint32_t)tx->rcpt_count,
			.flags = tx->flags,
			.priority = tx->priority,
			.sender = tx->strings.data + tx->sender,
			.tenant = tx->tenant->name,
			.pool = tx->tenant->pool,
			.client = tx->strings.data + tx->client,
			.login = tx->strings.data + tx->login,
			.envid = tx->strings.data + tx->envid,
		},
		.rcpts = tx->rows,
		.rcpt_count = tx->rcpt_count,
		.memo = usage_memo(tx->tenant),
		.key = tx->strings.data + tx->key,
		.fingerprint = tx->fingerprint,
	};
	content_rest(tx, tx->blobs, &tx->accept);
	queue_submit(tx->intake->env->queue, &tx->accept.req);
}

void transaction_commit(struct transaction *tx)
{
	tx->complete = true;
	tx->ended = loop_now(tx->intake->env->loop);
	seal_sign(tx);
	if (tx->content.in_flight == 0)
		submit(tx);
}

/* --- the other ends ------------------------------------------------------------------------------------------------------ */

static void discard(struct transaction *tx)
{
	discard_chunks(tx);
	transaction_free(tx);
}

/* A chunk could not be stored, although all content was here already. */
static void fail_complete(struct transaction *tx)
{
	struct dialog *d = tx->dialog;
	const char *reply = tx->content.fault;

	dialog_reset(d); /* drops tx */
	dialog_reply(d, reply);
	dialog_go_on(d);
}

void transaction_on_stored(struct transaction *tx)
{
	if (tx->dialog == NULL) {
		if (tx->content.in_flight == 0)
			discard(tx);
	} else if (!tx->complete) {
		dialog_go_on(tx->dialog);
	} else if (tx->content.in_flight == 0) {
		if (tx->content.fault != NULL)
			fail_complete(tx);
		else
			submit(tx);
	}
}

void transaction_drop(struct transaction **tx)
{
	struct transaction *t = *tx;

	*tx = NULL;
	if (t == NULL)
		return;
	t->dialog = NULL;
	if (t->committing)
		return;
	content_release(t);
	if (t->content.in_flight == 0)
		discard(t);
}
