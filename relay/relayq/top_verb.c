/* relay/relayq/top_verb.c - the verb top: what goes on, drawn anew every few seconds. */
#include "relay/relayq/top_verb.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "relay/relayq/client.h"
#include "relay/relayq/field.h"
#include "relay/relayq/screen.h"
#include "relay/relayq/settings.h"
#include "relay/relayq/top_page.h"

#define EVERY_MS SECONDS(2)
#define ONCE_MS  SECONDS(1) /* between the two looks that make one */
#define HINT     "q quits; d destinations s sources l lanes t tenants h hosts a alerts, space all"

static volatile sig_atomic_t stopped;

static void on_stop(int signo)
{
	stopped = 1;
}

/* After the screen's own handlers; without SA_RESTART, so that a wait for the daemon ends too. */
static void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_stop };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

/* --- asking ----------------------------------------------------------------------------------------------------------------- */

struct asking {
	struct top_sample *sample;
	const char *verb;
	char *message; /* of the last end line; owned */
};

static void on_row(void *arg, const json_t *row)
{
	struct asking *asking = arg;

	top_sample_add(asking->sample, asking->verb, row);
}

static void on_end(void *arg, const json_t *end)
{
	struct asking *asking = arg;

	free(asking->message);
	asking->message = xstrdup(field_text(end, "message"));
}

/* A sample, compared with the one before. Otherwise *trouble_out is why there is none; malloc'ed. */
static enum ops_exit take_sample(struct conf *conf, struct top_sample *sample, const struct top_sample *before, char **trouble_out)
{
	/* The first needs a daemon: without one nobody walks the store for the second. */
	static const char *const VERBS[] = { "top", "stats", "source", "alerts", "hosts" };
	struct asking asking = { .sample = sample };
	struct client_sink sink = { .row = on_row, .end = on_end, .arg = &asking };
	enum ops_exit status = OPS_DONE;
	json_t *args = json_object();

	for (size_t i = 0; i < ARRAY_LEN(VERBS) && status == OPS_DONE; i++) {
		asking.verb = VERBS[i];
		status = client_ask(conf, VERBS[i], args, &sink);
	}
	json_decref(args);
	sample->at = clock_mono();
	*trouble_out = NULL;
	if (status == OPS_DONE)
		top_sample_compare(sample, before);
	else
		*trouble_out = xstrdup(asking.message ? asking.message : "");
	free(asking.message);
	return status;
}

/* --- one look --------------------------------------------------------------------------------------------------------------- */

static void put_json(const struct top_sample *sample, FILE *out)
{
	for (enum top_part part = TOP_PARTS; part-- > TOP_TOTAL;) {
		json_t *row;
		size_t i;

		json_array_foreach(sample->parts[part], i, row) {
			(void)json_dumpf(row, out, JSON_COMPACT);
			(void)fputc('\n', out);
		}
	}
}

static size_t width_of(FILE *out)
{
	struct winsize size;

	if (!isatty(fileno(out)))
		return 0;
	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void put_text(const struct top_sample *sample, const struct conf *conf, FILE *out)
{
	struct top_view view = { .width = width_of(out), .now = clock_wall(), .host = conf->hostname };
	struct top_line *lines;
	size_t count = top_page(sample, &view, &lines);

	for (size_t i = 0; i < count; i++)
		(void)fprintf(out, "%s\n", lines[i].text);
	top_page_free(lines, count);
}

static enum ops_exit look_once(struct conf *conf, bool json, FILE *out, FILE *err)
{
	static const struct timespec PAUSE = { .tv_sec = ONCE_MS / 1000 };
	struct top_sample first = { .at = 0 }, second = { .at = 0 };
	char *trouble = NULL;
	enum ops_exit status = take_sample(conf, &first, &second, &trouble);

	if (status == OPS_DONE) {
		(void)nanosleep(&PAUSE, NULL);
		status = take_sample(conf, &second, &first, &trouble);
	}
	if (status != OPS_DONE)
		(void)fprintf(err, "relayq: %s\n", trouble);
	else if (json)
		put_json(&second, out);
	else
		put_text(&second, conf, out);
	if (fflush(out) != 0 && status == OPS_DONE) {
		(void)fputs("relayq: the output cannot be written\n", err);
		status = OPS_REFUSED;
	}
	top_sample_fini(&first);
	top_sample_fini(&second);
	free(trouble);
	return status;
}

/* --- on a terminal ---------------------------------------------------------------------------------------------------------- */

struct live {
	struct conf *conf;
	struct top_sample sample;
	struct top_view view;
	char *trouble; /* owned */
	bool over;
};

static void draw(struct live *live)
{
	struct top_line *lines;
	size_t count;

	live->view.now = clock_wall();
	live->view.trouble = live->trouble;
	screen_size(&live->view.width, &live->view.height);
	count = top_page(&live->sample, &live->view, &lines);
	screen_draw(lines, count);
	top_page_free(lines, count);
}

/* Figures of before stay on the screen when there are no new ones, under the reason for that. */
static void look(struct live *live)
{
	struct top_sample next = { .at = 0 };

	free(live->trouble);
	if (take_sample(live->conf, &next, &live->sample, &live->trouble) == OPS_DONE) {
		top_sample_fini(&live->sample);
		live->sample = next;
	} else {
		top_sample_fini(&next);
	}
}

static void choose(struct live *live, char key)
{
	static const struct {
		char key;
		enum top_part part;
	} PARTS[] = { { 'd', TOP_DESTINATION }, { 's', TOP_SOURCE }, { 'l', TOP_LANE }, { 't', TOP_TENANT }, { 'a', TOP_ALERT },
		{ 'h', TOP_HOST } };

	live->over = key == 'q' || key == 'Q';
	live->view.only = TOP_TOTAL;
	live->view.offset = 0;
	for (size_t i = 0; i < ARRAY_LEN(PARTS); i++)
		if (PARTS[i].key == key)
			live->view.only = PARTS[i].part;
}

static void scroll_by(struct live *live, int64_t rows)
{
	size_t have = top_page_rows(&live->sample, live->view.only);
	int64_t to = (int64_t)live->view.offset + rows;

	if (live->view.only == TOP_TOTAL || have == 0)
		return;
	live->view.offset = to < 0 ? 0 : (size_t)to < have ? (size_t)to : have - 1;
}

static void take_key(struct live *live, int64_t ms)
{
	int64_t page = live->view.height > 10 ? (int64_t)live->view.height - 8 : 2;
	char key = 0;

	switch (screen_wait(ms, &key)) {
	case SCREEN_CHAR:
		choose(live, key);
		break;
	case SCREEN_UP:
		scroll_by(live, -1);
		break;
	case SCREEN_DOWN:
		scroll_by(live, 1);
		break;
	case SCREEN_PAGE_UP:
		scroll_by(live, -page);
		break;
	case SCREEN_PAGE_DOWN:
		scroll_by(live, page);
		break;
	case SCREEN_GONE:
		live->over = true;
		break;
	case SCREEN_RESIZED:
	case SCREEN_NONE:
		break;
	}
}

static void run_live(struct live *live, int64_t every_ms)
{
	mono_ms next = 0;

	while (!live->over && !stopped) {
		mono_ms now = clock_mono();

		if (now >= next) {
			look(live);
			now = clock_mono();
			next = now + every_ms;
		}
		draw(live);
		if (!stopped)
			take_key(live, next - now);
	}
	top_sample_fini(&live->sample);
	free(live->trouble);
}

enum ops_exit top_verb_run(const struct verb_call *call, FILE *out, FILE *err)
{
	bool once = call->json || json_is_true(json_object_get(call->args, "once"));
	uint64_t every = field_number(call->args, "every");
	struct conf *conf = settings_load(call->file, err);
	struct live live = { .conf = conf };
	enum ops_exit status = OPS_DONE;

	if (!conf)
		return OPS_USAGE;
	live.view.host = conf->hostname;
	live.view.hint = HINT;
	if (!once && screen_open()) {
		stop_on_signals();
		run_live(&live, every > 0 ? (int64_t)every : EVERY_MS);
		screen_close();
	} else {
		status = look_once(conf, call->json, out, err);
	}
	conf_unref(&conf);
	return status;
}
