/* tests/unit/sched/test_replay.c - plays the scenarios of tests/replay against the scheduler alone; tests/replay/README.md has the words. */
#include <dirent.h>
#include <time.h>

#include "tests/unit/sched/sched_test.h"

#define WORDS_MAX  16
#define PLACES_MAX 64
#define FLIGHT_MAX 4096
#define LINE_BYTES 512

enum ending { END_OK, END_BUSY, END_DOWN, END_BLOCKED, END_LISTED, END_LOST, END_THROTTLED, END_UNHEARD, END_DEFERRED, ENDINGS };
static const char *const ending_names[ENDINGS] = { "ok", "busy", "down", "blocked", "listed", "lost", "throttled",
	"unheard", "deferred" };

/* A domain whose look-up has an answer, or a destination that answers in some way. */
struct habit {
	char name[64], host[64], source[32];
	bool unresolved;
	enum ending ending;
};

struct flight {
	wall_ms ends;
	struct sched_decision d;
	char destination[128], source[32];
};

struct tally {
	char destination[128];
	uint64_t started, delivered, expired;
};

struct play {
	const char *file;
	unsigned line;
	struct world w;
	char yaml[8192];
	struct habit routes[PLACES_MAX], answers[PLACES_MAX];
	size_t route_count, answer_count, flight_count, tally_count;
	struct flight flights[FLIGHT_MAX];
	struct tally tallies[PLACES_MAX];
	int64_t takes;
	struct sched_decision nothing;
};

#define complain(p, ...) \
	do { \
		fprintf(stderr, "%s:%u: ", (p)->file, (p)->line); \
		fail_msg(__VA_ARGS__); \
	} while (0)

/* --- words --- */

static int64_t duration(struct play *p, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	switch (*end) {
	case 's':
		return SECONDS(n);
	case 'm':
		return MINUTES(n);
	case 'h':
		return HOURS(n);
	case 'd':
		return DAYS(n);
	default:
		complain(p, "no duration: %s", text);
	}
	return 0;
}

/* "+5m" from now, or "2026-03-01T08:00Z". */
static wall_ms when_of(struct play *p, const char *text)
{
	struct tm tm = { 0 };

	if (text[0] == '+')
		return p->w.now + duration(p, text + 1);
	if (strptime(text, "%Y-%m-%dT%H:%MZ", &tm) == NULL)
		complain(p, "no time: %s", text);
	return (wall_ms)timegm(&tm) * 1000;
}

static const char *option(char **words, size_t count, const char *key, const char *otherwise)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < count; i++)
		if (strncmp(words[i], key, len) == 0 && words[i][len] == '=')
			return words[i] + len + 1;
	return otherwise;
}

static struct habit *habit(struct habit *habits, size_t *count, const char *name, const char *source)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(habits[i].name, name) == 0 && strcmp(habits[i].source, source) == 0)
			return &habits[i];
	must(*count < PLACES_MAX);
	snprintf(habits[*count].name, sizeof(habits->name), "%s", name);
	snprintf(habits[*count].source, sizeof(habits->source), "%s", source);
	return &habits[(*count)++];
}

static struct tally *tally(struct play *p, const char *destination)
{
	for (size_t i = 0; i < p->tally_count; i++)
		if (strcmp(p->tallies[i].destination, destination) == 0)
			return &p->tallies[i];
	must(p->tally_count < PLACES_MAX);
	snprintf(p->tallies[p->tally_count].destination, sizeof(p->tallies->destination), "%s", destination);
	return &p->tallies[p->tally_count++];
}

/* --- the world outside --- */

static void look_up(struct play *p, const char *domain)
{
	struct habit *route = habit(p->routes, &p->route_count, domain, "");
	struct sched_decision d;
	char copy[64];

	if (!route->unresolved) {
		world_resolve(&p->w, domain, route->host[0] != '\0' ? route->host : domain);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", domain);
	for (sched_unresolved(p->w.sched, copy, p->w.now, &d); d.kind == SCHED_START;
	     sched_unresolved(p->w.sched, copy, p->w.now, &d))
		world_settle(&p->w, &d,
		    &(struct sched_result){ .attempted = true, .rcpts_left = d.rcpts, .scope = SCOPE_DESTINATION });
}

/* Tenants are counted beside the destinations, under a name that no destination has. */
static const char *tenant_key(const char *tenant, char out[64])
{
	snprintf(out, 64, "tenant=%s", tenant);
	return out;
}

static void take_off(struct play *p, const struct sched_decision *d)
{
	struct flight *f = &p->flights[p->flight_count++];
	char key[64];

	must(p->flight_count < FLIGHT_MAX);
	*f = (struct flight){ .ends = p->w.now + p->takes, .d = *d };
	snprintf(f->destination, sizeof(f->destination), "%s", d->destination);
	snprintf(f->source, sizeof(f->source), "%s", d->source);
	tally(p, d->destination)->started++;
	tally(p, tenant_key(d->tenant, key))->started++;
}

static enum ending ending_of(struct play *p, const struct flight *f)
{
	enum ending ending = END_OK;

	for (size_t i = 0; i < p->answer_count; i++) {
		const struct habit *h = &p->answers[i];

		if (strcmp(h->name, f->destination) == 0 && (h->source[0] == '\0' || strcmp(h->source, f->source) == 0))
			ending = h->ending;
	}
	return ending;
}

static void land(struct play *p, size_t which)
{
	static const struct sched_result results[ENDINGS] = {
		[END_OK] = { .attempted = true },
		[END_BUSY] = { .attempted = true, .scope = SCOPE_RECIPIENT },
		[END_DOWN] = { .attempted = true, .scope = SCOPE_HOST },
		[END_BLOCKED] = { .attempted = true, .scope = SCOPE_LANE },
		[END_LISTED] = { .attempted = true, .scope = SCOPE_LANE, .barred = true, .judged = true,
		    .class = CLASS_REPUTATION_BLOCK, .action = ACTION_CLOSE_LANE },
		[END_LOST] = { .attempted = false },
		[END_THROTTLED] = { .attempted = true, .scope = SCOPE_LANE, .judged = true, .class = CLASS_THROTTLE, .action = ACTION_SLOW },
		[END_UNHEARD] = { .attempted = true, .scope = SCOPE_HOST, .reach = REACH_NOBODY },
		[END_DEFERRED] = { .attempted = true, .scope = SCOPE_RECIPIENT, .judged = true, .class = CLASS_TRANSIENT_SYSTEM },
	};
	struct flight f = p->flights[which];
	enum ending ending = ending_of(p, &f);
	struct sched_result result = results[ending];

	p->flights[which] = p->flights[--p->flight_count];
	result.delivered = ending == END_OK ? f.d.rcpts : 0;
	result.rcpts_left = f.d.rcpts - result.delivered;
	if (ending == END_OK)
		result.reach = REACH_ANSWERED;
	if (ending == END_THROTTLED)
		result.throttled = f.d.rcpts;
	if (ending == END_DEFERRED)
		result.deferred = f.d.rcpts;
	if (ending == END_LISTED)
		result.blocked = f.d.rcpts;
	tally(p, f.destination)->delivered += result.delivered;
	world_end(&p->w, &f.d, &result);
}

static void decide(struct play *p)
{
	struct sched_decision d;

	for (;;) {
		sched_next(p->w.sched, p->w.now, &d);
		if (d.kind == SCHED_NOTHING)
			break;
		if (d.kind == SCHED_RESOLVE) {
			look_up(p, d.domain);
		} else if (d.kind == SCHED_EXPIRE) {
			tally(p, d.destination)->expired += d.rcpts;
			world_settle(&p->w, &d, &(struct sched_result){ .attempted = true });
		} else {
			take_off(p, &d);
		}
	}
	p->nothing = d;
}

/* The earliest of what the scheduler says and what is in flight. */
static void pass(struct play *p, wall_ms until)
{
	for (;;) {
		wall_ms next;

		decide(p);
		next = p->nothing.when;
		for (size_t i = 0; i < p->flight_count; i++)
			next = p->flights[i].ends < next ? p->flights[i].ends : next;
		if (next > until)
			break;
		p->w.now = next > p->w.now ? next : p->w.now;
		for (size_t i = 0; i < p->flight_count;)
			if (p->flights[i].ends <= p->w.now)
				land(p, i);
			else
				i++;
	}
	p->w.now = until > p->w.now ? until : p->w.now;
	decide(p);
	sched_verify(p->w.sched);
}

/* --- what a scenario may do --- */

static void do_add(struct play *p, char **words, size_t count)
{
	for (long n = strtol(words[0], NULL, 10); n > 0; n--) {
		struct sched_job job = world_job(&p->w, words[1]);

		job.tenant = option(words, count, "tenant", "shop");
		job.pool = option(words, count, "pool", "main");
		job.rcpts = (uint32_t)strtoul(option(words, count, "rcpts", "1"), NULL, 10);
		job.priority = (int8_t)strtol(option(words, count, "priority", "0"), NULL, 10);
		job.due += duration(p, option(words, count, "due", "0s"));
		job.deadline = p->w.now + duration(p, option(words, count, "expire", "5d"));
		sched_add(p->w.sched, &job, p->w.now);
	}
}

static void do_host(struct play *p, char **words, size_t count)
{
	struct habit *route = habit(p->routes, &p->route_count, words[0], "");

	route->unresolved = strcmp(words[1], "none") == 0;
	snprintf(route->host, sizeof(route->host), "%s", words[1]);
}

static void do_answer(struct play *p, char **words, size_t count)
{
	struct habit *answer = habit(p->answers, &p->answer_count, words[0], option(words, count, "source", ""));

	for (unsigned i = 0; i < ENDINGS; i++) {
		if (strcmp(ending_names[i], words[1]) == 0) {
			answer->ending = (enum ending)i;
			return;
		}
	}
	complain(p, "no such answer: %s", words[1]);
}

static void pause_or_resume(struct play *p, char **words, bool paused)
{
	if (sched_pause(p->w.sched, words[0], words[1], paused, p->w.now) != OK)
		complain(p, "no %s %s", words[0], words[1]);
}

static void do_pause(struct play *p, char **words, size_t count)
{
	pause_or_resume(p, words, true);
}
static void do_resume(struct play *p, char **words, size_t count)
{
	pause_or_resume(p, words, false);
}

static void do_park(struct play *p, char **words, size_t count)
{
	sched_park_source(p->w.sched, words[0], p->w.now + duration(p, words[1]), "the scenario says so");
}

static void serve(struct play *p, const char *source, bool drained)
{
	if (!sched_drain_source(p->w.sched, source, drained, p->w.now))
		complain(p, "no such source: %s", source);
}

static void do_drain(struct play *p, char **words, size_t count)
{
	serve(p, words[0], true);
}

static void do_enable(struct play *p, char **words, size_t count)
{
	serve(p, words[0], false);
}

/* "retire SOURCE DURATION [INTO]" */
static void do_retire(struct play *p, char **words, size_t count)
{
	struct sched_retire retire = { .since = p->w.now, .until = p->w.now + duration(p, words[1]) };

	(void)snprintf(retire.into, sizeof(retire.into), "%s", count > 2 ? words[2] : "");
	if (!sched_retire_source(p->w.sched, words[0], &retire, p->w.now))
		complain(p, "no such source: %s", words[0]);
}

static void do_pass(struct play *p, char **words, size_t count) {}

static const struct {
	const char *name;
	size_t words;
	void (*act)(struct play *p, char **words, size_t count);
} deeds[] = {
	{ "add", 2, do_add },
	{ "host", 2, do_host },
	{ "answer", 2, do_answer },
	{ "pause", 2, do_pause },
	{ "resume", 2, do_resume },
	{ "park", 2, do_park },
	{ "drain", 1, do_drain },
	{ "enable", 1, do_enable },
	{ "retire", 2, do_retire },
	{ "pass", 0, do_pass },
};

static void deed(struct play *p, char **words, size_t count)
{
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		if (count > 0 && strcmp(deeds[i].name, words[0]) == 0 && count > deeds[i].words) {
			deeds[i].act(p, words + 1, count - 1);
			decide(p);
			return;
		}
	}
	complain(p, "no such deed: %s", count > 0 ? words[0] : "");
}

/* --- what it may expect --- */

struct wanted {
	const char *destination;
	struct sched_counts counts;
	unsigned reasons;
};

static void pick(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms again)
{
	struct wanted *wanted = arg;

	if (strcmp(destination, wanted->destination) != 0)
		return;
	wanted->counts = *counts;
	wanted->reasons = reasons;
}

static bool figure(struct play *p, const char *what, const char *destination, uint64_t *out)
{
	struct wanted w = { .destination = destination };
	struct tally sum = { .started = 0 };

	sched_counts_read(p->w.sched, p->w.now, pick, &w);
	for (size_t i = 0; i < p->tally_count; i++) {
		const char *name = p->tallies[i].destination;

		if (destination[0] != '\0' ? strcmp(destination, name) != 0 : strchr(name, '=') != NULL)
			continue;
		sum.started += p->tallies[i].started;
		sum.delivered += p->tallies[i].delivered;
		sum.expired += p->tallies[i].expired;
	}
	const struct {
		const char *name;
		uint64_t value;
	} figures[] = {
		{ "started", sum.started },
		{ "delivered", sum.delivered },
		{ "expired", sum.expired },
		{ "waiting", w.counts.waiting },
		{ "deferred", w.counts.deferred },
		{ "active", w.counts.active },
		{ "held", w.counts.held },
		{ "blocked", w.counts.blocked },
		{ "connections", w.counts.connections },
	};

	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (strcmp(figures[i].name, what) == 0) {
			*out = figures[i].value;
			return true;
		}
	}
	return false;
}

struct lane_wanted {
	const char *source, *destination;
	enum sched_lane_state state;
};

static void pick_lane(void *arg, const struct sched_lane_view *view)
{
	struct lane_wanted *wanted = arg;

	if (strcmp(view->source, wanted->source) == 0 && strcmp(view->destination, wanted->destination) == 0)
		wanted->state = view->state;
}

/* One that is forgotten has nothing against it: it is open. */
static void expect_lane(struct play *p, char **words, size_t count)
{
	struct lane_wanted wanted = { .state = LANE_OPEN };

	if (count < 4)
		complain(p, "expect lane STATE SOURCE DESTINATION");
	wanted.source = words[2];
	wanted.destination = words[3];
	sched_lanes_read(p->w.sched, p->w.now, pick_lane, &wanted);
	if (strcmp(sched_lane_state_name(wanted.state), words[1]) != 0)
		complain(p, "lane of %s to %s is %s, expected %s", words[2], words[3], sched_lane_state_name(wanted.state), words[1]);
}

/* expect FIGURE N|MIN..MAX [DESTINATION]; expect reason NAME DESTINATION; expect wait MIN..MAX (until the scheduler asks again) */
static void expect(struct play *p, char **words, size_t count)
{
	const char *destination = count > 2 ? words[2] : "";
	struct wanted w = { .destination = destination };
	unsigned long long low, high;
	char *dots;
	uint64_t value = 0;

	if (count < 2)
		complain(p, "expect what?");
	if (strcmp(words[0], "lane") == 0) {
		expect_lane(p, words, count);
		return;
	}
	if (strcmp(words[0], "reason") == 0) {
		sched_counts_read(p->w.sched, p->w.now, pick, &w);
		for (unsigned bit = 1; bit != 0; bit <<= 1)
			if (w.reasons & bit && strcmp(sched_why_name((enum sched_reason)bit), words[1]) == 0)
				return;
		complain(p, "%s: reasons 0x%x lack %s", destination, w.reasons, words[1]);
	}
	dots = strstr(words[1], "..");
	if (strcmp(words[0], "wait") == 0) {
		value = (uint64_t)(p->nothing.when - p->w.now);
		low = (unsigned long long)duration(p, words[1]);
		high = dots != NULL ? (unsigned long long)duration(p, dots + 2) : low;
	} else {
		if (!figure(p, words[0], destination, &value))
			complain(p, "no such figure: %s", words[0]);
		low = strtoull(words[1], NULL, 10);
		high = dots != NULL ? strtoull(dots + 2, NULL, 10) : low;
	}
	if (value < low || value > high)
		complain(
		    p, "%s of \"%s\": %llu, expected %s", words[0], destination, (unsigned long long)value, words[1]);
}

/* --- files --- */

static size_t split(char *line, char *words[WORDS_MAX])
{
	size_t count = 0;

	for (char *save, *word = strtok_r(line, " \t\n", &save); word != NULL && count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\n", &save))
		words[count++] = word;
	return count;
}

/* Indented lines are the configuration; the scheduler starts (or reloads) with the first line after them. */
static void configure(struct play *p, bool *pending)
{
	if (!*pending)
		return;
	*pending = false;
	if (p->w.sched == NULL)
		world_open(&p->w, p->yaml);
	else
		world_reload(&p->w, p->yaml);
	p->yaml[0] = '\0';
}

static void play_line(struct play *p, char *line, bool *pending)
{
	char *words[WORDS_MAX];
	size_t count;

	if (line[0] == '\t') {
		if (!*pending)
			snprintf(p->yaml, sizeof(p->yaml), "%s%s%s", LISTEN, TENANTS,
			    "retry: {first: 5m, max: 4h, expire: 5d}\n");
		*pending = true;
		snprintf(p->yaml + strlen(p->yaml), sizeof(p->yaml) - strlen(p->yaml), "%s", line + 1);
		return;
	}
	if (line[0] == '#' || line[0] == '\n')
		return;
	configure(p, pending);
	count = split(line, words);
	if (strcmp(words[0], "at") == 0 && count > 2) {
		pass(p, when_of(p, words[1]));
		deed(p, words + 2, count - 2);
	} else if (strcmp(words[0], "takes") == 0 && count == 2) {
		p->takes = duration(p, words[1]);
	} else if (strcmp(words[0], "expect") == 0) {
		expect(p, words + 1, count - 1);
	} else if (strcmp(words[0], "config") != 0) {
		complain(p, "not understood: %s", words[0]);
	}
}

static void play_file(const char *path)
{
	struct play *p = calloc(1, sizeof(*p));
	FILE *in = fopen(path, "r");
	char line[LINE_BYTES];
	bool pending = false;

	assert_non_null(p);
	assert_non_null(in);
	p->file = path;
	p->takes = SECONDS(1);
	while (fgets(line, sizeof(line), in) != NULL) {
		p->line++;
		play_line(p, line, &pending);
	}
	fclose(in);
	world_close(&p->w);
	free(p);
	printf("played %s\n", path);
}

static void scenarios_of_tests_replay_come_out_as_written(void **state)
{
	const char *folder = getenv("REPLAY") != NULL ? getenv("REPLAY") : "tests/replay";
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort), played = 0;
	char path[512];

	for (int i = 0; i < count; i++) {
		const char *end = strrchr(names[i]->d_name, '.');

		if (end != NULL && strcmp(end, ".replay") == 0) {
			snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
			play_file(path);
			played++;
		}
		free(names[i]);
	}
	free(names);
	assert_in_range(played, 6, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(scenarios_of_tests_replay_come_out_as_written) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
