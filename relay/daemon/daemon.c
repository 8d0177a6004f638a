/* relay/daemon/daemon.c - start, reload and stop of relayd, in order. */
#include "relay/daemon/daemon.h"

#include <libgen.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "relay/daemon/gate.h"
#include "relay/daemon/helpers.h"
#include "relay/daemon/privileges.h"
#include "relay/daemon/warden.h"
#include "relay/daemon/worker.h"
#include "relay/deliver/dispatch.h"
#include "relay/intake/usage.h"
#include "relay/deliver/verdict.h"
#include "relay/ops/admin.h"
#include "relay/ops/ops.h"
#include "relay/sign/keyring.h"

#define SIGNALS       3
#define SPARE_FILES   64   /* store, logs, listeners, DNS, control */
#define STOP_GRACE_MS 5000 /* beyond delivery.drain, for clients in the middle of a message */

struct daemon {
	struct conf *conf;
	struct loop *loop;
	struct loop_signal *signals[SIGNALS];
	struct gate *gate;
	struct warden *warden;
	struct queue *queue;
	struct queue_reader *reader;
	struct usages *usages;
	struct sched *sched;
	struct dispatch *dispatch;
	struct ops *ops;
	struct admin *admin;
	struct helper *helpers[HELPER_COUNT];
	struct worker **workers;
	size_t worker_count;
	_Atomic uint64_t memory_used;
	struct timer stop_timer;
	size_t undrained; /* workers, the dispatcher and the admin listener */
	bool stopping;
};

/* --- what workers tell ------------------------------------------------------------------------------------------------------ */

static void on_job(void *arg, struct intake_job *job)
{
	dispatch_add(((struct daemon *)arg)->dispatch, job);
}

static void on_intake_end(void *arg, const struct ip_port *client)
{
	gate_session_end(((struct daemon *)arg)->gate, client);
}

static void on_client(void *arg, struct worker *worker, uint64_t number, const struct ip_port *before, const struct ip_port *now)
{
	worker_admit(worker, number, gate_client_known(((struct daemon *)arg)->gate, before, now));
}

static void on_delivered(void *arg, struct delivery *delivery)
{
	dispatch_delivered(((struct daemon *)arg)->dispatch, delivery);
}

static void on_session_end(void *arg, uint32_t number)
{
	dispatch_session_end(((struct daemon *)arg)->dispatch, number);
}

static void on_login(void *arg, struct login_question *question)
{
	warden_answer(((struct daemon *)arg)->warden, question);
}

static void on_drained(void *arg)
{
	struct daemon *d = arg;

	if (--d->undrained == 0)
		loop_stop(d->loop);
}

/* --- stop ------------------------------------------------------------------------------------------------------------------- */

/* Whoever is still in the middle of something now has no promise of ours: what was acknowledged is in the store. */
static void stop_now(void *arg)
{
	(void)arg;
	log_text(LOG_WARN, "stopped", "some clients were still connected");
	_exit(RELAYD_OK);
}

static void stop(struct daemon *d)
{
	if (d->stopping)
		stop_now(d);
	d->stopping = true;
	log_text(LOG_INFO, "stopping", "%zu clients are connected", gate_sessions(d->gate));
	(void)sd_notify(0, "STOPPING=1");
	gate_stop(d->gate);
	ops_destroy(&d->ops);
	d->undrained = d->worker_count + 2;
	admin_drain(d->admin, on_drained, d);
	for (size_t i = 0; i < d->worker_count; i++)
		worker_drain(d->workers[i]);
	dispatch_drain(d->dispatch, d->conf->delivery.drain_ms, on_drained, d);
	timer_start(&d->stop_timer, d->conf->delivery.drain_ms + STOP_GRACE_MS);
}

/* The store is beyond repair: nothing acknowledged is in memory alone, so the end can be quick. Writer thread. */
static void on_fatal(void *arg, const char *text)
{
	(void)arg;
	log_text(LOG_ERROR, "store-failed", "%s", text);
	_exit(RELAYD_FAILED);
}

/* --- reload ----------------------------------------------------------------------------------------------------------------- */

static struct queue_options queue_options_of(const struct conf *conf)
{
	return (struct queue_options){
	    .quota_bytes = conf->limits.disk_bytes, .reserve_bytes = conf->limits.disk_reserve_bytes, .on_fatal = on_fatal,
	    .dead_keep_ms = conf->dead_size_bytes > 0 ? conf->dead_keep_ms : 0, .dead_bytes = conf->dead_size_bytes,
	};
}

/* The signing keys are read anew each time: that is how they are rotated. */
static bool attach_keys(struct conf *conf, struct conf_faults *faults)
{
	size_t before = faults->warning_count;
	bool attached = keyring_attach(conf, faults);

	if (attached && faults->warning_count > before)
		log_text(LOG_WARN, "keys", "%s", faults->warnings);
	return attached;
}

/* Everything that can fail comes first; after that the new configuration is in force everywhere. */
static enum err reload_apply(struct daemon *d, struct conf *next, struct err_detail *why)
{
	struct queue_options options = queue_options_of(next);
	struct tls_server *tls;
	enum err err = gate_load_tls(next, &tls, why);

	if (err != OK)
		return err;
	err = gate_bind(d->gate, next, why);
	if (err == OK)
		err = admin_bind(d->admin, next, why);
	if (err == OK)
		err = dispatch_reconfigure(d->dispatch, next, why);
	if (err != OK) {
		gate_rollback(d->gate);
		admin_rollback(d->admin);
		tls_server_unref(&tls);
		return err;
	}
	admin_commit(d->admin, next, tls);
	gate_commit(d->gate, next, tls);
	warden_reconfigure(d->warden, next);
	queue_reconfigure(d->queue, &options);
	for (size_t i = 0; i < d->worker_count; i++)
		worker_reconfigure(d->workers[i], next);
	log_set_level((enum log_level)next->log_level);
	conf_unref(&d->conf);
	d->conf = conf_ref(next);
	return OK;
}

/* Without the last line end of a list of faults. */
static char *refusal_text(const char *faults)
{
	size_t len = strlen(faults);

	while (len > 0 && faults[len - 1] == '\n')
		len--;
	return xasprintf("nothing was changed: %.*s", (int)len, faults);
}

static enum err reload(void *arg, char **text_out)
{
	struct daemon *d = arg;
	struct conf_faults faults;
	struct conf *next = conf_load(d->conf->file, &faults);
	struct err_detail why = {.text = ""};
	enum err err = ERR_INVALID;
	char *restart = NULL;

	if (next)
		verdict_check(next, false, &faults);
	if (next && faults.count == 0 && attach_keys(next, &faults)) {
		usages_attach(d->usages, next);
		restart = conf_restart_needed(d->conf, next);
		err = reload_apply(d, next, &why);
	}
	if (err == OK)
		*text_out = restart ? xasprintf("reloaded; changes of %s take effect after a restart", restart) : xasprintf("reloaded");
	else
		*text_out = refusal_text(faults.count == 0 ? why.text : faults.text);
	log_text(err == OK ? LOG_INFO : LOG_ERROR, "reload", "%s", *text_out);
	free(restart);
	conf_unref(&next);
	conf_faults_free(&faults);
	return err;
}

static void on_signal(void *arg, int signo)
{
	struct daemon *d = arg;
	char *text = NULL;

	if (signo != SIGHUP) {
		stop(d);
	} else if (!d->stopping) { /* or it would listen again */
		(void)!reload(d, &text);
		free(text);
	}
}

static struct conf *current_conf(void *arg)
{
	return ((struct daemon *)arg)->conf;
}

/* --- start ------------------------------------------------------------------------------------------------------------------ */

static int fail(int status, const struct err_detail *why)
{
	log_text(LOG_ERROR, "start-failed", "%s", why->text);
	return status;
}

/* With the privileges we were started with: folders and ports. */
static int start_privileged(struct daemon *d)
{
	char *control = xstrdup(d->conf->control);
	struct err_detail why;
	char *warning;
	uint64_t files;
	int status = RELAYD_OK;

	if (privileges_make_dir(d->conf->state, d->conf->user, &why) != OK ||
	    privileges_make_dir(dirname(control), d->conf->user, &why) != OK || gate_bind(d->gate, d->conf, &why) != OK ||
	    admin_bind(d->admin, d->conf, &why) != OK)
		status = fail(RELAYD_CANNOT_OPEN, &why);
	free(control);
	if (status != RELAYD_OK)
		return status;
	if (privileges_drop(d->conf->user, &warning, &why) != OK)
		return fail(RELAYD_CANNOT_OPEN, &why);
	if (warning)
		log_text(LOG_WARN, "privileges", "%s", warning);
	free(warning);
	files = privileges_raise_files();
	if (files < (uint64_t)d->conf->limits.connections + d->conf->delivery.connections + SPARE_FILES)
		log_text(LOG_WARN, "files", "this process may open %llu files, too few for limits.connections and delivery.connections; "
		    "raise the hard limit (LimitNOFILE)", (unsigned long long)files);
	return RELAYD_OK;
}

static int start_store(struct daemon *d)
{
	struct queue_options options = queue_options_of(d->conf);
	struct err_detail why;
	char *events = xasprintf("%s/events", d->conf->state);

	d->queue = queue_open(d->conf->state, &options, &why);
	if (!d->queue) {
		free(events);
		return fail(RELAYD_CANNOT_OPEN, &why);
	}
	if (log_open_events(events, (int)d->conf->events_keep_days, d->conf->events_bytes, &why) != OK)
		log_text(LOG_WARN, "events", "%s; events go to standard error alone", why.text);
	free(events);
	d->reader = queue_reader_open(d->queue);
	d->usages = usages_create();
	if (usages_load(d->usages, d->reader, &why) != OK)
		return fail(RELAYD_CANNOT_OPEN, &why);
	usages_attach(d->usages, d->conf);
	warden_attach(d->warden, d->queue, d->reader);
	return RELAYD_OK;
}

static void start_threads(struct daemon *d)
{
	struct worker_options options = {
	    .main = d->loop, .queue = d->queue, .memory_used = &d->memory_used, .conf = d->conf,
	    .ops = {on_job, on_intake_end, on_client, on_delivered, on_session_end, on_login, on_drained, d},
	};

	for (size_t i = 0; i < HELPER_COUNT; i++)
		d->helpers[i] = helper_create();
	d->worker_count = d->conf->workers;
	d->workers = xcalloc(d->worker_count, sizeof(d->workers[0]));
	for (size_t i = 0; i < d->worker_count; i++) {
		options.helpers = helper_mailbox(d->helpers[i % HELPER_COUNT]);
		d->workers[i] = worker_create((unsigned)i, &options);
	}
}

static enum err start_keys(struct conf *conf, struct err_detail *why)
{
	struct conf_faults faults = {0};
	enum err err = attach_keys(conf, &faults) ? OK : err_set(why, ERR_INVALID, "%s", faults.text);

	conf_faults_free(&faults);
	return err;
}

static void admit(void *arg, int fd, const struct ip_port *client, const struct intake_inner *inner)
{
	gate_admit(((struct daemon *)arg)->gate, fd, client, inner);
}

static void read_intake(void *arg, struct metrics_intake *out)
{
	const struct daemon *d = arg;

	*out = (struct metrics_intake){.connections = gate_sessions(d->gate)};
	for (size_t i = 0; i < d->worker_count; i++) {
		const struct intake_figures *figures = worker_intake_figures(d->workers[i]);

		out->sessions += atomic_load_explicit(&figures->sessions, memory_order_relaxed);
		out->messages += atomic_load_explicit(&figures->messages, memory_order_relaxed);
		out->refused_sessions += atomic_load_explicit(&figures->refused_sessions, memory_order_relaxed);
		out->refused_rcpts += atomic_load_explicit(&figures->refused_rcpts, memory_order_relaxed);
		out->suppressed_rcpts += atomic_load_explicit(&figures->suppressed_rcpts, memory_order_relaxed);
		out->auth_failures += atomic_load_explicit(&figures->auth_failures, memory_order_relaxed);
	}
}

static void start_admin(struct daemon *d, const struct ops_env *ops)
{
	struct admin_env env = {
	    .ops = *ops, .submit = {.loop = d->loop, .helpers = helper_mailbox(d->helpers[0]), .admit = admit, .arg = d}, .intake = read_intake,
	    .arg = d,
	};

	admin_start(d->admin, &env);
}

static int start_services(struct daemon *d)
{
	struct tls_server *tls;
	struct err_detail why;

	if (start_keys(d->conf, &why) != OK || gate_load_tls(d->conf, &tls, &why) != OK)
		return fail(RELAYD_CONFIGURATION, &why);
	admin_commit(d->admin, d->conf, tls);
	gate_commit(d->gate, d->conf, tls);
	d->sched = sched_create(d->conf, rand_entropy());
	start_threads(d);
	struct dispatch_env env = {
	    .loop = d->loop, .queue = d->queue, .reader = d->reader, .sched = d->sched, .workers = d->workers,
	    .worker_count = d->worker_count,
	};

	d->dispatch = dispatch_create(&env, d->conf, rand_entropy(), &why);
	if (!d->dispatch)
		return fail(RELAYD_CONFIGURATION, &why);
	struct ops_env ops = {
	    .loop = d->loop, .queue = d->queue, .reader = d->reader, .sched = d->sched, .dispatch = d->dispatch,
	    .conf = current_conf, .reload = reload, .started = clock_wall(), .guard = warden_guard(d->warden), .arg = d,
	};

	d->ops = ops_create(&ops, d->conf->control, &why);
	if (!d->ops)
		return fail(RELAYD_CANNOT_OPEN, &why);
	start_admin(d, &ops);
	return RELAYD_OK;
}

static void finish(struct daemon *d)
{
	ops_destroy(&d->ops);
	dispatch_destroy(&d->dispatch);
	for (size_t i = 0; i < d->worker_count; i++)
		worker_destroy(&d->workers[i]);
	free(d->workers);
	for (size_t i = 0; i < HELPER_COUNT; i++)
		helper_destroy(&d->helpers[i]);
	admin_destroy(&d->admin);
	sched_destroy(&d->sched);
	if (d->reader)
		queue_reader_close(&d->reader);
	queue_close(&d->queue);
	usages_destroy(&d->usages);
	gate_destroy(&d->gate);
	warden_destroy(&d->warden);
	for (size_t i = 0; i < SIGNALS; i++)
		loop_signal_remove(&d->signals[i]);
	timer_fini(&d->stop_timer);
	loop_destroy(&d->loop);
	log_close_events();
	conf_unref(&d->conf);
}

int daemon_run(struct conf *conf)
{
	static const int SIGNOS[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
	struct daemon d = {.conf = conf};
	int status;

	log_set_level((enum log_level)conf->log_level);
	loop_setup();
	d.loop = loop_create("main");
	d.warden = warden_create(d.loop, conf);
	d.gate = gate_create(d.loop, conf, d.warden);
	d.admin = admin_create();
	timer_init(&d.stop_timer, d.loop, stop_now, &d);
	status = start_privileged(&d);
	if (status == RELAYD_OK)
		status = start_store(&d);
	if (status == RELAYD_OK)
		status = start_services(&d);
	if (status == RELAYD_OK) {
		for (size_t i = 0; i < SIGNALS; i++)
			d.signals[i] = loop_signal_add(d.loop, SIGNOS[i], on_signal, &d);
		dispatch_rebuild(d.dispatch);
		gate_start(d.gate, d.workers, d.worker_count);
		log_text(LOG_INFO, "ready", "%zu workers, %zu sources", d.worker_count, d.conf->source_count);
		(void)sd_notify(0, "READY=1");
		loop_run(d.loop);
		log_text(LOG_INFO, "stopped", "in good order");
	}
	finish(&d);
	return status;
}
