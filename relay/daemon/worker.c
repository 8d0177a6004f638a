/* relay/daemon/worker.c - the worker's thread and the messages between it and main.
 *
 * Every message is one small malloc'ed object with a `run` for its receiver; whoever runs it frees it. */
#include "relay/daemon/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/tls_cache.h"

#define TLS_SESSIONS 4096 /* kept for resumption, a few KB each */

struct worker {
	char name[16];
	pthread_t thread;
	struct loop *loop;
	struct loop *main;
	struct worker_ops ops;
	struct conf *conf;             /* worker thread */
	struct intake *intake;
	struct intake_env intake_env;
	struct queue_reader *reader;
	struct session_env session_env;
	struct session **sessions;     /* by number; worker thread */
	size_t session_slots;
	unsigned load;                 /* main thread */
};

/* --- worker to main ---------------------------------------------------------------------------------------------------- */

struct report {
	struct mail_item item;
	struct worker *worker;
	struct ip_port client, before;
	uint64_t admission;
	uint32_t number;
	struct delivery *delivery;
};

static void report_post(struct worker *worker, const struct report *value, void (*run)(struct mail_item *item))
{
	struct report *report = xcalloc(1, sizeof(*report));

	*report = *value;
	report->worker = worker;
	report->item.run = run;
	loop_post(worker->main, &report->item);
}

static void run_intake_end(struct mail_item *item)
{
	struct report *report = CONTAINER_OF(item, struct report, item);
	struct worker *worker = report->worker;

	worker->load--;
	worker->ops.on_intake_end(worker->ops.arg, &report->client);
	free(report);
}

static void run_client(struct mail_item *item)
{
	struct report *report = CONTAINER_OF(item, struct report, item);
	struct worker *worker = report->worker;

	worker->ops.on_client(worker->ops.arg, worker, report->admission, &report->before, &report->client);
	free(report);
}

static void run_delivered(struct mail_item *item)
{
	struct report *report = CONTAINER_OF(item, struct report, item);

	report->worker->ops.on_delivered(report->worker->ops.arg, report->delivery);
	free(report);
}

static void run_session_end(struct mail_item *item)
{
	struct report *report = CONTAINER_OF(item, struct report, item);
	struct worker *worker = report->worker;

	worker->load--;
	worker->ops.on_session_end(worker->ops.arg, report->number);
	free(report);
}

static void run_drained(struct mail_item *item)
{
	struct report *report = CONTAINER_OF(item, struct report, item);

	report->worker->ops.on_drained(report->worker->ops.arg);
	free(report);
}

/* An intake_job carries its own mail_item, but no way back to its worker: a report goes round it. */
struct job_report {
	struct mail_item item;
	struct worker *worker;
	struct intake_job *job;
};

static void run_job(struct mail_item *item)
{
	struct job_report *report = CONTAINER_OF(item, struct job_report, item);

	report->worker->ops.on_job(report->worker->ops.arg, report->job);
	free(report);
}

static void intake_job_done(void *arg, struct intake_job *job)
{
	struct worker *worker = arg;
	struct job_report *report = xcalloc(1, sizeof(*report));

	report->worker = worker;
	report->job = job;
	report->item.run = run_job;
	loop_post(worker->main, &report->item);
}

static void intake_session_ended(void *arg, const struct ip_port *client)
{
	report_post(arg, &(struct report){.client = *client}, run_intake_end);
}

static void run_login(struct mail_item *item)
{
	struct login_question *question = CONTAINER_OF(item, struct login_question, item);
	struct worker *worker = question->carrier;

	worker->ops.on_login(worker->ops.arg, question);
}

static void intake_asks(void *arg, struct login_question *question)
{
	struct worker *worker = arg;

	question->carrier = worker;
	question->item.run = run_login;
	loop_post(worker->main, &question->item);
}

static void intake_client_known(void *arg, uint64_t number, const struct ip_port *before, const struct ip_port *now)
{
	report_post(arg, &(struct report){.client = *now, .before = *before, .admission = number}, run_client);
}

static void session_done(void *arg, struct delivery *delivery)
{
	report_post(arg, &(struct report){.delivery = delivery}, run_delivered);
}

static void session_ended(void *arg, uint32_t number)
{
	struct worker *worker = arg;

	must(number < worker->session_slots && worker->sessions[number]);
	worker->sessions[number] = NULL;
	report_post(worker, &(struct report){.number = number}, run_session_end);
}

static void intake_drained(void *arg)
{
	report_post(arg, &(struct report){.number = 0}, run_drained);
}

/* --- main to worker ---------------------------------------------------------------------------------------------------- */

struct order {
	struct mail_item item;
	struct worker *worker;
	struct worker_client client;
	struct intake_inner inner; /* that client.inner points to */
	struct session_target target;
	char *destination, *source, *ehlo; /* copies that target points to */
	uint32_t number;
	uint64_t admission;
	const char *busy;
	struct delivery *delivery;
	struct conf *conf;
};

static void order_post(struct worker *worker, const struct order *value, void (*run)(struct mail_item *item))
{
	struct order *order = xcalloc(1, sizeof(*order));

	*order = *value;
	order->worker = worker;
	order->item.run = run;
	loop_post(worker->loop, &order->item);
}

static void run_accept(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct worker_client *client = &order->client;

	if (client->inner != NULL)
		intake_start_inner(order->worker->intake, client->fd, &client->peer, client->conf, &order->inner, client->busy);
	else
		intake_start(order->worker->intake, client->fd, &client->peer, client->conf, &client->conf->listen[client->listen],
		    client->tls, client->busy);
	tls_server_unref(&client->tls);
	conf_unref(&client->conf);
	free(order);
}

void worker_accept(struct worker *worker, const struct worker_client *client)
{
	struct order order = {.client = *client};

	if (client->inner != NULL)
		order.inner = *client->inner;
	worker->load++;
	order_post(worker, &order, run_accept);
}

static void run_admit(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);

	intake_admit(order->worker->intake, order->admission, order->busy);
	free(order);
}

void worker_admit(struct worker *worker, uint64_t number, const char *busy)
{
	order_post(worker, &(struct order){.admission = number, .busy = busy}, run_admit);
}

static void slot_reserve(struct worker *worker, uint32_t number)
{
	size_t slots = worker->session_slots;

	if (number < slots)
		return;
	slots = number + 64;
	worker->sessions = xrealloc(worker->sessions, slots * sizeof(worker->sessions[0]));
	memset(worker->sessions + worker->session_slots, 0, (slots - worker->session_slots) * sizeof(worker->sessions[0]));
	worker->session_slots = slots;
}

static void run_open(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct worker *worker = order->worker;

	slot_reserve(worker, order->target.number);
	must(!worker->sessions[order->target.number]);
	worker->sessions[order->target.number] = session_open(&worker->session_env, &order->target, order->delivery);
	route_unref(&order->target.route);
	conf_unref(&order->target.conf);
	tls_client_unref(&order->target.tls);
	free(order->destination);
	free(order->source);
	free(order->ehlo);
	free(order);
}

void worker_open(struct worker *worker, const struct session_target *target, struct delivery *delivery)
{
	struct order order = {.target = *target, .delivery = delivery};

	order.destination = xstrdup(target->destination);
	order.source = xstrdup(target->source);
	order.ehlo = xstrdup(target->ehlo);
	order.target.destination = order.destination;
	order.target.source = order.source;
	order.target.ehlo = order.ehlo;
	order.target.route = route_ref(target->route);
	order.target.conf = conf_ref(target->conf);
	order.target.tls = tls_client_ref(target->tls);
	worker->load++;
	order_post(worker, &order, run_open);
}

static struct session *session_find(struct worker *worker, uint32_t number)
{
	return number < worker->session_slots ? worker->sessions[number] : NULL;
}

static void run_next(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct session *session = session_find(order->worker, order->number);

	if (session) {
		session_next(session, order->delivery);
	} else { /* the idle connection ended while the job was on its way */
		order->delivery->attempted = false;
		order->delivery->reusable = false;
		session_done(order->worker, order->delivery);
	}
	free(order);
}

void worker_next(struct worker *worker, uint32_t number, struct delivery *delivery)
{
	order_post(worker, &(struct order){.number = number, .delivery = delivery}, run_next);
}

static void run_quit(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct session *session = session_find(order->worker, order->number);

	if (session)
		session_quit(session);
	free(order);
}

void worker_quit(struct worker *worker, uint32_t number)
{
	order_post(worker, &(struct order){.number = number}, run_quit);
}

static void run_abort(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);
	struct session *session = session_find(order->worker, order->number);

	if (session)
		session_abort(session);
	free(order);
}

void worker_abort(struct worker *worker, uint32_t number)
{
	order_post(worker, &(struct order){.number = number}, run_abort);
}

static void run_reconfigure(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);

	conf_unref(&order->worker->conf);
	order->worker->conf = order->conf;
	free(order);
}

void worker_reconfigure(struct worker *worker, struct conf *conf)
{
	order_post(worker, &(struct order){.conf = conf_ref(conf)}, run_reconfigure);
}

static void run_drain(struct mail_item *item)
{
	struct order *order = CONTAINER_OF(item, struct order, item);

	intake_drain(order->worker->intake, intake_drained, order->worker);
	free(order);
}

void worker_drain(struct worker *worker)
{
	order_post(worker, &(struct order){.number = 0}, run_drain);
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

static void *worker_thread(void *arg)
{
	struct worker *worker = arg;

	loop_run(worker->loop);
	return NULL;
}

static struct conf *conf_latest(void *arg)
{
	return ((struct worker *)arg)->conf;
}

struct worker *worker_create(unsigned index, const struct worker_options *options)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));

	(void)snprintf(worker->name, sizeof(worker->name), "worker%u", index);
	worker->loop = loop_create(worker->name);
	worker->main = options->main;
	worker->ops = options->ops;
	worker->conf = conf_ref(options->conf);
	worker->intake_env.loop = worker->loop;
	worker->reader = queue_reader_open(options->queue);
	worker->intake_env.queue = options->queue;
	worker->intake_env.reader = worker->reader;
	worker->intake_env.helpers = options->helpers;
	worker->intake_env.on_job = intake_job_done;
	worker->intake_env.on_session_end = intake_session_ended;
	worker->intake_env.on_client = intake_client_known;
	worker->intake_env.conf_latest = conf_latest;
	worker->intake_env.ask = intake_asks;
	worker->intake_env.arg = worker;
	worker->intake_env.memory_used = options->memory_used;
	worker->intake = intake_create(&worker->intake_env);
	worker->session_env.loop = worker->loop;
	worker->session_env.reader = worker->reader;
	worker->session_env.tls_cache = tls_cache_create(TLS_SESSIONS);
	worker->session_env.on_done = session_done;
	worker->session_env.on_end = session_ended;
	worker->session_env.arg = worker;
	must(pthread_create(&worker->thread, NULL, worker_thread, worker) == 0);
	return worker;
}

void worker_destroy(struct worker **worker_ptr)
{
	struct worker *worker = *worker_ptr;

	if (!worker)
		return;
	loop_stop(worker->loop);
	must(pthread_join(worker->thread, NULL) == 0);
	intake_destroy(&worker->intake);
	queue_reader_close(&worker->reader);
	loop_destroy(&worker->loop);
	tls_cache_destroy(&worker->session_env.tls_cache); /* after the connections that ended with the loop */
	conf_unref(&worker->conf);
	free(worker->sessions);
	free(worker);
	*worker_ptr = NULL;
}

unsigned worker_load(const struct worker *worker)
{
	return worker->load;
}

const struct intake_figures *worker_intake_figures(const struct worker *worker)
{
	return &worker->intake_env.figures;
}
